/* ---
description: >-
  A time at which a person or room is booked: they organize, attend and haven't declined or delegated, or the event is
  in a calendar of their own without attendees. It covers four weeks before the week of the last load of the calendars
  to eight weeks after it. Cancelled events, events that don't block time or have no duration, and people who are only
  informed (NON-PARTICIPANT) are left out. An event in several calendars counts once.
owners: [people]
columns:
  email: Address of the person or room.
  uid: UID of the event; the same for a whole series.
  occurrence_id: Which time of the series.
  summary: Title.
  kind: INDIVIDUAL, ROOM or RESOURCE.
  starts_at: Start; all-day and floating times are read in the zone of the person.
  ends_at: End, exclusive.
  starts_local: Start on the wall clock of the person's own zone, as calendar_people has it.
  ends_local: End on that wall clock, exclusive.
  all_day: Whether it takes whole days.
  organizes: Whether the person organizes it or it is in their calendar alone.
  tentative: Whether the event is tentative or the person hasn't accepted it.
checks:
  - unique: [email, uid, occurrence_id]
  - not_null: [email, uid, occurrence_id, starts_at, ends_at]
  - foreign_key: {email: calendar_people.email}
--- */
-- Postgres takes the columns of an event's key for independent and expects next to no row: joining by all of them as
-- one text keeps it from nested loops.
WITH window_of_time AS (
    -- A day more on both sides, for zones.
    SELECT
        DATE_TRUNC('week', MAX(applied_at) AT TIME ZONE 'UTC') - INTERVAL '29' DAY AS begins,
        DATE_TRUNC('week', MAX(applied_at) AT TIME ZONE 'UTC') + INTERVAL '64' DAY AS ends
    FROM leat.loads
    WHERE integration = 'calendar'
),
happening AS (
    SELECT
        o.calendar || ' ' || o.href || ' ' || o.uid || ' ' || o.recurrence_id AS event,
        o.uid,
        o.occurrence_id,
        o.summary,
        COALESCE(o.status, 'CONFIRMED') AS status,
        o.starts_at,
        o.ends_at,
        o.starts_local,
        o.ends_local,
        COALESCE(o.all_day, FALSE) AS all_day,
        COALESCE(o.all_day, FALSE) OR COALESCE(o.floating, FALSE) AS floating
    FROM calendar.occurrences AS o
    JOIN window_of_time AS w
        ON o.ends_at > w.begins AT TIME ZONE 'UTC' AND o.starts_at < w.ends AT TIME ZONE 'UTC'
    WHERE o._deleted_at IS NULL
        AND COALESCE(o.status, 'CONFIRMED') <> 'CANCELLED'
        AND COALESCE(o.transparency, 'OPAQUE') <> 'TRANSPARENT'
        AND o.starts_local IS NOT NULL
        AND o.ends_at > o.starts_at
),
attending AS (
    SELECT
        calendar || ' ' || href || ' ' || uid || ' ' || recurrence_id AS event,
        email,
        CASE WHEN COALESCE(response_status, 'NEEDS-ACTION') IN ('DECLINED', 'DELEGATED') THEN 1 ELSE 0 END AS declined,
        CASE WHEN response_status = 'ACCEPTED' THEN 1 ELSE 0 END AS accepted
    FROM calendar.attendees
    WHERE _deleted_at IS NULL
        AND email IS NOT NULL
        AND COALESCE(kind, 'INDIVIDUAL') <> 'GROUP'
        AND COALESCE(role, 'REQ-PARTICIPANT') <> 'NON-PARTICIPANT'
),
attended AS (
    SELECT DISTINCT calendar || ' ' || href || ' ' || uid || ' ' || recurrence_id AS event
    FROM calendar.attendees
    WHERE _deleted_at IS NULL
),
organizing AS (
    SELECT
        e.calendar || ' ' || e.href || ' ' || e.uid || ' ' || e.recurrence_id AS event,
        e.organizer_email,
        w.email AS owner_email
    FROM calendar.events AS e
    LEFT JOIN calendar_owners AS w ON w.calendar = e.calendar
    WHERE e._deleted_at IS NULL
),
involved AS (
    SELECT event, email, declined, accepted, 0 AS organizes FROM attending
    UNION ALL
    SELECT event, organizer_email, 0, 1, 1 FROM organizing WHERE organizer_email IS NOT NULL
    UNION ALL
    SELECT o.event, o.owner_email, 0, 1, 1
    FROM organizing AS o
    LEFT JOIN attended AS a ON a.event = o.event
    WHERE o.organizer_email IS NULL AND o.owner_email IS NOT NULL AND a.event IS NULL
),
booked AS (
    -- One meeting may be in several calendars, with the answer known in one of them only.
    SELECT
        i.email,
        h.uid,
        h.occurrence_id,
        MIN(h.summary) AS summary,
        MIN(h.starts_at) AS starts_at,
        MIN(h.ends_at) AS ends_at,
        MIN(h.starts_local) AS starts_local,
        MIN(h.ends_local) AS ends_local,
        MAX(CASE WHEN h.all_day THEN 1 ELSE 0 END) = 1 AS all_day,
        MAX(CASE WHEN h.floating THEN 1 ELSE 0 END) = 1 AS floating,
        MAX(i.organizes) = 1 AS organizes,
        MIN(CASE WHEN h.status = 'TENTATIVE' OR i.accepted = 0 THEN 1 ELSE 0 END) = 1 AS tentative
    FROM happening AS h
    JOIN involved AS i ON i.event = h.event
    GROUP BY i.email, h.uid, h.occurrence_id
    HAVING MAX(i.declined) = 0
),
zoned AS (
    SELECT
        b.*,
        p.kind,
        p.timezone,
        b.starts_at AT TIME ZONE 'UTC' AS starts_utc,
        b.ends_at AT TIME ZONE 'UTC' AS ends_utc,
        CAST(b.starts_at AT TIME ZONE 'UTC' AS DATE) AS first_day,
        CAST(b.ends_at AT TIME ZONE 'UTC' AS DATE) AS last_day
    FROM booked AS b
    JOIN calendar_people AS p ON p.email = b.email
),
days AS (
    SELECT timezone, first_day AS day FROM zoned
    UNION
    SELECT timezone, last_day FROM zoned
),
midnights AS (
    SELECT timezone, day, CAST(day AS TIMESTAMP) AS begins, CAST(day + 1 AS TIMESTAMP) AS ends FROM days
),
clocks AS (
    -- How far a zone is ahead of UTC, worked out once a day: working it out for each booking takes much longer.
    SELECT
        timezone,
        day,
        ((begins AT TIME ZONE 'UTC') AT TIME ZONE timezone) - begins AS ahead,
        ((ends AT TIME ZONE 'UTC') AT TIME ZONE timezone) - ends AS ahead_next
    FROM midnights
)
SELECT
    z.email,
    z.uid,
    z.occurrence_id,
    z.summary,
    z.kind,
    CASE WHEN z.floating THEN z.starts_local AT TIME ZONE z.timezone ELSE z.starts_at END AS starts_at,
    CASE WHEN z.floating THEN z.ends_local AT TIME ZONE z.timezone ELSE z.ends_at END AS ends_at,
    CASE
        WHEN z.floating THEN z.starts_local
        WHEN s.ahead = s.ahead_next THEN z.starts_utc + s.ahead
        ELSE z.starts_at AT TIME ZONE z.timezone
    END AS starts_local,
    CASE
        WHEN z.floating THEN z.ends_local
        WHEN e.ahead = e.ahead_next THEN z.ends_utc + e.ahead
        ELSE z.ends_at AT TIME ZONE z.timezone
    END AS ends_local,
    z.all_day,
    z.organizes,
    z.tentative
FROM zoned AS z
JOIN clocks AS s ON s.timezone = z.timezone AND s.day = z.first_day
JOIN clocks AS e ON e.timezone = z.timezone AND e.day = z.last_day
