"""People of the demo are erased in turn; all systems are read completely after that, and nobody comes back.

`make nightly` erases everybody.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dotenv import dotenv_values

from leat.demo.story.people import PEOPLE
from leat.demo.story.trade import CUSTOMERS
from leat.warehouse.connect import open_warehouse
from tests.company.conftest import INTEGRATIONS, Demo
from tests.kit.command import Leat
from tests.kit.examples import number_of
from tests.kit.traces import traces

NIGHTLY = number_of(1) > 1000
pytestmark = pytest.mark.timeout(3000 if NIGHTLY else 900)  # nine systems are read completely, twice
CHOSEN = ("alice.martin", "gus.haddad", "celine@", "dora@")
"""An administrator, a leaver, a customer whose name has accents, and one who is twice in the CRM."""

MONEY = {
    "charged": "SELECT currency, sum(amount), sum(amount_left), count(*) FROM payments.charges GROUP BY 1 ORDER BY 1",
    "payouts": "SELECT sum(net), count(*) FROM payments.payout_items",
    "booked": "SELECT sum(debit), sum(credit), count(*) FROM crm_accounting.journal_lines",
    "invoiced": "SELECT sum(amount), count(*) FROM crm_accounting.invoices",
    "orders": "SELECT count(*), sum(charged_amount) FROM analytics.orders",
    "balance": "SELECT sum(balance) FROM analytics.account_balances",
    "customers": "SELECT count(*), count(DISTINCT id) FROM payments.customers",
    "contacts": "SELECT count(*) FROM crm_accounting.contacts",
    "users": "SELECT count(*), count(*) FILTER (WHERE active) FROM sso.users",
    "commits": "SELECT count(*), count(DISTINCT author_email) FROM version_control.commits",
    "events": "SELECT count(*) FROM calendar.events",
    "files": "SELECT count(*), sum(size) FROM cloud_storage.objects",
    "tickets": "SELECT count(*) FROM support.tickets",
}
WITH_ROWS_OF_A_PERSON = {"mailbox_unknown", "leaver_has_session", "ended_session_open"}
"""Rules about rows that are deleted: somebody's mailbox, their sessions."""


@pytest.fixture(scope="module")
def leat(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leat]:
    """Give the command on a copy of what the demo has loaded; its systems are those of the demo."""
    home = tmp_path_factory.mktemp("subjects") / "state"
    shutil.copytree(demo.state, home, ignore=shutil.ignore_patterns("demo", "serve", "lock", "*.lock"))
    given = {name: str(value) for name, value in dotenv_values(demo.state / "demo" / "env").items()}
    given |= {"LEAT_HOME": str(home), "LEAT_CONTROL": f"sqlite:///{home / 'control.db'}"}
    yield Leat(demo.leat.folder, given, patience=500)


def money(leat: Leat) -> dict[str, list[Any]]:
    with published(leat) as warehouse:
        return {name: warehouse.execute(sql).fetchall() for name, sql in MONEY.items()}


def published(leat: Leat) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(Path(leat.variables["LEAT_HOME"]) / "warehouse.duckdb"), read_only=True)


def scan_everything(leat: Leat) -> None:
    """Read all systems from the start, at once: nothing says any more how far they have been read."""
    home = Path(leat.variables["LEAT_HOME"])
    with open_warehouse(None, home).transaction() as session:
        session.execute("DELETE FROM leat.cursors")
    ended = {each["integration"]: each["status"] for each in leat.json("run")["integrations"]}
    assert ended.keys() == set(INTEGRATIONS)
    assert set(ended.values()) <= {"loaded", "nothing_new"}, ended


def left_of(leat: Leat, values: list[str], tmp_path: Path) -> list[tuple[str, str, str]]:
    """Return where values are; what a driver needs to continue, and remembers of its system, is looked at apart."""
    home = Path(leat.variables["LEAT_HOME"])
    apart = ["writer", "warehouse.duckdb", "sources"]
    seen = traces(home, values, apart)
    for path in (home / "warehouse.duckdb", home / "writer" / "warehouse.duckdb"):
        fresh = tmp_path / f"{path.parent.name}.duckdb"
        fresh.unlink(missing_ok=True)
        with duckdb.connect(str(fresh)) as connection:
            connection.execute(f"ATTACH '{path}' AS old (READ_ONLY)")
            connection.execute(f"COPY FROM DATABASE old TO {fresh.stem}")
            connection.execute("DELETE FROM leat.cursors")
            tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
            (tmp_path / "tables").mkdir(exist_ok=True)
            for schema, table in tables:
                text = str(connection.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall())
                (tmp_path / "tables" / f"{schema}.{table}").write_text(text)
        seen += traces(tmp_path / "tables", values)
        seen += blocks_with(path, values)
    return seen


def blocks_with(path: Path, values: list[str]) -> list[tuple[str, str, str]]:
    """Return which names the blocks of a file have; logins and addresses of accounts are in the cursor of mail."""
    content = path.read_bytes().lower()
    return [(path.name, value, "blocks") for value in values if " " in value and value.lower().encode() in content]


def test_everybody_is_erased_in_turn_and_nobody_comes_back(leat: Leat, tmp_path: Path) -> None:
    before, rules = money(leat), open_violations(leat)
    everybody = [(p.email, p.name, p.login) for p in PEOPLE] + [(c.email, c.contact, "") for c in CUSTOMERS]
    if not NIGHTLY:
        everybody = [person for person in everybody if person[0].startswith(CHOSEN)]
    for email, name, _ in everybody:
        said = leat.json("subject", "erase", email, "--yes", "--also", f"name:{name}")
        assert said["erased"], (email, said["report"]["left"], said["report"]["withheld"])
    assert money(leat) == before
    scan_everything(leat)
    assert money(leat) == before
    values = [value for person in everybody for value in person if value]
    assert left_of(leat, values, tmp_path) == []
    assert leat("audit", "verify").returncode == 0
    after = open_violations(leat)
    assert {rule: number for rule, number in after.items() if number > rules.get(rule, 0)} == {}, "none is new"
    assert {rule for rule, number in rules.items() if after.get(rule, 0) < number} <= WITH_ROWS_OF_A_PERSON
    for email, _, _ in everybody:
        seen = leat.json("subject", "find", email, "--no-links")
        assert [each for each in seen["tables"] if each["table"] != "leat.cursors"] == [], email
        assert seen["control_store"] == []


def open_violations(leat: Leat) -> dict[str, int]:
    with published(leat) as warehouse:
        sql = "SELECT rule, count(*) FROM leat.violations WHERE resolved_at IS NULL GROUP BY 1"
        return dict(warehouse.execute(sql).fetchall())
