"""How often somebody may ask one server, and several together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import update

from leat.control import request_buckets
from leat.control.budget_tables import RequestBucket
from leat.control.store import open_control
from leat.serve.limits import Buckets


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def made(clock: Clock, per_second: float = 2) -> Buckets:
    return Buckets(per_second=per_second, burst=3, failures=2, clock=clock)


def test_who_asks_too_often_waits() -> None:
    clock = Clock()
    buckets = made(clock)
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 1, 1]
    assert buckets.take("b") == 0
    clock.now = 0.5
    assert [buckets.take("a"), buckets.take("a")] == [0, 1]
    for _ in range(2):
        assert buckets.may_sign_in("1.2.3.4")
        buckets.failed("1.2.3.4")
    assert not buckets.may_sign_in("1.2.3.4")
    clock.now = 60
    assert buckets.may_sign_in("1.2.3.4")


def test_servers_count_together(postgres_url: str) -> None:
    store = open_control(postgres_url)
    common = partial(request_buckets.take, store, b"key")
    clock = Clock()
    one, two = made(clock, 0.001), made(clock, 0.001)  # so slow that the time of the test doesn't matter
    assert [one.take("a"), one.take("a"), two.take("a"), two.take("a")] == [0] * 4  # neither has heard of the other
    for buckets in (one, two):
        buckets.failed("1.2.3.4")
        buckets.report(common)
    assert [two.take("a") > 0, one.take("a")] == [True, 0]
    assert [two.may_sign_in("1.2.3.4"), one.may_sign_in("1.2.3.4")] == [False, True]
    one.report(common)
    assert one.take("a") > 0
    assert two.take("b") == 0
    clock.now = 3000
    assert two.take("a") == 0
    with store.begin() as connection:
        connection.execute(update(RequestBucket).values(at=datetime.now(UTC) - timedelta(hours=2)))
    request_buckets.remove_old(store)
    with store.connect() as connection:
        assert connection.execute(RequestBucket.__table__.select()).all() == []
    store.dispose()
