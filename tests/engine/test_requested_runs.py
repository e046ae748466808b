"""Runs that somebody requests: who may carry them out, on both kinds of control store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from leat.control.requested_runs import (
    Claim,
    RequestedRun,
    add_requests,
    claim_next,
    count_queued,
    events_of,
    find_request,
    remove_old,
    report,
)
from leat.control.requested_tables import RequestedRun as Row
from leat.control.store import open_control

NOW = datetime.now(UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def control(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    at = request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/control.db"
    engine = open_control(at)
    yield engine
    engine.dispose()


def ask(control: Engine, *names: str) -> None:
    add_requests(control, [RequestedRun(f"run_{name}", ["tally"], "ada", NOW) for name in names])


def change(control: Engine, **values: object) -> None:
    with control.begin() as connection:
        connection.execute(update(Row).values(values))


def claimed(control: Engine) -> Claim:
    claim = claim_next(control)
    assert claim is not None
    return claim


def test_it_builds_all_rows_of_models_only_if_asked_to(control: Engine) -> None:
    ask(control, "1")
    add_requests(control, [RequestedRun("run_2", ["tally"], "ada", NOW, full_refresh=True)])
    assert [claimed(control).run.full_refresh for _ in range(2)] == [False, True]


def test_each_is_carried_out_by_one_of_many(control: Engine) -> None:
    names = [f"{n:02d}" for n in range(12)]
    ask(control, *names)
    ask(control, "00")  # once more
    claims: list[Claim] = []
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        while (claim := claim_next(control)) is not None or count_queued(control):
            claims.extend([claim] if claim else [])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claim.run.id for claim in claims) == [f"run_{name}" for name in names]


def test_a_lost_claim_is_taken_over_and_counts_no_longer(control: Engine) -> None:
    ask(control, "a")
    first = claimed(control)
    assert report(control, first, {1: {"event": "phase"}})
    assert claim_next(control) is None
    change(control, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    second = claimed(control)
    assert (second.events, second.run.state) == (1, "running")
    ended = replace(first.run, state="ok", ended_at=NOW)
    assert not report(control, first, {2: {"event": "late"}}, ended)
    for _ in range(2):  # nobody can say whether a commit that failed was one
        assert report(control, second, {2: {"event": "ended"}}, replace(ended, state="failed", error="no\x00"))
    assert events_of(control, "run_a", after=1) == [(2, {"event": "ended"})]
    done = find_request(control, "run_a")
    assert done is not None
    assert (done.state, done.error, done.has_ended) == ("failed", "no�", True)
    assert claim_next(control) is None


def test_one_that_ends_its_workers_is_given_up(control: Engine) -> None:
    ask(control, "a")
    for _ in range(3):
        own = claimed(control).holder.rsplit(" ", 2)[0]
        change(control, holder=f"{own} 1 token")  # began at another time: it is no more
    assert claim_next(control) is None
    given_up = find_request(control, "run_a")
    assert given_up is not None
    assert given_up.state == "interrupted"
    remove_old(control)
    assert find_request(control, "run_a") == given_up
    change(control, ended_at=NOW - timedelta(days=8))
    remove_old(control)
    assert find_request(control, "run_a") is None
