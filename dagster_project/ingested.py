"""An integration as Dagster assets: one step loads all of its streams in one transaction, as ``leat run`` does."""

from collections.abc import Iterator

import dagster as dg

from leat.dagster_project.compiled import POOL, Compiled
from leat.dagster_project.outcomes import checked, stream_outcomes
from leat.dagster_project.refreshed_assets import refresh_and_publish, refreshed_specs
from leat.dagster_project.steps import Told, again_later, earlier_checks, failed, logging_to, tell
from leat.dagster_project.stream_specs import stream_check_specs, stream_specs
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.results import CheckResult, IntegrationResult
from leat.pipelines.load.run import Engine, Request, run_integration
from leat.warehouse.session import Session

_CONFIG = {
    "allow_deletes": dg.Field(
        bool,
        default_value=False,
        description="Let full scans delete any share of a table, after one stopped and asked.",
    )
}


def ingested_assets(compiled: Compiled, declaration: Declaration) -> dg.AssetsDefinition:
    """Return the assets of an integration.

    A load is whole even if only some streams are selected; what the others got is recorded beside the run.
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
    def load(context: dg.AssetExecutionContext) -> Iterator[Told]:
        with logging_to(context):
            yield from _load(context, compiled.current(), name)

    return load


def _load(context: dg.AssetExecutionContext, compiled: Compiled, name: str) -> Iterator[Told]:
    declaration = compiled.declarations[name]
    specs = {spec.key: spec for spec in stream_specs(compiled, declaration)}
    if not context.selected_asset_keys:  # only checks are asked for
        yield from tell(context, specs, (), checked(_check(compiled, declaration)))
        return
    result = _run(context, compiled, name)
    if result.error is not None:
        yield from _tell_applied(context, compiled, result)
        if result.transient:
            raise again_later(context, result.error, compiled.retry_waits, result.retry_after)
        raise failed(result.error)
    earlier = None if result.checks else earlier_checks(context)
    checks = result.checks if result.checks or earlier is not None else _check(compiled, declaration)
    with compiled.warehouse().snapshot() as session:
        outcomes = stream_outcomes(session, declaration, result)
    yield from tell(context, specs, outcomes, checked(checks))
    yield from earlier or ()
    if not _refresh_follows(context, compiled):
        yield from refresh_and_publish(context, compiled)


def _tell_applied(context: dg.AssetExecutionContext, compiled: Compiled, result: IntegrationResult) -> Iterator[Told]:
    """Yield what a run that failed has applied all the same, and let readers see it."""
    declaration = compiled.declarations[result.integration]
    specs = {spec.key: spec for spec in stream_specs(compiled, declaration)}
    with compiled.warehouse().snapshot() as session:
        applied = [outcome for outcome in stream_outcomes(session, declaration, result) if outcome.changed]
    yield from tell(context, specs, applied, checked(result.checks))
    if applied:
        yield from refresh_and_publish(context, compiled)


def _check(compiled: Compiled, declaration: Declaration) -> tuple[CheckResult, ...]:
    """Check the tables as they are, and keep what was found."""
    with compiled.warehouse().transaction() as session:
        return _audit(session, declaration, compiled)


def _run(context: dg.AssetExecutionContext, compiled: Compiled, name: str) -> IntegrationResult:
    from leat.control.store import open_control
    from leat.runs.recorder import Recorder, register  # SQLAlchemy isn't imported for definitions

    store = open_control(compiled.project.control_url)
    try:
        register(store, compiled.declarations)
        recorder = Recorder(store, "dagster")

        def observe(integration: str, phase: str) -> None:
            recorder.on_phase(integration, phase)
            context.log.info(f"{integration}: {phase}")

        engine = Engine(
            compiled.project,
            compiled.warehouse(),
            compiled.declarations,
            audit=lambda session, declaration: _audit(session, declaration, compiled),
            observe=observe,
            called=recorder.on_call,
            attempts=1,  # Dagster tries again, and shows that it does
        )
        allow_deletes = bool(context.op_execution_context.op_config["allow_deletes"])
        result = run_integration(engine, name, Request(allow_deletes=allow_deletes))
        recorder.on_result(result)
    finally:
        store.dispose()
    return result


def _audit(session: Session, declaration: Declaration, compiled: Compiled) -> tuple[CheckResult, ...]:
    from leat.quality.audit import audit

    return audit(session, declaration, compiled.declarations)


def _refresh_follows(context: dg.AssetExecutionContext, compiled: Compiled) -> bool:
    """Return whether a later step of this run brings models and rules up to date, and publishes."""
    refreshed = {spec.key for spec in refreshed_specs(compiled)}
    return bool(refreshed & set(context.job_def.asset_layer.executable_asset_keys))
