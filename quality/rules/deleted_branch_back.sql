/* ---
title: Branches that leat deleted stay deleted
description: >-
  leat deleted a branch and confirmed it, and now the repository has it again, although no action of leat made it.
  Usually somebody pushed from an old working copy. Only confirmations of the last days are watched, and only once the
  repository has been read again since.
next_step: >-
  Ask the author of its last commit whether the branch is needed. If it isn't, delete it again and ask for
  `git fetch --prune` in the working copies.
severity: warn
owner: engineering
key: [action_id]
needs: [platform, version_control]
tolerance: {watched: P30D}
--- */
WITH readings AS (
    SELECT MAX(started_at) AS at
    FROM platform.runs
    WHERE _deleted_at IS NULL AND integration = 'version_control' AND status IN ('loaded', 'nothing_new')
)
SELECT
    a.id AS action_id,
    f.repository,
    f.name AS branch,
    f.target AS points_to,
    f.merged,
    f.last_commit_at,
    a.updated_at AS confirmed_at,
    a.automation
FROM platform.actions AS a
CROSS JOIN readings AS r
JOIN version_control.refs AS f ON f.repository || '/' || f.ref = a.target
WHERE a._deleted_at IS NULL
    AND f._deleted_at IS NULL
    AND a.integration = 'version_control'
    AND a.verb = 'delete_branch'
    AND a.state = 'confirmed'
    AND a.updated_at > $now - $watched
    AND a.updated_at < r.at
    AND NOT EXISTS (
        SELECT 1
        FROM platform.actions AS b
        WHERE b._deleted_at IS NULL
            AND b.integration = 'version_control'
            AND b.target = a.target
            AND b.sent_at > a.sent_at
            AND b.state IN ('done', 'confirmed', 'diverged', 'unknown', 'asking')
    )
