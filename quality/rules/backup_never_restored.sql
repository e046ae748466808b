/* ---
title: Every backup has a restore test
description: >-
  A backup exists, but no report of a successful restore test does. A backup that was never restored may be useless on
  the day you need it.
next_step: Restore the latest run to another place, and put the report where restore_tests of the declaration says.
severity: warn
owner: operations
key: [backup]
needs: [cloud_storage]
--- */
WITH tests AS (
    SELECT
        backup,
        COUNT(CASE WHEN ok THEN 1 END) AS restored,
        COUNT(CASE WHEN NOT ok THEN 1 END) AS failed,
        MAX(tested_at) AS last_tested_at
    FROM cloud_storage.restore_tests
    WHERE _deleted_at IS NULL
    GROUP BY backup
)
SELECT
    r.backup,
    COUNT(*) AS runs,
    MAX(r.run) AS last_run,
    MAX(r.ended_at) AS last_written_at,
    CAST(SUM(r.bytes) AS BIGINT) AS bytes,
    COALESCE(MAX(t.failed), 0) AS failed_tests,
    MAX(t.last_tested_at) AS last_tested_at
FROM cloud_storage.backup_runs AS r
LEFT JOIN tests AS t ON t.backup = r.backup
WHERE r._deleted_at IS NULL AND COALESCE(t.restored, 0) = 0
GROUP BY r.backup
