/* ---
title: Every owner of files is a user of the identity provider
description: >-
  The address of a file's owner belongs to no account, not even to a deactivated or deleted one, so nobody is
  responsible for the file. The owner is the one that connection.owners of the storage names, otherwise the one that
  the server reports. A shared mailbox may own files. Storage doesn't record when an owner was named, so there is no
  tolerance.
next_step: >-
  Agree on a responsible person, and name them under connection.owners in pipelines/cloud_storage.yaml, or delete the
  files.
severity: warn
owner: operations
key: [owner_email, bucket]
sides:
  cloud_storage: [bucket, files, bytes, folders, first_folder, first_file, last_modified_at]
  sso: [identity_provider]
needs: [sso]
--- */
SELECT
    i.identity AS owner_email,
    o.bucket,
    COUNT(*) AS files,
    CAST(SUM(o.size) AS BIGINT) AS bytes,
    COUNT(DISTINCT o.prefix) AS folders,
    MIN(o.prefix) AS first_folder,
    MIN(o.key) AS first_file,
    MAX(o.last_modified) AS last_modified_at,
    'no account has this address' AS identity_provider
FROM cloud_storage.objects AS o
JOIN identities AS i
    ON i.system = 'cloud_storage' AND i.kind = 'file owner' AND i.identity = LOWER(TRIM(o.owner_email))
WHERE o._deleted_at IS NULL AND i.resolved_to NOT IN ('person', 'shared')
GROUP BY i.identity, o.bucket
