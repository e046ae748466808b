"""Wrong credentials, a stopped system, a connection that is tried before it is used."""

from __future__ import annotations

import pytest

from leat.sources import errors
from leat.sources.errors import Permanent, Transient
from tests.contract.course import DUCKDB, POSTGRES, Course, Place


@pytest.fixture(params=[DUCKDB, POSTGRES])
def place(request: pytest.FixtureRequest, course: Course) -> Place:
    return course.places[request.param]


def test_refused_credentials_are_tried_once(place: Place) -> None:
    stage = place.stages["refused"]
    assert (stage.result.status, stage.result.error_type) == ("failed", "Unauthenticated"), stage.result
    assert stage.requests == 1
    assert not stage.result.transient


def test_stopped_system_is_unavailable(place: Place) -> None:
    result = place.stages["stopped"].result
    assert (result.status, result.error_type, result.transient) == ("failed", "Unavailable", True), result


@pytest.mark.parametrize("stage", ["refused", "stopped"])
def test_a_failure_changes_nothing_and_says_what_to_do(course: Course, place: Place, stage: str) -> None:
    failed, before = place.stages[stage], place.stages["second"]
    assert (failed.tables, failed.cursor, failed.published) == (before.tables, before.cursor, before.published)
    message = failed.result.error or ""
    assert message.startswith(f"{course.source}: ")
    assert ". Next: " in message
    assert "Traceback" not in message
    kind = getattr(errors, str(failed.result.error_type))
    assert issubclass(kind, Transient if failed.result.transient else Permanent)
    assert place.stages["added"].result.status == "loaded", "the next good run has to succeed"


def test_setup_tests_hold_when_all_is_well(course: Course) -> None:
    tests = course.setup["good"]
    assert tests
    assert len({test.name for test in tests}) == len(tests)
    assert [test for test in tests if not test.ok or not test.detail] == []


@pytest.mark.parametrize("state", ["refused", "stopped"])
def test_setup_tests_stop_at_what_is_wrong_and_say_what_to_do(course: Course, state: str) -> None:
    tests = course.setup[state]
    assert [test.ok for test in tests].count(False) >= 1
    assert "Next: " in next(test.detail for test in tests if not test.ok)
    assert {test.name for test in tests} <= {test.name for test in course.setup["good"]}
