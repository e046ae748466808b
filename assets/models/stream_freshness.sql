/* ---
description: >-
  How fresh each loaded stream is, and how much it changes, for declared integrations. A run with nothing new makes no
  load: integration_reliability has when an integration last ran.
owners: [operations]
columns:
  integration: Name of the integration.
  stream: Name of the stream.
  rows: Rows after the last load that had the stream.
  loads: Loads that had it.
  last_loaded_at: When the last of them was applied.
  last_changed_at: When a load last changed something in it; null when none did.
  days_since_change: Whole days from then to the last load of anything; null when nothing ever changed.
  changed: Rows added, changed and marked as deleted, by all loads.
  quarantined: Records that were set aside, by all loads.
  drifted: Records with fields that the stream doesn't know, by all loads.
checks:
  - unique: [integration, stream]
  - not_null: [integration, stream, last_loaded_at]
  - range: {rows: {min: 0}, loads: {min: 1}, days_since_change: {min: 0}}
--- */
WITH loads AS (
    SELECT
        s.integration,
        s.stream,
        s.total,
        s.inserted + s.updated + s.deleted AS changed,
        s.quarantined,
        s.drifted,
        l.applied_at,
        ROW_NUMBER() OVER (PARTITION BY s.integration, s.stream ORDER BY s.load_id DESC) AS place
    FROM leat.load_streams AS s
    JOIN leat.loads AS l ON l.load_id = s.load_id AND l.integration = s.integration
),
latest AS (
    SELECT MAX(applied_at) AS at FROM leat.loads
),
sums AS (
    SELECT
        integration,
        stream,
        MAX(total) FILTER (WHERE place = 1) AS rows_now,
        COUNT(*) AS loads,
        MAX(applied_at) AS last_loaded_at,
        MAX(applied_at) FILTER (WHERE changed > 0) AS last_changed_at,
        CAST(SUM(changed) AS BIGINT) AS changed,
        CAST(SUM(quarantined) AS BIGINT) AS quarantined,
        CAST(SUM(drifted) AS BIGINT) AS drifted
    FROM loads
    GROUP BY integration, stream
)
SELECT
    s.integration,
    s.stream,
    s.rows_now AS "rows",
    s.loads,
    s.last_loaded_at,
    s.last_changed_at,
    CAST(FLOOR((EXTRACT(EPOCH FROM l.at) - EXTRACT(EPOCH FROM s.last_changed_at)) / 86400) AS BIGINT)
        AS days_since_change,
    s.changed,
    s.quarantined,
    s.drifted
FROM sums AS s
CROSS JOIN latest AS l
JOIN platform.integrations AS i ON i.name = s.integration AND i._deleted_at IS NULL AND i.status <> 'removed'
