/* ---
description: What each author committed in each ISO week, by repository.
grain: [repository]
owners: [engineering]
columns:
  repository: Name of the repository.
  author_email: Address of the author, lower case, as .mailmap maps it; empty if the commit has none.
  author_name: Name of the author; the last one in alphabetical order when there are several.
  week: Monday of the ISO week in which the commits were written, UTC.
  commits: Commits that are no merges.
  merges: Merge commits.
  files_changed: Files changed by the commits that are no merges; a file counts once per commit.
  lines_added: Lines added by the commits that are no merges; binary files count none.
  lines_deleted: Lines deleted by the commits that are no merges.
checks:
  - unique: [repository, author_email, week]
  - not_null: [repository, author_email, week]
  - range: {commits: {min: 0}, merges: {min: 0}, files_changed: {min: 0}}
--- */
WITH changes AS (
    SELECT repository, "commit", COUNT(*) AS files, SUM(added) AS added, SUM(deleted) AS deleted
    FROM version_control.commit_files
    WHERE _deleted_at IS NULL AND NOT is_merge
    GROUP BY repository, "commit"
)
SELECT
    c.repository,
    LOWER(COALESCE(c.author_email, '')) AS author_email,
    MAX(c.author_name) AS author_name,
    CAST(DATE_TRUNC('week', c.authored_at AT TIME ZONE 'UTC') AS DATE) AS week,
    COUNT(*) FILTER (WHERE c.parent_count < 2) AS commits,
    COUNT(*) FILTER (WHERE c.parent_count >= 2) AS merges,
    CAST(COALESCE(SUM(h.files), 0) AS BIGINT) AS files_changed,
    CAST(COALESCE(SUM(h.added), 0) AS BIGINT) AS lines_added,
    CAST(COALESCE(SUM(h.deleted), 0) AS BIGINT) AS lines_deleted
FROM version_control.commits AS c
LEFT JOIN changes AS h ON h.repository = c.repository AND h."commit" = c."commit"
WHERE c._deleted_at IS NULL AND c.authored_at IS NOT NULL
GROUP BY 1, 2, 4
