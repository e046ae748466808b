"""Sensors that alert people to problems: what ends ``leat run``, done when a run has failed and every minute.

What is wrong is read from state, so it doesn't matter which of them sees it first, nor whether it was a run of Dagster
or of the command line that failed.
"""

from collections.abc import Sequence

import dagster as dg

from leat.dagster_project.compiled import Compiled
from leat.dagster_project.steps import failed
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.quality.alerts.file import alerts_path
from leat.runs.between import send_webhooks_due
from leat.runs.notify import notify
from leat.runs.webhooks_out import is_declared
from leat.sources.settings import redact

_AT_ONCE, _REGULARLY = 30, 60
"""Seconds between two evaluations at least; a pass that finds nothing new takes a tenth of one."""


def alert_sensors(compiled: Compiled) -> Sequence[dg.SensorDefinition]:
    """Return the sensors of a project that declares alerts or webhooks; none for one that doesn't."""
    if not alerts_path(compiled.workspace.project).exists() and not is_declared(compiled.workspace):
        return []

    @dg.run_failure_sensor(
        name="alerts_of_failed_runs",
        description="Alerts people about a run that has just failed.",
        minimum_interval_seconds=_AT_ONCE,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def alerts_of_failed_runs(context: dg.RunFailureSensorContext) -> dg.SkipReason:
        context.log.info(f"run {context.dagster_run.run_id[:8]} failed")
        return dg.SkipReason(_notify(compiled))

    @dg.sensor(
        name="alerts",
        description="Alerts people about failed checks, violations, stale tables and runs whose process died; "
        "sends the digest, messages that quiet hours held back, and escalations.",
        minimum_interval_seconds=_REGULARLY,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def alerts(_context: dg.SensorEvaluationContext) -> dg.SkipReason:
        return dg.SkipReason(_notify(compiled))

    return [alerts_of_failed_runs, alerts]


def _notify(compiled: Compiled) -> str:
    """Send the alerts that are due; returns in words what was sent.

    Raises:
        Failure: the declarations have mistakes, which the tick shows.
    """
    try:
        with compiled.current() as workspace:
            sent = notify(workspace)
            send_webhooks_due(workspace)
    except DeclarationError as error:
        raise failed(str(error)) from None
    lines = [f"alert sent to {each.channel}: {each.title}" if each.error is None else f"{each.channel}: {each.error}"
            for each in sent]  # fmt: skip
    return redact("; ".join(lines)) or "there is nothing new to send"
