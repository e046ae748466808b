/* ---
title: Nobody who left organizes a future meeting
description: >-
  A future meeting belongs to somebody whose account was deactivated or deleted. Nobody can move or cancel it, and a
  series goes on for ever, so somebody has to take it over. This excludes cancelled meetings. The tolerance is the
  time allowed after somebody has left.
next_step: >-
  Ask an attendee to create the meeting again under their own name, or to cancel it. Then delete the old one from the
  calendar.
severity: warn
owner: people
key: [person_id]
sides:
  sso: [person_id, name, email, left_at]
  calendar: [meetings_ahead, next_at, next_meeting, next_uid, next_calendar]
needs: [sso]
tolerance: {settle: P1D}
--- */
WITH ahead AS (
    SELECT
        p.person_id,
        p.name,
        p.email,
        p.left_at,
        e.uid,
        e.summary,
        e.calendar,
        o.starts_at,
        ROW_NUMBER() OVER (
            PARTITION BY p.person_id ORDER BY o.starts_at, e.uid, e.calendar, o.occurrence_id
        ) AS position
    FROM calendar.events AS e
    JOIN identities AS i
        ON i.system = 'calendar'
        AND i.kind = 'organizer'
        AND i.identity = REGEXP_REPLACE(LOWER(TRIM(e.organizer_email)), '^mailto:', '')
    JOIN people AS p ON p.person_id = i.person_id
    JOIN calendar.occurrences AS o
        ON o.calendar = e.calendar AND o.href = e.href AND o.uid = e.uid AND o.recurrence_id = e.recurrence_id
    WHERE e._deleted_at IS NULL
        AND o._deleted_at IS NULL
        AND COALESCE(o.status, e.status, 'CONFIRMED') <> 'CANCELLED'
        AND o.starts_at > $now
        AND p.left_at < $now - $settle
)
SELECT
    person_id,
    MAX(name) AS name,
    MAX(email) AS email,
    MAX(left_at) AS left_at,
    COUNT(DISTINCT uid) AS meetings_ahead,
    MAX(CASE WHEN position = 1 THEN starts_at END) AS next_at,
    MAX(CASE WHEN position = 1 THEN summary END) AS next_meeting,
    MAX(CASE WHEN position = 1 THEN uid END) AS next_uid,
    MAX(CASE WHEN position = 1 THEN calendar END) AS next_calendar
FROM ahead
GROUP BY person_id
