/* ---
title: Nobody who left may read files
description: >-
  A folder in the storage is shared with the address of somebody whose account was deactivated or deleted. This
  excludes expired shares. The tolerance is the time allowed after somebody has left.
next_step: Remove the person from the bucket's policy or from the folder's share.
severity: warn
owner: security
key: [person_id, bucket, prefix]
sides:
  sso: [person_id, name, email, left_at]
  cloud_storage: [bucket, prefix, shared_with, permission, origin, expires_at]
needs: [sso]
tolerance: {settle: P1D}
--- */
SELECT
    p.person_id,
    MAX(p.name) AS name,
    MAX(p.email) AS email,
    MAX(p.left_at) AS left_at,
    s.bucket,
    s.prefix,
    MAX(COALESCE(s.email, s.principal)) AS shared_with,
    MAX(s.permission) AS permission,
    MAX(s.origin) AS origin,
    MAX(s.expires_at) AS expires_at
FROM cloud_storage.shares AS s
JOIN identities AS i
    ON i.system = 'cloud_storage'
    AND i.kind = 'storage guest'
    AND i.identity = LOWER(TRIM(COALESCE(s.email, s.principal)))
JOIN people AS p ON p.person_id = i.person_id
WHERE s._deleted_at IS NULL
    AND (s.expires_at IS NULL OR s.expires_at > $now)
    AND p.left_at < $now - $settle
GROUP BY p.person_id, s.bucket, s.prefix
