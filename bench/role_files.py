"""Make the files of roles after a publication: all of them, when only a small table has changed, and when all has.

    python -m bench.role_files [--rows 1000000 5000000]

Three roles read a table of ten columns: one without a column, one only a tenth of the rows, one with a masked value.
``publish`` is the publication without files, which copies the writer's file.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from leat.pipelines.load import state
from leat.warehouse.clearance import NOBODY, Clearances, TableClearance
from leat.warehouse.duckdb.warehouse import DuckDBWarehouse
from leat.warehouse.session import Session

COLUMNS = ("id", "i1", "i2", "i3", "f1", "f2", "s1", "s2", "s3", "at")
SELECT = (
    "SELECT r AS id, r + {g} AS i1, r * 3 + {g} AS i2, r % 256 AS i3, r * 0.5 + {g} AS f1, (r + {g}) / 7.0 AS f2, "
    "'value ' || (r + {g}) % 1024 AS s1, 'label-' || (r + {g}) % 1024 AS s2, CAST(r % 1024 AS VARCHAR) AS s3, "
    "TIMESTAMPTZ '2030-01-01 00:00:00+00' + INTERVAL 1 SECOND * r AS at FROM range({n}) AS t (r)"
)


class Roles:
    """Lets three roles read less than everything."""

    def __call__(self, _session: Session) -> Clearances:
        """Return what they read."""
        plain: dict[str, str | None] = dict.fromkeys(COLUMNS)
        reads = {
            "operator": TableClearance({name: None for name in COLUMNS if name != "s1"}),
            "analyst": TableClearance(plain, "i3 < 26", every_column=True),
            "viewer": TableClearance({**plain, "s2": "LEFT(s2, 1) || '•••'"}, every_column=True),
        }
        tables = [("shop", "large"), ("shop", "small")]
        return Clearances(
            {role: dict.fromkeys(tables, each) for role, each in reads.items()}, frozenset(tables), mark="1"
        )

    def mark(self) -> str:
        """Return what decides."""
        return "1"


def load(warehouse: DuckDBWarehouse, load_id: str, **rows: int) -> None:
    """Replace the rows of tables, as one load."""
    with warehouse.transaction() as session:
        state.create_tables(session)
        session.execute("CREATE SCHEMA IF NOT EXISTS shop")
        for table, count in rows.items():
            session.execute(f"CREATE OR REPLACE TABLE shop.{table} AS {SELECT.format(g=int(load_id), n=count)}")
            state.insert(session, "load_streams", [(load_id, "shop", table, count, 0, 0, 0, 0, count, 0, None, None)])


def seconds(do: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def measure(folder: Path, rows: int) -> dict[str, float]:
    """Return the seconds of each step."""
    warehouse = DuckDBWarehouse(folder)
    load(warehouse, "1", large=rows, small=1000)
    times = {"publish": seconds(warehouse.publication.publish)}
    warehouse.decide = Roles()
    times["make all"] = seconds(warehouse.publication.publish)
    for load_id, what, changed in (("2", "small changed", {"small": 1000}), ("3", "large changed", {"large": rows})):
        load(warehouse, load_id, **changed)
        warehouse.decide = NOBODY
        note = folder / "writer" / "clearance.json"
        away = shutil.move(note, folder / "note")  # or else the files would be removed
        warehouse.publication.publish()
        shutil.move(away, note)
        warehouse.decide = Roles()
        times[what] = seconds(warehouse.publication.publish)
    times["nothing changed"] = seconds(warehouse.publication.publish)
    return times


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 5_000_000])
    asked = parser.parse_args()
    for rows in asked.rows:
        with tempfile.TemporaryDirectory() as folder:
            times = measure(Path(folder), rows)
        print(f"| {rows:,} | " + " | ".join(f"{name} {each:.2f} s" for name, each in times.items()) + " |", flush=True)


if __name__ == "__main__":
    main()
