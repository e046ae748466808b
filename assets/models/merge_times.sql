/* ---
description: How long branches take until they are merged into the default branch, by repository and month of the merge.
owners: [engineering]
columns:
  repository: Name of the repository.
  month: First day of the month, UTC, of the merge.
  merges: Merges into the default branch.
  commits: Commits that they brought, merges left out.
  median_hours_to_merge: Half of the branches were merged so many hours after their first commit was written.
  p90_hours_to_merge: Nine of ten branches were merged so many hours after it.
  median_hours_waited: Half of the branches were merged so many hours after their last commit.
  p90_hours_waited: Nine of ten branches were merged so many hours after it.
  merged_by_author: Merges by somebody who wrote commits of the branch.
  conflicting: Merges whose parents conflict when git merges them again.
checks:
  - unique: [repository, month]
  - not_null: [repository, month]
  - range: {merges: {min: 1}, median_hours_to_merge: {min: 0}}
--- */
SELECT
    repository,
    CAST(DATE_TRUNC('month', merged_at AT TIME ZONE 'UTC') AS DATE) AS month,
    COUNT(*) AS merges,
    CAST(SUM(commits) AS BIGINT) AS commits,
    QUANTILE_CONT(hours_to_merge, 0.5) AS median_hours_to_merge,
    QUANTILE_CONT(hours_to_merge, 0.9) AS p90_hours_to_merge,
    QUANTILE_CONT(hours_waited, 0.5) AS median_hours_waited,
    QUANTILE_CONT(hours_waited, 0.9) AS p90_hours_waited,
    COUNT(*) FILTER (WHERE merged_by_author) AS merged_by_author,
    COUNT(*) FILTER (WHERE conflicts > 0) AS conflicting
FROM branch_merges
WHERE merged_at IS NOT NULL
GROUP BY repository, CAST(DATE_TRUNC('month', merged_at AT TIME ZONE 'UTC') AS DATE)
