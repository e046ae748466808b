"""Events outside of Dagster runs: what the command line did, or what a run did beyond its selection."""

from __future__ import annotations

import dagster as dg

from leat.dagster_project.outcomes import Checked, Outcome

_NONE = "NULL"  # what Dagster writes for an input without an event


def record_outcome(instance: dg.DagsterInstance, spec: dg.AssetSpec, outcome: Outcome) -> None:
    """Record a materialization with the tags by which Dagster knows what is stale, as a run would write them."""
    tags = {
        "dagster/data_version": outcome.data_version,
        "dagster/data_version_is_user_provided": "true",
        "dagster/code_version": spec.code_version or "",
    }
    for dep in spec.deps:
        name = dep.asset_key.to_user_string()
        records = instance.fetch_materializations(dep.asset_key, limit=1).records
        event = records[0].asset_materialization if records else None
        earlier = (event.tags or {}) if event else {}
        tags[f"dagster/input_data_version/{name}"] = earlier.get("dagster/data_version", "INITIAL")
        tags[f"dagster/input_event_pointer/{name}"] = str(records[0].storage_id) if records else _NONE
    instance.report_runless_asset_event(
        dg.AssetMaterialization(outcome.key, metadata=outcome.metadata, tags=tags),
    )


def record_check(instance: dg.DagsterInstance, check: Checked) -> None:
    """Record the outcome of a check."""
    result = check.result
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=check.key.asset_key,
            check_name=check.key.name,
            passed=result.ok,
            severity=check.severity,
            description=result.detail,
            metadata=check.metadata,
            blocking=result.severity == "error",
        )
    )
