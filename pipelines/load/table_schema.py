"""The schema of a stream's table: its columns, key, masked columns and history, as stored and as declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.encryption import Encrypted
from leat.sources.stream import Stream, decimal_of

_TO_STRING = frozenset({"integer", "boolean", "date", "json"})
_INTEGER_DIGITS = 19


@dataclass(frozen=True, slots=True)
class TableSchema:
    """What decides the form and meaning of a stream's table.

    Attributes:
        columns: leat type by column name, in order, without the system columns.
        key: the key columns.
        masked: columns whose values are hashed.
        history: whether there is a history of every version of a row.
        schema_version: the stream's schema version.
        encrypted: columns whose values are encrypted, and how.
    """

    columns: Mapping[str, str]
    key: tuple[str, ...]
    masked: tuple[str, ...]
    history: bool
    schema_version: int
    encrypted: Mapping[str, Encrypted] = field(default_factory=dict)

    @property
    def form(self) -> tuple[object, ...]:
        """What no row can be brought into without loading it again: the key, and how values are hidden."""
        return self.key, self.masked, self.encrypted

    def as_json(self) -> dict[str, Any]:
        """Return the schema as a JSON value."""
        value = {**asdict(self), "key": list(self.key), "masked": list(self.masked)}
        for how in value["encrypted"].values():
            if not how["person"]:  # as earlier versions of leat have stored it
                del how["person"]
        if not self.encrypted:
            del value["encrypted"]
        return value

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> TableSchema:
        """Return the schema that :meth:`as_json` gave."""
        encrypted = {name: Encrypted(**how) for name, how in value.get("encrypted", {}).items()}
        hidden = {"masked": tuple(value["masked"]), "encrypted": encrypted}
        return cls(**{**value, "key": tuple(value["key"]), **hidden})


def widens(old: str, new: str) -> bool:
    """Return whether every value of a column type fits into another."""
    digits, wanted = decimal_of(old), decimal_of(new)
    if old == "integer":
        digits = (_INTEGER_DIGITS, 0)
    if wanted is not None and digits is not None:
        return digits[1] <= wanted[1] and digits[0] - digits[1] <= wanted[0] - wanted[1]
    return new == "string" and (old in _TO_STRING or digits is not None)


def declared_schema(declaration: Declaration, stream: Stream) -> TableSchema:
    """Return the schema that a declaration asks for."""
    return TableSchema(
        columns={column.name: column.type for column in declaration.columns(stream)},
        key=stream.key,
        masked=tuple(sorted(declaration.masked(stream))),
        history=declaration.options(stream.name).history,
        schema_version=stream.schema_version,
        encrypted=declaration.encrypted(stream),
    )


def needs_backfill(old: TableSchema | None, new: TableSchema) -> bool:
    """Return whether rows that were loaded before lack something, so that the stream must be read from the start."""
    return old is None or not set(new.columns) <= set(old.columns) or old.schema_version != new.schema_version
