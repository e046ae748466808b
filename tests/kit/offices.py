"""A project of one integration that acts on a system, for tests: plans, approves, sends and reads the outcome."""

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


class Desk:
    """An office with one integration.

    Args:
        office: the office.
        integration: its name.
    """

    def __init__(self, office: Office, integration: str) -> None:
        self.office = office
        self.integration = integration

    def plan(self, verb: str, **parameters: Any) -> ActionRow:
        """Plan an action."""
        return propose(self.office, Wish(self.integration, verb, parameters, "ann"))

    def send(self, *rows: ActionRow, patience: float = 8) -> list[ActionRow]:
        """Approve actions and send them; returns what became of them."""
        for row in rows:
            approve(self.office.store, row, "bob")
        deliver(self.office, self.integration, patience=patience)
        return [self.now(row) for row in rows]

    def act(self, verb: str, **parameters: Any) -> ActionRow:
        """Plan an action, approve it and send it."""
        return self.send(self.plan(verb, **parameters))[0]

    def undo(self, row: ActionRow) -> ActionRow:
        """Plan what takes an action back, approve it and send it."""
        return self.send(undo(self.office, row, "ann"))[0]

    def now(self, row: ActionRow) -> ActionRow:
        """Return an action as it is now."""
        return read_actions(self.office.store, ids=[row.id])[0]


@contextmanager
def desk_of(folder: Path, integration: str, declaration: Mapping[str, Any]) -> Iterator[Desk]:
    """Open a new project with one declaration.

    Args:
        folder: an empty folder.
        integration: name of the declaration.
        declaration: its content.
    """
    path = folder / "pipelines" / f"{integration}.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(dict(declaration)), encoding="utf-8")
    project = Project(folder, folder / ".leat", None, f"sqlite:///{folder / '.leat' / 'control.db'}")
    store = open_control(project.control_url)
    try:
        yield Desk(Office(store, project, load_declarations(project)), integration)
    finally:
        store.dispose()
