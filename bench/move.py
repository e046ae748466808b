"""How long it takes to move a warehouse to Postgres and back: ``python -m bench.move POSTGRES_URL [ROWS]``.

The database has to be empty. Rows have ten columns: numbers, texts, times, a decimal, JSON.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from leat.runs.moving.tables import MovedTable
from leat.runs.moving.warehouse import copy_table
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import quote

_COLUMNS = {
    "id": "integer", "label": "string", "note": "string", "weight": "float", "price": "decimal(18,4)",
    "seen_at": "timestamp", "on_day": "date", "sound": "boolean", "tags": "json", "_load_id": "string",
}  # fmt: skip
_ROWS = """INSERT INTO bench.things SELECT i, 'label ' || i,
  CASE WHEN i % 3 = 0 THEN NULL ELSE 'a note of thing ' || i END,
  i / 7.0, i % 100000, TIMESTAMPTZ '2026-01-01' + INTERVAL 1 SECOND * (i % 1000000), DATE '2026-01-01', i % 2 = 0,
'{"n": ' || i % 1000 || ', "b": [1, 2]}', '20260101T000000000000' FROM range(ROWS) AS r (i)"""


def main() -> None:
    """Print seconds and rows a second, each way."""
    url, rows = sys.argv[1], int((sys.argv[2:] or ["1000000"])[0])
    table = MovedTable("bench", "things", _COLUMNS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, two = (open_warehouse(None, folder / state) for state in ("one", "two"))
        server = open_warehouse(url, folder)
        with one.transaction() as first, server.transaction() as second, two.transaction() as third:
            for session in (first, second, third):
                listed = ", ".join(f"{quote(c)} {session.dialect.sql_type(kind)}" for c, kind in _COLUMNS.items())
                session.execute("CREATE SCHEMA bench")
                session.execute(f"CREATE TABLE bench.things ({listed})")
            first.execute(_ROWS.replace("ROWS", str(rows)))
            for source, target in ((first, second), (second, third)):
                began = time.perf_counter()
                moved = copy_table(source, target, table, target.scratch() or folder, lambda _: None)
                seconds = time.perf_counter() - began
                names = f"{source.dialect.name} to {target.dialect.name}"
                print(f"{names}: {moved.rows} rows in {seconds:.1f} s, {moved.rows / seconds:,.0f} rows a second")


if __name__ == "__main__":
    main()
