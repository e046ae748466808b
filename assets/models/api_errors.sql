/* ---
description: >-
  How many calls failed, exceeded a rate limit, or were retried, by integration, host, path and day. A call fails if
  no response arrives or its status is 400 or more. Drivers sometimes ask for things that need not exist, so a 404 may
  be expected.
grain: [integration, host, path, day]
owners: [operations]
columns:
  integration: Name of the integration.
  host: Host and port of the server.
  path: Path of the calls, without values.
  day: Day on which they were sent (UTC).
  calls: Calls, repeated ones included.
  failed: Calls that failed.
  error_rate: failed divided by calls.
  unanswered: Calls to which no answer came.
  client_errors: Calls answered with a status of 400 to 499, without 429.
  server_errors: Calls answered with a status of 500 or more.
  rate_limited: Calls refused because there were too many of them (HTTP 429).
  rate_limit_rate: rate_limited divided by calls.
  retries: Calls that repeated one that had failed.
  retry_rate: retries divided by calls.
  most_attempts: The most tries that one request took.
  requests: Calls that were the first try of a request.
checks:
  - unique: [integration, host, path, day]
  - not_null: [integration, host, path, day]
  - range: {calls: {min: 1}, error_rate: {min: 0, max: 1}}
  - range: {rate_limit_rate: {min: 0, max: 1}, retry_rate: {min: 0, max: 1}}
--- */
WITH sums AS (
    SELECT
        integration,
        host,
        path,
        CAST(DATE_TRUNC('day', called_at AT TIME ZONE 'UTC') AS DATE) AS day,
        COUNT(*) AS calls,
        COUNT(*) FILTER (WHERE status IS NULL) AS unanswered,
        COUNT(*) FILTER (WHERE status >= 400 AND status < 500 AND status <> 429) AS client_errors,
        COUNT(*) FILTER (WHERE status >= 500) AS server_errors,
        COUNT(*) FILTER (WHERE status = 429) AS rate_limited,
        COUNT(*) FILTER (WHERE attempt > 1) AS retries,
        MAX(attempt) AS most_attempts
    FROM platform.api_calls
    WHERE _deleted_at IS NULL AND called_at IS NOT NULL
    GROUP BY integration, host, path, CAST(DATE_TRUNC('day', called_at AT TIME ZONE 'UTC') AS DATE)
)
SELECT
    integration,
    host,
    path,
    day,
    calls,
    unanswered + client_errors + server_errors + rate_limited AS failed,
    CAST(unanswered + client_errors + server_errors + rate_limited AS DOUBLE) / CAST(calls AS DOUBLE) AS error_rate,
    unanswered,
    client_errors,
    server_errors,
    rate_limited,
    CAST(rate_limited AS DOUBLE) / CAST(calls AS DOUBLE) AS rate_limit_rate,
    retries,
    CAST(retries AS DOUBLE) / CAST(calls AS DOUBLE) AS retry_rate,
    most_attempts,
    calls - retries AS requests
FROM sums
