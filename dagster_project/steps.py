"""What the steps of Dagster runs share: reporting outcomes, retrying transient errors, logs without secrets."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from leat.dagster_project.outcomes import Checked, Outcome
from leat.dagster_project.runless import Shown, record_check
from leat.sources.errors import IntegrationError
from leat.sources.retry import RetryPolicy
from leat.sources.settings import redact
from leat.warehouse.session import Busy

Reported = dg.MaterializeResult[None] | dg.AssetCheckResult
Specs = Mapping[dg.AssetKey, dg.AssetSpec]

_LONGEST_WAIT = 900.0  # seconds; a step that waits longer holds its place in the pool for nothing


def report_outcomes(
    context: dg.AssetExecutionContext, specs: Specs, outcomes: Iterable[Outcome], checks: Iterable[Checked]
) -> Iterator[Reported]:
    """Yield what was selected; outcomes beyond the selection are recorded too, because a load is always whole.

    What definitions don't know yet, such as a model that was added since they were loaded, is left out.
    """
    shown = Shown(context.instance)
    for outcome in outcomes:
        if outcome.key in context.selected_asset_keys:
            version = dg.DataVersion(outcome.data_version)
            yield dg.MaterializeResult(asset_key=outcome.key, metadata=outcome.metadata, data_version=version)
        elif outcome.key in specs and outcome.changed:
            shown.record(specs[outcome.key], outcome)
    for check in checks:
        if check.key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                passed=check.result.ok,
                asset_key=check.key.asset_key,
                check_name=check.key.name,
                severity=check.severity,
                description=check.result.detail,
                metadata=check.metadata,
            )
        elif check.key.asset_key in specs:
            record_check(context.instance, check)


def earlier_checks(context: dg.AssetExecutionContext) -> list[dg.AssetCheckResult] | None:
    """Return the last outcome of each selected check, which holds for as long as nothing changes.

    A check that a run selects and doesn't report would look skipped. None if one has never run, or if it blocked a
    load, because then it wasn't about the rows that are there.
    """
    done = frozenset({AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED})
    result = []
    for key in context.selected_asset_check_keys:
        history = context.instance.event_log_storage.get_asset_check_execution_history(key, limit=1, status=done)
        event = history[0].event.dagster_event if history and history[0].event else None
        if event is None:
            return None
        last = event.asset_check_evaluation_data
        if last.blocking and not last.passed:
            return None
        result.append(
            dg.AssetCheckResult(
                passed=last.passed,
                asset_key=key.asset_key,
                check_name=key.name,
                severity=last.severity,
                description=last.description,
                metadata=last.metadata,
            )
        )
    return result


def again_later(
    context: dg.AssetExecutionContext, message: str, waits: tuple[float, ...], asked: float | None = None
) -> BaseException:
    """Return what to raise for an error that may pass: a retry, or the failure when none is left or worth the wait.

    Args:
        context: of the step.
        message: what went wrong and what to do next.
        waits: seconds before each retry, when the system asks for nothing.
        asked: seconds that the system asked to wait.
    """
    failure = failed(message)
    wait = RetryPolicy(waits, _LONGEST_WAIT, jitter=False).wait(context.retry_number + 1, asked)
    if wait is None:
        return failure
    retry = dg.RetryRequested(max_retries=len(waits), seconds_to_wait=wait)
    retry.__cause__ = failure  # Dagster shows its description
    return retry


def failed(message: str) -> dg.Failure:
    """Return the failure of a step that isn't tried again."""
    return dg.Failure(redact(message), allow_retries=False)


@contextmanager
def logging_to(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Send leat's own log to the log of the run, and remove secrets from it and from what is captured from stderr."""
    logger, root = logging.getLogger("leat"), logging.getLogger()
    to_run, to_stderr = _ToRun(context.log), _Redacting(logging.WARNING)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(to_run)
    root.addHandler(to_stderr)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(to_run)
        root.removeHandler(to_stderr)
        logger.setLevel(level)
        logger.propagate = propagate


class _ToRun(logging.Handler):
    def __init__(self, log: dg.DagsterLogManager) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, IntegrationError | Busy):  # those say all in their message, which the step shows
            self._log.log(record.levelno, redact(self.format(record)))


class _Redacting(logging.StreamHandler):  # type: ignore[type-arg]
    def __init__(self, level: int) -> None:
        super().__init__()
        self.setLevel(level)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
