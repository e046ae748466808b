/* ---
title: Backups are written
description: The latest run of a backup is older than it may be, or all of its runs are gone.
next_step: Check the program that writes the backup, and its disk space.
severity: warn
owner: operations
key: [backup]
needs: [cloud_storage]
tolerance: {age: P8D}
--- */
-- Runs that are gone are read as well: a backup without any would not be seen otherwise.
SELECT
    backup,
    COUNT(CASE WHEN _deleted_at IS NULL THEN 1 END) AS runs,
    COUNT(CASE WHEN _deleted_at IS NOT NULL THEN 1 END) AS runs_that_are_gone,
    MAX(CASE WHEN _deleted_at IS NULL THEN run END) AS last_run,
    MAX(CASE WHEN _deleted_at IS NULL THEN ended_at END) AS last_written_at
FROM cloud_storage.backup_runs
GROUP BY backup
HAVING
    MAX(CASE WHEN _deleted_at IS NULL THEN ended_at END) IS NULL
    OR MAX(CASE WHEN _deleted_at IS NULL THEN ended_at END) < $now - $age
