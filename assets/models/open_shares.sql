/* ---
description: >-
  Which parts of the storage are open to everybody or to other accounts, and how much they can reach. Expired shares
  are left out. No server can list signed links, so they aren't here.
owners: [security]
optional: [sso]
columns:
  bucket: Name of the bucket.
  prefix: Beneath which key it holds; empty for the whole bucket.
  principal: Who is let in; * for everybody.
  permission: What they may do, for example READ or s3:GetObject.
  origin: What grants it - acl, or policy and the number or name of its statement.
  kind: >-
    public for everybody, user for an active account of single sign-on, leaver for one that is deactivated, foreign for
    anybody else.
  email: Mail address in the principal, lower case; null when it has none.
  user_id: The account of single sign-on with that address; null when there is none.
  expires_at: Until when it holds; null when it doesn't end.
  objects: Objects as they are now beneath the prefix.
  bytes: Their bytes.
  owners: Owners whom these belong to.
checks:
  - unique: [bucket, prefix, principal, permission, origin]
  - not_null: [bucket, principal, permission, origin, kind]
  - accepted_values: {kind: [public, user, leaver, foreign]}
  - range: {objects: {min: 0}, bytes: {min: 0}}
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'cloud_storage'
),
shares AS (
    SELECT s.bucket, s.prefix, s.principal, s.permission, s.origin, s.is_public, LOWER(s.email) AS email, s.expires_at
    FROM cloud_storage.shares AS s
    CROSS JOIN loaded AS l
    WHERE s._deleted_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > l.at)
),
places AS (
    -- Most shares name a folder: its objects are found by the folder, then by the rest of the prefix.
    SELECT DISTINCT
        bucket,
        prefix,
        CASE WHEN STRPOS(prefix, '/') > 0 THEN SPLIT_PART(prefix, '/', 1) || '/' END AS folder
    FROM shares
),
reached AS (
    SELECT p.bucket, p.prefix, o.size, COALESCE(o.owner_email, o.owner_id, '') AS owner
    FROM places AS p
    JOIN cloud_storage.objects AS o ON o.bucket = p.bucket AND o.prefix = p.folder
    WHERE o._deleted_at IS NULL AND STARTS_WITH(o.key, p.prefix)
    UNION ALL
    SELECT p.bucket, p.prefix, o.size, COALESCE(o.owner_email, o.owner_id, '') AS owner
    FROM places AS p
    JOIN cloud_storage.objects AS o ON o.bucket = p.bucket
    WHERE p.folder IS NULL AND o._deleted_at IS NULL AND STARTS_WITH(o.key, p.prefix)
),
sums AS (
    SELECT
        bucket,
        prefix,
        COUNT(*) AS objects,
        CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes,
        COUNT(DISTINCT owner) AS owners
    FROM reached
    GROUP BY bucket, prefix
),
users AS (
    -- One account per address; of several, an active one.
    SELECT LOWER(email) AS email, id, COALESCE(active, TRUE) AS active,
        ROW_NUMBER() OVER (PARTITION BY LOWER(email) ORDER BY CASE WHEN COALESCE(active, TRUE) THEN 0 ELSE 1 END, id)
            AS place
    FROM sso.users
    WHERE _deleted_at IS NULL AND email IS NOT NULL
)
SELECT
    s.bucket,
    s.prefix,
    s.principal,
    s.permission,
    s.origin,
    CASE
        WHEN COALESCE(s.is_public, FALSE) THEN 'public'
        WHEN u.active THEN 'user'
        WHEN NOT u.active THEN 'leaver'
        ELSE 'foreign'
    END AS kind,
    s.email,
    u.id AS user_id,
    s.expires_at,
    COALESCE(n.objects, 0) AS objects,
    COALESCE(n.bytes, 0) AS bytes,
    COALESCE(n.owners, 0) AS owners
FROM shares AS s
LEFT JOIN sums AS n ON n.bucket = s.bucket AND n.prefix = s.prefix
LEFT JOIN users AS u ON u.email = s.email AND u.place = 1
