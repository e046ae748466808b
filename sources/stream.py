"""What a stream is: a table that a kind of system delivers, the same for every vendor.

A stream is declared once in ``sources/<system>/streams.py`` and is everything the engine needs to know about the
table: columns with types, descriptions and personal-data tags, the key, and how deletes become known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

Type = Literal["string", "integer", "float", "boolean", "timestamp", "datetime", "date", "json"]
"""Column types. ``timestamp`` is an instant, UTC, in microseconds; ``datetime`` is a wall-clock time without a zone;
``json`` is JSON text."""

Deletes = Literal["feed", "full_scan", "never"]
"""How a stream learns that a row is gone: the source reports it (``feed``), a complete listing proves its absence
(``full_scan``), or rows are never deleted (``never``)."""

EXTRA = "extra"
"""Column of every stream that keeps, as JSON, the fields of a record that the stream does not know."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, what it means, and whether it holds personal data."""

    name: str
    type: Type
    description: str
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """One table that a kind of system delivers.

    Attributes:
        name: table name, ``snake_case``, plural.
        description: one sentence about a row.
        columns: the columns, without ``extra``, which :meth:`all_columns` appends.
        key: names of the columns that identify a row; never null.
        deletes: how deletes become known.
        version: column by which the source orders versions of one row; the highest wins, whatever the order of
            arrival. None when the source has none: then the last that arrives wins.
        schema_version: raised when a column changes its meaning.
        quirks: what a reader of the table should know, in sentences.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    deletes: Deletes
    version: str | None = None
    schema_version: int = 1
    quirks: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        unknown = {*self.key, *([self.version] if self.version else [])} - set(names)
        if unknown or len(set(names)) != len(names) or EXTRA in names:
            msg = f"stream {self.name}: key, version or columns are wrong: {sorted(unknown) or names}"
            raise ValueError(msg)

    def all_columns(self) -> tuple[Column, ...]:
        """Return the columns including ``extra``."""
        return (*self.columns, Column(EXTRA, "json", "Fields of the record that this stream does not know."))

    def schema(self) -> pa.Schema:
        """Return the Arrow schema of a batch of this stream, ``extra`` included."""
        return arrow_schema(self.all_columns())


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """Return the Arrow schema of columns; each field's metadata names the leat type under ``leat.type``."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "integer": pa.int64(),
        "float": pa.float64(),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "datetime": pa.timestamp("us"),
        "date": pa.date32(),
        "json": pa.string(),
    }
    return pa.schema([pa.field(c.name, types[c.type], metadata={"leat.type": c.type}) for c in columns])
