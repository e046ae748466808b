"""Models and the ledger of violations as Dagster assets: one step brings all of them up to date, and publishes."""

from collections.abc import Iterator

import dagster as dg

from leat.dagster_project.compiled import POOL, Compiled
from leat.dagster_project.model_specs import model_check_specs, model_specs, rule_check_specs, rules_spec
from leat.dagster_project.outcomes import checked, refreshed_outcomes
from leat.dagster_project.steps import Reported, again_later, earlier_checks, failed, logging_to, report_outcomes
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.runs.workspace import Workspace
from leat.warehouse.session import Busy

STEP = "models_and_rules"
_CONFIG = {
    "full_refresh": dg.Field(
        bool,
        default_value=False,
        description="Build all rows of all models, not only those that changed.",
    )
}


def refreshed_specs(compiled: Compiled) -> list[dg.AssetSpec]:
    """Return the assets that follow from what is loaded: the models, and the ledger when there are rules."""
    return [*model_specs(compiled), *([rules_spec(compiled)] if compiled.described.rules else [])]


def refreshed_assets(compiled: Compiled) -> dg.AssetsDefinition | None:
    """Return the step for models and rules; None when a project has neither."""
    specs = refreshed_specs(compiled)
    if not specs:
        return None

    @dg.multi_asset(
        name=STEP,
        description="Rebuilds models with a changed input, runs their checks and the rules, and publishes.",
        specs=specs,
        check_specs=[*model_check_specs(compiled), *rule_check_specs(compiled)],
        can_subset=True,
        config_schema=_CONFIG,
        pool=POOL,
    )
    def models_and_rules(context: dg.AssetExecutionContext) -> Iterator[Reported]:
        with logging_to(context), compiled.current() as workspace:
            whole = bool(context.op_execution_context.op_config["full_refresh"])
            yield from refresh_step(context, compiled, workspace, whole=whole)

    return models_and_rules


def refresh_step(
    context: dg.AssetExecutionContext, compiled: Compiled, workspace: Workspace, *, whole: bool = False
) -> Iterator[Reported]:
    """Bring models and rules up to date and publish, unless a check of severity error failed.

    Args:
        context: of the step.
        compiled: the definitions.
        workspace: the project.
        whole: whether all rows of all models are built, changed or not.

    Raises:
        RetryRequested: another process writes the warehouse.
        Failure: a model can't be built, or a check withholds the version; what became of the others is reported first.
    """
    from leat.runs.run import refresh_and_publish  # SQLAlchemy isn't imported for definitions

    specs = {spec.key: spec for spec in refreshed_specs(compiled)}
    selected = any(key.asset_key in specs for key in context.selected_asset_check_keys)
    earlier = earlier_checks(context) if selected and context.selected_asset_keys else None
    try:
        refreshed, publication = refresh_and_publish(workspace, always=selected and earlier is None, whole=whole)
    except Busy as busy:
        raise again_later(context, str(busy), compiled.retry_waits) from busy
    except DeclarationError as error:
        raise failed(str(error)) from None
    context.log.info("readers see the new version" if publication.published else "nothing to publish")
    with workspace.warehouse.snapshot() as session:
        outcomes = refreshed_outcomes(session, compiled, refreshed, publication.explanation)
    yield from report_outcomes(context, specs, outcomes, checked(refreshed.checks if refreshed else ()))
    yield from (earlier or ()) if refreshed is None else ()
    wrong = [*(refreshed.errors if refreshed else ()), *([publication.explanation] if publication.explanation else ())]
    if wrong:
        raise failed("\n".join(wrong))
