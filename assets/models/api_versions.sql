/* ---
description: >-
  Which API version each integration uses, and until when the server supports it, by path. Each row comes from the
  latest call that reported a version or an end. Paths without either are left out.
grain: [integration, host, path]
owners: [operations]
columns:
  integration: Name of the integration.
  host: Host and port of the server.
  path: Path of the calls, without values.
  version_asked: API version that was asked for; null when none was.
  version_served: API version that the server says it used; null when it doesn't say.
  deprecated_at: Since when, or from when on, the server calls this deprecated; null when it isn't.
  sunset_at: When the server will stop answering this; null when no end is announced.
  told_at: When the call was sent to which the server answered this.
  last_called_at: When the path was last called.
  calls: Calls of the path that the control store has.
checks:
  - unique: [integration, host, path]
  - not_null: [integration, host, path, last_called_at]
  - range: {calls: {min: 1}}
--- */
WITH told AS (
    SELECT
        c.integration,
        c.host,
        c.path,
        c.version_asked,
        c.version_served,
        c.deprecated_at,
        c.sunset_at,
        c.called_at,
        ROW_NUMBER() OVER (PARTITION BY c.integration, c.host, c.path ORDER BY c.called_at DESC, c.id DESC) AS place
    FROM platform.api_calls AS c
    WHERE c.status IS NOT NULL
        AND (
            c.version_asked IS NOT NULL
            OR c.version_served IS NOT NULL
            OR c.deprecated_at IS NOT NULL
            OR c.sunset_at IS NOT NULL
        )
),
called AS (
    SELECT integration, host, path, MAX(called_at) AS last_called_at, COUNT(*) AS calls
    FROM platform.api_calls
    GROUP BY integration, host, path
)
SELECT
    t.integration,
    t.host,
    t.path,
    t.version_asked,
    t.version_served,
    t.deprecated_at,
    t.sunset_at,
    t.called_at AS told_at,
    c.last_called_at,
    c.calls
FROM told AS t
JOIN called AS c ON c.integration = t.integration AND c.host = t.host AND c.path = t.path
WHERE t.place = 1
