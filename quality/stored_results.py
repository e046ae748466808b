"""The last results of checks, as they are stored in ``leat.checks``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest

from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load import state
from leat.pipelines.load.results import CheckResult
from leat.sources.batch import to_json
from leat.warehouse.session import Session


@dataclass(frozen=True, slots=True)
class Stored:
    """A result that is stored, and the version of the rows that it is about; None if nothing can go on from it."""

    result: CheckResult
    version: str | None


def store_model_results(session: Session, results: Sequence[CheckResult]) -> None:
    """Replace the last results of the checks of models; others among the results are left out."""
    prefix = f"{ANALYTICS}."
    store_results(session, prefix, [result for result in results if result.subject.startswith(prefix)])


def read_results(session: Session, prefix: str) -> dict[str, list[Stored]]:
    """Return the last results of all subjects with this prefix, in their order."""
    by_subject: dict[str, list[Stored]] = {}
    for check, subject, severity, ok, failing, detail, evidence, version in session.execute(
        "SELECT check_name, subject, severity, ok, failing, detail, evidence, version FROM leat.checks "
        "WHERE left(subject, ?) = ? ORDER BY place",
        (len(prefix), prefix),
    ):
        rows = json.loads(evidence) if isinstance(evidence, str) else evidence
        result = CheckResult(check, subject, severity, ok, failing, detail, tuple(rows))
        by_subject.setdefault(subject, []).append(Stored(result, version))
    return by_subject


def store_results(
    session: Session, prefix: str, results: Sequence[CheckResult], versions: Sequence[str | None] = ()
) -> None:
    """Replace the last results of all subjects with this prefix in ``leat.checks``."""
    now = datetime.now(UTC)
    session.execute("DELETE FROM leat.checks WHERE left(subject, ?) = ?", (len(prefix), prefix))
    rows = [
        (r.subject, r.check, r.severity, r.ok, r.failing, r.detail, to_json(list(r.evidence)), now, place, version)
        for place, (r, version) in enumerate(zip_longest(results, versions))
    ]
    state.insert(session, "checks", rows)
