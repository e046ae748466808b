/* ---
description: >-
  When each quota will be reached, if the stored data grows as it did on the last 30 days with a run: a straight line
  by least squares. Days on which its scope was empty count as 0 bytes.
owners: [operations]
columns:
  bucket: Bucket that the quota is for; empty for all.
  prefix: First folder that it is for; empty for all.
  owner: Owner that it is for; empty for all.
  limit_bytes: Bytes that may be stored.
  used_bytes: Bytes that are stored, without older versions.
  used_share: used_bytes divided by limit_bytes; null when nothing may be stored.
  status: >-
    over; full when it is used to the byte; filling; steady when it isn't growing; or unknown when there is only one day
    with data.
  days_with_data: Days that the line is drawn through, 30 at most.
  first_day: The first of them; null when there is none.
  last_day: The last of them; null when there is none.
  bytes_per_day: Slope of the line; negative when it shrinks, null with fewer than two days.
  days_left: >-
    Whole days from last_day until the quota is reached; null unless it is filling, and when it will take more than ten
    years.
  full_on: The day on which it will be reached; null when days_left is.
checks:
  - unique: [bucket, prefix, owner]
  - not_null: [bucket, prefix, owner, limit_bytes, used_bytes, status]
  - accepted_values: {status: [over, full, filling, steady, unknown]}
  - range: {days_left: {min: 1, max: 3650}, days_with_data: {min: 0, max: 30}}
--- */
WITH scopes AS (
    SELECT
        bucket,
        prefix,
        owner,
        limit_bytes,
        used_bytes,
        bucket <> '' AS by_bucket,
        prefix <> '' AS by_prefix,
        owner <> '' AS by_owner
    FROM cloud_storage.quotas
    WHERE _deleted_at IS NULL
),
shapes AS (
    -- Eight at most: usage is added up for those alone that a quota has.
    SELECT DISTINCT by_bucket, by_prefix, by_owner FROM scopes
),
recent AS (
    SELECT day
    FROM (SELECT DISTINCT day FROM cloud_storage.usage_daily WHERE _deleted_at IS NULL) AS each_day
    ORDER BY day DESC
    LIMIT 30
),
ends AS (
    SELECT MIN(day) AS first_day, MAX(day) AS last_day FROM recent
),
stored AS (
    SELECT
        s.by_bucket,
        s.by_prefix,
        s.by_owner,
        CASE WHEN s.by_bucket THEN u.bucket ELSE '' END AS bucket,
        CASE WHEN s.by_prefix THEN u.prefix ELSE '' END AS prefix,
        CASE WHEN s.by_owner THEN u.owner ELSE '' END AS owner,
        u.day,
        CAST(SUM(u.bytes) AS BIGINT) AS bytes
    FROM cloud_storage.usage_daily AS u
    JOIN recent AS r ON r.day = u.day
    CROSS JOIN shapes AS s
    WHERE u._deleted_at IS NULL
    GROUP BY 1, 2, 3, 4, 5, 6, 7
),
points AS (
    SELECT q.bucket, q.prefix, q.owner, CAST(r.day - e.last_day AS BIGINT) AS x, COALESCE(s.bytes, 0) AS y
    FROM scopes AS q
    CROSS JOIN recent AS r
    CROSS JOIN ends AS e
    LEFT JOIN stored AS s
        ON s.by_bucket = q.by_bucket
        AND s.by_prefix = q.by_prefix
        AND s.by_owner = q.by_owner
        AND s.bucket = q.bucket
        AND s.prefix = q.prefix
        AND s.owner = q.owner
        AND s.day = r.day
),
sums AS (
    SELECT bucket, prefix, owner, COUNT(*) AS n, SUM(x) AS sx, SUM(y) AS sy, SUM(x * y) AS sxy, SUM(x * x) AS sxx
    FROM points
    GROUP BY bucket, prefix, owner
),
lines AS (
    SELECT
        bucket,
        prefix,
        owner,
        n,
        CAST(n * sxy - sx * sy AS DOUBLE) / CAST(NULLIF(n * sxx - sx * sx, 0) AS DOUBLE) AS slope
    FROM sums
),
judged AS (
    SELECT
        q.bucket,
        q.prefix,
        q.owner,
        q.limit_bytes,
        q.used_bytes,
        COALESCE(l.n, 0) AS n,
        l.slope,
        CASE
            WHEN q.used_bytes > q.limit_bytes THEN 'over'
            WHEN q.used_bytes = q.limit_bytes THEN 'full'
            WHEN l.slope IS NULL THEN 'unknown'
            WHEN l.slope > 0 THEN 'filling'
            ELSE 'steady'
        END AS status
    FROM scopes AS q
    LEFT JOIN lines AS l ON l.bucket = q.bucket AND l.prefix = q.prefix AND l.owner = q.owner
),
dated AS (
    SELECT
        j.*,
        CASE
            WHEN j.status = 'filling' AND (j.limit_bytes - j.used_bytes) / j.slope <= 3650
                THEN CAST(CEIL((j.limit_bytes - j.used_bytes) / j.slope) AS INTEGER)
        END AS days_left
    FROM judged AS j
)
SELECT
    d.bucket,
    d.prefix,
    d.owner,
    d.limit_bytes,
    d.used_bytes,
    CAST(d.used_bytes AS DOUBLE) / CAST(NULLIF(d.limit_bytes, 0) AS DOUBLE) AS used_share,
    d.status,
    d.n AS days_with_data,
    e.first_day,
    e.last_day,
    d.slope AS bytes_per_day,
    CAST(d.days_left AS BIGINT) AS days_left,
    e.last_day + d.days_left AS full_on
FROM dated AS d
CROSS JOIN ends AS e
