/* ---
title: Files that leat stored are there
description: >-
  leat put, copied, moved or restored an object and confirmed it, and now the storage doesn't have it, although no
  action of leat deleted or moved it. Only confirmations of the last days are watched, and only once the storage has
  been read again since.
next_step: >-
  Ask the owner of the folder whether somebody deleted it on purpose. In a bucket with versioning,
  `leat act cloud_storage.restore_version` brings it back.
severity: warn
owner: operations
key: [action_id]
needs: [platform, cloud_storage]
tolerance: {watched: P90D}
--- */
WITH readings AS (
    SELECT MAX(started_at) AS at
    FROM platform.runs
    WHERE _deleted_at IS NULL AND integration = 'cloud_storage' AND status IN ('loaded', 'nothing_new')
),
acted AS (
    SELECT
        id,
        verb,
        title,
        state,
        target,
        updated_at,
        sent_at,
        automation,
        CASE
            WHEN verb = 'move'
                THEN COALESCE(CAST(parameters AS JSON) ->> '$.to_bucket', SPLIT_PART(target, '/', 1))
                    || '/'
                    || (CAST(parameters AS JSON) ->> '$.to_key')
            ELSE target
        END AS place
    FROM platform.actions
    WHERE _deleted_at IS NULL AND integration = 'cloud_storage' AND sent_at IS NOT NULL
)
SELECT
    a.id AS action_id,
    a.verb,
    a.title,
    a.place,
    o._deleted_at AS seen_gone_at,
    a.updated_at AS confirmed_at,
    a.automation
FROM acted AS a
CROSS JOIN readings AS r
LEFT JOIN cloud_storage.objects AS o ON o.bucket || '/' || o.key = a.place
WHERE a.verb IN ('put', 'copy', 'move', 'restore_version')
    AND a.state = 'confirmed'
    AND a.updated_at > $now - $watched
    AND a.updated_at < r.at
    AND (o.key IS NULL OR o._deleted_at IS NOT NULL)
    AND NOT EXISTS (
        SELECT 1
        FROM acted AS b
        WHERE b.verb IN ('delete', 'move')
            AND b.target = a.place
            AND b.sent_at > a.sent_at
            AND b.state IN ('done', 'confirmed', 'diverged', 'unknown', 'asking')
    )
