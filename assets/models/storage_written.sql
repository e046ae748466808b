/* ---
description: >-
  What was stored in each month and still exists, by bucket, owner and type. Objects deleted or replaced since then
  aren't included: storage_growth has how much was really stored, from the first run on.
owners: [operations]
columns:
  bucket: Name of the bucket.
  owner: Owner's mail address, else how the server names them; empty when nobody is named.
  type: Kind of content by its extension, for example document, image or backup.
  month: First day of the month in which it was put, UTC.
  objects: Objects as they are now that were put in that month.
  bytes: Their bytes.
  bytes_so_far: Bytes of those of this and all earlier months.
checks:
  - unique: [bucket, owner, type, month]
  - not_null: [bucket, owner, type, month]
  - range: {objects: {min: 1}, bytes: {min: 0}}
--- */
WITH months AS (
    SELECT
        bucket,
        owner,
        type,
        CAST(DATE_TRUNC('month', last_modified AT TIME ZONE 'UTC') AS DATE) AS month,
        COUNT(*) AS objects,
        CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes
    FROM stored_files
    WHERE is_current AND last_modified IS NOT NULL
    GROUP BY bucket, owner, type, CAST(DATE_TRUNC('month', last_modified AT TIME ZONE 'UTC') AS DATE)
)
SELECT
    bucket,
    owner,
    type,
    month,
    objects,
    bytes,
    CAST(SUM(bytes) OVER (PARTITION BY bucket, owner, type ORDER BY month) AS BIGINT) AS bytes_so_far
FROM months
