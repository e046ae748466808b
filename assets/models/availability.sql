/* ---
description: >-
  How much of each working day people are free: Monday to Friday, 9 to 17 in their own time zone, from four weeks
  before the last load of the calendars to eight weeks after. Overlapping bookings count once; unanswered invitations
  block time too. If SSO is loaded, only its active users are here.
owners: [people]
columns:
  email: Address of the person.
  name: Name shown for the person.
  timezone: The zone that the day is computed in.
  week: Monday of the ISO week of the day.
  day: The day, on that zone's calendar.
  working_hours: Hours of the working day.
  busy_hours: Of these, the ones with a booking.
  free_hours: Of these, the ones without.
  free_share: free_hours divided by working_hours.
  bookings: Bookings that touch the working hours.
checks:
  - unique: [email, day]
  - not_null: [email, day]
  - range: {busy_hours: {min: 0, max: 8}, free_share: {min: 0, max: 1}}
--- */
WITH loaded AS (
    SELECT CAST(DATE_TRUNC('week', MAX(applied_at) AT TIME ZONE 'UTC') AS DATE) AS monday
    FROM leat.loads
    WHERE integration = 'calendar'
),
days AS (
    SELECT
        l.monday + 7 * w.week AS week,
        l.monday + 7 * w.week + d.day AS day,
        CAST(l.monday + 7 * w.week + d.day AS TIMESTAMP) + INTERVAL '9' HOUR AS opens,
        CAST(l.monday + 7 * w.week + d.day AS TIMESTAMP) + INTERVAL '17' HOUR AS closes
    FROM loaded AS l
    CROSS JOIN (VALUES (-4), (-3), (-2), (-1), (0), (1), (2), (3), (4), (5), (6), (7), (8)) AS w (week)
    CROSS JOIN (VALUES (0), (1), (2), (3), (4)) AS d (day)
),
booked AS (
    SELECT
        b.email,
        b.uid,
        b.occurrence_id,
        b.starts_local,
        b.ends_local,
        CAST(b.starts_local AS DATE) AS first_day,
        CAST(b.ends_local - INTERVAL '1' SECOND AS DATE) AS last_day
    FROM bookings AS b
    WHERE b.kind = 'INDIVIDUAL'
),
longer AS MATERIALIZED (
    SELECT * FROM booked WHERE first_day < last_day
),
by_day AS (
    -- Most bookings begin and end on one day; the few others are looked for by comparing.
    SELECT b.*, d.day, d.opens, d.closes
    FROM booked AS b
    JOIN days AS d ON d.day = b.first_day
    WHERE b.first_day = b.last_day
    UNION ALL
    SELECT b.*, d.day, d.opens, d.closes
    FROM longer AS b
    JOIN days AS d ON d.day BETWEEN b.first_day AND b.last_day
),
clipped AS (
    SELECT
        email,
        day,
        uid,
        occurrence_id,
        EXTRACT(EPOCH FROM GREATEST(starts_local, opens)) AS begins,
        EXTRACT(EPOCH FROM LEAST(ends_local, closes)) AS ends
    FROM by_day
    WHERE starts_local < closes AND ends_local > opens
),
covered AS (
    SELECT
        email,
        day,
        begins,
        ends,
        COALESCE(
            MAX(ends) OVER (
                PARTITION BY email, day
                ORDER BY begins, ends, uid, occurrence_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            begins
        ) AS covered_until
    FROM clipped
),
busy AS (
    SELECT
        email,
        day,
        COUNT(*) AS bookings,
        CAST(SUM(GREATEST(ends - GREATEST(begins, covered_until), 0)) AS DOUBLE) / 3600 AS hours
    FROM covered
    GROUP BY email, day
)
SELECT
    p.email,
    p.name,
    p.timezone,
    d.week,
    d.day,
    CAST(8 AS BIGINT) AS working_hours,
    COALESCE(b.hours, 0) AS busy_hours,
    8 - COALESCE(b.hours, 0) AS free_hours,
    (8 - COALESCE(b.hours, 0)) / 8 AS free_share,
    COALESCE(b.bookings, 0) AS bookings
FROM calendar_people AS p
CROSS JOIN days AS d
LEFT JOIN busy AS b ON b.email = p.email AND b.day = d.day
WHERE p.kind = 'INDIVIDUAL' AND COALESCE(p.employed, TRUE)
