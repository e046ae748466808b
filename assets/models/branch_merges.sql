/* ---
description: >-
  A merge into the default branch, and the branch that it merged: the commits that the default branch reaches from
  then on and didn't before. This comes from git alone. git doesn't record when a review was requested or who reviewed
  (a forge's pull requests do), and branches that were squashed, rebased or fast-forwarded leave no trace. Merges
  inside a branch belong to that branch; merges that brought nothing new are left out.
owners: [engineering]
columns:
  repository: Name of the repository.
  commit: Name of the merge commit.
  subject: First line of its message.
  merged_at: When it was committed; null when that time is impossible.
  merged_by: Address of who committed it, lower case.
  commits: Commits of the branch that are no merges.
  authors: Different authors of these.
  first_commit_at: When the first commit of the branch was written.
  last_commit_at: When the last commit of the branch was committed.
  hours_to_merge: Hours from first_commit_at to merged_at; 0 where clocks disagree.
  hours_waited: Hours from last_commit_at to merged_at, in which a review may have happened; 0 where clocks disagree.
  merged_by_author: Whether who merged also wrote commits of the branch.
  conflicts: Paths in conflict when git merges the parents again; null when that wasn't judged.
checks:
  - unique: [repository, commit]
  - not_null: [repository, commit, commits]
  - range: {commits: {min: 0}, hours_to_merge: {min: 0}, hours_waited: {min: 0}}
  - foreign_key: {commit: mainline_commits.commit}
--- */
WITH RECURSIVE came_by AS (
    -- From the other parents of a merge, down to where the branch left the default branch.
    SELECT m.repository, m.steps, p.parent AS "commit"
    FROM mainline_commits AS m
    JOIN version_control.commit_parents AS p
        ON p.repository = m.repository AND p."commit" = m."commit" AND p._deleted_at IS NULL
    LEFT JOIN mainline_commits AS o ON o.repository = p.repository AND o."commit" = p.parent
    WHERE p.position > 1 AND o."commit" IS NULL
    UNION
    SELECT w.repository, w.steps, p.parent
    FROM came_by AS w
    JOIN version_control.commit_parents AS p
        ON p.repository = w.repository AND p."commit" = w."commit" AND p._deleted_at IS NULL
    LEFT JOIN mainline_commits AS o ON o.repository = p.repository AND o."commit" = p.parent
    WHERE o."commit" IS NULL
),
first_seen AS (
    -- A branch that is merged again brings only what is new: the oldest merge has the most steps.
    SELECT repository, "commit", MAX(steps) AS steps FROM came_by GROUP BY repository, "commit"
),
brought AS (
    SELECT
        f.repository,
        f.steps,
        COUNT(*) FILTER (WHERE c.parent_count < 2) AS commits,
        COUNT(DISTINCT LOWER(c.author_email)) FILTER (WHERE c.parent_count < 2) AS authors,
        MIN(COALESCE(c.authored_at, c.committed_at)) AS first_commit_at,
        MAX(c.committed_at) AS last_commit_at
    FROM first_seen AS f
    JOIN version_control.commits AS c
        ON c.repository = f.repository AND c."commit" = f."commit" AND c._deleted_at IS NULL
    GROUP BY f.repository, f.steps
),
wrote AS (
    SELECT DISTINCT f.repository, f.steps, LOWER(c.author_email) AS email
    FROM first_seen AS f
    JOIN version_control.commits AS c
        ON c.repository = f.repository AND c."commit" = f."commit" AND c._deleted_at IS NULL
    WHERE c.parent_count < 2
)
SELECT
    c.repository,
    c."commit",
    c.subject,
    c.committed_at AS merged_at,
    LOWER(c.committer_email) AS merged_by,
    b.commits,
    b.authors,
    b.first_commit_at,
    b.last_commit_at,
    CAST(
        GREATEST(EXTRACT(EPOCH FROM c.committed_at) - EXTRACT(EPOCH FROM b.first_commit_at), 0) / 3600 AS DOUBLE
    ) AS hours_to_merge,
    CAST(
        GREATEST(EXTRACT(EPOCH FROM c.committed_at) - EXTRACT(EPOCH FROM b.last_commit_at), 0) / 3600 AS DOUBLE
    ) AS hours_waited,
    w.email IS NOT NULL AS merged_by_author,
    j.conflicts
FROM brought AS b
JOIN mainline_commits AS m ON m.repository = b.repository AND m.steps = b.steps
JOIN version_control.commits AS c
    ON c.repository = m.repository AND c."commit" = m."commit" AND c._deleted_at IS NULL
LEFT JOIN wrote AS w
    ON w.repository = b.repository AND w.steps = b.steps AND w.email = LOWER(c.committer_email)
LEFT JOIN version_control.merges AS j
    ON j.repository = m.repository AND j."commit" = m."commit" AND j._deleted_at IS NULL
