"""How long is waited before something is tried again."""

from __future__ import annotations

import pytest

from leat.sources.driver import reads_control_store, source_names
from leat.sources.retry import RetryPolicy, doubling

FIXED = RetryPolicy((5, 30, 120), longest=900, jitter=False)


@pytest.mark.parametrize(("attempt", "wait"), [(1, 5), (2, 30), (3, 120), (4, None)])
def test_there_is_one_attempt_more_than_waits(attempt: int, wait: float | None) -> None:
    assert FIXED.wait(attempt) == wait


@pytest.mark.parametrize(("attempt", "asked", "wait"), [(1, 0, 0), (2, 900, 900), (1, 901, None), (4, 1, None)])
def test_a_wait_that_was_asked_for_counts_unless_it_is_too_long(attempt: int, asked: float, wait: float | None) -> None:
    assert FIXED.wait(attempt, asked) == wait


def test_waits_double_and_are_spread() -> None:
    policy = RetryPolicy(doubling(0.5, 4), longest=60)
    assert policy.waits == (0.5, 1, 2)
    for attempt, full in enumerate(policy.waits, 1):
        waits = {policy.wait(attempt) for _ in range(50)}
        assert len(waits) > 1
        assert all(wait is not None and full / 2 <= wait <= full for wait in waits)


def test_the_last_wait_repeats_where_nobody_gives_up() -> None:
    policy = RetryPolicy((0, *doubling(600, 4, 1500)), longest=1500, jitter=False, endless=True)
    assert [policy.wait(attempt) for attempt in range(1, 7)] == [0, 600, 1200, 1500, 1500, 1500]


def test_a_single_attempt_has_no_wait() -> None:
    assert RetryPolicy(doubling(1, 1), longest=60).wait(1, asked=0) is None


def test_the_control_store_is_read_by_the_source_that_says_so() -> None:
    assert [source for source in source_names() if reads_control_store(source)] == ["platform"]
