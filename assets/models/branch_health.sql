/* ---
description: How far each branch is from the default branch, and how long nobody has worked on it.
owners: [engineering]
columns:
  repository: Name of the repository.
  branch: Short name of the branch.
  is_default: Whether it is the default branch.
  ahead: Commits that the default branch lacks.
  behind: Commits of the default branch that it lacks.
  merged: Whether the default branch contains it; null without a default branch.
  last_commit_at: Committer time of its last commit.
  days_since_commit: >-
    Whole days from its last commit to the last time that anything of version control was loaded; not to the present
    moment, so that equal data gives equal rows.
  stale: Whether that is 90 days or more, and it isn't the default branch.
checks:
  - unique: [repository, branch]
  - not_null: [repository, branch]
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'version_control'
),
branches AS (
    SELECT
        r.repository,
        r.name AS branch,
        COALESCE(r.is_default, FALSE) AS is_default,
        r.ahead,
        r.behind,
        r.merged,
        r.last_commit_at,
        CAST(FLOOR((EXTRACT(EPOCH FROM l.at) - EXTRACT(EPOCH FROM r.last_commit_at)) / 86400) AS BIGINT) AS days
    FROM version_control.refs AS r
    CROSS JOIN loaded AS l
    WHERE r._deleted_at IS NULL AND r.kind = 'branch'
)
SELECT
    repository,
    branch,
    is_default,
    ahead,
    behind,
    merged,
    last_commit_at,
    CASE WHEN days < 0 THEN 0 ELSE days END AS days_since_commit,
    days >= 90 AND NOT is_default AS stale
FROM branches
