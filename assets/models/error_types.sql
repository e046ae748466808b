/* ---
description: >-
  What goes wrong, by integration and kind of error: failed runs by the class of the error that ended them, and failed
  API calls by their error class, or by their status if the driver didn't treat it as an error.
owners: [operations]
columns:
  integration: Name of the integration.
  level: run for runs that ended with it, call for API calls.
  error: Class of the error, for example RateLimited; HTTP and the status where there is none.
  times: How often it happened.
  days: On how many days (UTC).
  share: times divided by all that went wrong on this level, over all integrations.
  first_at: When it happened first.
  last_at: When it happened last.
  recovered: >-
    Whether a later run of the integration succeeded; for calls, whether a later call to the same host did.
  example: The message of the last run that ended with it, or method, host and path of the last call.
checks:
  - unique: [integration, level, error]
  - not_null: [integration, level, error]
  - accepted_values: {level: [run, call]}
  - range: {times: {min: 1}, share: {min: 0, max: 1}}
--- */
WITH last_runs AS (
    SELECT integration, MAX(ended_at) AS succeeded_at
    FROM platform.runs
    WHERE _deleted_at IS NULL AND status IN ('loaded', 'nothing_new')
    GROUP BY integration
),
last_calls AS (
    SELECT integration, host, MAX(called_at) AS succeeded_at
    FROM platform.api_calls
    WHERE _deleted_at IS NULL AND status < 400
    GROUP BY integration, host
),
failures AS (
    SELECT
        r.integration,
        'run' AS level,
        COALESCE(r.error_type, r.status) AS error,
        r.ended_at AS at,
        r.id AS place,
        COALESCE(l.succeeded_at > r.ended_at, FALSE) AS recovered,
        r.error AS example
    FROM platform.runs AS r
    LEFT JOIN last_runs AS l ON l.integration = r.integration
    WHERE r._deleted_at IS NULL AND r.status IN ('failed', 'blocked')
    UNION ALL
    SELECT
        c.integration,
        'call' AS level,
        COALESCE(c.error, 'HTTP ' || CAST(c.status AS VARCHAR), 'no answer') AS error,
        c.called_at AS at,
        LPAD(CAST(c.id AS VARCHAR), 19, '0') AS place,
        COALESCE(l.succeeded_at > c.called_at, FALSE) AS recovered,
        c.method || ' ' || c.host || c.path AS example
    FROM platform.api_calls AS c
    LEFT JOIN last_calls AS l ON l.integration = c.integration AND l.host = c.host
    WHERE c._deleted_at IS NULL AND (c.status IS NULL OR c.status >= 400)
),
ranked AS (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY integration, level, error ORDER BY at DESC, place DESC) AS newest,
        COUNT(*) OVER (PARTITION BY level) AS of_level
    FROM failures
)
SELECT
    integration,
    level,
    error,
    COUNT(*) AS times,
    COUNT(DISTINCT CAST(DATE_TRUNC('day', at AT TIME ZONE 'UTC') AS DATE)) AS days,
    CAST(COUNT(*) AS DOUBLE) / CAST(MAX(of_level) AS DOUBLE) AS share,
    MIN(at) AS first_at,
    MAX(at) AS last_at,
    MAX(CASE WHEN newest = 1 AND recovered THEN 1 ELSE 0 END) = 1 AS recovered,
    MAX(CASE WHEN newest = 1 THEN example END) AS example
FROM ranked
GROUP BY integration, level, error
