"""Actions on real systems: an office with one integration, and the way from plan to confirmation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from leat.actions.decide import approve, undo
from leat.actions.deliver import deliver
from leat.actions.office import Office
from leat.actions.propose import Wish, propose
from leat.control.outbox import ActionRow, read_actions
from leat.control.store import open_control
from leat.pipelines.declare.project import Project, load_declarations


@contextmanager
def office_of(folder: Path, source: str, driver: str, connection: Mapping[str, Any]) -> Iterator[Office]:
    """Open an office in a folder whose only integration has the name of its source."""
    path = folder / "pipelines" / f"{source}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"source": source, "driver": driver, "connection": dict(connection)}))
    url = f"sqlite:///{folder / '.leat' / 'control.db'}"
    project = Project(folder, folder / ".leat", None, url)
    store = open_control(url)
    try:
        yield Office(store, project, load_declarations(project))
    finally:
        store.dispose()


def planned(office: Office, verb: str, **parameters: Any) -> ActionRow:
    """Plan an action on the only integration."""
    [integration] = office.declarations
    return propose(office, Wish(integration, verb, parameters, "ann"))


def delivered(office: Office, *rows: ActionRow, patience: float = 10) -> list[ActionRow]:
    """Approve actions, send them, and return them as they are then."""
    for row in rows:
        approve(office.store, row, "bob")
    deliver(office, rows[0].integration, patience=patience)
    return [read_actions(office.store, ids=[row.id])[0] for row in rows]


def done(office: Office, verb: str, **parameters: Any) -> ActionRow:
    """Plan, approve and send an action, and return it confirmed."""
    [row] = delivered(office, planned(office, verb, **parameters))
    assert row.state == "confirmed", row.reason
    return row


def undone(office: Office, row: ActionRow) -> ActionRow:
    """Undo an action, and return the one that did it, confirmed; the first one says that it is undone."""
    [inverse] = delivered(office, undo(office, row, "ann"))
    assert inverse.state == "confirmed", inverse.reason
    assert read_actions(office.store, ids=[row.id])[0].state == "undone"
    return inverse


def everything_stored(folder: Path) -> bytes:
    """Return all that a project has on the disk: the control store, logs, caches."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
