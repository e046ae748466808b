"""Webhooks of a project: segments become tables, and what can't be read is replayed."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from leat.hooks import tables
from leat.hooks.endpoints import read_endpoints
from leat.hooks.event import Event, read_event, without_body
from leat.hooks.segments import FOLDER, first_of, last_number, make_first_segment, read_events, segments
from leat.pipelines.load.verdict import may_be_published
from leat.runs.workspace import Workspace
from leat.warehouse.publication import publish_version
from leat.warehouse.session import NothingPublished, Session, WarehouseError

__all__ = ["Event"]

_BATCH = 20_000
_SERVERS = 1000
_REMOVED_AFTER = 600.0
"""Seconds after which a reader has surely closed the published version that still needs a segment."""


def live_folder(workspace: Workspace) -> Path:
    """Return where the segments are."""
    return workspace.project.state / FOLDER


def missing_secrets(workspace: Workspace) -> dict[str, str]:
    """Return why webhooks of integrations can't be checked, by name: a variable or a file isn't there."""
    endpoints = read_endpoints(workspace.declarations, workspace.project.folder, "")
    return {name: one.missing for name, one in endpoints.items() if one.missing is not None}


def prepare(workspace: Workspace) -> None:
    """Make the tables and views, if a webhook is declared, and let readers see them.

    Raises:
        Busy: another process writes the warehouse.
    """
    if not any(declaration.hooks for declaration in workspace.declarations.values()):
        return
    live = live_folder(workspace)
    make_first_segment(live, first_number(workspace))
    with workspace.warehouse.transaction("hooks") as session:
        tables.create_tables(session, live)
    publish_applied(workspace)


def applied_up_to(workspace: Workspace) -> int:
    """Return the number of the newest webhook in the tables; 0 where there are none."""
    try:
        with workspace.warehouse.snapshot() as session:
            return tables.watermark(session, server_number(workspace)) or first_number(workspace) - 1
    except NothingPublished:
        return first_number(workspace) - 1


def server_number(workspace: Workspace) -> int:
    """Return which of several servers of one warehouse this is, as ``LEAT_SERVER`` says; 0 if it says nothing.

    Raises:
        WarehouseError: it isn't a number, or the warehouse has one server only.
    """
    given = os.environ.get("LEAT_SERVER") or "0"
    if not given.isdecimal() or int(given) >= _SERVERS:
        msg = (
            f"LEAT_SERVER is {given!r}. Next: give each server of the warehouse another number from 0 to {_SERVERS - 1}"
        )
        raise WarehouseError(msg)
    if int(given) and workspace.warehouse.publication is not None:
        msg = "LEAT_SERVER: several servers need a warehouse on Postgres. Next: unset it, or `leat move` the warehouse"
        raise WarehouseError(msg)
    return int(given)


def first_number(workspace: Workspace) -> int:
    """Return the first number of a webhook on this server."""
    return server_number(workspace) * tables.EACH + 1


def numbering_problem(workspace: Workspace, applied: int | None = None) -> str | None:
    """Return why webhooks would get numbers that others have, and some would never be seen; None if they don't.

    Args:
        workspace: the project.
        applied: number of the newest webhook in the tables, if that is to be looked at as well.
    """
    try:
        server = server_number(workspace)
    except WarehouseError as error:
        return str(error)
    live = live_folder(workspace)
    listed = segments(live)
    others = {first_of(segment) // tables.EACH for segment in listed} - {server}
    if others:
        return (
            f"{live} has webhooks of server {min(others)}, and this is server {server}. Next: set LEAT_SERVER to "
            f"{min(others)}, or give this server a state folder of its own; nothing was removed"
        )
    if listed and applied is not None and applied > last_number(live):
        return (
            f"webhook {applied} is in the warehouse and was never stored here: another server has the same number. "
            "Next: give each its own LEAT_SERVER; nothing was removed"
        )
    return None


def _check_numbers(workspace: Workspace, applied: int) -> None:
    problem = numbering_problem(workspace, applied)
    if problem is not None:
        raise WarehouseError(problem)


def apply(workspace: Workspace) -> int:
    """Apply what is in the segments and not yet in the tables; returns how many events are new.

    Raises:
        Busy: another process writes the warehouse.
        WarehouseError: another server gives the same numbers.
    """
    live = live_folder(workspace)
    inserted, after = 0, applied_up_to(workspace)
    _check_numbers(workspace, after)
    for batch in _batches(live, after):
        events = _without_erased(workspace, batch)
        with workspace.warehouse.transaction("hooks") as session:
            tables.create_tables(session, live)
            inserted += tables.apply_events(session, events, server_number(workspace))
    return inserted


def _without_erased(workspace: Workspace, events: list[Event]) -> list[Event]:
    """Return events, those that name somebody who was erased without their body."""
    from leat.control.subjects import read_tombstones

    stones = read_tombstones(workspace.store)
    if not stones:
        return events
    return [
        without_body(event) if stones.json(event.body, event.endpoint, personal=True) != event.body else event
        for event in events
    ]


def publish_applied(workspace: Workspace) -> None:
    """Let readers have what was applied, unless a check withholds the newest version."""
    publish_version(workspace.warehouse, _may_be_published)


def _may_be_published(session: Session) -> bool:
    """Also before the first load, when nothing was judged and there is nothing but webhooks."""
    return not session.columns("leat", "loads") or may_be_published(session)


def remove_applied(workspace: Workspace, now: float | None = None) -> int:
    """Remove segments that are in the published tables, a while after; returns how many."""
    try:
        with workspace.warehouse.published() as session:
            done = tables.watermark(session, server_number(workspace))
    except NothingPublished:
        return 0
    listed = segments(live_folder(workspace))
    _check_numbers(workspace, done or 0)
    old = (time.time() if now is None else now) - _REMOVED_AFTER
    gone = [
        segment
        for segment, following in itertools.pairwise(listed)
        if done is not None and first_of(following) <= done + 1 and segment.stat().st_mtime < old
    ]
    for segment in gone:
        segment.unlink()
    return len(gone)


def waiting(workspace: Workspace) -> tuple[int, int]:
    """Return how many bytes of segments there are, and the number of the newest segment."""
    listed = segments(live_folder(workspace))
    return sum(segment.stat().st_size for segment in listed), first_of(listed[-1]) if listed else 0


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


def _batches(live: Path, after: int) -> list[list[Event]]:
    events = read_events(live, after)
    return list(iter(lambda: list(itertools.islice(events, _BATCH)), []))
