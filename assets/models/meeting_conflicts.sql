/* ---
description: >-
  Two overlapping bookings of one person or room, each pair once. All-day events are left out, and events of more than
  100 days are compared by their first 100. The model bookings defines what counts, and for which weeks.
owners: [people]
columns:
  email: Address of the person or room.
  kind: INDIVIDUAL, ROOM or RESOURCE.
  starts_at: When the overlap starts.
  ends_at: When it ends.
  minutes: How long it is.
  first_uid: UID of the one that starts first.
  first_occurrence_id: Which time of its series.
  first_summary: Its title.
  second_uid: UID of the other.
  second_occurrence_id: Which time of its series.
  second_summary: Its title.
  tentative: Whether one of them is tentative or not accepted yet.
checks:
  - unique: [email, first_uid, first_occurrence_id, second_uid, second_occurrence_id]
  - not_null: [email, starts_at, ends_at]
  - range: {minutes: {min: 0}}
--- */
WITH timed AS (
    SELECT
        *,
        CAST(starts_at AT TIME ZONE 'UTC' AS DATE) AS first_day,
        CAST(ends_at AT TIME ZONE 'UTC' AS DATE) AS last_day
    FROM bookings
    WHERE NOT all_day
),
numbers AS (
    SELECT 10 * t.ten + o.one AS n
    FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t (ten)
    CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS o (one)
),
lasting AS (
    -- An overlap starts where the later one starts, so only the earlier one is needed on all of its days.
    SELECT t.*, t.first_day AS day FROM timed AS t
    UNION ALL
    SELECT t.*, t.first_day + CAST(n.n AS INTEGER)
    FROM timed AS t
    JOIN numbers AS n ON n.n BETWEEN 1 AND t.last_day - t.first_day
    WHERE t.first_day < t.last_day
)
SELECT
    a.email,
    a.kind,
    b.starts_at,
    LEAST(a.ends_at, b.ends_at) AS ends_at,
    CAST(
        (EXTRACT(EPOCH FROM LEAST(a.ends_at, b.ends_at)) - EXTRACT(EPOCH FROM b.starts_at)) / 60 AS DOUBLE
    ) AS minutes,
    a.uid AS first_uid,
    a.occurrence_id AS first_occurrence_id,
    a.summary AS first_summary,
    b.uid AS second_uid,
    b.occurrence_id AS second_occurrence_id,
    b.summary AS second_summary,
    a.tentative OR b.tentative AS tentative
FROM lasting AS a
JOIN timed AS b
    ON b.email = a.email
    AND b.first_day = a.day
    AND b.starts_at < a.ends_at
    AND (
        b.starts_at > a.starts_at
        OR (
            b.starts_at = a.starts_at
            AND (b.uid > a.uid OR (b.uid = a.uid AND b.occurrence_id > a.occurrence_id))
        )
    )
