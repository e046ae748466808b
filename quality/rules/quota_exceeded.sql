/* ---
title: Storage use is under quota
description: >-
  The storage has more bytes than the declaration allows for that bucket, folder or owner. Older versions don't count.
next_step: Ask the owner to delete or move files, or raise the quota in the declaration.
severity: warn
owner: operations
key: [bucket, prefix, owner]
needs: [cloud_storage]
tolerance: {bytes: 0}
--- */
SELECT
    bucket,
    prefix,
    owner,
    used_bytes,
    limit_bytes,
    used_bytes - limit_bytes AS excess_bytes,
    used_objects,
    noncurrent_bytes
FROM cloud_storage.quotas
WHERE _deleted_at IS NULL AND used_bytes > limit_bytes + $bytes
