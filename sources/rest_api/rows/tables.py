"""The place where a record becomes a row: records of one endpoint to an Arrow table of its stream.

Values are cut out of each record and fitted a column at a time (:mod:`fit`). What isn't declared goes to ``extra``, as
the server wrote it. A record that doesn't fit, whatever the reason, is quarantined alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from leat.sources import column_domain
from leat.sources.errors import IntegrationError
from leat.sources.events import Quarantined
from leat.sources.json_path import Path, write_path
from leat.sources.rest_api.declaration.endpoint import Endpoint, stream_of
from leat.sources.rest_api.declaration.formats import TEXT
from leat.sources.rest_api.rows.fit import Array, Fitted, compute, fit
from leat.sources.rest_api.rows.records import Record, Records
from leat.sources.rest_api.rows.undeclared import tree_of, undeclared_in
from leat.sources.stream import EXTRA

if TYPE_CHECKING:
    import pyarrow as pa

    from leat.sources.rest_api.declaration.column import ColumnOptions

_KEY = 500
"""How much of a key is shown."""
_LARGE = 2**20
"""Bytes from which on columns are fitted several at a time."""
_THREADS = 4
_MISSING = msgspec.Raw(b"")


_NO_RECORD = {"csv": "a line has to have as many cells as there are names, in the declared encoding"}


@dataclass(frozen=True, slots=True)
class Read:
    """Records as rows, those that don't fit, and the digest of each row's record."""

    table: pa.Table
    bad: Sequence[Quarantined]
    digests: Sequence[str]


class Tables:
    """Makes tables of the records of one endpoint.

    Args:
        name: of the endpoint.
        endpoint: its declaration.
        outer: the endpoint in whose records the list is nested; None when it isn't.
    """

    def __init__(self, name: str, endpoint: Endpoint, outer: Endpoint | None) -> None:
        self._name = name
        self._endpoint = endpoint
        self._outer = outer
        self._stream = stream_of(name, endpoint)
        self._own = {c: endpoint.where(c) for c, o in endpoint.columns.items() if o.parent is None}
        self._of_parent = {c: str(o.parent) for c, o in endpoint.columns.items() if o.parent is not None}
        self._own.pop(endpoint.keyed_by or "", None)
        self._tree = tree_of(self._own.values())
        self._is_text = (outer or endpoint).format.kind in TEXT
        self._flat = all(len(path) == 1 and isinstance(path[0], str) for path in self._own.values())
        self._any = any(not path or str(path[0]).isdecimal() for path in self._own.values())

    def read(self, records: Records, outer: Records | None = None) -> Read:
        """Return records as a table, and those that can't be rows.

        Args:
            records: the records.
            outer: for each the one in which it is nested; None where it isn't.
        """
        try:
            return self._read(records, outer)
        except IntegrationError:
            raise
        except Exception as error:
            if len(records) == 1:
                return self._refused(records[0], f"can't become a row ({type(error).__name__})")
        half = len(records) // 2
        above = (None, None) if outer is None else (outer[:half], outer[half:])
        return _joined(self.read(records[:half], above[0]), self.read(records[half:], above[1]))

    def _read(self, records: Records, outer: Records | None) -> Read:
        import pyarrow as pa

        bad: dict[int, str] = {}
        texts: dict[Path, Array] = {}
        fits: dict[str, tuple[ColumnOptions, Array]] = {}
        columns: dict[str, Array] = {}
        for column, path in self._own.items():
            if path not in texts:
                texts[path] = _texts(records, path, bad)
            fits[column] = self._endpoint.columns[column], texts[path]
        if (name := self._endpoint.keyed_by) is not None:
            options = self._endpoint.columns[name].model_copy(update={"convert": True})
            fits[name] = options, pa.array([record.name for record in records], pa.string())
        for column, parent in self._of_parent.items():
            kind = self._stream.schema().field(column).type
            if self._outer is None or outer is None:
                columns[column] = pa.array([row[parent] for row in records.parents], kind)
                continue
            above = self._outer.columns[parent].parent
            if above is not None:  # the record has it from the row for which it was asked
                columns[column] = pa.array([row[above] for row in outer.parents], kind)
            else:
                fits[column] = self._outer.columns[parent], _texts(outer, self._outer.where(parent), bad)
        columns |= self._fitted(fits, bad)
        columns[EXTRA] = self._extras(records, texts, bad)
        schema = self._stream.schema()
        return self._sorted_out(records, pa.table([columns[name] for name in schema.names], schema=schema), bad)

    def _fitted(self, fits: Mapping[str, tuple[ColumnOptions, Array]], bad: dict[int, str]) -> dict[str, Array]:
        """Return columns in their types, several at a time: Arrow doesn't hold the interpreter while it works."""

        def one(column: str) -> Fitted:
            options, texts = fits[column]
            if self._is_text and not options.convert:
                options = options.model_copy(update={"convert": True})
            return fit(column, options, texts)

        if sum(texts.nbytes for _, texts in fits.values()) < _LARGE:
            fitted = list(map(one, fits))
        else:
            with ThreadPoolExecutor(_THREADS) as pool:
                fitted = list(pool.map(one, fits))
        for each in fitted:
            for row, reason in each.bad.items():
                bad.setdefault(row, reason)
        return {column: each.values for column, each in zip(fits, fitted, strict=True)}

    def _extras(self, records: Records, texts: Mapping[Path, Array], bad: dict[int, str]) -> Array:
        """Return what isn't declared, as JSON objects; null where there is nothing."""
        import pyarrow as pa

        tree = self._tree
        taken = sum(len(column) - column.null_count for column in texts.values())
        if tree is None or (self._flat and sum(map(len, records.fields)) == taken):
            return pa.nulls(len(records), pa.string())
        left = [undeclared_in(fields, tree) for fields in records.fields]
        extras = pa.array([msgspec.json.encode(each) if each else None for each in left], pa.string())
        for row, reason in column_domain.outside("json", extras, valid_json=True).items():
            bad.setdefault(row, f"a field that isn't declared {reason}")
        return extras

    def _sorted_out(self, records: Records, table: pa.Table, bad: dict[int, str]) -> Read:
        """Take out the rows that don't fit, lack a part of the key, or are of records that are no objects."""
        import pyarrow as pa

        pc = compute()
        for i, record in records.opened.items():
            if record.wrong is not None:
                bad[i] = record.wrong
            elif not self._any and not record.is_object:
                bad[i] = _NO_RECORD.get(self._endpoint.format.kind, "a record has to be a JSON object")
        for name in self._stream.key:
            for i in pc.indices_nonzero(pc.is_null(table.column(name))).to_pylist():
                bad.setdefault(i, f"key column {name} is missing")
        if not bad:
            return Read(table, (), [record.digest() for record in records] if self._endpoint.incremental else ())
        refused = [self._quarantined(records[i], table.slice(i, 1), bad[i]) for i in sorted(bad)]
        good = [i not in bad for i in range(len(records))]
        digests = [r.digest() for r, is_good in zip(records, good, strict=True) if is_good]
        return Read(table.filter(pa.array(good, pa.bool_())), refused, digests)

    def _quarantined(self, record: Record, row: pa.Table | None, reason: str) -> Quarantined:
        """Return a record that is no row: identified by its key, by its digest where the key isn't whole."""
        key = [] if row is None else [row.column(name)[0].as_py() for name in self._stream.key]
        whole = dict(zip(self._stream.key, key, strict=True)) if key and None not in key else {}
        shown = " ".join(map(str, key)) if whole else f"record {record.digest()[:16]}"
        return Quarantined(self._name, shown[:_KEY], reason, record.shown(), whole)

    def _refused(self, record: Record, reason: str) -> Read:
        return Read(self._stream.schema().empty_table(), [self._quarantined(record, None, reason)], ())


def _joined(first: Read, second: Read) -> Read:
    import pyarrow as pa

    table = pa.concat_tables([first.table, second.table])
    return Read(table, [*first.bad, *second.bad], [*first.digests, *second.digests])


def _texts(records: Records, path: Path, bad: dict[int, str]) -> Array:
    """Return what is at a path in each record."""
    if len(path) == 1 and isinstance(path[0], str):
        name = path[0]
        return _column([fields.get(name, _MISSING) for fields in records.fields])
    import pyarrow as pa

    result: list[bytes | None] = []
    for i, record in enumerate(records):
        try:
            result.append(next(record.reach(path), None))
        except ValueError as error:
            result.append(None)
            bad.setdefault(i, f"{write_path(path[:-1])} {error}")
    return pa.array(result, pa.string())


def _column(values: Sequence[msgspec.Raw]) -> Array:
    """Return texts as an Arrow column, null for an empty one; no object is made of each."""
    import numpy as np
    import pyarrow as pa

    sizes = np.fromiter(map(len, values), np.int64, len(values))
    ends = np.concatenate([[0], np.cumsum(sizes)])
    there = pa.array(sizes > 0).buffers()[1]
    offsets = pa.py_buffer(ends.astype(np.int32, casting="same_kind").tobytes())
    return pa.Array.from_buffers(pa.string(), len(values), [there, offsets, pa.py_buffer(b"".join(values))])
