/* ---
description: >-
  Everybody who organizes, attends or has a calendar, with the time zone in which their days are computed: that of the
  SSO user, otherwise of their calendars, otherwise of most events that they organize, otherwise of most that they
  attend, otherwise UTC. Zones that the database doesn't support are skipped.
owners: [people]
optional: [sso]
columns:
  email: Address of the person or room, lower case.
  name: Name shown for it; the last one in alphabetical order when there are several.
  kind: INDIVIDUAL, ROOM or RESOURCE.
  timezone: The zone, an IANA name.
  timezone_from: Where it comes from, sso, calendar, organized, attended or none.
  employed: Whether SSO has an active user with the address; null when SSO isn't loaded.
checks:
  - unique: [email]
  - not_null: [email, kind, timezone]
  - accepted_values: {kind: [INDIVIDUAL, ROOM, RESOURCE]}
--- */
WITH involved AS (
    SELECT
        a.email,
        a.name,
        CASE WHEN a.kind IN ('ROOM', 'RESOURCE') THEN a.kind ELSE 'INDIVIDUAL' END AS kind,
        e.timezone,
        e.uid,
        4 AS source
    FROM calendar.attendees AS a
    JOIN calendar.events AS e
        ON e.calendar = a.calendar
        AND e.href = a.href
        AND e.uid = a.uid
        AND e.recurrence_id = a.recurrence_id
        AND e._deleted_at IS NULL
    WHERE a._deleted_at IS NULL AND a.email IS NOT NULL AND COALESCE(a.kind, 'INDIVIDUAL') <> 'GROUP'
    UNION ALL
    SELECT organizer_email, organizer_name, 'INDIVIDUAL', timezone, uid, 3
    FROM calendar.events
    WHERE _deleted_at IS NULL AND organizer_email IS NOT NULL
    UNION ALL
    SELECT email, NULL, 'INDIVIDUAL', timezone, calendar, 2
    FROM calendar_owners
    WHERE email IS NOT NULL
),
people AS (
    SELECT email, MAX(name) AS name, MAX(kind) AS kind FROM involved GROUP BY email
),
users AS (
    SELECT LOWER(email) AS email, MIN(timezone) AS timezone, MAX(CASE WHEN active THEN 1 ELSE 0 END) AS active
    FROM sso.users
    WHERE _deleted_at IS NULL AND email IS NOT NULL
    GROUP BY LOWER(email)
),
candidates AS (
    SELECT email, timezone, source, COUNT(DISTINCT uid) AS events FROM involved GROUP BY email, timezone, source
    UNION ALL
    SELECT email, timezone, 1, 1 FROM users
),
zones AS (
    SELECT
        c.email,
        k.name AS timezone,
        c.source,
        ROW_NUMBER() OVER (PARTITION BY c.email ORDER BY c.source, c.events DESC, k.name) AS place
    FROM candidates AS c
    JOIN PG_TIMEZONE_NAMES() AS k ON k.name = c.timezone
)
SELECT
    p.email,
    p.name,
    p.kind,
    COALESCE(z.timezone, 'UTC') AS timezone,
    CASE z.source
        WHEN 1 THEN 'sso'
        WHEN 2 THEN 'calendar'
        WHEN 3 THEN 'organized'
        WHEN 4 THEN 'attended'
        ELSE 'none'
    END AS timezone_from,
    CASE WHEN l.users > 0 THEN COALESCE(u.active, 0) = 1 END AS employed
FROM people AS p
CROSS JOIN (SELECT COUNT(*) AS users FROM users) AS l
LEFT JOIN users AS u ON u.email = p.email
LEFT JOIN zones AS z ON z.email = p.email AND z.place = 1
