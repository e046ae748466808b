/* ---
title: No unmerged branch has only the work of somebody who left
description: >-
  People whose accounts were deactivated or deleted wrote every commit by which the branch is ahead of the default
  branch. Nobody else will finish it, and nobody dares to delete it. git doesn't record protected branches, so this is
  the only sign of such a branch. The rule follows first parents, as far as the branch is ahead. It excludes a branch
  into which another one was merged, and one that is further ahead than the tolerance.
next_step: Let a colleague look at the branch. Merge or take over what is useful, and delete it.
severity: warn
owner: engineering
key: [repository, branch]
sides:
  sso: [name, email, left_at]
  version_control: [repository, branch, authors, ahead, behind, last_commit_at, last_commit]
needs: [sso]
tolerance: {settle: P7D, commits: 100}
--- */
WITH RECURSIVE leavers AS (
    SELECT i.identity, p.person_id, p.name, p.email, p.left_at
    FROM identities AS i
    JOIN people AS p ON p.person_id = i.person_id
    WHERE i.system = 'version_control' AND i.kind = 'commit author' AND p.left_at < $now - $settle
),
steps AS (
    -- A commit of the branch, how many there are still to be looked at, and the next one.
    SELECT r.repository, r.ref, r."commit", r.ahead AS left_over
    FROM version_control.refs AS r
    JOIN version_control.commits AS c ON c.repository = r.repository AND c."commit" = r."commit"
    JOIN leavers AS l ON l.identity = LOWER(TRIM(c.author_email_raw))
    WHERE r._deleted_at IS NULL
        AND r.kind = 'branch'
        AND NOT COALESCE(r.is_default, FALSE)
        AND NOT COALESCE(r.merged, TRUE)
        AND r.ahead BETWEEN 1 AND $commits
    UNION ALL
    SELECT s.repository, s.ref, p.parent AS "commit", s.left_over - 1 AS left_over
    FROM steps AS s
    JOIN version_control.commit_parents AS p
        ON p.repository = s.repository AND p."commit" = s."commit" AND p.position = 0 AND p._deleted_at IS NULL
    WHERE s.left_over > 1
),
written AS (
    SELECT
        s.repository,
        s.ref,
        COUNT(*) AS commits,
        COUNT(l.person_id) AS of_leavers,
        COUNT(DISTINCT l.person_id) AS authors,
        MAX(l.name) AS name,
        MAX(l.email) AS email,
        MAX(l.left_at) AS left_at
    FROM steps AS s
    LEFT JOIN version_control.commits AS c ON c.repository = s.repository AND c."commit" = s."commit"
    LEFT JOIN leavers AS l ON l.identity = LOWER(TRIM(c.author_email_raw))
    GROUP BY s.repository, s.ref
)
SELECT
    w.repository,
    r.name AS branch,
    w.email,
    w.name,
    w.left_at,
    w.authors,
    r.ahead,
    r.behind,
    r.last_commit_at,
    r."commit" AS last_commit
FROM written AS w
JOIN version_control.refs AS r ON r.repository = w.repository AND r.ref = w.ref AND r._deleted_at IS NULL
WHERE w.commits = r.ahead AND w.of_leavers = w.commits
