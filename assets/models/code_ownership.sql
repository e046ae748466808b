/* ---
description: >-
  Who wrote what: commits and changed lines by author and top-level folder. Merges are left out, because their lines
  came with the commits of the branch. Commits that a rewritten history left behind still count.
grain: [repository]
owners: [engineering]
columns:
  repository: Name of the repository.
  folder: Top-level folder; empty for files outside of folders.
  author_email: Address of the author, lower case, as .mailmap maps it; empty if the commit has none.
  author_name: Name of the author; the last one in alphabetical order when there are several.
  commits: Commits that changed something in the folder.
  files: Different files that they changed.
  lines_added: Lines that they added; binary files count none.
  lines_deleted: Lines that they deleted.
  last_commit_at: When the last of them was written.
  share: lines_added divided by those of all authors of the folder; null when nobody added any.
  place: 1 for who added most lines in the folder; equal numbers in alphabetical order.
checks:
  - unique: [repository, folder, author_email]
  - not_null: [repository, folder, author_email]
  - range: {share: {min: 0, max: 1}, place: {min: 1}, lines_added: {min: 0}, lines_deleted: {min: 0}}
--- */
WITH changes AS (
    SELECT
        f.repository,
        CASE WHEN f.path LIKE '%/%' THEN SPLIT_PART(f.path, '/', 1) ELSE '' END AS folder,
        LOWER(COALESCE(c.author_email, '')) AS author_email,
        c.author_name,
        f."commit",
        f.path,
        c.authored_at,
        COALESCE(f.added, 0) AS added,
        COALESCE(f.deleted, 0) AS deleted
    FROM version_control.commit_files AS f
    JOIN version_control.commits AS c
        ON c.repository = f.repository AND c."commit" = f."commit" AND c._deleted_at IS NULL
    WHERE f._deleted_at IS NULL AND c.parent_count < 2
),
written AS (
    SELECT
        repository,
        folder,
        author_email,
        MAX(author_name) AS author_name,
        COUNT(DISTINCT "commit") AS commits,
        COUNT(DISTINCT path) AS files,
        CAST(SUM(added) AS BIGINT) AS lines_added,
        CAST(SUM(deleted) AS BIGINT) AS lines_deleted,
        MAX(authored_at) AS last_commit_at
    FROM changes
    GROUP BY repository, folder, author_email
)
SELECT
    repository,
    folder,
    author_email,
    author_name,
    commits,
    files,
    lines_added,
    lines_deleted,
    last_commit_at,
    CAST(lines_added AS DOUBLE)
    / CAST(NULLIF(SUM(lines_added) OVER (PARTITION BY repository, folder), 0) AS DOUBLE) AS share,
    ROW_NUMBER() OVER (PARTITION BY repository, folder ORDER BY lines_added DESC, author_email) AS place
FROM written
