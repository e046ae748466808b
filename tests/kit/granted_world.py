"""A project with policies, its materialisations one after the other, and runs of it that are killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leat.pipelines.load.engine import Request
from leat.runs import granting
from leat.runs.run import run
from leat.runs.workspace import Workspace
from tests.kit.child import CONTEXT
from tests.kit.granted import POLICIES, Doors
from tests.kit.project import SOURCES, Tally, delete, full_scan, row, rows

COLOUR = (
    "(replace(FED, columns=(*FED.columns, Column('colour', 'string', 'Its colour.', personal=True))), SCANNED, LASTING)"
)
MODELS = {
    "sizes": "/* ---\ndescription: Numbers of things.\nmaterialized: view\n--- */\n"
    "SELECT shelf, COUNT(*) AS pieces, MAX(label) AS label FROM tally.fed GROUP BY shelf\n",
    "labels": "/* ---\ndescription: Labels.\n--- */\nSELECT label, id FROM tally.kept\n",
}


@dataclass(frozen=True)
class World:
    """A project with policies, which a test loads, changes and looks at; plain data, to be sent to a process."""

    folder: Path
    url: str | None
    owner: str | None = None

    @property
    def tally(self) -> Tally:
        return Tally(self.folder, self.url)

    @property
    def doors(self) -> Doors:
        return Doors(self.folder, self.url, self.owner)

    def make(self, policies: str = POLICIES) -> None:
        """Declare it, load three streams, build two models, and grant."""
        shutil.copytree(SOURCES, self.folder / "sources", ignore=shutil.ignore_patterns("__pycache__"))
        self.tally.declare()
        for name, text in MODELS.items():
            self.write(f"assets/models/{name}.sql", text)
        self.doors.declare(policies)
        for stream in ("fed", "scanned", "kept"):
            self.tally.then(rows(stream, *THINGS))
        self.run()
        self.grant()

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def open(self) -> Workspace:
        """Open it as it is declared now."""
        self.tally.prepare()
        return self.doors.workspace()

    def grant(self) -> granting.Granting:
        """Apply what is declared."""
        workspace = self.open()
        granted = granting.apply(workspace)
        workspace.close()
        return granted

    def run(self, request: Request | None = None) -> None:
        """Run as leat does, with the declarations of now; nothing may fail."""
        workspace = self.open()
        done = run(workspace, ["tally"], request or Request())
        workspace.close()
        assert {each.status for each in done.integrations} <= {"loaded", "nothing_new"}, done.integrations
        assert not done.refreshed or not done.refreshed.errors, done.refreshed

    def run_killed(self, pattern: str, nth: int) -> bool:
        """Run in a process that kills itself before the nth statement of a pattern; return whether it got there."""
        process = CONTEXT.Process(target=_run_killed, args=(self, pattern, nth))
        process.start()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        return process.exitcode != 0


def _run_killed(world: World, pattern: str, nth: int) -> None:
    left = nth

    def kill(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in ("leat.statement", "os.rename") and re.search(pattern, f"{event} {arguments[0]}"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    world.run()


LONG_AGO = "2020-01-01T00:00:00+00:00"
THINGS = [
    row(
        number,
        f"L{number}",
        shelf="ab"[number % 2],
        weight=1.5,
        seen_at=LONG_AGO if number == 3 else None,
    )
    for number in range(4)
]


def new_column(world: World) -> None:
    world.tally.declare("{fed: {history: true}}", version=COLOUR)
    world.tally.then(rows("fed", row(9, "L9", colour="red")))


def history(world: World) -> None:
    world.tally.declare("{fed: {history: true}, kept: {history: true}}")
    world.tally.then(rows("fed", row(1, "L1 again", shelf="b")))


def retyped(world: World) -> None:
    world.tally.declare(version="(replace(FED, columns=tuple(replace(c, type='float') if c.name == 'revision' else c "
                        "for c in FED.columns)), SCANNED, LASTING)")  # fmt: skip
    world.tally.then(rows("fed", row(8, "L8", revision=3)))


def excluded(world: World) -> None:
    world.tally.declare("{fed: {exclude: [sound]}}")
    world.tally.then(rows("fed", row(7, "L7")))


def changed_model(world: World) -> None:
    world.write("assets/models/labels.sql", MODELS["labels"].replace("label, id", "id, label, weight"))
    world.write("assets/models/more.sql", "/* ---\ndescription: More.\n--- */\nSELECT id, extra FROM tally.scanned\n")


def became_table(world: World) -> None:
    world.write("assets/models/sizes.sql", MODELS["sizes"].replace("view", "table"))
    world.write("assets/models/labels.sql", MODELS["labels"].replace("description", "materialized: view\ndescription"))


def removed_rows(world: World) -> None:
    world.tally.then(delete("fed", id=1), full_scan("scanned"))


def retained(world: World) -> None:
    world.tally.declare("{fed: {retain: {rows: P1D, by: seen_at}}}")
    world.tally.then(rows("fed", row(50, "L50")))


def nothing(_world: World) -> None:
    pass


STEPS: list[tuple[Callable[[World], None], Request]] = [
    (nothing, Request()),
    (history, Request()),
    (new_column, Request()),
    (removed_rows, Request(allow_deletes=True)),
    (changed_model, Request()),
    (became_table, Request()),
    (nothing, Request(reset=frozenset({"fed", "kept", "scanned"}))),
    (retyped, Request(reset=frozenset({"fed"}))),
    (excluded, Request(reset=frozenset({"fed"}))),
    (retained, Request(allow_deletes=True)),
]
