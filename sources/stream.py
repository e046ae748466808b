"""What a stream is: a table that a kind of system delivers, the same for every vendor.

A stream is declared once in ``sources/<system>/streams.py`` and is everything the engine needs to know about the
table: columns with types, descriptions and personal-data tags, the key, and how leat detects deletes.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from leat.sources.subject import Subject, problems

if TYPE_CHECKING:
    import pyarrow as pa

Type = str
"""A column type: one of :data:`TYPES`, or ``decimal(18,4)``: an exact number of at most 18 digits, 4 of them behind the
point. ``timestamp`` is an instant, UTC, in microseconds; ``datetime`` is a wall-clock time without a zone; ``json`` is
JSON text. What a column of each type holds is in :mod:`leat.sources.domain`."""

TYPES = ("string", "integer", "float", "boolean", "timestamp", "datetime", "date", "json")
MAX_DIGITS = 38
"""How many digits a decimal has at most."""

DECIMAL = re.compile(r"decimal\(([1-9][0-9]?),([0-9]{1,2})\)")

Deletes = Literal["feed", "full_scan", "never"]
"""How a stream learns that a row is gone: the source reports it (``feed``), a complete listing proves its absence
(``full_scan``), or rows are never deleted (``never``)."""

EXTRA = "extra"
"""Column of every stream that has, as JSON, the fields of a record that the stream doesn't declare."""


def decimal_of(kind: str) -> tuple[int, int] | None:
    """Return how many digits a decimal type has, and how many of them behind the point; None for another type."""
    match = DECIMAL.fullmatch(kind)
    if match is None or not int(match[2]) <= int(match[1]) <= MAX_DIGITS:
        return None
    return int(match[1]), int(match[2])


def is_number(kind: str) -> bool:
    """Return whether a column type is one of numbers."""
    return kind in ("integer", "float") or decimal_of(kind) is not None


def column_type(text: str) -> Type:
    """Return the column type that a user has written, in the one form in which it is used.

    Raises:
        ValueError: it is none; says which there are.
    """
    kind = "".join(text.lower().split())
    if kind in TYPES or decimal_of(kind) is not None:
        return kind
    if kind.startswith("decimal"):
        hint = "; inside of {…} it has to be in quotes" if "(" in kind and ")" not in kind else ""
        msg = f'write "decimal(18,4)": at most {MAX_DIGITS} digits, 4 of them behind the point{hint}'
        raise ValueError(msg)
    near = difflib.get_close_matches(kind, TYPES, n=1)
    meant = f'; did you mean "{near[0]}"?' if near else ""
    msg = f"{text[:40]!r} is no column type{meant or ';'} there are {', '.join(TYPES)} and decimal(18,4)"
    raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, what it means, whether it holds personal data, and how it identifies a person."""

    name: str
    type: Type
    description: str
    personal: bool = False
    subject: Subject | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """One table that a kind of system delivers.

    Attributes:
        name: table name, ``snake_case``, plural.
        description: one sentence about a row.
        columns: the columns, without ``extra``, which :meth:`all_columns` appends.
        key: names of the columns that identify a row; never null.
        deletes: how leat detects deletes.
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
        for column in self.columns:
            if column.type not in TYPES and decimal_of(column.type) is None:
                msg = f"stream {self.name}: column {column.name} has the unknown type {column.type!r}"
                raise ValueError(msg)
        wrong = problems([(c.name, c.subject) for c in self.columns if c.subject is not None], names)
        if wrong:
            msg = f"stream {self.name}: {wrong[0]}"
            raise ValueError(msg)

    def all_columns(self) -> tuple[Column, ...]:
        """Return the columns including ``extra``."""
        return (*self.columns, Column(EXTRA, "json", "Fields of the record that this stream doesn't declare."))

    def schema(self) -> pa.Schema:
        """Return the Arrow schema of a batch of this stream, ``extra`` included."""
        return arrow_schema(self.all_columns())


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """Return the Arrow schema of columns; each field's metadata names the leat type under ``leat.type``."""
    import pyarrow as pa

    types: dict[str, Any] = {
        "string": pa.string(),
        "integer": pa.int64(),
        "float": pa.float64(),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "datetime": pa.timestamp("us"),
        "date": pa.date32(),
        "json": pa.string(),
    }
    decimals = {column.type: decimal_of(column.type) for column in columns}
    types |= {kind: pa.decimal128(*digits) for kind, digits in decimals.items() if digits is not None}
    return pa.schema([pa.field(c.name, types[c.type], metadata={"leat.type": c.type}) for c in columns])
