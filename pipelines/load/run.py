"""Run integrations side by side, each with retries: whatever is killed when, every row is applied exactly once.

One integration at a time is run by one process (a lock), many integrations run side by side, and the warehouse is
locked only while a load is applied. A landed load that can't be applied is thrown away, for the cursor has not moved
and the next extraction brings the same again. A stream that fails is left out of its load, and the others are applied;
unless its driver has left its part of the cursor where it was, the next run reads it from the start.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from leat.pipelines.load.checking import Blocked
from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.error_message import log_error, message_of
from leat.pipelines.load.integration import load_integration
from leat.pipelines.load.results import IntegrationResult, Status
from leat.pipelines.load.stream_failures import summary
from leat.pipelines.load.totals import RunTotals
from leat.sources.driver import reads_control_store
from leat.sources.errors import Transient
from leat.sources.retry import RetryPolicy, doubling
from leat.sources.settings import redact
from leat.warehouse.session import Busy

log = logging.getLogger("leat.engine")

_LONGEST_WAIT = 60.0
_PARALLEL = 8


def run_integrations(
    engine: Engine, names: Sequence[str], request: Request, on_result: Callable[[IntegrationResult], None]
) -> list[IntegrationResult]:
    """Run integrations side by side; those that read the control store run last, for the others write to it.

    Args:
        engine: what every run needs.
        names: names of declarations.
        request: what is asked.
        on_result: called with each result as it comes, from the integration's own thread.

    Returns:
        The results in the order of ``names``.
    """

    def run(name: str) -> IntegrationResult:
        result = run_integration(engine, name, request)
        on_result(result)
        return result

    if len(names) > 1:
        # Most integrations need it, and threads that import it at the same time may see it half-imported.
        import requests  # noqa: F401
    results: dict[str, IntegrationResult] = {}
    for last in (False, True):
        wave = [name for name in names if reads_control_store(engine.declarations[name].source) is last]
        threads = ThreadPoolExecutor(_PARALLEL)
        try:
            results |= dict(zip(wave, threads.map(run, wave), strict=True))
        finally:  # an interrupt doesn't wait for a system that may never answer
            threads.shutdown(wait=False, cancel_futures=True)
    return [results[name] for name in names]


def run_integration(engine: Engine, name: str, request: Request) -> IntegrationResult:
    """Run one integration; the result says what went wrong, nothing is raised."""
    started = time.monotonic()
    totals = RunTotals()
    status: Status = "failed"
    error: BaseException | None = None
    try:
        with engine.warehouse.exclusive(name) as lease:
            _check_that_wanted(request, name)
            held = engine.held_by(lease)
            held.observe(name, "started")
            _load_with_retries(held, name, request, totals)
        if not totals.failures:
            status = "loaded" if totals.has_news() else "nothing_new"
        elif totals.is_blocked():
            status = "blocked"
    except Busy as busy:
        status, error = "busy", busy
    except Blocked as blocked:
        status, error, totals.checks = "blocked", blocked, blocked.checks
    except Exception as failure:
        error = failure
        log_error(log, failure, "%s failed", name)
    message, kind, transient = _outcome(name, error, totals)
    return IntegrationResult(
        integration=name,
        status=status,
        load_id=totals.load_id,
        streams=tuple(totals.streams.values()),
        checks=totals.checks,
        seconds=round(time.monotonic() - started, 3),
        error=message,
        error_type=kind,
        transient=transient,
        retry_after=getattr(error, "retry_after", None),
    )


def _check_that_wanted(request: Request, name: str) -> None:
    if request.wanted is not None and not request.wanted(name):
        msg = f"another process has run integration {name} meanwhile"
        raise Busy(msg)


def _load_with_retries(engine: Engine, name: str, request: Request, totals: RunTotals) -> None:
    """Load an integration; transient errors are retried as long as attempts are left."""
    policy = RetryPolicy(doubling(1, engine.attempts), _LONGEST_WAIT)
    for attempt in itertools.count(1):
        try:
            totals.failures.clear()
            load_integration(engine, engine.declarations[name], request, totals)
        except Transient as error:
            wait = policy.wait(attempt, getattr(error, "retry_after", None))
            if wait is None:  # the schedule comes back later
                raise
            log.warning("%s: attempt %d failed, next in %.1f s: %s", name, attempt, wait, redact(str(error)))
            time.sleep(wait)
        else:
            return


def _outcome(name: str, error: BaseException | None, totals: RunTotals) -> tuple[str | None, str | None, bool]:
    """Return message and class of what went wrong, and whether trying again may help."""
    if error is not None:
        return message_of(name, error), type(error).__name__, isinstance(error, Transient | Busy)
    if not totals.failures:
        return None, None, False
    failures = list(totals.failures.values())
    kinds = {failure.kind for failure in failures}
    kind = "Blocked" if totals.is_blocked() else kinds.pop() if len(kinds) == 1 else "StreamsFailed"
    message = f"{name}: {summary(totals.failures, len(totals.streams) - len(failures))}"
    return message, kind, all(failure.transient for failure in failures)
