/* ---
description: >-
  How the stored data grew from one day with a run to the next, by bucket, first folder and owner. When all of it is
  gone, there is one more row with 0 bytes, for the day on which leat noticed.
owners: [operations]
columns:
  bucket: Name of the bucket.
  prefix: First folder of the key with its slash; empty at the top of the bucket.
  owner: Owner's mail address, else how the server names them; empty when nobody is named.
  day: Day of the run (UTC).
  previous_day: The day before that has a row of the same; null for the first one.
  objects: Objects as they were in the last run of the day.
  bytes: Their bytes.
  noncurrent_bytes: Bytes of older versions.
  added_objects: Objects more than on previous_day, less when negative; null without a previous day.
  added_bytes: Bytes more than on previous_day, less when negative; null without a previous day.
  bytes_per_day: added_bytes divided by the days between; null without a previous day.
checks:
  - unique: [bucket, prefix, owner, day]
  - not_null: [bucket, prefix, owner, day]
  - range: {objects: {min: 0}, bytes: {min: 0}}
--- */
WITH stored AS (
    SELECT bucket, prefix, owner, day, objects, bytes, noncurrent_bytes
    FROM cloud_storage.usage_daily
    WHERE _deleted_at IS NULL
),
days AS (
    SELECT day, LEAD(day) OVER (ORDER BY day) AS next_day
    FROM (SELECT DISTINCT day FROM stored) AS each_day
),
followed AS (
    SELECT
        s.*,
        d.next_day,
        LEAD(s.day) OVER (PARTITION BY s.bucket, s.prefix, s.owner ORDER BY s.day) AS next_stored_day
    FROM stored AS s
    JOIN days AS d ON d.day = s.day
),
whole AS (
    SELECT bucket, prefix, owner, day, objects, bytes, noncurrent_bytes FROM stored
    UNION ALL
    -- A day without a row isn't a day without a run: others were listed on it.
    SELECT bucket, prefix, owner, next_day AS day, 0 AS objects, 0 AS bytes, 0 AS noncurrent_bytes
    FROM followed
    WHERE next_day IS NOT NULL AND (next_stored_day IS NULL OR next_stored_day > next_day)
),
compared AS (
    SELECT
        *,
        LAG(day) OVER (PARTITION BY bucket, prefix, owner ORDER BY day) AS previous_day,
        LAG(objects) OVER (PARTITION BY bucket, prefix, owner ORDER BY day) AS previous_objects,
        LAG(bytes) OVER (PARTITION BY bucket, prefix, owner ORDER BY day) AS previous_bytes
    FROM whole
)
SELECT
    bucket,
    prefix,
    owner,
    day,
    previous_day,
    CAST(objects AS BIGINT) AS objects,
    CAST(bytes AS BIGINT) AS bytes,
    CAST(noncurrent_bytes AS BIGINT) AS noncurrent_bytes,
    CAST(objects - previous_objects AS BIGINT) AS added_objects,
    CAST(bytes - previous_bytes AS BIGINT) AS added_bytes,
    CAST(bytes - previous_bytes AS DOUBLE) / CAST(day - previous_day AS DOUBLE) AS bytes_per_day
FROM compared
