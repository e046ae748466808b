/* ---
description: >-
  The meetings that each person is invited to in each ISO week. A meeting is one occurrence of an event with
  attendees. All-day events, and events that don't block time, are left out.
owners: [people]
columns:
  email: Mail address of the person, lower case.
  name: Name shown for the person; the last one in alphabetical order when there are several.
  week: Monday of the ISO week in which the meetings start, on the wall clock of their own zone.
  meetings: Meetings that weren't cancelled and that the person hasn't declined.
  hours: Their length together, in hours; meetings at the same time count each.
  accepted: Meetings that the person accepted.
  declined: Meetings that the person declined; not in meetings and hours.
  unanswered: Meetings that the person hasn't answered, or tentatively.
checks:
  - unique: [email, week]
  - not_null: [email, week]
  - range: {hours: {min: 0}}
--- */
-- As in bookings, the columns of an event's key are joined as one text.
WITH happening AS (
    SELECT
        calendar || ' ' || href || ' ' || uid || ' ' || recurrence_id AS event,
        uid,
        occurrence_id,
        CAST(DATE_TRUNC('week', starts_local) AS DATE) AS week,
        CAST(EXTRACT(EPOCH FROM ends_at - starts_at) AS DOUBLE) / 3600 AS hours
    FROM calendar.occurrences
    WHERE _deleted_at IS NULL
        AND COALESCE(status, 'CONFIRMED') <> 'CANCELLED'
        AND COALESCE(transparency, 'OPAQUE') <> 'TRANSPARENT'
        AND NOT all_day
        AND starts_local IS NOT NULL
),
invited AS (
    SELECT
        calendar || ' ' || href || ' ' || uid || ' ' || recurrence_id AS event,
        email,
        name,
        CASE response_status WHEN 'ACCEPTED' THEN 1 WHEN 'DECLINED' THEN 2 ELSE 0 END AS answer
    FROM calendar.attendees
    WHERE _deleted_at IS NULL
        AND email IS NOT NULL
        AND COALESCE(kind, 'INDIVIDUAL') = 'INDIVIDUAL'
),
names AS (
    SELECT email, MAX(name) AS name FROM invited GROUP BY email
),
answers AS (
    -- One meeting may be in several calendars, with the answer known in one of them only: 1 is accepted, 2 is declined,
    -- 3 is both.
    SELECT
        h.uid,
        h.occurrence_id,
        i.email,
        MIN(h.week) AS week,
        MAX(h.hours) AS hours,
        BIT_OR(i.answer) AS answer
    FROM happening AS h
    JOIN invited AS i ON i.event = h.event
    GROUP BY h.uid, h.occurrence_id, i.email
),
counted AS (
    SELECT
        email,
        week,
        COUNT(*) FILTER (WHERE answer < 2) AS meetings,
        COALESCE(SUM(hours) FILTER (WHERE answer < 2), 0) AS hours,
        COUNT(*) FILTER (WHERE answer IN (1, 3)) AS accepted,
        COUNT(*) FILTER (WHERE answer > 1) AS declined,
        COUNT(*) FILTER (WHERE answer = 0) AS unanswered
    FROM answers
    GROUP BY email, week
)
SELECT c.email, n.name, c.week, c.meetings, c.hours, c.accepted, c.declined, c.unanswered
FROM counted AS c
JOIN names AS n ON n.email = c.email
