"""Search everything that a run wrote: files as they are, unpacked, and tables row by row."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pyarrow import ArrowInvalid, parquet

from leat.warehouse.session import Session, quote


def written(folder: Path, leave_out: Sequence[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file below a folder; of packed ones the unpacked content too."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or any(path.is_relative_to(other) for other in leave_out):
            continue
        content = path.read_bytes()
        yield str(path), content
        if path.suffix == ".parquet" and content:
            try:
                yield f"{path} (rows)", str(parquet.read_table(path).to_pylist()).encode()
            except ArrowInvalid:  # half written
                continue
        elif content.startswith(b"\x1f\x8b"):
            yield f"{path} (unpacked)", gzip.decompress(content)
        elif "/objects/" in str(path) and content[:1] == b"\x78":
            yield f"{path} (git object)", zlib.decompress(content)


def stored_values(session: Session) -> Iterator[tuple[str, bytes]]:
    """Yield name and rows, as text, of every table and view of a database."""
    tables = session.execute(
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY 1, 2"
    )
    for schema, table in tables:
        rows = session.execute(f"SELECT CAST(t AS VARCHAR) FROM {quote(schema, table)} AS t")
        yield f"{schema}.{table}", "\n".join(str(row[0]) for row in rows).encode()


def places_of(needles: Iterable[str], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return where a needle is, as ``place: needle``."""
    sought = [needle.encode() for needle in needles]
    return [f"{place}: {needle.decode()}" for place, content in places for needle in sought if needle in content]
