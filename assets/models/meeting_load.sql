/* ---
description: >-
  The meetings that each person is invited to in each ISO week. A meeting is a time that happens, of an event with
  attendees; all-day events and what doesn't block time are left out.
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
WITH invited AS (
    SELECT DISTINCT
        o.uid,
        o.occurrence_id,
        a.email,
        a.name,
        a.response_status,
        o.starts_local,
        (EXTRACT(EPOCH FROM o.ends_at) - EXTRACT(EPOCH FROM o.starts_at)) / 3600 AS hours
    FROM calendar.occurrences AS o
    JOIN calendar.attendees AS a
        ON a.calendar = o.calendar
        AND a.href = o.href
        AND a.uid = o.uid
        AND a.recurrence_id = o.recurrence_id
    WHERE o._deleted_at IS NULL
        AND a._deleted_at IS NULL
        AND a.email IS NOT NULL
        AND COALESCE(a.kind, 'INDIVIDUAL') = 'INDIVIDUAL'
        AND COALESCE(o.status, 'CONFIRMED') <> 'CANCELLED'
        AND COALESCE(o.transparency, 'OPAQUE') <> 'TRANSPARENT'
        AND NOT o.all_day
        AND o.starts_local IS NOT NULL
),
answers AS (
    -- One meeting may be in several calendars, with the answer known in one of them only.
    SELECT
        uid,
        occurrence_id,
        email,
        MAX(name) AS name,
        MIN(starts_local) AS starts_local,
        MAX(hours) AS hours,
        MAX(CASE WHEN response_status = 'ACCEPTED' THEN 1 ELSE 0 END) AS accepted,
        MAX(CASE WHEN response_status = 'DECLINED' THEN 1 ELSE 0 END) AS declined
    FROM invited
    GROUP BY uid, occurrence_id, email
)
SELECT
    email,
    MAX(name) AS name,
    CAST(DATE_TRUNC('week', starts_local) AS DATE) AS week,
    COUNT(*) FILTER (WHERE declined = 0) AS meetings,
    CAST(COALESCE(SUM(hours) FILTER (WHERE declined = 0), 0) AS DOUBLE) AS hours,
    CAST(SUM(accepted) AS BIGINT) AS accepted,
    CAST(SUM(declined) AS BIGINT) AS declined,
    COUNT(*) FILTER (WHERE accepted = 0 AND declined = 0) AS unanswered
FROM answers
GROUP BY email, CAST(DATE_TRUNC('week', starts_local) AS DATE)
