"""Publish one changed row of a large DuckDB file, compared with a copy of the whole file.

    python -m bench.publication [--rows 25000000] [--rounds 5]

*copy* copies all blocks, as the first two publications do, and whenever a reader has the version before last open;
*reuse* writes the blocks that differ into the version before last. They take turns on the same file, with the file in
the page cache and without; the fastest of the rounds counts. Written is what the process gave to write(2).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from leat.warehouse.connect import open_warehouse
from leat.warehouse.duckdb.publication import copy_file
from leat.warehouse.duckdb.reuse import reuse_file
from leat.warehouse.session import Warehouse

_SELECT = "SELECT r AS id, hash(r) AS a, hash(r + 1) AS b, md5(r::VARCHAR) AS s, random() AS f FROM range({n}) AS t (r)"


def change(warehouse: Warehouse, row: int) -> None:
    """Change one row."""
    with warehouse.transaction() as session:
        session.execute("UPDATE numbers SET a = a + 1 WHERE id = ?", (row,))


def measured(action: Callable[[], object]) -> tuple[float, float, int]:
    """Return seconds on the clock and of the processor, and written bytes."""
    before, began, used = _written(), time.monotonic(), time.process_time()
    action()
    return time.monotonic() - began, time.process_time() - used, _written() - before


def _written() -> int:
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def forget_pages(*paths: Path) -> None:
    """Let files leave the page cache."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    """Measure both ways, warm and cold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=25_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        state = Path(temporary)
        warehouse = open_warehouse(None, state)
        with warehouse.transaction() as session:
            session.execute(f"CREATE TABLE numbers AS {_SELECT.format(n=options.rows)}")
        written, spare, draft = state / "writer" / "warehouse.duckdb", state / "spare", state / "draft"
        copy_file(written, spare)
        print(f"a file of {written.stat().st_size / 1e6:,.0f} MB, one row changed, the fastest of {options.rounds}")
        for cold in (False, True):
            figures: dict[str, list[tuple[float, float, int]]] = {"copy": [], "reuse": []}
            for number in range(options.rounds):
                change(warehouse, number * 1_234_567 % options.rows)
                forget_pages(*((written, spare) if cold else ()))
                figures["copy"].append(measured(lambda: copy_file(written, state / "copy")))
                (state / "copy").unlink()
                forget_pages(*((written, spare) if cold else ()))
                figures["reuse"].append(measured(lambda: reuse_file(written, spare, draft)))
                draft.replace(spare)
            for way, rounds in figures.items():
                seconds, used, count = (min(each) for each in zip(*rounds, strict=True))
                where = "not in the page cache" if cold else "in the page cache"
                print(f"{way:6} {where:22} {seconds:6.2f} s, processor {used:5.2f} s, written {count / 1e6:8.1f} MB")


if __name__ == "__main__":
    main()
