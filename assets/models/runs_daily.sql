/* ---
description: >-
  The runs of each integration, by day: how they ended, what they changed and how long they took. Days without a run
  are left out.
grain: [integration, day]
owners: [operations]
columns:
  integration: Name of the integration.
  day: Day on which they ended (UTC).
  runs: Runs that ended, those that were busy included.
  loaded: Runs that loaded something.
  nothing_new: Runs with nothing new.
  failed: Runs that failed.
  blocked: Runs whose load a check rejected.
  busy: Runs that gave way to another process.
  rows_changed: Rows added, changed and marked as deleted.
  rows_quarantined: Records set aside because they could not become rows.
  seconds: Seconds that they took together.
  max_seconds: Seconds that the slowest took.
checks:
  - unique: [integration, day]
  - not_null: [integration, day]
  - range: {runs: {min: 1}, seconds: {min: 0}}
--- */
SELECT
    integration,
    CAST(DATE_TRUNC('day', ended_at AT TIME ZONE 'UTC') AS DATE) AS day,
    COUNT(*) AS runs,
    COUNT(*) FILTER (WHERE status = 'loaded') AS loaded,
    COUNT(*) FILTER (WHERE status = 'nothing_new') AS nothing_new,
    COUNT(*) FILTER (WHERE status = 'failed') AS failed,
    COUNT(*) FILTER (WHERE status = 'blocked') AS blocked,
    COUNT(*) FILTER (WHERE status = 'busy') AS busy,
    CAST(COALESCE(SUM(COALESCE(rows_inserted, 0) + COALESCE(rows_updated, 0) + COALESCE(rows_deleted, 0)), 0) AS BIGINT)
        AS rows_changed,
    CAST(COALESCE(SUM(rows_quarantined), 0) AS BIGINT) AS rows_quarantined,
    CAST(COALESCE(SUM(seconds), 0) AS DOUBLE) AS seconds,
    CAST(MAX(seconds) AS DOUBLE) AS max_seconds
FROM platform.runs
WHERE _deleted_at IS NULL AND ended_at IS NOT NULL
GROUP BY integration, CAST(DATE_TRUNC('day', ended_at AT TIME ZONE 'UTC') AS DATE)
