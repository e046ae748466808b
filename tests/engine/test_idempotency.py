"""Requests with an Idempotency-Key: who may carry them out, on both kinds of control store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from leat.control.answer_tables import IdempotentAnswer
from leat.control.idempotency import Claim, Reused, Stored, UnderWay, claim, release, remove_old, store
from leat.control.store import open_control

ANSWER = Stored(201, {"location": "/v1/things/1"}, "{}")


@pytest.fixture(params=["sqlite", "postgres"])
def control(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    at = request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/control.db"
    engine = open_control(at)
    yield engine
    engine.dispose()


def change(control: Engine, **values: object) -> None:
    with control.begin() as connection:
        connection.execute(update(IdempotentAnswer).values(values))


def held(control: Engine, asked: str = "that") -> Claim:
    claimed = claim(control, "key", asked)
    assert isinstance(claimed, Claim)
    return claimed


def test_one_of_many_carries_it_out_and_all_get_its_answer(control: Engine) -> None:
    claims: list[Claim | Stored] = []
    refused: list[UnderWay] = []
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        try:
            claims.append(claim(control, "key", "that"))
        except UnderWay as error:
            refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(claims), len(refused)) == (1, 7)
    assert isinstance(claims[0], Claim)
    store(control, claims[0], ANSWER)
    assert claim(control, "key", "that") == ANSWER
    with pytest.raises(Reused):
        claim(control, "key", "something else")
    assert isinstance(claim(control, "another key", "something else"), Claim)


def test_one_that_failed_or_whose_process_is_gone_can_be_sent_again(control: Engine) -> None:
    release(control, held(control))
    first = held(control)
    change(control, holder=f"{first.holder.rsplit(' ', 2)[0]} 1 token")  # began at another time: it is no more
    again = held(control)
    store(control, first, Stored(500, {}, "late"))  # has lost it
    with pytest.raises(UnderWay):
        claim(control, "key", "that")
    change(control, holder="elsewhere", began_at=datetime.now(UTC) - timedelta(minutes=9))
    with pytest.raises(UnderWay):
        claim(control, "key", "that")
    change(control, began_at=datetime.now(UTC) - timedelta(minutes=11))
    assert held(control) != again


def test_answers_are_given_for_a_day(control: Engine) -> None:
    store(control, held(control), ANSWER)
    change(control, began_at=datetime.now(UTC) - timedelta(hours=23))
    remove_old(control)
    assert claim(control, "key", "that") == ANSWER
    change(control, began_at=datetime.now(UTC) - timedelta(hours=25))
    store(control, held(control, "something else"), ANSWER)
    change(control, began_at=datetime.now(UTC) - timedelta(hours=25))
    remove_old(control)
    with control.connect() as connection:
        assert connection.execute(IdempotentAnswer.__table__.select()).all() == []
