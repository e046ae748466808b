"""One course of runs for each driver, shared by all tests of the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.contract.course import Course, run_course
from tests.contract.world import drivers, world_file

Courses = Callable[[tuple[str, str]], Course]


@pytest.fixture(scope="session")
def courses(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Iterator[Courses]:
    """Run the course of a driver when it is first asked for; its system runs until the end of the session."""
    done: dict[tuple[str, str], Course] = {}
    with ExitStack() as worlds:

        def course_of(driver: tuple[str, str]) -> Course:
            if driver not in done:
                folder = tmp_path_factory.mktemp("_".join(driver))
                world = worlds.enter_context(world_file(*driver).open_world(folder / "world", new_database))
                done[driver] = run_course(*driver, world, folder, new_database)
            return done[driver]

        yield course_of


@pytest.fixture(params=drivers(), ids="/".join)
def driver(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Run a test for every driver; one worker runs all that look at a driver's course."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def course(driver: tuple[str, str], courses: Courses) -> Course:
    """Give what the course of a driver left."""
    return courses(driver)
