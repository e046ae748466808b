"""The views of the schema ``catalog``: what is declared, joined with what leat's own tables say about it now.

One text for both engines. Each view reads only those before it and tables; none reads a loaded table, which on Postgres
would prevent changes to it.
"""

from __future__ import annotations

from collections.abc import Mapping

_FRESHNESS = """
WITH newest AS (
  SELECT
    integration, stream, MAX(load_id) AS load_id,
    MAX(CASE WHEN inserted + updated + deleted > 0 THEN load_id END) AS changed_by
  FROM leat.load_streams GROUP BY integration, stream
), loads AS (
  SELECT integration, load_id, MAX(applied_at) AS applied_at FROM leat.loads GROUP BY integration, load_id
), last_loads AS (
  SELECT integration, MAX(applied_at) AS last_load_at FROM leat.loads GROUP BY integration
)
SELECT
  t.schema_name, t.table_name, changes.applied_at AS last_changed_at, last_loads.last_load_at,
  good_runs.last_good_run_at, t.fresh_within, t.fresh_within_seconds
FROM catalog.declared_tables AS t
LEFT JOIN newest ON newest.integration = t.schema_name AND newest.stream = t.table_name
LEFT JOIN loads AS changes ON changes.integration = newest.integration AND changes.load_id = newest.changed_by
LEFT JOIN last_loads ON last_loads.integration = t.schema_name
LEFT JOIN catalog.good_runs ON good_runs.integration = t.schema_name
WHERE t.kind = 'stream'
"""

_TABLES = """
WITH newest AS (
  SELECT integration, stream, MAX(load_id) AS load_id FROM leat.load_streams GROUP BY integration, stream
), totals AS (
  SELECT s.integration, s.stream, MAX(s.total) AS total
  FROM leat.load_streams AS s
  JOIN newest ON newest.integration = s.integration AND newest.stream = s.stream AND newest.load_id = s.load_id
  GROUP BY s.integration, s.stream
)
SELECT
  t.schema_name, t.table_name, t.kind, t.description, t.integration, t.stream, t.source, t.driver,
  t.owner, t.key, t.grain, t.deletes,
  COALESCE(totals.total, models.row_count) AS row_count,
  COALESCE(changed.last_changed_at, models.built_at) AS last_changed_at,
  t.fresh_within, t.history_table, t.example_query, t.declared_in
FROM catalog.declared_tables AS t
LEFT JOIN totals ON t.kind = 'stream' AND totals.integration = t.integration AND totals.stream = t.stream
LEFT JOIN catalog.freshness AS changed ON changed.schema_name = t.integration AND changed.table_name = t.stream
LEFT JOIN leat.models AS models ON t.kind = 'model' AND models.model = t.table_name
"""

_CHECKS = """
SELECT
  d.schema_name, d.table_name, d.check_name, d.kind, d.description, d.severity, d.columns,
  d.target_schema, d.target_table, d.target_column, c.ok, c.failing, c.detail, c.checked_at
FROM catalog.declared_checks AS d
LEFT JOIN leat.checks AS c ON c.subject = d.schema_name || '.' || d.table_name AND c.check_name = d.check_name
"""

_RULES = """
WITH open_now AS (
  SELECT rule, COUNT(*) AS violations FROM leat.violations WHERE resolved_at IS NULL GROUP BY rule
)
SELECT
  d.rule, d.title, d.description, d.next_step, d.severity, d.owner, d.key, d.needs, r.outcome, r.detail,
  COALESCE(open_now.violations, 0) AS open_violations, r.checked_at, d.declared_in
FROM catalog.declared_rules AS d
LEFT JOIN leat.rules AS r ON r.rule = d.rule
LEFT JOIN open_now ON open_now.rule = d.rule
"""

_OPEN_VIOLATIONS = """
SELECT
  v.rule, d.title, v.severity, v.owner, v.violation_key, v.evidence, v.first_seen_at, v.opened_at, v.last_seen_at,
  v.acknowledged_by, v.acknowledged_until, v.acknowledged_note, d.next_step
FROM leat.violations AS v
LEFT JOIN catalog.declared_rules AS d ON d.rule = v.rule
WHERE v.resolved_at IS NULL
"""

VIEWS: Mapping[str, str] = {
    "freshness": _FRESHNESS,
    "tables": _TABLES,
    "checks": _CHECKS,
    "rules": _RULES,
    "open_violations": _OPEN_VIOLATIONS,
}
