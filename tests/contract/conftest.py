"""One course of runs for each driver, shared by all tests of the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.contract.course import Course, run_course
from tests.contract.killed import KilledRuns, killable
from tests.contract.world import drivers, world_file
from tests.kit.databases import NewDatabase


@dataclass
class Courses:
    """Runs the course of a driver when it is first asked for; its system runs as long as the worlds are open."""

    folder: Callable[[str], Path]
    database: Callable[[], str]
    worlds: ExitStack
    done: dict[tuple[str, str], tuple[Course, KilledRuns]] = field(default_factory=dict)

    def __call__(self, driver: tuple[str, str]) -> Course:
        """Return what the course of a driver left."""
        return self._done(driver)[0]

    def killed(self, driver: tuple[str, str]) -> KilledRuns:
        """Return what came of the runs next to it that were killed."""
        return self._done(driver)[1]

    def _done(self, driver: tuple[str, str]) -> tuple[Course, KilledRuns]:
        if driver not in self.done:
            folder = self.folder("_".join(driver))
            world = self.worlds.enter_context(world_file(*driver).open_world(folder / "world", self.database))
            killed = killable(*driver, world, folder / "killed", self.database)
            self.done[driver] = run_course(*driver, world, folder, self.database, killed.follow), killed
        return self.done[driver]


@pytest.fixture(scope="session")
def courses(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[Courses]:
    """Give the courses, which are run when a test looks at them."""
    with ExitStack() as worlds:
        yield Courses(tmp_path_factory.mktemp, new_database, worlds)


@pytest.fixture(params=drivers(), ids="/".join)
def driver(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Run a test for every driver; one worker runs all that look at a driver's course."""
    named: tuple[str, str] = request.param
    return named


@pytest.fixture
def course(driver: tuple[str, str], courses: Courses) -> Course:
    """Give what the course of a driver left."""
    return courses(driver)
