"""What erasing does to rows: some are dropped, in others identities are replaced and personal columns are null.

The same is done to rows that are landed and to rows that are in the warehouse, so that what a system delivers again is
equal to what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leat.pipelines.declare.declaration import Declaration
from leat.sources.stream import EXTRA, Column, Stream
from leat.sources.subject import NAME, TEXT, Erases
from leat.sources.tombstones import Tombstones

if TYPE_CHECKING:
    import pyarrow as pa

_STRENGTH: tuple[Erases, ...] = ("value", "personal", "row")
WITHHELD = "not stored, because it names somebody who was erased"
"""What is stored instead of a broken record."""


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Who is erased, and what a table says of people.

    Attributes:
        tombstones: who is erased.
        integration: the integration that the table belongs to.
        columns: the columns of the table, by name, as they are declared.
        key: the columns that identify a row; they never become null.
    """

    tombstones: Tombstones
    integration: str
    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()

    def rows(self, table: pa.Table) -> pa.Table:
        """Return the rows without those that are dropped, and with the others as they may be stored."""
        import pyarrow as pa

        pc = _compute()
        named = {name: self._named(name, table.column(name)) for name in table.column_names if self._identifies(name)}
        groups = self._groups()
        table = self._replaced(table)
        gone: Any = None
        for root, members in groups.items():
            who = [(name, named[name]) for name in members if named.get(name) is not None]
            for name, rows in who:
                erases = max(self._erases(root), self._erases(name), key=_STRENGTH.index)
                if erases == "row":
                    gone = rows if gone is None else pc.or_(gone, rows)
                table = self._without_person(table, rows, members, blank=erases != "value")
        if gone is None:
            return table
        return table.filter(pc.invert(pa.chunked_array([gone])))

    def value(self, column: str, value: Any) -> Any:
        """Return a single value of a column as the rows have it."""
        if not isinstance(value, str):
            return value
        subject = self.columns[column].subject if column in self.columns else None
        if subject is not None and self._identifies(column) and self._has(subject.kind, value):
            return self.tombstones.replacement(value) if self._is_replaced(column) else value
        return self.tombstones.text(value)

    def names(self, text: str) -> bool:
        """Return whether a text names somebody who is erased."""
        return self.tombstones.text(text) != text

    def _has(self, kind: str, value: str) -> bool:
        return self.tombstones.has(kind, self.integration, value)

    def _identifies(self, name: str) -> bool:
        subject = self.columns[name].subject if name in self.columns else None
        return subject is not None and subject.kind not in (NAME, TEXT) and self.columns[name].type != "json"

    def _is_replaced(self, name: str) -> bool:
        """Return whether the values of an identifying column are replaced; ids stay, because other rows name them."""
        subject = self.columns[name].subject
        return subject is not None and subject.kind in ("email", "login")

    def _erases(self, name: str) -> Erases:
        subject = self.columns[name].subject if name in self.columns else None
        return "value" if subject is None else subject.erases

    def _groups(self) -> dict[str, list[str]]:
        """Return the columns about one person each, by the column that the others are of."""
        groups: dict[str, list[str]] = {}
        for name, column in self.columns.items():
            if column.subject is not None and column.subject.kind != TEXT:
                groups.setdefault(column.subject.of or name, []).append(name)
        return groups

    def _named(self, name: str, column: Any) -> Any:
        """Return in which rows a column names somebody who is erased; None when in none."""
        import pyarrow as pa

        subject = self.columns[name].subject
        kind = "" if subject is None else subject.kind
        encoded = _whole(column).dictionary_encode()
        results = [value is not None and self._has(kind, str(value)) for value in encoded.dictionary.to_pylist()]
        if not any(results):
            return None
        rows = pa.array(results, pa.bool_()).take(encoded.indices)
        return rows.fill_null(False)

    def _replaced(self, table: pa.Table) -> pa.Table:
        """Return the table with identities replaced wherever a text names them."""
        import pyarrow as pa

        for name in table.column_names:
            column = table.column(name)
            if name.startswith("_"):  # leat's own
                continue
            if not pa.types.is_string(column.type) or (self._identifies(name) and not self._is_replaced(name)):
                continue
            declared = self.columns.get(name)
            if declared is not None and declared.type == "json":
                personal = declared.personal or name == EXTRA
                changed = _mapped(column, lambda v, p=personal: self.tombstones.json(v, self.integration, personal=p))  # type: ignore[misc]
            else:
                changed = _mapped(column, lambda value, name=name: self.value(name, value))  # type: ignore[misc]
            table = _with(table, name, changed)
        return table

    def _without_person(self, table: pa.Table, rows: Any, members: list[str], *, blank: bool) -> pa.Table:
        pc = _compute()
        for name in table.column_names:
            declared, column = self.columns.get(name), _whole(table.column(name))
            if declared is None:
                continue
            if name in members and declared.subject is not None:
                changed = self._replacements(name, declared, column)
            elif blank and name not in self.key and declared.subject is None and (declared.personal or name == EXTRA):
                changed = _nothing(column)
            else:
                continue
            table = _with(table, name, pc.if_else(rows, changed, column))
        return table

    def _replacements(self, name: str, declared: Column, column: Any) -> Any:
        if declared.type == "json" and name not in self.key:
            return _nothing(column)
        if declared.subject is None or not (declared.subject.kind == NAME or self._is_replaced(name)):
            return column
        kind = declared.subject.kind
        return _mapped(column, lambda value: self.tombstones.replacement(value, kind))


def forgetting_of(tombstones: Tombstones, declaration: Declaration, stream: Stream) -> Forgetting:
    """Return what erasing does to the rows of a stream."""
    columns = {column.name: column for column in stream.all_columns()}
    return Forgetting(tombstones, declaration.name, columns, stream.key)


def _mapped(column: Any, change: Callable[[str], str | None]) -> Any:
    """Return a column of texts with each value changed; the column itself when none changes."""
    import pyarrow as pa

    encoded = _whole(column).dictionary_encode()
    before = encoded.dictionary.to_pylist()
    after = [None if value is None else change(value) for value in before]
    return column if after == before else pa.array(after, column.type).take(encoded.indices)


def _nothing(column: Any) -> Any:
    import pyarrow as pa

    return pa.nulls(len(column), column.type)


def _whole(column: Any) -> Any:
    import pyarrow as pa

    if not isinstance(column, pa.ChunkedArray):
        return column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _with(table: pa.Table, name: str, column: Any) -> pa.Table:
    index = table.column_names.index(name)
    return table.set_column(index, table.schema.field(index), column)


def _compute() -> Any:
    import pyarrow.compute

    return pyarrow.compute
