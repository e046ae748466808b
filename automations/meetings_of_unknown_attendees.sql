WITH meetings AS (
    SELECT
        REGEXP_REPLACE(LOWER(TRIM(COALESCE(a.email, a.address))), '^mailto:', '') AS attendee_email,
        REGEXP_REPLACE(LOWER(TRIM(e.organizer_email)), '^mailto:', '') AS organizer_email,
        e.organizer_name,
        e.summary AS meeting,
        o.starts_at,
        o.ends_at
    FROM calendar.attendees AS a
    JOIN calendar.events AS e
        ON e.calendar = a.calendar AND e.href = a.href AND e.uid = a.uid AND e.recurrence_id = a.recurrence_id
    JOIN calendar.occurrences AS o
        ON o.calendar = e.calendar AND o.href = e.href AND o.uid = e.uid AND o.recurrence_id = e.recurrence_id
    WHERE a._deleted_at IS NULL AND e._deleted_at IS NULL AND o._deleted_at IS NULL AND e.organizer_email IS NOT NULL
),
placed AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY attendee_email
            ORDER BY CASE WHEN starts_at >= $now THEN 0 ELSE 1 END, starts_at, organizer_email, meeting
        ) AS place
    FROM meetings
)
SELECT attendee_email, organizer_email, organizer_name, meeting, starts_at, ends_at FROM placed WHERE place = 1
