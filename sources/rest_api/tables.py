"""Files of records to Arrow tables of a stream, by DuckDB: no Python object is made of a record that fits.

DuckDB cuts each record into its fields, as JSON text; :mod:`fit` makes columns of them. What the stream doesn't know
goes to ``extra`` as it is. JSON is kept as the server orders it, without blanks.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sources.events import Quarantined
from sources.rest_api.cleaning import cleaned
from sources.rest_api.declared import Endpoint, stream_of
from sources.rest_api.fit import Array, compute, fit
from sources.stream import EXTRA

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

DIGEST = "leat_digest"
_EMPTY = "leat_no_object"
_FILE = "leat_file"
_RECORD = "leat_record"


@dataclass(frozen=True, slots=True)
class Read:
    """Records as rows, those that don't fit, and a digest of each row's record where it was asked for."""

    table: pa.Table
    bad: Mapping[int, Quarantined]
    digests: Any


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
        self._own = [column for column, options in endpoint.columns.items() if options.parent is None]
        self._of_parent = [column for column, options in endpoint.columns.items() if options.parent is not None]

    def read(
        self, con: duckdb.DuckDBPyConnection, files: Sequence[Path], parents: Mapping[str, Mapping[str, Any]]
    ) -> Read:
        """Return the records of files, each of which is a JSON array.

        Args:
            con: any connection.
            files: the files, in order of arrival.
            parents: by file, the values of the parent's row, for the columns that take them.
        """
        paths = [_pointer(self._endpoint.where(column)) for column in self._own]
        bound: dict[str, Any] = {"files": [str(file) for file in files], "paths": paths}
        bound |= {"known": self._known(), "patch": json.dumps(dict.fromkeys(self._known()))}
        if self._outer is not None:
            bound["nested"] = _pointer(tuple(str(self._endpoint.records).split(".")))
            bound["outer"] = [_pointer(self._outer.where(self._parent(column))) for column in self._of_parent]
        largest = max(file.stat().st_size for file in files) + 1024  # DuckDB takes buffers of twice the size
        raw = con.execute(self._sql(largest), bound).to_arrow_table().combine_chunks()
        read = self._fitted(raw, parents)
        return self._with_records(con, largest, bound, read) if read.bad else read

    def _known(self) -> list[str]:
        return sorted({self._endpoint.where(column)[0] for column in self._own})

    def _parent(self, column: str) -> str:
        return str(self._endpoint.columns[column].parent)

    def _sql(self, largest: int, record: bool = False) -> str:
        """Return the query, to which what a user declares is bound; fields are texts of JSON, in order of columns."""
        source = (
            "SELECT json, NULL AS o, filename FROM read_json_objects($files, format = 'array', filename = true, "  # noqa: S608
            f"maximum_object_size = {largest})"
        )
        shown = [f"x[{i}] AS c{i}" for i in range(1, len(self._own) + 1)]
        outer = "NULL"
        if self._outer is not None:
            inner = source.replace("NULL AS o", "json AS o")
            source = (
                f"SELECT unnest(json_extract(json_extract(o, $nested), '$[*]')) AS json, o, filename FROM ({inner})"  # noqa: S608
            )
            outer = "json_extract(o, $outer)"
            shown += [f"y[{i}] AS p{i}" for i in range(1, len(self._of_parent) + 1)]
        digest = "md5(json(json))" if self._endpoint.incremental else "NULL"
        return (
            f"SELECT {', '.join(shown)}{', ' if shown else ''} json_type(json) <> 'OBJECT' AS {_EMPTY}, "  # noqa: S608
            f"filename AS {_FILE}, {digest} AS {DIGEST}, CASE WHEN NOT list_has_all($known, json_keys(json)) "
            f"THEN json_merge_patch(json, $patch) END AS {EXTRA}{', json AS ' + _RECORD if record else ''} "
            f"FROM (SELECT json, filename, json_extract(json, $paths) AS x, {outer} AS y FROM ({source}))"
        )

    def _fitted(self, raw: pa.Table, parents: Mapping[str, Mapping[str, Any]]) -> Read:
        import pyarrow as pa

        columns: dict[str, Array] = {}
        bad: dict[int, str] = {}
        named = [(f"c{i}", column) for i, column in enumerate(self._own, 1)]
        if self._outer is not None:
            named += [(f"p{i}", column) for i, column in enumerate(self._of_parent, 1)]
        for there, column in named:
            options = self._endpoint.columns[column]
            unix = self._outer.columns[self._parent(column)].unix if self._outer and options.parent else options.unix
            fitted = fit(column, options.type, _array(raw, there), unix)
            columns[column] = fitted.values
            for row, reason in fitted.bad.items():
                bad.setdefault(row, reason)
        if self._outer is None and self._of_parent:
            files = _array(raw, _FILE).to_pylist()
            for column in self._of_parent:
                values = [parents[str(file)][self._parent(column)] for file in files]
                columns[column] = pa.array(values, self._stream.schema().field(column).type)
        columns[EXTRA] = _extra(_array(raw, EXTRA))
        schema = self._stream.schema()
        table = pa.table([columns[name] for name in schema.names], schema=schema)
        return self._without_bad(raw, table, bad)

    def _without_bad(self, raw: pa.Table, table: pa.Table, bad: dict[int, str]) -> Read:
        """Take out the rows that don't fit, lack a part of the key, or are of records that are no objects."""
        import pyarrow as pa

        pc = compute()

        for i in _rows(_array(raw, _EMPTY).fill_null(True)):
            bad[i] = "a record has to be a JSON object"
        for name in self._stream.key:
            for i in _rows(pc.is_null(table.column(name))):
                bad.setdefault(i, f"key column {name} is missing")
        digests = _array(raw, DIGEST) if self._endpoint.incremental else None
        if not bad:
            return Read(table, {}, digests)
        refused = {}
        for i, reason in sorted(bad.items()):
            shown = " ".join(str(table.column(name)[i]) for name in self._stream.key)
            refused[i] = Quarantined(self._name, shown, reason, "")
        keep = pa.array([i not in bad for i in range(len(table))])
        return Read(table.filter(keep), refused, None if digests is None else digests.filter(keep))

    def _with_records(self, con: duckdb.DuckDBPyConnection, largest: int, bound: dict[str, Any], read: Read) -> Read:
        """Return the same with the text of each record that doesn't fit; that is read only when it is needed."""
        texts = con.execute(self._sql(largest, record=True), bound).to_arrow_table().column(_RECORD)
        bad = {i: replace(each, record=str(texts[i].as_py()).strip()) for i, each in read.bad.items()}
        return replace(read, bad=bad)


def _array(table: pa.Table, name: str) -> Array:
    """Return a column in one piece."""
    import pyarrow as pa

    column = table.column(name).combine_chunks()
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def _rows(mask: Any) -> list[int]:
    """Return the numbers of the rows where a mask is true."""
    pc = compute()

    found: Any = pc.indices_nonzero(mask)
    return list(found.to_pylist())


def _pointer(path: tuple[str, ...]) -> str:
    """Return a path as a JSON pointer (RFC 6901)."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _extra(texts: Array) -> Array:
    """Return what the stream doesn't know, without nulls; nothing when that is all there is."""
    import pyarrow as pa

    pc = compute()

    if texts.null_count == len(texts):
        return texts.cast(pa.string())
    odd: Any = pc.or_(pc.match_substring(texts, ":null"), pc.match_substring(texts, "\\u0000")).fill_null(False)
    if pc.any(odd).as_py():
        read = [_without_nulls(json.loads(text)) for text in texts.filter(odd).to_pylist()]
        texts = pc.replace_with_mask(texts, odd, pa.array(read, pa.string()))
    return pc.if_else(pc.equal(texts, "{}"), pa.scalar(None, pa.string()), texts)


def _without_nulls(value: dict[str, Any]) -> str:
    kept = {key: item for key, item in cleaned(value).items() if item is not None}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


@contextlib.contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection that keeps rows in the order of the files and takes little memory."""
    import duckdb

    with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as con:
        yield con
