"""Webhooks of a project: segments on disk become tables, and are removed afterwards."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from leat.hooks import tables
from leat.hooks.endpoints import read_endpoints
from leat.hooks.event import Event, without_body
from leat.hooks.segments import first_of, make_first_segment, read_events, segments
from leat.pipelines.load.verdict import may_be_published
from leat.runs.server_number import check_numbers, first_number, live_folder, server_number
from leat.runs.workspace import Workspace
from leat.warehouse.publication import publish_version
from leat.warehouse.session import NothingPublished, Session

_BATCH = 20_000
_REMOVED_AFTER = 600.0
"""Seconds after which a reader has surely closed the published version that still needs a segment."""


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


def apply(workspace: Workspace) -> int:
    """Apply what is in the segments and not yet in the tables; returns how many events are new.

    Raises:
        Busy: another process writes the warehouse.
        WarehouseError: another server gives the same numbers.
    """
    live = live_folder(workspace)
    inserted, after = 0, applied_up_to(workspace)
    check_numbers(workspace, after)
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
    check_numbers(workspace, done or 0)
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


def _batches(live: Path, after: int) -> list[list[Event]]:
    events = read_events(live, after)
    return list(iter(lambda: list(itertools.islice(events, _BATCH)), []))
