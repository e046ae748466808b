"""A checksum over the rows of a table that is the same on every engine for the same values.

Both sides are read as Arrow batches of the same types and hashed here, so that no engine's way to write a number or a
time as text matters. JSON is brought into one form first: Postgres orders keys and writes 1e2 as 100.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from leat.warehouse.duckdb.dialect import DUCKDB
from leat.warehouse.session import quote

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_EXACT = Context(prec=2_000)
"""Enough for numbers in JSON: 309 digits before the point, and 1,000 after it."""


@dataclass(frozen=True, slots=True)
class Digest:
    """How many rows a table has, and a checksum over them, in any order."""

    rows: int
    checksum: str


@dataclass(slots=True)
class Digester:
    """Takes the rows of a table, batch by batch.

    Args:
        types: leat type by name of each column.
    """

    types: Mapping[str, str]
    _rows: int = 0
    _sums: tuple[int, int] = (0, 0)
    _connection: duckdb.DuckDBPyConnection | None = field(default=None, repr=False)

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        import duckdb
        import pyarrow as pa

        if self._connection is None:
            self._connection = duckdb.connect(":memory:")
        arrays = [
            _canonical(batch.column(name)) if kind == "json" else batch.column(name)
            for name, kind in self.types.items()
        ]
        names = [f"c{number}" for number in range(len(arrays))]
        self._connection.register("batch", pa.table(arrays, names=names))
        forth, back = DUCKDB.row_hashes("batch", [quote(name) for name in names]) or ("0", "0")
        sums = self._connection.execute(f"SELECT sum({forth})::VARCHAR, sum({back})::VARCHAR FROM batch").fetchone()
        self._connection.unregister("batch")
        assert sums is not None  # noqa: S101 - an aggregate gives a row
        self._rows += batch.num_rows
        self._sums = (self._sums[0] + int(sums[0] or 0), self._sums[1] + int(sums[1] or 0))

    def end(self) -> Digest:
        """Return the digest of all rows."""
        if self._connection is not None:
            self._connection.close()
        forth, back = (number % 2**64 for number in self._sums)
        return Digest(self._rows, f"{forth:016x}{back:016x}")


def _canonical(texts: pa.Array[Any]) -> pa.Array[Any]:
    import pyarrow as pa

    coded = texts.dictionary_encode()
    distinct = pa.array([canonical_json(str(text)) for text in coded.dictionary.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(coded.indices, distinct).cast(pa.string())


def canonical_json(text: str) -> str:
    """Return JSON in the one form that is compared: sorted keys, and numbers by their value."""
    value = json.loads(text, parse_float=_number, parse_int=_number, parse_constant=str)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_written)


class _Number(Decimal):
    """A number that is written by its value."""


def _number(text: str) -> Any:
    return _Number(text)


def _written(number: Decimal) -> str:
    value = number.normalize(_EXACT)
    return f"\0{value if value else 0}"  # no text in JSON has this character
