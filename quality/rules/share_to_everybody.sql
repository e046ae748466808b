/* ---
title: Nothing is open to everybody
description: >-
  Everybody who has the address can read or even change everything below this prefix. If it is meant to be public,
  acknowledge the violation and say why.
next_step: Remove everybody's access, or acknowledge it with `leat ack` and the reason.
severity: warn
owner: security
key: [bucket, prefix]
needs: [cloud_storage]
--- */
SELECT
    bucket,
    prefix,
    MIN(permission) AS permission,
    COUNT(*) AS permissions,
    MIN(origin) AS origin,
    MAX(expires_at) AS expires_at
FROM cloud_storage.shares
WHERE _deleted_at IS NULL AND is_public AND (expires_at IS NULL OR expires_at > $now)
GROUP BY bucket, prefix
