"""Check the tables of an integration inside the transaction that changed them, before it is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.engine import Engine
from leat.pipelines.load.results import CheckResult
from leat.pipelines.load.stream_failures import CHECK, Failure
from leat.pipelines.load.totals import RunTotals
from leat.warehouse.session import Session


class Blocked(Exception):
    """Checks of severity error failed, of tables that no single stream of the load can be blamed for."""

    def __init__(self, checks: tuple[CheckResult, ...]) -> None:
        super().__init__(_named(checks))
        self.checks = checks


class ChecksFailed(Exception):
    """Checks of streams of the load failed; it has to be applied again without them."""

    def __init__(self, failures: Mapping[str, Failure]) -> None:
        super().__init__(", ".join(failures))
        self.failures = failures


def check_tables(
    engine: Engine,
    session: Session,
    declaration: Declaration,
    totals: RunTotals,
    changed: Sequence[str] | None,
    *,
    forced: bool,
) -> Mapping[str, Failure]:
    """Check the tables of an integration.

    Args:
        engine: has the audit.
        session: the transaction that has changed the tables.
        declaration: whose tables they are.
        totals: takes the results.
        changed: the streams that the transaction has changed, which can be left out; None when none can be.
        forced: whether checks that fail are reported and nothing more.

    Returns:
        The streams whose checks fail although nothing of them has changed.

    Raises:
        ChecksFailed: checks of severity error failed for streams that can be left out.
        Blocked: checks failed, and nothing can be left out.
    """
    engine.observe(declaration.name, "checking")
    totals.checks = engine.audit(session, declaration)
    blocking: dict[str, list[CheckResult]] = {}
    for check in totals.checks if not forced else ():
        if check.blocks:
            blocking.setdefault(check.subject.removeprefix(f"{declaration.name}."), []).append(check)
    if blocking and changed is None:
        raise Blocked(totals.checks)
    failures = {
        stream: Failure(f"{_named(checks)} failed; readers stay on the old rows", CHECK)
        for stream, checks in blocking.items()
    }
    fresh = {stream: failure for stream, failure in failures.items() if stream in (changed or ())}
    if fresh:
        raise ChecksFailed(fresh)
    engine.observe(declaration.name, "committing")
    return failures


def _named(checks: Sequence[CheckResult]) -> str:
    return ", ".join(f"{c.subject}: {c.check}" for c in checks if c.blocks)
