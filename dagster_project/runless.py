"""Events outside of Dagster runs: what the command line did, or what a run did beyond its selection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

from leat.dagster_project.outcomes import NOT_PUBLISHED, Checked, Outcome

_NONE = "NULL"  # what Dagster writes for an input without an event


class Shown:
    """What an instance shows of assets: the last materialization of each, looked up once.

    Args:
        instance: where to look, and to record.
        keys: assets that are looked up together; others are looked up when they are asked for.
    """

    def __init__(self, instance: dg.DagsterInstance, keys: Collection[dg.AssetKey] = ()) -> None:
        self._instance = instance
        self._latest: dict[dg.AssetKey, dg.EventLogRecord | None] = dict.fromkeys(keys)
        for record in instance.get_asset_records(list(keys)) if keys else ():
            self._latest[record.asset_entry.asset_key] = record.asset_entry.last_materialization_record

    def record(self, spec: dg.AssetSpec, outcome: Outcome) -> bool:
        """Record a materialization with the tags by which Dagster knows what is stale, as a run would write them.

        Returns:
            False where nothing had changed: the table, its code, the versions of what it is made of, and whether
            readers see it; unless Dagster is to say how old the table is. A record takes some kilobytes of disk, and
            most models don't change in most runs.
        """
        tags = {
            "dagster/data_version": outcome.data_version,
            "dagster/data_version_is_user_provided": "true",
            "dagster/code_version": spec.code_version or "",
        }
        pointers = {}
        for dep in spec.deps:
            name = dep.asset_key.to_user_string()
            record, event = self._of(dep.asset_key)
            earlier = (event.tags or {}) if event else {}
            tags[f"dagster/input_data_version/{name}"] = earlier.get("dagster/data_version", "INITIAL")
            pointers[f"dagster/input_event_pointer/{name}"] = str(record.storage_id) if record else _NONE
        if not outcome.changed and spec.freshness_policy is None and self._is_shown(outcome, tags):
            return False
        self._instance.report_runless_asset_event(
            dg.AssetMaterialization(outcome.key, metadata=outcome.metadata, tags=tags | pointers),
        )
        self._latest.pop(outcome.key, None)
        return True

    def _of(self, key: dg.AssetKey) -> tuple[dg.EventLogRecord | None, dg.AssetMaterialization | None]:
        if key not in self._latest:
            self._latest[key] = next(iter(self._instance.fetch_materializations(key, limit=1).records), None)
        record = self._latest[key]
        return record, record.asset_materialization if record else None

    def _is_shown(self, outcome: Outcome, tags: Mapping[str, str]) -> bool:
        _, event = self._of(outcome.key)
        if event is None:
            return False
        withheld = event.metadata.get(NOT_PUBLISHED)
        same = (withheld.value if withheld else None) == outcome.metadata.get(NOT_PUBLISHED)
        return same and tags.items() <= (event.tags or {}).items()


def unrecorded(instance: dg.DagsterInstance, checks: Sequence[Checked]) -> list[Checked]:
    """Return the checks that failed, and those whose last recorded outcome was another one."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key([check.key for check in checks])
    return [check for check in checks if not check.result.ok or not _is_recorded(check, latest.get(check.key))]


def _is_recorded(check: Checked, record: AssetCheckExecutionRecord | None) -> bool:
    event = record.event.dagster_event if record and record.event else None
    if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return False
    last = event.asset_check_evaluation_data
    return (last.passed, last.severity, last.description) == (check.result.ok, check.severity, check.result.detail)


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
