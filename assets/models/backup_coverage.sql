/* ---
description: >-
  Whether each backup was reliable at the last load of cloud storage. A backup is covered if its last run is complete,
  isn't empty and is at most 7 days old, and if the last restore test succeeded and is at most 90 days old. leat writes
  the manifest of a run last: a run of leat without one isn't complete. Of other programs' runs nobody can say. A backup
  with neither a run nor a test appears in no listing, so it can't be here.
owners: [operations]
columns:
  backup: Name of the backup, as declared.
  covered: Whether all of that holds.
  reason: Why it isn't covered, the worst first; null when it is.
  runs: Runs in the storage.
  last_run: Name of the last run; null when there is none.
  last_run_at: When its last object was put; null when there is none.
  last_run_age_days: Whole days from then to the last load.
  last_run_by_leat: Whether an action of leat made it, according to its name; null when there is none.
  last_run_complete: Whether it has its manifest; null when leat didn't make it.
  last_run_objects: Objects of the last run.
  last_run_bytes: Bytes of the last run.
  size_ratio: last_run_bytes divided by the bytes of the run before; null when there is none, or it was empty.
  longest_gap_days: Whole days of the longest time between two runs that follow each other; null with fewer than two.
  bytes: Bytes of all runs in the storage.
  restore_tests: Reports of restore tests.
  last_test_at: When the last test was made; null when there was none.
  last_test_ok: Whether it succeeded; null when there was none.
  last_success_at: When a test succeeded the last time; null when none did.
  last_success_age_days: Whole days from then to the last load.
  last_success_run: The run that was restored then; null when the report doesn't say.
  runs_since_success: Runs whose last object was put after that test; all of them when none succeeded.
checks:
  - unique: [backup]
  - not_null: [backup, covered, runs, restore_tests]
  - range: {runs: {min: 0}, last_run_bytes: {min: 0}, last_run_age_days: {min: 0}}
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'cloud_storage'
),
runs AS (
    SELECT
        backup,
        run,
        objects,
        bytes,
        ended_at,
        REGEXP_MATCHES(run, '^[0-9]{8}T[0-9]{6}Z-[0-9a-z]{8}$') AS by_leat,
        bucket,
        ROW_NUMBER() OVER (PARTITION BY backup ORDER BY ended_at DESC, run DESC) AS place,
        EXTRACT(EPOCH FROM ended_at)
            - EXTRACT(EPOCH FROM LAG(ended_at) OVER (PARTITION BY backup ORDER BY ended_at, run)) AS gap
    FROM cloud_storage.backup_runs
    WHERE _deleted_at IS NULL
),
manifests AS (
    SELECT DISTINCT bucket, REGEXP_REPLACE(REGEXP_REPLACE(key, '/manifest[.]json$', ''), '^.*/', '') AS run
    FROM cloud_storage.objects
    WHERE _deleted_at IS NULL AND key LIKE '%/manifest.json'
),
completed AS (
    SELECT r.*, m.run IS NOT NULL AS has_manifest
    FROM runs AS r
    LEFT JOIN manifests AS m ON m.bucket = r.bucket AND m.run = r.run
),
kept AS (
    SELECT
        backup,
        COUNT(*) AS runs,
        MAX(run) FILTER (WHERE place = 1) AS last_run,
        MAX(CASE WHEN by_leat THEN 1 ELSE 0 END) FILTER (WHERE place = 1) AS last_by_leat,
        MAX(CASE WHEN has_manifest THEN 1 ELSE 0 END) FILTER (WHERE place = 1 AND by_leat) AS last_complete,
        MAX(ended_at) FILTER (WHERE place = 1) AS last_run_at,
        MAX(objects) FILTER (WHERE place = 1) AS last_run_objects,
        MAX(bytes) FILTER (WHERE place = 1) AS last_run_bytes,
        MAX(bytes) FILTER (WHERE place = 2) AS previous_bytes,
        MAX(gap) AS longest_gap,
        CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes
    FROM completed
    GROUP BY backup
),
tests AS (
    SELECT
        backup,
        run,
        tested_at,
        ok,
        ROW_NUMBER() OVER (PARTITION BY backup ORDER BY tested_at DESC, bucket DESC, key DESC) AS place,
        ROW_NUMBER() OVER (PARTITION BY backup, ok ORDER BY tested_at DESC, bucket DESC, key DESC) AS place_of_kind
    FROM cloud_storage.restore_tests
    WHERE _deleted_at IS NULL AND backup IS NOT NULL
),
tested AS (
    SELECT
        backup,
        COUNT(*) AS restore_tests,
        MAX(tested_at) FILTER (WHERE place = 1) AS last_test_at,
        MAX(CASE WHEN ok THEN 1 ELSE 0 END) FILTER (WHERE place = 1) AS last_test_ok,
        MAX(tested_at) FILTER (WHERE ok) AS last_success_at,
        MAX(run) FILTER (WHERE ok AND place_of_kind = 1) AS last_success_run
    FROM tests
    GROUP BY backup
),
untested AS (
    SELECT r.backup, COUNT(*) AS runs
    FROM runs AS r
    LEFT JOIN tested AS t ON t.backup = r.backup
    WHERE t.last_success_at IS NULL OR r.ended_at > t.last_success_at
    GROUP BY r.backup
),
names AS (
    SELECT backup FROM kept
    UNION
    SELECT backup FROM tested
),
found AS (
    SELECT
        n.backup,
        COALESCE(k.runs, 0) AS runs,
        k.last_run,
        k.last_run_at,
        CAST(FLOOR((EXTRACT(EPOCH FROM l.at) - EXTRACT(EPOCH FROM k.last_run_at)) / 86400) AS BIGINT) AS run_age,
        k.last_by_leat = 1 AS last_run_by_leat,
        k.last_complete = 1 AS last_run_complete,
        k.last_run_objects,
        k.last_run_bytes,
        CAST(k.last_run_bytes AS DOUBLE) / CAST(NULLIF(k.previous_bytes, 0) AS DOUBLE) AS size_ratio,
        CAST(FLOOR(k.longest_gap / 86400) AS BIGINT) AS longest_gap_days,
        COALESCE(k.bytes, 0) AS bytes,
        COALESCE(t.restore_tests, 0) AS restore_tests,
        t.last_test_at,
        t.last_test_ok = 1 AS last_test_ok,
        t.last_success_at,
        CAST(FLOOR((EXTRACT(EPOCH FROM l.at) - EXTRACT(EPOCH FROM t.last_success_at)) / 86400) AS BIGINT) AS test_age,
        t.last_success_run,
        COALESCE(u.runs, 0) AS runs_since_success
    FROM names AS n
    CROSS JOIN loaded AS l
    LEFT JOIN kept AS k ON k.backup = n.backup
    LEFT JOIN tested AS t ON t.backup = n.backup
    LEFT JOIN untested AS u ON u.backup = n.backup
),
judged AS (
    SELECT
        *,
        CASE
            WHEN runs = 0 THEN 'no run exists'
            WHEN COALESCE(last_run_bytes, 0) = 0 THEN 'the last run is empty'
            WHEN NOT COALESCE(last_run_complete, TRUE) THEN 'the last run is incomplete'
            WHEN run_age > 7 THEN 'no run for more than 7 days'
            WHEN restore_tests = 0 THEN 'never restored'
            WHEN NOT last_test_ok THEN 'the last restore test failed'
            WHEN test_age > 90 THEN 'not restored for more than 90 days'
        END AS reason
    FROM found
)
SELECT
    backup,
    reason IS NULL AS covered,
    reason,
    runs,
    last_run,
    last_run_at,
    CASE WHEN run_age < 0 THEN 0 ELSE run_age END AS last_run_age_days,
    last_run_by_leat,
    last_run_complete,
    last_run_objects,
    last_run_bytes,
    size_ratio,
    longest_gap_days,
    bytes,
    restore_tests,
    last_test_at,
    last_test_ok,
    last_success_at,
    CASE WHEN test_age < 0 THEN 0 ELSE test_age END AS last_success_age_days,
    last_success_run,
    runs_since_success
FROM judged
