/* ---
description: >-
  Contents that are stored more than once, by tag and size. Only tags that derive from the content are compared: an
  MD5 of it, or of its parts. Empty objects, which waste nothing, and older versions are left out. The same content
  uploaded in parts of another size, or encrypted by the server, has another tag and isn't detected.
owners: [operations]
columns:
  etag: Tag of the content, lower case.
  size: Bytes of one copy.
  in_parts: Whether it was uploaded in parts; its tag is then the MD5 of the parts' own.
  copies: Objects that have this content.
  buckets: Buckets that they are in.
  owners: Owners whom they belong to.
  wasted_bytes: Bytes that deleting all copies except one would free.
  first_bucket: Bucket of the oldest copy.
  first_key: Key of the oldest copy; of several as old, the first by bucket and key.
  last_bucket: Bucket of the newest copy.
  last_key: Key of the newest copy.
  last_copied_at: When the newest copy was put.
checks:
  - unique: [etag, size]
  - not_null: [etag, size]
  - range: {copies: {min: 2}, wasted_bytes: {min: 1}}
--- */
WITH contents AS (
    SELECT
        bucket,
        key,
        owner,
        etag,
        size,
        last_modified,
        ROW_NUMBER() OVER (PARTITION BY etag, size ORDER BY last_modified, bucket, key) AS place,
        COUNT(*) OVER (PARTITION BY etag, size) AS copies
    FROM stored_files
    WHERE is_current AND size > 0 AND REGEXP_MATCHES(etag, '^[0-9a-f]{32}(-[0-9]+)?$')
)
SELECT
    etag,
    size,
    STRPOS(etag, '-') > 0 AS in_parts,
    copies,
    COUNT(DISTINCT bucket) AS buckets,
    COUNT(DISTINCT owner) AS owners,
    CAST(size * (copies - 1) AS BIGINT) AS wasted_bytes,
    MAX(bucket) FILTER (WHERE place = 1) AS first_bucket,
    MAX(key) FILTER (WHERE place = 1) AS first_key,
    MAX(bucket) FILTER (WHERE place = copies) AS last_bucket,
    MAX(key) FILTER (WHERE place = copies) AS last_key,
    MAX(last_modified) AS last_copied_at
FROM contents
WHERE copies > 1
GROUP BY etag, size, copies
