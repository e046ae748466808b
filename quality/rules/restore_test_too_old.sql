/* ---
title: Backups are restored regularly
description: >-
  A backup was restored before, but the last successful restore test is older than it may be. Backups that were never
  restored break backup_never_restored instead.
next_step: >-
  Test it: `leat act cloud_storage.restore_test -p backup=NAME` for a run of leat, else restore the latest run to another
  place and put the report where restore_tests of the declaration says.
severity: warn
owner: operations
key: [backup]
needs: [cloud_storage]
tolerance: {age: P90D}
--- */
WITH tests AS (
    SELECT
        backup,
        MAX(CASE WHEN ok THEN tested_at END) AS last_restored_at,
        COUNT(CASE WHEN ok THEN 1 END) AS restored,
        MAX(tested_at) AS last_tested_at
    FROM cloud_storage.restore_tests
    WHERE _deleted_at IS NULL
    GROUP BY backup
)
SELECT
    r.backup,
    MAX(t.last_restored_at) AS last_restored_at,
    MAX(t.last_tested_at) AS last_tested_at,
    COUNT(CASE WHEN r.ended_at > t.last_restored_at THEN 1 END) AS runs_since,
    MAX(r.run) AS last_run,
    MAX(r.ended_at) AS last_written_at
FROM cloud_storage.backup_runs AS r
JOIN tests AS t ON t.backup = r.backup
WHERE r._deleted_at IS NULL AND t.restored > 0 AND t.last_restored_at < $now - $age
GROUP BY r.backup
