/* ---
description: >-
  Every file of the storage with its owner, type and age: current objects and older versions. Incomplete uploads are
  left out.
materialized: view
owners: [operations]
columns:
  bucket: Name of the bucket.
  prefix: First folder of the key with its slash; empty at the top of the bucket.
  key: Name of the object in its bucket, folders included.
  version_id: The version; null if the bucket has no versioning.
  is_current: Whether it is the object as it is now; false for an older version.
  owner: Owner's mail address, else how the server names them; empty when nobody is named.
  extension: What follows the last dot of the file's name, lower case; empty without one, or when it is no extension.
  type: >-
    Kind of content by its extension: document, table, image, video, audio, archive, backup, code, data or other;
    listings have no content types.
  size: Bytes.
  etag: Tag of the content, lower case.
  last_modified: When it was put.
  days_since_modified: >-
    Whole days from then to the last time that anything of cloud storage was loaded; not to the present moment, so that
    equal data gives equal rows.
checks:
  - not_null: [bucket, key, owner, extension, type]
  - accepted_values: {type: [document, table, image, video, audio, archive, backup, code, data, other]}
  - range: {days_since_modified: {min: 0}}
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'cloud_storage'
),
files AS (
    SELECT
        bucket,
        prefix,
        key,
        version_id,
        TRUE AS is_current,
        COALESCE(owner_email, owner_id, '') AS owner,
        size,
        etag,
        last_modified
    FROM cloud_storage.objects
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT
        bucket,
        CASE WHEN STRPOS(key, '/') > 0 THEN SPLIT_PART(key, '/', 1) || '/' ELSE '' END AS prefix,
        key,
        version_id,
        FALSE AS is_current,
        COALESCE(owner_email, owner_id, '') AS owner,
        size,
        etag,
        last_modified
    FROM cloud_storage.object_versions
    WHERE _deleted_at IS NULL AND NOT COALESCE(is_latest, FALSE)
),
named AS (
    SELECT *, LOWER(SPLIT_PART(SPLIT_PART(key, '/', -1), '.', -1)) AS ending
    FROM files
),
typed AS (
    -- A dot at the beginning hides a file, as in .profile; what follows it is no extension.
    SELECT
        *,
        CASE
            WHEN STRPOS(SUBSTR(SPLIT_PART(key, '/', -1), 2), '.') > 0 AND REGEXP_MATCHES(ending, '^[a-z0-9]{1,10}$')
                THEN ending
            ELSE ''
        END AS extension
    FROM named
),
aged AS (
    SELECT t.*, CAST(FLOOR((EXTRACT(EPOCH FROM l.at) - EXTRACT(EPOCH FROM t.last_modified)) / 86400) AS BIGINT) AS days
    FROM typed AS t
    CROSS JOIN loaded AS l
)
SELECT
    bucket,
    prefix,
    key,
    version_id,
    is_current,
    owner,
    extension,
    CASE
        WHEN extension IN ('pdf', 'doc', 'docx', 'odt', 'rtf', 'txt', 'md', 'html', 'htm', 'ppt', 'pptx', 'odp', 'eml',
            'epub', 'tex', 'key', 'pages') THEN 'document'
        WHEN extension IN ('csv', 'tsv', 'xls', 'xlsx', 'xlsm', 'ods', 'numbers') THEN 'table'
        WHEN extension IN ('jpg', 'jpeg', 'png', 'gif', 'svg', 'webp', 'tif', 'tiff', 'bmp', 'heic', 'ico', 'psd', 'ai',
            'eps', 'raw', 'avif') THEN 'image'
        WHEN extension IN ('mp4', 'mov', 'avi', 'mkv', 'webm', 'm4v', 'mpg', 'mpeg', 'wmv') THEN 'video'
        WHEN extension IN ('mp3', 'wav', 'flac', 'ogg', 'm4a', 'aac', 'opus') THEN 'audio'
        WHEN extension IN ('zip', 'gz', 'tgz', 'tar', 'bz2', 'xz', '7z', 'rar', 'zst', 'lz4', 'jar', 'iso')
            THEN 'archive'
        WHEN extension IN ('dump', 'bak', 'sql', 'bkp', 'backup', 'vmdk', 'qcow2', 'wal', 'rdb') THEN 'backup'
        WHEN extension IN ('py', 'js', 'ts', 'java', 'c', 'h', 'cpp', 'go', 'rs', 'rb', 'php', 'sh', 'css', 'ipynb',
            'swift', 'kt') THEN 'code'
        WHEN extension IN ('json', 'jsonl', 'ndjson', 'xml', 'yaml', 'yml', 'toml', 'parquet', 'avro', 'orc', 'arrow',
            'db', 'sqlite', 'duckdb', 'log', 'ics', 'vcf') THEN 'data'
        ELSE 'other'
    END AS type,
    size,
    LOWER(etag) AS etag,
    last_modified,
    CASE WHEN days < 0 THEN 0 ELSE days END AS days_since_modified
FROM aged
