"""Runs of every driver are killed wherever that can hurt: nothing is lost, doubled or half visible, without help.

After each kill the next run has to get farther than the one before: it is killed later, or comes to its end. So the
driver's private files, which may be ahead of the cursor that was applied, are in each state that a kill can leave.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load.run import Engine
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import quote
from tests.contract.course import declare
from tests.contract.world import Keys, World, drivers, world_file
from tests.kit.child import Point, run_to_end

EXTRACTING, EXTRACTED = Point("event", nth=1), Point("observe", "extracted")
LANDED, COMMITTING, APPLIED = (Point("observe", phase) for phase in ("landed", "committing", "applied"))

Living = Mapping[str, frozenset[tuple[Any, ...]]]


@dataclass(frozen=True)
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
        return Project(self.folder, self.folder / ".leat", self.warehouse_url, "")

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

    def living(self, told: Mapping[str, Keys]) -> Living:
        """Return what a reader finds of what the system can tell; no key may be there twice."""
        with open_warehouse(self.warehouse_url, self.project.state).published() as session:
            for stream in load_declarations(self.project)[self.name].every_stream():
                key, table = quote_all(stream.key), quote(self.name, stream.name)
                assert session.execute(f"SELECT {key} FROM {table} GROUP BY {key} HAVING count(*) > 1") == []
            return {
                stream: frozenset(
                    session.execute(
                        f"SELECT {quote_all(keys.columns) or 'NULL'} FROM {quote(self.name, stream)} "
                        "WHERE _deleted_at IS NULL"
                    )
                )
                for stream, keys in told.items()
            }


def quote_all(names: tuple[str, ...]) -> str:
    return ", ".join(quote(name) for name in names)


def of(told: Mapping[str, Keys]) -> Living:
    return {stream: frozenset(keys.values) if keys.columns else frozenset({(None,)}) for stream, keys in told.items()}


@pytest.fixture
def world(driver: tuple[str, str], tmp_path: Path, new_database: Callable[[], str]) -> Iterator[World]:
    with world_file(*driver).open_world(tmp_path / "world", new_database) as opened:
        yield opened


@pytest.mark.parametrize(
    "driver",
    # another worker than that of the driver's course may take it
    [pytest.param(driver, marks=pytest.mark.xdist_group(f"killed {'/'.join(driver)}")) for driver in drivers()],
    ids="/".join,
)
def test_killed_runs_lose_nothing(
    driver: tuple[str, str], world: World, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    source, name = driver
    told, projects = world.keys(), []
    for engine, url in (("duckdb", None), ("postgres", new_database())):
        declare(tmp_path / engine, source, name, world, masked=False)
        projects.append(Killable(tmp_path / engine, source, url, world.environment))
        projects[-1].killed(COMMITTING)
        assert projects[-1].run()["status"] == "loaded"
        complete(projects[-1], told)
    for act, points in (
        (world.add, (EXTRACTING, EXTRACTED)),
        (world.change, (EXTRACTED, LANDED, APPLIED)),
        (world.delete, (EXTRACTED, COMMITTING)),
    ):
        before = told
        act()
        told = world.keys()
        for project in projects:
            go_on(project, before, told, points)


def go_on(project: Killable, before: Mapping[str, Keys], told: Mapping[str, Keys], points: Sequence[Point]) -> None:
    """Kill runs at the points, run to the end, and look at everything."""
    for point in points:
        project.killed(point)
        assert project.living(told) in (of(before), of(told)), f"half of a load is visible after {point}"
    result = project.run()
    assert result["status"] in ("loaded", "nothing_new"), result["error"]
    complete(project, told)


def complete(project: Killable, told: Mapping[str, Keys]) -> None:
    """Look at everything: what the system holds, nothing else, nothing left behind, nothing new."""
    assert project.living(told) == of(told)
    landing = project.project.state / "landing"
    lock = f"{project.name}.lock"
    assert [path for path in landing.rglob("*") if path.name not in (project.name, lock)] == []
    assert project.run()["status"] == "nothing_new"
