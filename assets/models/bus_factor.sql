/* ---
description: >-
  How few people wrote a folder: the smallest number of authors who together added more than half of its lines.
  Folders to which nobody added a line are left out.
grain: [repository, folder]
owners: [engineering]
columns:
  repository: Name of the repository.
  folder: Top-level folder; empty for files outside of folders.
  authors: Everybody who committed there.
  lines_added: Lines that they added.
  bus_factor: Authors who together added more than half of them; 1 means that one person did.
  main_author: Address of who added most.
  main_share: The part of the lines that they added.
checks:
  - unique: [repository, folder]
  - not_null: [repository, folder]
  - range: {bus_factor: {min: 1}, main_share: {min: 0, max: 1}}
--- */
WITH running AS (
    SELECT
        repository,
        folder,
        author_email,
        place,
        share,
        lines_added,
        SUM(lines_added) OVER (PARTITION BY repository, folder) AS total,
        SUM(lines_added) OVER (
            PARTITION BY repository, folder ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) - lines_added AS by_those_before
    FROM code_ownership
)
SELECT
    repository,
    folder,
    COUNT(*) AS authors,
    CAST(SUM(lines_added) AS BIGINT) AS lines_added,
    COUNT(*) FILTER (WHERE 2 * by_those_before <= total) AS bus_factor,
    MAX(CASE WHEN place = 1 THEN author_email END) AS main_author,
    MAX(CASE WHEN place = 1 THEN share END) AS main_share
FROM running
WHERE total > 0
GROUP BY repository, folder
