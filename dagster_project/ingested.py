"""An integration as Dagster assets: one step loads all of its streams in one transaction, as ``leat run`` does."""

from collections.abc import Iterator

import dagster as dg

from leat.dagster_project.compiled import POOL, Compiled
from leat.dagster_project.outcomes import checked, stream_outcomes
from leat.dagster_project.refreshed_assets import refresh_step, refreshed_specs
from leat.dagster_project.steps import Reported, again_later, earlier_checks, failed, logging_to, report_outcomes
from leat.dagster_project.stream_specs import stream_check_specs, stream_specs
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.engine import Request
from leat.runs.workspace import Workspace

_CONFIG = {
    "allow_deletes": dg.Field(
        bool,
        default_value=False,
        description="Let full scans delete any share of a table, after one failed.",
    )
}


def ingested_assets(compiled: Compiled, declaration: Declaration) -> dg.AssetsDefinition:
    """Return the assets of an integration.

    A load is whole even if only some streams are selected; the others' outcomes are recorded outside the run.
    """
    specs = stream_specs(compiled, declaration)
    name = declaration.name

    @dg.multi_asset(
        name=f"load_{name}",
        description=declaration.description or f"Loads {name} from {declaration.source} by {declaration.driver}.",
        specs=specs,
        check_specs=stream_check_specs(declaration),
        can_subset=True,
        config_schema=_CONFIG,
        pool=POOL,
    )
    def load(context: dg.AssetExecutionContext) -> Iterator[Reported]:
        with logging_to(context), compiled.current() as workspace:
            yield from _load(context, compiled, workspace, name)

    return load


def _load(context: dg.AssetExecutionContext, compiled: Compiled, workspace: Workspace, name: str) -> Iterator[Reported]:
    from leat.runs.load import Observer, check, load_step  # SQLAlchemy isn't imported for definitions
    from leat.runs.result import needs_refresh

    declaration = workspace.declarations[name]
    specs = {spec.key: spec for spec in stream_specs(compiled, declaration)}
    if not context.selected_asset_keys:  # only checks are asked for
        yield from report_outcomes(context, specs, (), checked(check(workspace, name)))
        return
    request = Request(allow_deletes=bool(context.op_execution_context.op_config["allow_deletes"]))
    observer = Observer(phase=lambda integration, phase: context.log.info(f"{integration}: {phase}"))
    result = load_step(workspace, name, request, observer, dagster_run=context.run.run_id)
    with workspace.warehouse.snapshot() as session:
        outcomes = stream_outcomes(session, declaration, result)
    if result.error is not None:  # Dagster takes a table that it is shown for one that was loaded
        yield from report_outcomes(context, specs, [each for each in outcomes if each.changed], checked(result.checks))
    else:
        earlier = None if result.checks else earlier_checks(context)
        checks = result.checks if result.checks or earlier is not None else check(workspace, name)
        yield from report_outcomes(context, specs, outcomes, checked(checks))
        yield from earlier or ()
    if needs_refresh(result, later=_refresh_follows(context, compiled)):
        yield from refresh_step(context, compiled, workspace)
    if result.error is not None and result.transient:
        raise again_later(context, result.error, compiled.retry_waits, result.retry_after)
    if result.error is not None:
        raise failed(result.error)


def _refresh_follows(context: dg.AssetExecutionContext, compiled: Compiled) -> bool:
    """Return whether a later step of this run brings models and rules up to date, and publishes."""
    refreshed = {spec.key for spec in refreshed_specs(compiled)}
    return bool(refreshed & set(context.job_def.asset_layer.executable_asset_keys))
