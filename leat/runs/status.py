"""What ``leat status`` shows, as data: what readers see of each stream, how the last runs ended, what is withheld."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.drift import SHOWN_FOR, Change, changes_since
from leat.pipelines.load.freshness import stale_streams
from leat.runs.workspace import Workspace
from leat.warehouse.session import NothingPublished, Session

if TYPE_CHECKING:
    from leat.control.publications import Publication


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A stream as readers see it.

    Attributes:
        stream: its name.
        rows: how many rows exist in the source; None before the first load.
        last_load: when it was last changed, UTC.
        quarantined: how many of its records are in the quarantine.
        deletes: how leat learns of deletes.
        fresh: ``yes`` or ``no``; None when nothing is declared, or before the first run.
    """

    stream: str
    rows: int | None
    last_load: datetime | None
    quarantined: int
    deletes: str
    fresh: str | None


@dataclass(frozen=True, slots=True)
class IntegrationStatus:
    """An integration and its last run; ``error`` is None unless that failed."""

    integration: str
    source: str
    schedule: str | None
    zone: str
    last_run: datetime | None
    last_status: str | None
    error: str | None
    streams: Sequence[StreamStatus]


@dataclass(frozen=True, slots=True)
class Status:
    """A project as it is now.

    Attributes:
        integrations: what is declared.
        violations: how many violations are open, also acknowledged ones.
        acknowledged: how many of them are acknowledged.
        actions: how many actions are open: they wait for approval, or are under way.
        waiting: how many of them wait for approval.
        drift: the fields that came or went lately.
        withheld: why readers don't get the newest version; None when they do.
        forced: what was published in spite of failed checks that still fail.
        blocked: since when checks of its own have failed in every load, by integration.
        undelivered: the channels that didn't take their last alert.
    """

    integrations: Sequence[IntegrationStatus]
    violations: int
    acknowledged: int
    drift: Sequence[Change]
    withheld: Publication | None
    forced: Sequence[Publication]
    blocked: Mapping[str, datetime]
    actions: int = 0
    undelivered: Sequence[str] = ()
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Published:
    """What readers see: (rows, when last changed, quarantined) by integration and stream."""

    streams: Mapping[tuple[str, str], tuple[int, datetime, int]]
    violations: int = 0
    acknowledged: int = 0
    drift: Sequence[Change] = ()


def read_status(workspace: Workspace) -> Status:
    """Return how a project is.

    Raises:
        DeclarationError: a declaration has a mistake.
        WarehouseError: the warehouse or the control store can't be opened.
    """
    from leat.control.alert_messages import failed_messages
    from leat.control.outbox import OPEN, count_waiting, read_actions
    from leat.control.publications import blocked_since, current_publications
    from leat.control.store import last_good_runs, last_runs

    runs, good_runs = last_runs(workspace.store), last_good_runs(workspace.store)
    published = _published(workspace)
    stale = stale_streams(workspace.declarations, good_runs, datetime.now(UTC))
    integrations = []
    for name, declaration in workspace.declarations.items():
        run = runs.get(name)
        states = {stream.name: "no" if (name, stream.name) in stale else "yes" for stream in declaration.selected()}
        fresh = states if name in good_runs else dict.fromkeys(states, "no")
        integrations.append(
            IntegrationStatus(
                integration=name,
                source=f"{declaration.source}/{declaration.driver}",
                schedule=declaration.schedule,
                zone=declaration.zone,
                last_run=run.started_at if run else None,
                last_status=run.status if run else None,
                error=run.error if run else None,
                streams=_streams(declaration, published, fresh if run else {}),
            )
        )
    publications = current_publications(workspace.store)
    return Status(
        integrations,
        published.violations,
        published.acknowledged,
        published.drift,
        publications.withheld,
        publications.forced,
        blocked_since(workspace.store),
        len(read_actions(workspace.store, states=OPEN)),
        sorted({each.channel for each in failed_messages(workspace.store)}),
        count_waiting(workspace.store),
    )


def _streams(declaration: Declaration, published: _Published, fresh: Mapping[str, str]) -> list[StreamStatus]:
    result = []
    for stream in declaration.selected():
        rows, last_load, quarantined = published.streams.get((declaration.name, stream.name), (None, None, 0))
        declared = declaration.options(stream.name).fresh_within is not None
        state = fresh.get(stream.name) if declared else None
        result.append(StreamStatus(stream.name, rows, last_load, quarantined, stream.deletes, state))
    return result


def _published(workspace: Workspace) -> _Published:
    try:
        with workspace.warehouse.published() as session:
            return _read(session)
    except NothingPublished:
        return _Published({})


def _read(session: Session) -> _Published:
    if not session.columns("leat", "load_streams"):
        return _Published({})
    rows: Sequence[tuple[Any, ...]] = session.execute(
        "SELECT s.integration, s.stream, s.total, l.applied_at, (SELECT count(*) FROM leat.quarantine AS q "
        "WHERE q.integration = s.integration AND q.stream = s.stream) FROM leat.load_streams AS s JOIN leat.loads AS l "
        "ON l.integration = s.integration AND l.load_id = s.load_id WHERE s.load_id = (SELECT max(n.load_id) "
        "FROM leat.load_streams AS n WHERE n.integration = s.integration AND n.stream = s.stream)"
    )
    streams = {(name, stream): (total, at, quarantined) for name, stream, total, at, quarantined in rows}
    now = datetime.now(UTC)
    ((violations, acknowledged),) = session.execute(
        "SELECT count(*), count(CASE WHEN acknowledged_until > ? THEN 1 END) FROM leat.violations "
        "WHERE resolved_at IS NULL",
        (now,),
    )
    return _Published(streams, violations, acknowledged, changes_since(session, now - SHOWN_FOR))
