"""Erases a person from the tables of the warehouse, in one transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leat.pipelines.load.cells import TOKEN
from leat.pipelines.load.forgetting import WITHHELD, Forgetting
from leat.pipelines.load.sealed_texts import SealedTexts
from leat.runs.subjects.finding import Who, conditions
from leat.runs.subjects.tables import PeopleTable
from leat.sources.stream import Column, arrow_schema
from leat.sources.tombstones import Tombstones
from leat.warehouse.session import Session, quote

_ROW = "_row"
_GONE, _CHANGED = "leat_gone", "leat_changed"
_WHOLE: Mapping[tuple[str, str], str] = {("leat", "quarantine"): "record", ("hooks", "_applied"): "body"}
"""Columns that hold a whole record as it came: of a row that names the person, nothing of it stays."""
_INSTEAD = {"record": WITHHELD, "body": "{}"}


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased in a table: rows that were deleted, and rows in which values were replaced."""

    table: str
    deleted: int
    changed: int


@dataclass(frozen=True, slots=True)
class Eraser:
    """Erases a person.

    Attributes:
        who: the person.
        tombstones: those of the person.
        mask: returns the hash of a value.
    """

    who: Who
    tombstones: Tombstones
    mask: Callable[[str], str]

    def erase(self, session: Session, table: PeopleTable) -> Erased | None:
        """Erase the person from a table, in an open transaction; return None when it has nothing of them."""
        tests = conditions(session, table, self.who)
        if not tests:
            return None
        before = self._read(session, table, tests)
        if not before.num_rows:
            return None
        clear = self._opened(before)
        after = _unique(table, self._sealed(table, before, clear, self._forgotten(table, clear)))
        stays = set(after.column(_ROW).to_pylist())
        gone = [row for row in before.column(_ROW).to_pylist() if row not in stays]
        changed, rows = _changes(before, after)
        if not gone and not changed:
            return None
        with tempfile.TemporaryDirectory(prefix="leat-erase-", dir=session.scratch()) as folder:
            _delete(session, table, gone, Path(folder))
            if changed:
                _update(session, table, after.take(rows), changed, Path(folder))
        return Erased(str(table), len(gone), len(rows))

    def _read(self, session: Session, table: PeopleTable, tests: Mapping[str, Any]) -> Any:
        """Return the rows that name the person: their texts, and the columns that erasing may change or look at."""
        import pyarrow as pa

        wanted = [
            name
            for name, kind in table.columns.items()
            if kind in ("string", "json") or name in table.key or _matters(table.declared.get(name))
        ]
        listed = ", ".join(f"CAST(t.{quote(name)} AS VARCHAR)" for name in wanted)
        anyhow = " OR ".join(test.sql for test in tests.values())
        rows = session.execute(
            f"SELECT {session.dialect.row_id('t')}, {listed} FROM {table.quoted} AS t WHERE {anyhow}",
            [value for test in tests.values() for value in test.params],
        )
        columns = list(zip(*rows, strict=True)) or [()] * (len(wanted) + 1)
        return pa.table({
            name: pa.array(values, pa.string()) for name, values in zip([_ROW, *wanted], columns, strict=True)
        })  # fmt: skip

    def _opened(self, rows: Any) -> Any:
        """Return the rows with values in clear; in texts around encrypted ones, these are changed at once."""
        texts = self.who.texts
        if texts is None:
            return rows

        def opened(text: str) -> str:
            return texts.opened(text) if TOKEN.fullmatch(text) else texts.changed(text, self.tombstones.text)

        for name in rows.column_names:
            rows = _mapped(rows, name, opened)
        return rows

    def _sealed(self, table: PeopleTable, before: Any, clear: Any, after: Any) -> Any:
        """Return changed rows with ciphertexts where there were some; what hasn't changed has the same one."""
        texts = self.who.texts
        if texts is None:
            return after
        import pyarrow as pa

        places = {row: place for place, row in enumerate(before.column(_ROW).to_pylist())}
        origin = [places[row] for row in after.column(_ROW).to_pylist()]
        for index, name in enumerate(after.column_names):
            stored, opened = before.column(name).to_pylist(), clear.column(name).to_pylist()
            values = [
                _again(texts, stored[place], opened[place], value, table.origin(name))
                for place, value in zip(origin, after.column(name).to_pylist(), strict=True)
            ]
            after = after.set_column(index, name, pa.array(values, pa.string()))
        return after

    def _forgotten(self, table: PeopleTable, rows: Any) -> Any:
        declared = {name: Column(name, kind, "") for name, kind in table.columns.items() if kind == "json"}
        columns = {**declared, **table.declared}
        plain = {hashed: value for (_, _, value), hashed in self.who.masks.items()}
        for name in table.masked & set(rows.column_names):
            rows = _mapped(rows, name, lambda value: plain.get(value, value))
        forgetting = Forgetting(self.tombstones, table.schema, columns, table.key)
        after = forgetting.rows(rows)
        replaced = [self.tombstones.replacement(value, kind) for kind, _, value in self.who.identities]
        masked = table.masked & set(rows.column_names)
        hashes = {value: self.mask(value) for value in (*plain.values(), *replaced)} if masked else {}
        for name in masked:
            after = _mapped(after, name, lambda value: hashes.get(value, value))
        whole = _WHOLE.get((table.schema, table.name))
        return after if whole is None else _mapped(after, whole, lambda _value: _INSTEAD[whole])


def _again(texts: SealedTexts, stored: str | None, opened: str | None, value: str | None, origin: bytes) -> str | None:
    """Return what is stored of a value: its ciphertext, where there was one."""
    if stored is None or value is None or value in _INSTEAD.values() or TOKEN.fullmatch(stored) is None:
        return value
    return texts.lasting(stored) if value == opened else texts.sealed(stored, value, origin)


def _matters(column: Column | None) -> bool:
    return column is not None and (column.personal or column.subject is not None)


def _mapped(rows: Any, name: str, change: Callable[[str], str]) -> Any:
    import pyarrow as pa

    index = rows.column_names.index(name)
    values = [None if value is None else change(value) for value in rows.column(name).to_pylist()]
    return rows.set_column(index, name, pa.array(values, pa.string()))


def _changes(before: Any, after: Any) -> tuple[list[str], list[int]]:
    """Return the columns that have changed in some row, and the rows of ``after`` that have changed."""
    places = {row: place for place, row in enumerate(before.column(_ROW).to_pylist())}
    origin = [places[row] for row in after.column(_ROW).to_pylist()]
    changed, rows = [], set[int]()
    for name in after.column_names:
        if name == _ROW:
            continue
        old, new = before.column(name).to_pylist(), after.column(name).to_pylist()
        different = {place for place, value in enumerate(new) if value != old[origin[place]]}
        if different:
            changed.append(name)
            rows |= different
    return changed, sorted(rows)


def _delete(session: Session, table: PeopleTable, gone: Sequence[str], folder: Path) -> None:
    if gone:
        _stage(session, _GONE, {_ROW: list(gone)}, folder)
        session.change(
            f"DELETE FROM {table.quoted} AS t WHERE {session.dialect.row_id('t')} IN (SELECT {_ROW} FROM {_GONE})"
        )


def _update(session: Session, table: PeopleTable, rows: Any, changed: Sequence[str], folder: Path) -> None:
    key = table.key if table.kind == "stream" and set(table.key) & set(changed) else ()
    _stage(session, _CHANGED, {name: rows.column(name).to_pylist() for name in dict.fromkeys((_ROW, *changed, *key))},
           folder)  # fmt: skip
    if key:
        _make_room(session, table, key)
    typed = {name: session.dialect.sql_type(table.columns[name]) for name in changed}
    sets = ", ".join(f"{quote(name)} = CAST(s.{quote(name)} AS {kind})" for name, kind in typed.items())
    row = session.dialect.row_id("t")
    session.change(f"UPDATE {table.quoted} AS t SET {sets} FROM {_CHANGED} AS s WHERE {row} = s.{_ROW}")


def _make_room(session: Session, table: PeopleTable, key: Sequence[str]) -> None:
    """Delete rows that have the key already that others are about to get: a load came after an interrupted erasure."""
    row = session.dialect.row_id("t")
    same = " AND ".join(f"CAST(t.{quote(name)} AS VARCHAR) = s.{quote(name)}" for name in key)
    clash = f"SELECT {row} FROM {_CHANGED} AS s JOIN {table.quoted} AS t ON {same} WHERE {row} <> s.{_ROW}"
    session.change(f"DELETE FROM {table.quoted} AS t WHERE {row} IN ({clash})")


def _unique(table: PeopleTable, rows: Any) -> Any:
    """Return the rows of a stream with each key once: two that differed in capitals may have become one."""
    if table.kind != "stream" or not table.key:
        return rows
    keys = zip(*(rows.column(name).to_pylist() for name in table.key), strict=True)
    last = {key: place for place, key in enumerate(keys)}
    return rows if len(last) == rows.num_rows else rows.take(sorted(last.values()))


def _stage(session: Session, name: str, columns: Mapping[str, list[Any]], folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = arrow_schema(tuple(Column(column, "string", "") for column in columns))
    file = folder / f"{name}.parquet"
    parquet.write_table(pa.table(columns, schema=schema), file)
    session.stage(name, [file], schema)
