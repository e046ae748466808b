/* ---
description: >-
  What is stored now, by bucket, first folder, owner and extension. Older versions have their own columns. Incomplete
  uploads are left out, because their size is unknown.
owners: [operations]
columns:
  bucket: Name of the bucket.
  prefix: First folder of the key with its slash; empty at the top of the bucket.
  owner: Owner's mail address, else how the server names them; empty when nobody is named.
  extension: What follows the last dot of the file's name, lower case; empty when it has none.
  type: Kind of content by its extension, for example document, image or backup; other when it says nothing.
  objects: Objects as they are now.
  bytes: Their bytes.
  share_of_bytes: bytes divided by the bytes of all objects as they are now; null when nothing is stored.
  largest_bytes: Bytes of the largest of them; null when there are older versions only.
  empty_objects: Objects of 0 bytes, which often stand for folders.
  noncurrent_objects: Older versions, those of deleted objects included.
  noncurrent_bytes: Their bytes.
  first_modified_at: When the oldest of the objects was put; null when there are older versions only.
  last_modified_at: When the newest of them was put; null when there are older versions only.
checks:
  - unique: [bucket, prefix, owner, extension]
  - not_null: [bucket, prefix, owner, extension, type]
  - range: {objects: {min: 0}, bytes: {min: 0}, noncurrent_bytes: {min: 0}, share_of_bytes: {min: 0, max: 1}}
--- */
WITH sums AS (
    SELECT
        bucket,
        prefix,
        owner,
        extension,
        type,
        COUNT(*) FILTER (WHERE is_current) AS objects,
        CAST(COALESCE(SUM(size) FILTER (WHERE is_current), 0) AS BIGINT) AS bytes,
        MAX(size) FILTER (WHERE is_current) AS largest_bytes,
        COUNT(*) FILTER (WHERE is_current AND size = 0) AS empty_objects,
        COUNT(*) FILTER (WHERE NOT is_current) AS noncurrent_objects,
        CAST(COALESCE(SUM(size) FILTER (WHERE NOT is_current), 0) AS BIGINT) AS noncurrent_bytes,
        MIN(last_modified) FILTER (WHERE is_current) AS first_modified_at,
        MAX(last_modified) FILTER (WHERE is_current) AS last_modified_at
    FROM stored_files
    GROUP BY bucket, prefix, owner, extension, type
),
whole AS (
    SELECT CAST(SUM(bytes) AS BIGINT) AS bytes FROM sums
)
SELECT
    s.bucket,
    s.prefix,
    s.owner,
    s.extension,
    s.type,
    s.objects,
    s.bytes,
    CAST(s.bytes AS DOUBLE) / CAST(NULLIF(w.bytes, 0) AS DOUBLE) AS share_of_bytes,
    s.largest_bytes,
    s.empty_objects,
    s.noncurrent_objects,
    s.noncurrent_bytes,
    s.first_modified_at,
    s.last_modified_at
FROM sums AS s
CROSS JOIN whole AS w
