"""Runs side by side: one that takes long doesn't delay the others, and what is asked for twice meanwhile runs once."""

from __future__ import annotations

import threading
from collections.abc import Collection

from leat.serve.lane import SideBySide
from tests.kit.child import wait_until


def test_a_slow_run_delays_no_other_and_runs_once_more_for_all_that_ask_meanwhile() -> None:
    ran: list[str] = []
    go_on = threading.Event()

    def work(names: Collection[str]) -> Collection[str]:
        (name,) = names
        ran.append(name)
        if name == "slow":
            assert go_on.wait(60)
        return ()

    lane = SideBySide("lane", work, at_once=2)
    lane.want(["slow"])
    wait_until(lambda: ran == ["slow"])
    for name in ("first", "second", "third"):
        lane.want(["slow", name])
    wait_until(lambda: len(ran) == 4)
    assert ran == ["slow", "first", "second", "third"]
    go_on.set()
    wait_until(lambda: len(ran) == 5)
    assert ran[4] == "slow"
    assert lane.end(60)
    lane.want(["late"])
    assert len(ran) == 5


def test_what_another_process_runs_is_tried_again_and_an_error_ends_nothing() -> None:
    results: list[Collection[str] | Exception] = [["busy"], ValueError("planted"), ()]

    def work(_names: Collection[str]) -> Collection[str]:
        result = results.pop(0) if results else ()
        if isinstance(result, Exception):
            raise result
        return result

    lane = SideBySide("lane", work, at_once=1)
    lane.want(["busy"])
    wait_until(lambda: len(results) == 1)
    wait_until(lambda: lane.want(["busy"]) or not results)
    assert lane.end(60)
