/* ---
title: Nobody commits after leaving
description: >-
  A commit was written after its author's account was deactivated or deleted. Either somebody who left can still push,
  or somebody uses their name, or they work here again and need their account. The tolerance covers wrong clocks, and
  work of the last hours that a colleague commits.
next_step: >-
  Look at the latest commit and at who pushed it. Revoke the person's keys and tokens at the git server, or reactivate
  the account.
severity: warn
owner: security
key: [person_id, repository]
sides:
  sso: [person_id, name, email, left_at]
  version_control: [repository, commits_since, last_commit_at, last_commit, last_subject, last_author_email]
needs: [sso]
tolerance: {settle: P1D}
--- */
WITH written AS (
    SELECT
        i.person_id,
        c.repository,
        c."commit",
        c.subject,
        COALESCE(c.authored_at, c.committed_at) AS authored_at,
        LOWER(TRIM(c.author_email_raw)) AS author_email,
        p.name,
        p.email,
        p.left_at,
        ROW_NUMBER() OVER (
            PARTITION BY i.person_id, c.repository
            ORDER BY COALESCE(c.authored_at, c.committed_at) DESC, c."commit"
        ) AS position
    FROM version_control.commits AS c
    JOIN identities AS i
        ON i.system = 'version_control'
        AND i.kind = 'commit author'
        AND i.identity = LOWER(TRIM(c.author_email_raw))
    JOIN people AS p ON p.person_id = i.person_id
    WHERE c._deleted_at IS NULL
        AND p.left_at IS NOT NULL
        AND COALESCE(c.authored_at, c.committed_at) > p.left_at + $settle
)
SELECT
    person_id,
    MAX(name) AS name,
    MAX(email) AS email,
    MAX(left_at) AS left_at,
    repository,
    COUNT(*) AS commits_since,
    MAX(authored_at) AS last_commit_at,
    MAX(CASE WHEN position = 1 THEN "commit" END) AS last_commit,
    MAX(CASE WHEN position = 1 THEN subject END) AS last_subject,
    MAX(CASE WHEN position = 1 THEN author_email END) AS last_author_email
FROM written
GROUP BY person_id, repository
