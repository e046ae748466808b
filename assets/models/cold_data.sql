/* ---
description: >-
  How much stored data nobody has changed for 90, 180 or 365 days, by bucket, first folder and owner. Storage doesn't
  record when something was read. Older versions are left out.
owners: [operations]
columns:
  bucket: Name of the bucket.
  prefix: First folder of the key with its slash; empty at the top of the bucket.
  owner: Owner's mail address, else how the server names them; empty when nobody is named.
  objects: Objects as they are now.
  bytes: Their bytes.
  objects_90_days: Objects that weren't changed for 90 days or more, up to the last load of cloud storage.
  bytes_90_days: Their bytes.
  objects_180_days: Objects that weren't changed for 180 days or more.
  bytes_180_days: Their bytes.
  objects_365_days: Objects that weren't changed for 365 days or more.
  bytes_365_days: Their bytes.
  share_365_days: bytes_365_days divided by bytes; null when all objects are empty.
  oldest_days: Whole days since the oldest of them was put.
  newest_days: Whole days since the newest of them was put.
checks:
  - unique: [bucket, prefix, owner]
  - not_null: [bucket, prefix, owner]
  - range: {objects: {min: 1}, bytes_365_days: {min: 0}, share_365_days: {min: 0, max: 1}}
--- */
SELECT
    bucket,
    prefix,
    owner,
    COUNT(*) AS objects,
    CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes,
    COUNT(*) FILTER (WHERE days_since_modified >= 90) AS objects_90_days,
    CAST(COALESCE(SUM(size) FILTER (WHERE days_since_modified >= 90), 0) AS BIGINT) AS bytes_90_days,
    COUNT(*) FILTER (WHERE days_since_modified >= 180) AS objects_180_days,
    CAST(COALESCE(SUM(size) FILTER (WHERE days_since_modified >= 180), 0) AS BIGINT) AS bytes_180_days,
    COUNT(*) FILTER (WHERE days_since_modified >= 365) AS objects_365_days,
    CAST(COALESCE(SUM(size) FILTER (WHERE days_since_modified >= 365), 0) AS BIGINT) AS bytes_365_days,
    CAST(COALESCE(SUM(size) FILTER (WHERE days_since_modified >= 365), 0) AS DOUBLE)
        / CAST(NULLIF(SUM(size), 0) AS DOUBLE) AS share_365_days,
    MAX(days_since_modified) AS oldest_days,
    MIN(days_since_modified) AS newest_days
FROM stored_files
WHERE is_current
GROUP BY bucket, prefix, owner
