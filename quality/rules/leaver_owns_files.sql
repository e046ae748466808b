/* ---
title: Nobody who left owns files
description: >-
  A file belongs to somebody whose account was deactivated or deleted, so nobody is responsible for it. The owner is
  the one that connection.owners of the storage names, otherwise the one that the server reports. The tolerance is the
  time allowed to hand files over.
next_step: >-
  Let the person's manager name a new owner under connection.owners in pipelines/cloud_storage.yaml, or at the server.
severity: warn
owner: operations
key: [person_id, bucket]
sides:
  sso: [person_id, name, email, left_at]
  cloud_storage: [owner_email, bucket, files, bytes, folders, first_folder, last_modified_at]
needs: [sso]
tolerance: {settle: P7D}
--- */
SELECT
    p.person_id,
    MAX(p.name) AS name,
    MAX(p.email) AS email,
    MAX(p.left_at) AS left_at,
    MAX(i.identity) AS owner_email,
    o.bucket,
    COUNT(*) AS files,
    CAST(SUM(o.size) AS BIGINT) AS bytes,
    COUNT(DISTINCT o.prefix) AS folders,
    MIN(o.prefix) AS first_folder,
    MAX(o.last_modified) AS last_modified_at
FROM cloud_storage.objects AS o
JOIN identities AS i
    ON i.system = 'cloud_storage' AND i.kind = 'file owner' AND i.identity = LOWER(TRIM(o.owner_email))
JOIN people AS p ON p.person_id = i.person_id
WHERE o._deleted_at IS NULL AND p.left_at < $now - $settle
GROUP BY p.person_id, o.bucket
