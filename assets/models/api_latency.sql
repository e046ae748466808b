/* ---
description: >-
  How long the servers took to respond, by integration, host, path and day. Calls without a response are left out,
  because their duration is only leat's timeout.
grain: [integration, host, path, day]
owners: [operations]
columns:
  integration: Name of the integration.
  host: Host and port of the server.
  path: Path of the calls, without values.
  day: Day on which they were sent (UTC).
  calls: Calls that were answered, with whatever status.
  mean_ms: Mean time until the whole answer was read, in milliseconds.
  p50_ms: Milliseconds within which half of them were answered; a percentile is a time that was measured (nearest rank).
  p90_ms: Milliseconds within which 90 of 100 were answered.
  p95_ms: Milliseconds within which 95 of 100 were answered.
  p99_ms: Milliseconds within which 99 of 100 were answered.
  max_ms: The slowest, in milliseconds.
  received_bytes: Size of the answers.
checks:
  - unique: [integration, host, path, day]
  - not_null: [integration, host, path, day]
  - range: {calls: {min: 1}, p50_ms: {min: 0}}
--- */
SELECT
    integration,
    host,
    path,
    CAST(DATE_TRUNC('day', called_at AT TIME ZONE 'UTC') AS DATE) AS day,
    COUNT(*) AS calls,
    CAST(AVG(milliseconds) AS DOUBLE) AS mean_ms,
    CAST(PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY milliseconds) AS DOUBLE) AS p50_ms,
    CAST(PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY milliseconds) AS DOUBLE) AS p90_ms,
    CAST(PERCENTILE_DISC(0.95) WITHIN GROUP (ORDER BY milliseconds) AS DOUBLE) AS p95_ms,
    CAST(PERCENTILE_DISC(0.99) WITHIN GROUP (ORDER BY milliseconds) AS DOUBLE) AS p99_ms,
    CAST(MAX(milliseconds) AS DOUBLE) AS max_ms,
    CAST(COALESCE(SUM(received_bytes), 0) AS BIGINT) AS received_bytes
FROM platform.api_calls
WHERE _deleted_at IS NULL AND status IS NOT NULL AND milliseconds IS NOT NULL AND called_at IS NOT NULL
GROUP BY integration, host, path, CAST(DATE_TRUNC('day', called_at AT TIME ZONE 'UTC') AS DATE)
