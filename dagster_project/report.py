"""Reports to the Dagster instance of a project what the command line did, so that the UI shows every run.

A run with nothing new isn't reported, because it has to be fast; of others, what changed is reported. So Dagster counts
the age of a table that has ``fresh_within`` from the last run that it knows of: the last that brought something new to
its integration, or any run of Dagster's own.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import dagster as dg

from leat.dagster_project.compiled import Compiled
from leat.dagster_project.event_log import one_transaction
from leat.dagster_project.instance import instance_folder
from leat.dagster_project.outcomes import Checked, Outcome, checked, refreshed_outcomes, stream_outcomes
from leat.dagster_project.refreshed_assets import refreshed_specs
from leat.dagster_project.runless import Shown, record_check, unrecorded
from leat.dagster_project.stream_specs import stream_specs
from leat.pipelines.load import state
from leat.pipelines.load.error_message import log_error
from leat.pipelines.load.results import IntegrationResult, StreamResult
from leat.runs.refresh import Refreshed
from leat.runs.workspace import Workspace

log = logging.getLogger("leat.report")


def report(
    workspace: Workspace,
    results: Sequence[IntegrationResult],
    refreshed: Refreshed | None,
    withheld: str | None = None,
) -> None:
    """Record materializations and checks as a Dagster run would, with the same data versions.

    Args:
        workspace: the project; the instance is that of :func:`leat.dagster_project.instance.instance_folder`.
        results: what the run did for each of its integrations.
        refreshed: what it did for models and rules; None when they were up to date.
        withheld: why readers don't see the newest version, if that is so.

    What goes wrong is logged and never raised: the rows are where they belong.
    """
    try:
        with dg.DagsterInstance.from_config(str(instance_folder(workspace.project))) as instance:
            _record(instance, workspace, results, refreshed, withheld)
    except Exception as error:
        log_error(log, error, "this run wasn't reported to the Dagster instance")


def report_tables(workspace: Workspace) -> None:
    """Record every table as it is: for an instance that is new, of a project that has been loaded before.

    The outcomes of its checks are left out; the next load that brings something runs them.
    """
    with workspace.warehouse.snapshot() as session:
        totals = {name: state.read_totals(session, name) for name in workspace.declarations}
    results = [
        IntegrationResult(name, "loaded", streams=tuple(StreamResult(s, 0, 0, 0, 0, 0, n) for s, n in streams.items()))
        for name, streams in totals.items()
        if streams
    ]
    if results:
        report(workspace, results, Refreshed((), ()))


def _record(
    instance: dg.DagsterInstance,
    workspace: Workspace,
    results: Sequence[IntegrationResult],
    refreshed: Refreshed | None,
    withheld: str | None,
) -> None:
    compiled = Compiled(workspace)
    specs: dict[dg.AssetKey, dg.AssetSpec] = {}
    outcomes: list[Outcome] = []
    checks: list[Checked] = []
    with workspace.warehouse.snapshot() as session:
        for result in results:
            declaration = workspace.declarations[result.integration]
            checks += checked(result.checks)
            if result.status == "loaded" or any(stream.changed for stream in result.streams):
                specs |= {spec.key: spec for spec in stream_specs(compiled, declaration)}
                outcomes += stream_outcomes(session, declaration, result)
        if refreshed is not None:
            specs |= {spec.key: spec for spec in refreshed_specs(compiled)}
            outcomes += refreshed_outcomes(session, compiled, refreshed, withheld)
            checks += checked(refreshed.checks)
    with one_transaction(instance):
        shown = Shown(instance, {dep.asset_key for spec in specs.values() for dep in spec.deps} | specs.keys())
        recorded = {o.key for o in outcomes if o.key in specs and shown.record(specs[o.key], o)}
        others = [check for check in checks if check.key.asset_key not in recorded]
        for check in [check for check in checks if check.key.asset_key in recorded] + unrecorded(instance, others):
            record_check(instance, check)
