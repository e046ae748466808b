"""Webhooks that were received, as readers see them; what couldn't be read is replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from leat.hooks.endpoints import read_endpoints
from leat.hooks.event import Event, read_event
from leat.runs.hooks import apply, publish_applied
from leat.runs.workspace import Workspace
from leat.warehouse.session import NothingPublished, Session

__all__ = ["Event"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the webhooks of an integration arrive, and what has arrived, as readers see it.

    Attributes:
        name: the integration.
        url: the address to give to the system.
        scheme: how the system signs.
        refetch: whether a webhook starts a load.
        missing: why no webhook can be taken: a secret isn't there.
        accepted: how many were stored and can be read.
        quarantined: how many were stored and can't be read.
        last_at: when the last one arrived.
    """

    name: str
    url: str
    scheme: str
    refetch: bool
    missing: str | None
    accepted: int = 0
    quarantined: int = 0
    last_at: datetime | None = None


def addresses(workspace: Workspace, url: str) -> list[Address]:
    """Return the addresses for webhooks, by name.

    Args:
        workspace: the project.
        url: address of the server, without a slash at its end.
    """
    good, bad = _counted(workspace, "events"), _counted(workspace, "quarantine")
    endpoints = read_endpoints(workspace.declarations, workspace.project.folder, url)
    return [
        Address(
            name, each.url or f"{url}/hooks/{name}", each.declared.scheme, each.declared.refetch, each.missing,
            good.get(name, (0, None))[0], bad.get(name, (0, None))[0],
            max((rows[name][1] for rows in (good, bad) if name in rows), default=None),
        )
        for name, each in sorted(endpoints.items())
    ]  # fmt: skip


def list_events(
    workspace: Workspace, *, endpoint: str | None = None, quarantined: bool = False, limit: int = 20
) -> list[Event]:
    """Return the newest webhooks, newest first, as readers see them."""
    view, problem = ("quarantine", "problem") if quarantined else ("events", "NULL")
    where, params = ("WHERE endpoint = ?", (endpoint,)) if endpoint else ("", ())
    return _read(
        workspace, f"SELECT {_FIELDS}, {problem} FROM hooks.{view} {where} ORDER BY seq DESC LIMIT {limit}", params
    )


def find_event(workspace: Workspace, seq: int) -> Event | None:
    """Return a webhook by its number."""
    for view, problem in (("events", "NULL"), ("quarantine", "problem")):
        rows = _read(workspace, f"SELECT {_FIELDS}, {problem} FROM hooks.{view} WHERE seq = ?", (seq,))
        if rows:
            return rows[0]
    return None


def replay(workspace: Workspace, numbers: Sequence[int]) -> list[Event]:
    """Read quarantined webhooks again, as they are declared today; returns them as they are now.

    Raises:
        Busy: another process writes the warehouse.
    """
    apply(workspace)
    result = []
    with workspace.warehouse.transaction("hooks") as session:
        for seq in numbers:
            sql = f"SELECT {_FIELDS}, problem FROM hooks._applied WHERE seq = ?"
            for row in session.execute(sql, (seq,)):
                event = _event(row)
                hooks = (
                    workspace.declarations[event.endpoint].hooks if event.endpoint in workspace.declarations else None
                )
                if hooks is not None and event.problem is not None:
                    event = _read_again(session, event, *read_event(hooks, {}, event.body))
                result.append(event)
    publish_applied(workspace)
    return result


_FIELDS = "seq, received_at, endpoint, event_id, event_type, body"


def _read_again(session: Session, event: Event, event_id: str, event_type: str | None, problem: str | None) -> Event:
    twice = "SELECT 1 FROM hooks._applied WHERE endpoint = ? AND event_id = ? AND seq <> ?"
    if problem is None and session.execute(twice, (event.endpoint, event_id, event.seq)):
        session.change("DELETE FROM hooks._applied WHERE seq = ?", (event.seq,))
    else:
        sql = "UPDATE hooks._applied SET event_id = ?, event_type = ?, problem = ? WHERE seq = ?"
        session.change(sql, (event_id, event_type, problem, event.seq))
    return Event(event.seq, event.received_at, event.endpoint, event_id, event_type, event.body, problem)


def _read(workspace: Workspace, sql: str, params: Sequence[object]) -> list[Event]:
    try:
        with workspace.warehouse.published() as session:
            if not session.columns("hooks", "_applied"):
                return []
            return [_event(row) for row in session.execute(sql, params)]
    except NothingPublished:
        return []


def _counted(workspace: Workspace, view: str) -> dict[str, tuple[int, datetime]]:
    """Return how many webhooks of each integration a view has, and when the last one arrived."""
    try:
        with workspace.warehouse.published() as session:
            if not session.columns("hooks", "_applied"):
                return {}
            sql = f"SELECT endpoint, count(*), max(received_at) FROM hooks.{view} GROUP BY endpoint"
            return {str(name): (int(number), at) for name, number, at in session.execute(sql)}
    except NothingPublished:
        return {}


def _event(row: Sequence[object]) -> Event:
    seq, at, endpoint, event_id, event_type, body, problem = row
    assert isinstance(seq, int)  # noqa: S101 - as the table has it
    assert isinstance(at, datetime)  # noqa: S101 - likewise
    kind, why = (None if each is None else str(each) for each in (event_type, problem))
    return Event(seq, at, str(endpoint), str(event_id), kind, str(body), why)
