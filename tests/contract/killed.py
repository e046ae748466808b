"""Runs of a driver that are killed wherever that can hurt, in projects of their own next to a course, in its system.

After each kill the next run has to get farther than the one before: it is killed later, or comes to its end. So the
driver's private files, which may be ahead of the cursor that was applied, are in each state that a kill can leave.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load.engine import Engine
from leat.sources.stream import Stream
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import quote
from tests.contract.course import DUCKDB, POSTGRES, declare
from tests.contract.world import Keys, World
from tests.kit.child import Point, run_to_end
from tests.kit.engines import EMBEDDED_URL

EXTRACTING, EXTRACTED = Point("event", nth=1), Point("observe", "extracted")
LANDED, COMMITTING, APPLIED = (Point("observe", phase) for phase in ("landed", "committing", "applied"))
POINTS = {"added": (EXTRACTING, EXTRACTED), "changed": (EXTRACTED, LANDED, APPLIED), "deleted": (EXTRACTED, COMMITTING)}
"""By stage of the course, where runs are killed one after the other."""
OF_DRIVERS = (EXTRACTING, EXTRACTED)
"""Where no engine has a part yet: on DuckDB alone."""

Living = Mapping[str, frozenset[tuple[Any, ...]]]


@dataclass(frozen=True, eq=False)
class Killable:
    """A project with one integration, for processes that are killed.

    Attributes:
        folder: the project folder.
        name: of the source and of the integration.
        warehouse_url: the Postgres warehouse, or None.
        environment: the variables that the declaration names.
    """

    folder: Path
    name: str
    warehouse_url: str | None
    environment: Mapping[str, str]

    @property
    def project(self) -> Project:
        control = f"sqlite:///{self.folder / '.leat' / 'control.db'}"
        return Project(self.folder, self.folder / ".leat", self.warehouse_url, control)

    def prepare(self) -> None:
        os.environ.update(self.environment)

    def engine(self, **changes: Any) -> Engine:
        warehouse = open_warehouse(self.warehouse_url, self.project.state)
        return replace(Engine(self.project, warehouse, load_declarations(self.project)), **changes)

    def killed(self, point: Point) -> None:
        """Run until the point."""
        assert run_to_end(self, point, name=self.name) is None, f"{point} was never reached"

    def run(self) -> dict[str, Any]:
        """Run to the end."""
        result = run_to_end(self, name=self.name)
        assert result is not None, "the run was lost"
        return result

    def living(self, expected: Mapping[str, Keys]) -> Living:
        """Return what a reader sees of what the system can list; no key may be there twice."""
        with open_warehouse(self.warehouse_url, self.project.state).published() as session:
            for stream in _streams(self):
                key, table = quote_all(stream.key), quote(self.name, stream.name)
                assert session.execute(f"SELECT {key} FROM {table} GROUP BY {key} HAVING count(*) > 1") == []
            return {
                stream: frozenset(
                    session.execute(
                        f"SELECT {quote_all(keys.columns) or 'NULL'} FROM {quote(self.name, stream)} "
                        "WHERE _deleted_at IS NULL"
                    )
                )
                for stream, keys in expected.items()
            }


@functools.cache
def _streams(project: Killable) -> tuple[Stream, ...]:
    """Return what a project declares; it stays as it is."""
    return tuple(load_declarations(project.project)[project.name].every_stream())


def quote_all(names: tuple[str, ...]) -> str:
    return ", ".join(quote(name) for name in names)


def of(expected: Mapping[str, Keys]) -> Living:
    return {
        stream: frozenset(keys.values) if keys.columns else frozenset({(None,)}) for stream, keys in expected.items()
    }


@dataclass
class KilledRuns:
    """The projects, one on each engine, and what they have come to.

    Attributes:
        projects: by engine.
        expected: what the system held after the last stage.
        error: what went wrong, after which nothing more is tried.
    """

    projects: Mapping[str, Killable]
    expected: Mapping[str, Keys] = field(default_factory=dict)
    error: AssertionError | None = None
    stages: list[str] = field(default_factory=list)

    def follow(self, stage: str, expected: Mapping[str, Keys]) -> None:
        """Load what a stage of the course has brought about, with kills; the test raises what goes wrong."""
        if self.error is None:
            try:
                for engine, project in self.projects.items():
                    if stage == "first":
                        begin(project, expected)
                    else:
                        points = [p for p in POINTS[stage] if engine == DUCKDB or p not in OF_DRIVERS]
                        go_on(project, self.expected, expected, points)
            except AssertionError as error:
                self.error = error
        self.expected = expected
        self.stages.append(stage)


def killable(source: str, driver: str, world: World, folder: Path, database: Callable[[], str]) -> KilledRuns:
    """Declare the projects."""
    projects = {}
    for engine, url in ((DUCKDB, EMBEDDED_URL), (POSTGRES, database())):
        declare(folder / engine, source, driver, world, masked=False)
        projects[engine] = Killable(folder / engine, source, url, world.environment)
    return KilledRuns(projects)


def begin(project: Killable, expected: Mapping[str, Keys]) -> None:
    """Kill the first run of all when it is about to commit, and run again."""
    project.killed(COMMITTING)
    again = project.run()
    assert again["status"] == "loaded", again
    complete(project, expected)


def go_on(project: Killable, before: Mapping[str, Keys], expected: Mapping[str, Keys], points: Sequence[Point]) -> None:
    """Kill runs at the points, run to the end, and look at everything."""
    for point in points:
        project.killed(point)
        assert project.living(expected) in (of(before), of(expected)), f"half of a load is visible after {point}"
    result = project.run()
    assert result["status"] in ("loaded", "nothing_new"), result["error"]
    complete(project, expected)


def complete(project: Killable, expected: Mapping[str, Keys]) -> None:
    """Look at everything: what the system holds, nothing else, nothing left behind, nothing new."""
    assert project.living(expected) == of(expected)
    landing = project.project.state / "landing"
    lock = f"{project.name}.lock"
    assert [path for path in landing.rglob("*") if path.name not in (project.name, lock)] == []
    assert project.run()["status"] == "nothing_new"
