/* ---
title: Every author of a commit is a user of the identity provider
description: >-
  The author's address of a commit belongs to no account, not even to a deactivated or deleted one. Often it is
  somebody's second address, a program, or an outsider. This excludes repositories without a single author from the
  company, which belong to somebody else. Commits younger than the tolerance wait for the account of a new colleague.
next_step: >-
  Identify the author by the repository and the latest commit. Put a second address into .mailmap; create an account
  for a colleague; review a stranger's commits and revoke their right to push.
severity: warn
owner: engineering
key: [author_email]
sides:
  version_control: [author_name, commits, repositories, first_commit_at, last_commit_at, last_repository,
    last_commit]
  sso: [identity_provider]
needs: [sso]
tolerance: {settle: P2D}
--- */
WITH authors AS (
    SELECT identity, resolved_to
    FROM identities
    WHERE system = 'version_control' AND kind = 'commit author'
),
commits AS (
    SELECT
        c.repository,
        c."commit",
        COALESCE(c.authored_at, c.committed_at) AS authored_at,
        LOWER(TRIM(c.author_email)) AS author_email,
        c.author_name,
        a.resolved_to
    FROM version_control.commits AS c
    JOIN authors AS a ON a.identity = LOWER(TRIM(c.author_email_raw))
    WHERE c._deleted_at IS NULL
),
ours AS (
    SELECT DISTINCT repository FROM commits WHERE resolved_to = 'person'
),
strangers AS (
    SELECT
        c.*,
        ROW_NUMBER() OVER (
            PARTITION BY c.author_email ORDER BY c.authored_at DESC, c.repository, c."commit"
        ) AS position
    FROM commits AS c
    JOIN ours AS o ON o.repository = c.repository
    WHERE c.resolved_to <> 'person'
)
SELECT
    author_email,
    MAX(author_name) AS author_name,
    COUNT(*) AS commits,
    COUNT(DISTINCT repository) AS repositories,
    MIN(authored_at) AS first_commit_at,
    MAX(authored_at) AS last_commit_at,
    MAX(CASE WHEN position = 1 THEN repository END) AS last_repository,
    MAX(CASE WHEN position = 1 THEN "commit" END) AS last_commit,
    'no account has this address' AS identity_provider
FROM strangers
GROUP BY author_email
HAVING MIN(authored_at) < $now - $settle
