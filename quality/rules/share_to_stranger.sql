/* ---
title: A file that is shared outside is shared with somebody we know
description: >-
  Somebody who is neither a contact of the CRM nor one of our users may read or change files. An account of the
  storage provider that is known by its number alone is a stranger, too. Shares that have run out aren't meant; those
  to everybody are told by share_to_everybody.
next_step: Ask the owner of the files who that is; enter the contact in the CRM, or take the share away.
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
