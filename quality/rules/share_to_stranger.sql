/* ---
title: Files are shared only with users and contacts
description: >-
  Somebody who is neither a contact of the CRM nor a user may read or change files. An account of the storage provider
  that has only a number is a stranger too. This excludes expired shares; the rule share_to_everybody reports shares
  to everybody.
next_step: Ask the owner of the files who that is. Add the contact to the CRM, or remove the share.
severity: warn
owner: security
key: [bucket, prefix, principal]
needs: [cloud_storage, crm_accounting]
--- */
WITH known AS (
    SELECT DISTINCT plain_email FROM analytics.known_addresses
),
owners AS (
    SELECT DISTINCT owner_id FROM cloud_storage.buckets WHERE _deleted_at IS NULL AND owner_id IS NOT NULL
)
SELECT
    s.bucket,
    s.prefix,
    s.principal,
    MIN(s.permission) AS permission,
    COUNT(*) AS permissions,
    MIN(s.origin) AS origin,
    MAX(s.expires_at) AS expires_at
FROM cloud_storage.shares AS s
LEFT JOIN known AS k ON k.plain_email = REGEXP_REPLACE(LOWER(TRIM(COALESCE(s.email, s.principal))), '[+][^@]*@', '@')
LEFT JOIN owners AS o ON o.owner_id = s.principal
WHERE s._deleted_at IS NULL
    AND NOT COALESCE(s.is_public, FALSE)
    AND k.plain_email IS NULL
    AND o.owner_id IS NULL
    AND (s.expires_at IS NULL OR s.expires_at > $now)
GROUP BY s.bucket, s.prefix, s.principal
