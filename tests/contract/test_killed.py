"""Runs of every driver are killed wherever that can hurt: nothing is lost, doubled or half visible, without help."""

from __future__ import annotations

from tests.contract.conftest import Courses


def test_killed_runs_lose_nothing(driver: tuple[str, str], courses: Courses) -> None:
    killed = courses.killed(driver)
    if killed.error is not None:
        raise killed.error
    assert killed.stages == ["first", "added", "changed", "deleted"]
