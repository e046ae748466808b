"""Sessions of both engines: parameters are bound by the driver, whatever is in them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import Session, Warehouse

VALUES: dict[str, Any] = {
    "string": 'it\'s "what?" 100 % \\ $1 -- \n;',
    "integer": 2**62,
    "float": 0.1,
    "boolean": False,
    "timestamp": datetime(2026, 11, 29, 12, 0, 0, 123456, UTC),
    "datetime": datetime(2026, 11, 29, 12, 0, 0, 123456),  # noqa: DTZ001 - a wall clock
    "date": date(2026, 11, 29),
    "decimal(18,4)": Decimal("12345678901234.5678"),
}


@pytest.fixture
def warehouse(tmp_path: Path, warehouse_url: str | None) -> Warehouse:
    return open_warehouse(warehouse_url, tmp_path)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("null", [False, True])
def test_a_value_that_is_bound_is_read_as_it_was(warehouse: Warehouse, kind: str, null: bool) -> None:
    value = None if null else VALUES[kind]
    with warehouse.transaction() as session:
        create(session, kind)
        assert session.change("INSERT INTO bound VALUES (?), (?)", (value, None)) == 2
        assert session.execute("SELECT v FROM bound ORDER BY v NULLS LAST LIMIT 1") == [(value,)]
        session.create_temporary("leat_same", "SELECT v FROM bound WHERE v = ?", (value,))
        assert session.execute("SELECT count(*) FROM leat_same") == [(0 if null else 1,)]


def create(session: Session, kind: str) -> None:
    session.execute(f"CREATE TABLE bound (v {session.dialect.sql_type(kind)})")


def test_only_a_question_mark_of_its_own_is_a_parameter(warehouse: Warehouse) -> None:
    with warehouse.snapshot() as session:
        sql = """SELECT '?%' AS "what? 100 %", 'it''s ?', 7 % ?, ?"""
        assert session.execute(sql, (4, "?")) == [("?%", "it's ?", 3, "?")]


def test_binding_a_value_does_not_import_pandas(tmp_path: Path) -> None:
    """A run with nothing new needs it for nothing else, and it takes a third of a second."""
    program = f"""
import sys
from pathlib import Path
from leat.warehouse.connect import open_warehouse
with open_warehouse(None, Path({str(tmp_path)!r})).transaction() as session:
    assert session.execute("SELECT ?", ("bound",)) == [("bound",)]
    assert "pandas" not in sys.modules
import pandas
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
