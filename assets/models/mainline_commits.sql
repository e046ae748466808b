/* ---
description: >-
  The commits that form the default branch: its head, and from each commit the first parent. Commits that came through
  a merge are left out. Repositories that are empty or no longer declared have none.
owners: [engineering]
columns:
  repository: Name of the repository.
  commit: Name of the commit.
  steps: How many commits it is behind the head of the default branch; 0 is the head itself.
checks:
  - unique: [repository, commit]
  - not_null: [repository, commit, steps]
  - range: {steps: {min: 0}}
--- */
-- Walking one commit at a time takes a round for each; strides of 256 commits, and what lies between, take few.
WITH RECURSIVE heads AS (
    SELECT repository, head AS "commit"
    FROM version_control.repositories
    WHERE _deleted_at IS NULL AND head IS NOT NULL
),
by_1 AS (
    SELECT p.repository, p."commit", p.parent
    FROM version_control.commit_parents AS p
    JOIN heads AS h ON h.repository = p.repository
    WHERE p._deleted_at IS NULL AND p.position = 1
),
by_4 AS (
    SELECT a.repository, a."commit", a.parent AS p1, b.parent AS p2, c.parent AS p3, d.parent AS p4
    FROM by_1 AS a
    LEFT JOIN by_1 AS b ON b.repository = a.repository AND b."commit" = a.parent
    LEFT JOIN by_1 AS c ON c.repository = b.repository AND c."commit" = b.parent
    LEFT JOIN by_1 AS d ON d.repository = c.repository AND d."commit" = c.parent
),
by_16 AS (
    SELECT a.repository, a."commit", a.p4 AS p1, b.p4 AS p2, c.p4 AS p3, d.p4 AS p4
    FROM by_4 AS a
    LEFT JOIN by_4 AS b ON b.repository = a.repository AND b."commit" = a.p4
    LEFT JOIN by_4 AS c ON c.repository = b.repository AND c."commit" = b.p4
    LEFT JOIN by_4 AS d ON d.repository = c.repository AND d."commit" = c.p4
),
by_64 AS (
    SELECT a.repository, a."commit", a.p4 AS p1, b.p4 AS p2, c.p4 AS p3, d.p4 AS p4
    FROM by_16 AS a
    LEFT JOIN by_16 AS b ON b.repository = a.repository AND b."commit" = a.p4
    LEFT JOIN by_16 AS c ON c.repository = b.repository AND c."commit" = b.p4
    LEFT JOIN by_16 AS d ON d.repository = c.repository AND d."commit" = c.p4
),
by_256 AS (
    SELECT a.repository, a."commit", a.p4 AS p1, b.p4 AS p2, c.p4 AS p3, d.p4 AS p4
    FROM by_64 AS a
    LEFT JOIN by_64 AS b ON b.repository = a.repository AND b."commit" = a.p4
    LEFT JOIN by_64 AS c ON c.repository = b.repository AND c."commit" = b.p4
    LEFT JOIN by_64 AS d ON d.repository = c.repository AND d."commit" = c.p4
),
every_256 AS (
    SELECT repository, "commit", CAST(0 AS BIGINT) AS steps FROM heads
    UNION ALL
    SELECT w.repository, j.p4, w.steps + 256
    FROM every_256 AS w
    JOIN by_256 AS j ON j.repository = w.repository AND j."commit" = w."commit"
    WHERE j.p4 IS NOT NULL
),
hops AS (
    SELECT n FROM (VALUES (1), (2), (3)) AS h (n)
),
every_64 AS (
    SELECT repository, "commit", steps FROM every_256
    UNION ALL
    SELECT
        w.repository,
        CASE h.n WHEN 1 THEN j.p1 WHEN 2 THEN j.p2 ELSE j.p3 END,
        w.steps + 64 * h.n
    FROM every_256 AS w
    JOIN by_256 AS j ON j.repository = w.repository AND j."commit" = w."commit"
    CROSS JOIN hops AS h
),
every_16 AS (
    SELECT repository, "commit", steps FROM every_64
    UNION ALL
    SELECT
        w.repository,
        CASE h.n WHEN 1 THEN j.p1 WHEN 2 THEN j.p2 ELSE j.p3 END,
        w.steps + 16 * h.n
    FROM every_64 AS w
    JOIN by_64 AS j ON j.repository = w.repository AND j."commit" = w."commit"
    CROSS JOIN hops AS h
),
every_4 AS (
    SELECT repository, "commit", steps FROM every_16
    UNION ALL
    SELECT
        w.repository,
        CASE h.n WHEN 1 THEN j.p1 WHEN 2 THEN j.p2 ELSE j.p3 END,
        w.steps + 4 * h.n
    FROM every_16 AS w
    JOIN by_16 AS j ON j.repository = w.repository AND j."commit" = w."commit"
    CROSS JOIN hops AS h
),
every_1 AS (
    SELECT repository, "commit", steps FROM every_4
    UNION ALL
    SELECT
        w.repository,
        CASE h.n WHEN 1 THEN j.p1 WHEN 2 THEN j.p2 ELSE j.p3 END,
        w.steps + h.n
    FROM every_4 AS w
    JOIN by_4 AS j ON j.repository = w.repository AND j."commit" = w."commit"
    CROSS JOIN hops AS h
)
SELECT repository, "commit", steps
FROM every_1
WHERE "commit" IS NOT NULL
