"""What a run did, in Dagster's terms; the same for a Dagster run and for what the command line did."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import dagster as dg

from leat.dagster_project.compiled import VIOLATIONS, Compiled
from leat.dagster_project.model_specs import model_lineage, model_schema
from leat.dagster_project.stream_specs import check_id
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load import state
from leat.pipelines.load.cells import placeholder
from leat.pipelines.load.results import CheckResult, IntegrationResult
from leat.runs.refresh import Refreshed
from leat.warehouse.session import Session

NOT_PUBLISHED = "not published"
"""The metadata that says why readers don't see a table."""

_NEVER_CHANGED = "empty"


class Outcome(NamedTuple):
    """A table as a run left it; its data version stays the same for as long as its rows do.

    ``changed`` says whether the run changed it.
    """

    key: dg.AssetKey
    data_version: str
    metadata: Mapping[str, Any]
    changed: bool


def stream_outcomes(session: Session, declaration: Declaration, result: IntegrationResult) -> list[Outcome]:
    """Return the tables of an integration that ran, but for those that failed.

    The data version is the last load that changed the table.
    """
    versions = dict(
        session.execute(
            "SELECT stream, max(load_id) FROM leat.load_streams WHERE integration = ? "
            "AND inserted + updated + deleted + COALESCE(purged, 0) > 0 GROUP BY stream",
            (declaration.name,),
        )
        if state.exists(session)
        else ()
    )
    schema_versions = {stream.name: stream.schema_version for stream in declaration.selected()}
    return [
        Outcome(
            dg.AssetKey([declaration.name, s.stream]),
            versions.get(s.stream, _NEVER_CHANGED),
            {
                "dagster/row_count": s.total,
                "inserted": s.inserted,
                "updated": s.updated,
                "deleted": s.deleted,
                "quarantined": s.quarantined,
                "drifted": s.drifted,
                "schema version": schema_versions[s.stream],
                "seconds": result.seconds,
                **({"load": result.load_id} if result.load_id else {}),
            },
            s.changed,
        )
        for s in result.streams
        if s.stream in schema_versions and s.error is None
    ]


def refreshed_outcomes(
    session: Session, compiled: Compiled, refreshed: Refreshed | None, withheld: str | None = None
) -> list[Outcome]:
    """Return the models that exist, and the ledger of violations.

    ``refreshed`` is None when nothing had to be done; ``withheld`` says why readers don't see them, if that is so.
    """
    if not state.exists(session):
        return []
    built = {model.name: model for model in refreshed.models} if refreshed else {}
    existing = session.execute("SELECT model, fingerprint, row_count, built_at FROM leat.models")
    stored = {name: (fingerprint, rows, at) for name, fingerprint, rows, at in existing}
    outcomes = []
    for model in compiled.described.models:
        if model.name in stored:
            fingerprint, rows, at = stored[model.name]
            lineage = model_lineage(compiled, model)
            metadata: dict[str, Any] = {
                "dagster/row_count": rows,
                "dagster/column_schema": model_schema(compiled, model, session.columns(ANALYTICS, model.name)),
                "built at": dg.MetadataValue.timestamp(at),
                **({"dagster/column_lineage": lineage} if lineage.deps_by_column else {}),
            }
            if withheld is not None:
                metadata[NOT_PUBLISHED] = withheld
            if model.name in built:
                metadata |= {"build": built[model.name].reason, "seconds": round(built[model.name].seconds, 3)}
            changed = model.name in built and built[model.name].status == "built"
            outcomes.append(Outcome(dg.AssetKey([ANALYTICS, model.name]), fingerprint[:16], metadata, changed))
    return [*outcomes, _violations(session, withheld, changed=refreshed is not None)]


def _violations(session: Session, withheld: str | None, *, changed: bool) -> Outcome:
    rows = session.execute(
        "SELECT rule, violation_key FROM leat.violations WHERE resolved_at IS NULL ORDER BY rule, violation_key"
    )
    version = hashlib.sha256(json.dumps([list(row) for row in rows]).encode()).hexdigest()[:16]
    total = session.execute("SELECT count(*) FROM leat.violations")[0][0]
    metadata = {"dagster/row_count": total, "open violations": len(rows)}
    return Outcome(VIOLATIONS, version, metadata | ({NOT_PUBLISHED: withheld} if withheld else {}), changed)


class Checked(NamedTuple):
    """The outcome of a check."""

    key: dg.AssetCheckKey
    result: CheckResult

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        """Dagster's word for the severity."""
        return dg.AssetCheckSeverity.ERROR if self.result.severity == "error" else dg.AssetCheckSeverity.WARN

    @property
    def metadata(self) -> dict[str, Any]:
        """How many rows broke it, and the first of them."""
        evidence = list(_records(self.result.evidence))
        return {
            "failing rows": self.result.failing,
            **({"evidence": dg.MetadataValue.table(evidence)} if evidence else {}),
        }


def checked(results: Iterable[CheckResult]) -> list[Checked]:
    """Return the outcomes of checks; a rule is a check of the ledger of violations."""
    return [
        Checked(
            dg.AssetCheckKey(
                dg.AssetKey(result.subject.split(".")) if "." in result.subject else VIOLATIONS, check_id(result.check)
            ),
            result,
        )
        for result in results
    ]


def _records(evidence: Iterable[Mapping[str, Any]]) -> Iterator[dg.TableRecord]:
    for row in evidence:
        yield dg.TableRecord({name: "" if value is None else placeholder(str(value)) for name, value in row.items()})
