/* ---
description: >-
  The limits that each server last reported for its calls, by integration. Servers that never reported a limit are
  left out.
grain: [integration, host]
owners: [operations]
columns:
  integration: Name of the integration.
  host: Host and port of the server.
  rate_limit: Calls that the server allows in its window; null when it doesn't say.
  rate_remaining: What was left of them; null when it doesn't say.
  share_left: rate_remaining divided by rate_limit; null if one of them is missing.
  rate_reset_at: When the window resets; null if the server doesn't say.
  told_at: When the call was sent to which the server answered this.
  refused: Calls that exceeded the limit (HTTP 429), of all that the control store has.
checks:
  - unique: [integration, host]
  - not_null: [integration, host, told_at]
  - range: {refused: {min: 0}}
--- */
WITH told AS (
    SELECT
        c.integration,
        c.host,
        c.rate_limit,
        c.rate_remaining,
        c.rate_reset_at,
        c.called_at,
        ROW_NUMBER() OVER (PARTITION BY c.integration, c.host ORDER BY c.called_at DESC, c.id DESC) AS place
    FROM platform.api_calls AS c
    WHERE c.rate_limit IS NOT NULL OR c.rate_remaining IS NOT NULL OR c.rate_reset_at IS NOT NULL
),
refusals AS (
    SELECT integration, host, COUNT(*) AS refused
    FROM platform.api_calls
    WHERE status = 429
    GROUP BY integration, host
)
SELECT
    t.integration,
    t.host,
    t.rate_limit,
    t.rate_remaining,
    CAST(t.rate_remaining AS DOUBLE) / CAST(NULLIF(t.rate_limit, 0) AS DOUBLE) AS share_left,
    t.rate_reset_at,
    t.called_at AS told_at,
    COALESCE(r.refused, 0) AS refused
FROM told AS t
LEFT JOIN refusals AS r ON r.integration = t.integration AND r.host = t.host
WHERE t.place = 1
