/* ---
description: >-
  How reliable the runs of each integration are, across all runs that the control store has. A run succeeds if it
  loads something or has nothing new; runs that yielded to another process (busy) don't count. Consecutive failures
  count until the next success.
owners: [operations]
columns:
  integration: Name of the integration.
  status: active, disabled, or removed when it is no longer declared.
  runs: Runs that ended, without those that were busy.
  succeeded: Runs that succeeded.
  failed: Runs that failed or were blocked by a check.
  success_rate: succeeded divided by runs; null when there were none.
  busy: Runs that gave way to another process.
  last_run_at: When the last run ended; null when there was none.
  last_status: How it ended.
  last_success_at: When a run last succeeded; null when none did.
  hours_since_success: >-
    From then to the end of the last run of any integration, in hours; not to the present moment, so that equal data
    gives equal rows.
  failures_in_a_row: Runs that failed since the last success.
  most_failures_in_a_row: The most that ever failed in a row.
  outages: How many times runs began to fail.
  mean_hours_to_recover: >-
    Mean time from the end of the first run that failed to the end of the next that succeeded, in hours; null when it
    never recovered.
  p50_seconds: Seconds that half of the successful runs took at most.
  p95_seconds: Seconds that 95 of 100 successful runs took at most.
  max_seconds: Seconds that the slowest successful run took.
  last_error_type: Class of the last error; null when no run failed.
  last_error: Its message.
checks:
  - unique: [integration]
  - not_null: [integration, runs, failures_in_a_row]
  - range: {success_rate: {min: 0, max: 1}, failures_in_a_row: {min: 0}, mean_hours_to_recover: {min: 0}}
--- */
WITH ended AS (
    SELECT
        id,
        integration,
        status,
        ended_at,
        seconds,
        error_type,
        error,
        CASE WHEN status IN ('loaded', 'nothing_new') THEN 1 ELSE 0 END AS success
    FROM platform.runs
    WHERE _deleted_at IS NULL AND status <> 'busy'
),
numbered AS (
    SELECT
        *,
        SUM(success) OVER (PARTITION BY integration ORDER BY id) AS successes,
        ROW_NUMBER() OVER (PARTITION BY integration ORDER BY id DESC) AS place,
        ROW_NUMBER() OVER (PARTITION BY integration, success ORDER BY id DESC) AS place_of_kind
    FROM ended
),
streaks AS (
    SELECT integration, successes, COUNT(*) AS failures, MIN(ended_at) AS began_at
    FROM numbered
    WHERE success = 0
    GROUP BY integration, successes
),
recovered AS (
    -- What ends a row of failures is the success with the next number.
    SELECT
        s.integration,
        COUNT(*) AS outages,
        MAX(s.failures) AS most_failures,
        AVG(CAST(ROUND((EXTRACT(EPOCH FROM n.ended_at) - EXTRACT(EPOCH FROM s.began_at)) * 1000) AS DOUBLE) / 3600000)
            AS hours
    FROM streaks AS s
    LEFT JOIN numbered AS n ON n.integration = s.integration AND n.success = 1 AND n.successes = s.successes + 1
    GROUP BY s.integration
),
sums AS (
    SELECT
        integration,
        COUNT(*) AS runs,
        CAST(SUM(success) AS BIGINT) AS succeeded,
        MAX(ended_at) FILTER (WHERE place = 1) AS last_run_at,
        MAX(status) FILTER (WHERE place = 1) AS last_status,
        MAX(ended_at) FILTER (WHERE success = 1) AS last_success_at,
        MAX(successes) AS successes,
        CAST(PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY CASE WHEN success = 1 THEN seconds END) AS DOUBLE) AS p50,
        CAST(PERCENTILE_DISC(0.95) WITHIN GROUP (ORDER BY CASE WHEN success = 1 THEN seconds END) AS DOUBLE) AS p95,
        MAX(seconds) FILTER (WHERE success = 1) AS slowest,
        MAX(error_type) FILTER (WHERE success = 0 AND place_of_kind = 1) AS last_error_type,
        MAX(error) FILTER (WHERE success = 0 AND place_of_kind = 1) AS last_error
    FROM numbered
    GROUP BY integration
),
busy AS (
    SELECT integration, COUNT(*) AS runs
    FROM platform.runs
    WHERE _deleted_at IS NULL AND status = 'busy'
    GROUP BY integration
),
latest AS (
    SELECT MAX(ended_at) AS at FROM platform.runs WHERE _deleted_at IS NULL
)
SELECT
    i.name AS integration,
    i.status,
    COALESCE(s.runs, 0) AS runs,
    COALESCE(s.succeeded, 0) AS succeeded,
    COALESCE(s.runs - s.succeeded, 0) AS failed,
    CAST(s.succeeded AS DOUBLE) / CAST(s.runs AS DOUBLE) AS success_rate,
    COALESCE(b.runs, 0) AS busy,
    s.last_run_at,
    s.last_status,
    s.last_success_at,
    CAST(ROUND((EXTRACT(EPOCH FROM l.at) - EXTRACT(EPOCH FROM s.last_success_at)) * 1000) AS DOUBLE) / 3600000
        AS hours_since_success,
    COALESCE(t.failures, 0) AS failures_in_a_row,
    COALESCE(r.most_failures, 0) AS most_failures_in_a_row,
    COALESCE(r.outages, 0) AS outages,
    r.hours AS mean_hours_to_recover,
    s.p50 AS p50_seconds,
    s.p95 AS p95_seconds,
    s.slowest AS max_seconds,
    s.last_error_type,
    s.last_error
FROM platform.integrations AS i
CROSS JOIN latest AS l
LEFT JOIN sums AS s ON s.integration = i.name
LEFT JOIN streaks AS t ON t.integration = s.integration AND t.successes = s.successes
LEFT JOIN recovered AS r ON r.integration = i.name
LEFT JOIN busy AS b ON b.integration = i.name
WHERE i._deleted_at IS NULL
