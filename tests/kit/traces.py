"""Looks for values in everything below a folder, whatever form they have there; written apart from what leat does."""

from __future__ import annotations

import base64
import io
import sqlite3
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
from pyarrow import parquet


def traces(folder: Path, values: Collection[str], apart: Collection[str] = ()) -> list[tuple[str, str, str]]:
    """Return the files that have one of the values: path, value, and in which form.

    Args:
        folder: where to look.
        values: what for.
        apart: paths, relative to the folder, that aren't looked at, with everything below them.
    """
    seen = []
    for path in sorted(folder.rglob("*")):
        inside = str(path.relative_to(folder))
        if path.is_file() and not any(inside == each or inside.startswith(f"{each}/") for each in apart):
            for form, content in _forms(path):
                low = content.lower()
                seen += [(inside, value, form) for value in values if _is_in(value, content, low)]
    return seen


def _is_in(value: str, content: bytes, low: bytes) -> bool:
    plain = value.lower()
    if any(each.encode() in low for each in (plain, quote(plain), plain.replace("@", "%40"))):
        return True
    return any(each in content for case in {value, plain, value.title()} for each in _base64(case.encode()))


def _base64(content: bytes) -> Iterator[bytes]:
    """Yield the part of a value's base64 that doesn't depend on its neighbours, for each place in a group of three."""
    for lead in range(3):
        coded = base64.b64encode(b"\xff" * lead + content + b"\xff\xff\xff")
        first = -(-lead * 8 // 6)
        last = (lead + len(content)) * 8 // 6
        yield coded[first:last]


def _forms(path: Path) -> Iterator[tuple[str, bytes]]:
    content = path.read_bytes()
    yield "bytes", content
    for at in _all(content, b"\x1f\x8b\x08"):
        try:
            yield "gzip", zlib.decompressobj(31).decompress(content[at:])
        except zlib.error:
            continue
    if content[:4] == b"PAR1":
        yield "parquet", str(parquet.read_table(io.BytesIO(content)).to_pydict()).encode()
    if content[8:12] == b"DUCK":
        yield "duckdb", _duckdb(path)
    if content[:15] == b"SQLite format 3":
        yield "sqlite", "\n".join(sqlite3.connect(f"file:{path}?mode=ro", uri=True).iterdump()).encode()


def _all(content: bytes, sign: bytes) -> Iterator[int]:
    at = content.find(sign)
    while at >= 0:
        yield at
        at = content.find(sign, at + 1)


def _duckdb(path: Path) -> bytes:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        return b"\n".join(
            str(connection.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()).encode()
            for schema, table in tables
        )
