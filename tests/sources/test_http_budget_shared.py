"""Rate budgets of several machines, which share a control store on Postgres."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from leat.control.budgets import SharedBudgets
from leat.control.engine import open_control
from leat.pipelines.declare.project import open_project
from leat.sources.http.budget import Budget, open_budget, share_budgets
from leat.sources.http.headers import Quota
from leat.sources.http.request import Limits
from leat.warehouse.session import WarehouseError
from tests.kit.child import wait_until
from tests.kit.databases import NewDatabase


@pytest.fixture(scope="module")
def control_url(new_database: NewDatabase) -> str:
    return new_database()


@pytest.fixture(scope="module")
def control(control_url: str) -> Iterator[Engine]:
    engine = open_control(control_url)
    yield engine
    engine.dispose()


def on_machine(folder: Path, control: Engine, identity: str, limits: Limits) -> Budget:
    share_budgets(folder, lambda: SharedBudgets(control))
    return open_budget(folder, identity, "host:80", limits)


def test_machines_share_the_declared_rate_of_a_credential(tmp_path: Path, control: Engine) -> None:
    budgets = [on_machine(tmp_path / name, control, "alice", Limits(rate=10)) for name in ("one", "two")]
    with ThreadPoolExecutor(4) as threads:
        turns = list(threads.map(lambda number: budgets[number % 2].take(60), range(20)))
    waits = sorted(turn.wait for turn in turns)
    assert [round(later - earlier, 2) for earlier, later in itertools.pairwise(waits)].count(0.0) == 0
    assert waits[-1] - waits[0] > 1.5
    other = on_machine(tmp_path / "one", control, "bob", Limits(rate=10))
    assert other.take(0).wait == 0
    assert list(tmp_path.iterdir()) == [], "nothing is in files of a machine"


def test_what_a_server_says_to_one_machine_holds_for_the_others(tmp_path: Path, control: Engine) -> None:
    one, two = (on_machine(tmp_path / name, control, "carol", Limits(reserve=0)) for name in ("one", "two"))
    assert two.take(0).wait == 0
    one.answered(Quota(None, None, None), 30)
    wait_until(lambda: 25 < two.take(0).wait <= 30)  # it has just seen that there was nothing
    three = on_machine(tmp_path / "three", control, "dave", Limits(reserve=0))
    three.answered(Quota(3, 1, datetime.now(UTC) + timedelta(seconds=40)), None)
    four = on_machine(tmp_path / "four", control, "dave", Limits(reserve=0))
    assert [four.take(0).wait > 0 for _ in range(2)] == [False, True]


def test_a_row_that_makes_no_sense_is_as_none(tmp_path: Path, control: Engine) -> None:
    budget = on_machine(tmp_path, control, "erin", Limits(rate=1))
    budget.take(0)
    with control.begin() as connection:
        wrong = text("UPDATE rate_budget SET state = '[' WHERE name = :name")
        assert connection.execute(wrong, {"name": budget.path.name}).rowcount == 1
    assert budget.take(0).wait == 0


def test_no_secret_is_in_the_store(tmp_path: Path, control: Engine) -> None:
    on_machine(tmp_path, control, "of-great-value", Limits(rate=1)).take(0)
    with control.begin() as connection:
        rows = connection.execute(text("SELECT name, state FROM rate_budget")).all()
    assert "value" not in repr(rows)


def test_a_project_shares_its_budgets_with_a_control_store_on_postgres(
    tmp_path: Path, control_url: str, control: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    del control
    monkeypatch.setenv("LEAT_CONTROL", control_url)
    monkeypatch.delenv("LEAT_HOME", raising=False)
    project = open_project(tmp_path)
    budget = open_budget(project.state / "sources" / ".budgets", "frank", "host", Limits(rate=1))
    assert isinstance(budget.shared, SharedBudgets)
    assert budget.take(0).wait == 0
    budget.shared._engine.dispose()


def test_a_store_that_is_gone_says_what_to_do(tmp_path: Path, new_database: NewDatabase) -> None:
    url = new_database()
    engine = open_control(url)
    budget = on_machine(tmp_path, engine, "grace", Limits(rate=1))
    new_database.drop(url)
    with pytest.raises(WarehouseError, match="Next: check LEAT_CONTROL"):
        budget.take(0)
    engine.dispose()
