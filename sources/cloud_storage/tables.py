"""Lines of a listing to Arrow tables of the streams, column by column: a bucket may hold millions of objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from leat.sources.cloud_storage.s3.pages import LATEST, MARKER, OBJECT, OLD_MARKER, OLDER
from leat.sources.cloud_storage.streams import DELETE_MARKERS, OBJECT_VERSIONS, OBJECTS
from leat.sources.errors import IntegrationError
from leat.sources.events import Quarantined, Rows

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 20_000
_FIELDS = ("key", "version_id", "kind", "etag", "size", "last_modified", "storage_class", "owner_id", "owner_name")
_KINDS = {
    OBJECTS.name: (OBJECT, LATEST),
    OBJECT_VERSIONS.name: (LATEST, OLDER),
    DELETE_MARKERS.name: (MARKER, OLD_MARKER),
}


REFUSED = b"!"
"""Prefix of the size in a line for an entry that can't be a row; the reason follows."""


class Refused(ValueError):
    """A line that no row can be made of; says why."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose lines they are: the bucket, and the folders that have a declared owner, the deepest last."""

    bucket: str
    owners: Sequence[tuple[str, str]] = ()


def tables_of(lines: list[bytes], scope: Scope) -> Iterator[pa.Table | Quarantined]:
    """Yield tables of all columns that the streams know, and the lines that can't be understood, alone."""
    if not lines:
        return
    try:
        yield _table(lines, scope)
    except IntegrationError:
        raise
    except Exception as error:
        if len(lines) > 1:
            half = len(lines) // 2
            yield from tables_of(lines[:half], scope)
            yield from tables_of(lines[half:], scope)
            return
        text = lines[0].decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
        yield Quarantined(_stream_of(lines[0]), text.split("\t")[0][:500], _reason(lines[0], error), text[:4000])


def rows_of(table: pa.Table, stream: str) -> Iterator[Rows]:
    """Yield the rows of one stream."""
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute

    kinds = pa.array([kind.decode() for kind in _KINDS[stream]])
    rows = table.filter(pc.is_in(table["kind"], kinds))
    if rows.num_rows:
        stream_of = {each.name: each for each in (OBJECTS, OBJECT_VERSIONS, DELETE_MARKERS)}[stream]
        schema = stream_of.schema()
        yield Rows(stream, rows.select(schema.names).cast(schema))


def _table(lines: list[bytes], scope: Scope) -> pa.Table:
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute

    columns: dict[str, Any] = {
        name: pa.array(values, pa.binary())
        for name, values in zip(_FIELDS, zip(*(line.split(b"\t") for line in lines), strict=True), strict=True)
    }
    encoded = pc.match_substring(columns["key"], b"%")
    if pc.any(encoded).as_py():
        columns["key"] = pa.array([_key(value) for value in columns["key"].to_pylist()], pa.binary())
    columns = {name: column.cast(pa.string()) for name, column in columns.items()}
    if pc.any(pc.equal(columns["key"], "")).as_py():
        msg = "the server's entry has no Key"
        raise Refused(msg)
    for name in _FIELDS[3:]:
        columns[name] = pc.if_else(pc.equal(columns[name], ""), pa.scalar(None, pa.string()), columns[name])
    versions, kind = columns["version_id"], columns["kind"]
    unversioned = pc.and_(pc.equal(versions, ""), pc.equal(kind, OBJECT.decode()))
    columns["version_id"] = pc.if_else(unversioned, pa.scalar(None, pa.string()), versions)
    columns["size"] = columns["size"].cast(pa.int64())
    columns["last_modified"] = columns["last_modified"].cast(pa.timestamp("us", "UTC"))
    columns["is_latest"] = pc.is_in(kind, pa.array([LATEST.decode(), MARKER.decode(), OBJECT.decode()]))
    columns["prefix"] = pc.replace_substring_regex(columns["key"], r"(?s)^([^/]*/)?.*$", r"\1")
    columns["owner_email"] = _emails(columns, scope)
    count = len(lines)
    columns["bucket"] = pa.repeat(pa.scalar(scope.bucket), count)
    columns["extra"] = pa.nulls(count, pa.string())
    return pa.table(columns)


def _emails(columns: dict[str, Any], scope: Scope) -> Any:
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute

    none = pa.scalar(None, pa.string())
    emails = pa.nulls(len(columns["key"]), pa.string())
    for name in ("owner_id", "owner_name"):
        is_mail = pc.fill_null(pc.match_substring(columns[name], "@"), False)
        emails = pc.if_else(is_mail, pc.utf8_lower(pc.if_else(is_mail, columns[name], none)), emails)
    for prefix, email in scope.owners:
        emails = pc.if_else(pc.starts_with(columns["key"], prefix), email, emails)
    return emails


def _key(text: bytes) -> bytes:
    key = unquote_to_bytes(text)
    if b"\x00" in key:
        msg = "its name holds a NUL, which no warehouse can store"
        raise Refused(msg)
    return key


def _stream_of(line: bytes) -> str:
    kind = line.split(b"\t")[2:3]
    return next((stream for stream, kinds in _KINDS.items() if kind and kind[0] in kinds), OBJECTS.name)


def _reason(line: bytes, error: Exception) -> str:
    """Return what is wrong with an entry: which field, and not what it holds."""
    values = dict(zip(_FIELDS, line.split(b"\t"), strict=False))
    size = values.get("size", b"")
    if size.startswith(REFUSED):
        return size.removeprefix(REFUSED).decode()
    if not values.get("key"):
        return "the server's entry has no Key"
    if isinstance(error, Refused):
        return str(error)
    for name in _FIELDS:
        try:
            (unquote_to_bytes(values.get(name, b"")) if name == "key" else values.get(name, b"")).decode()
        except UnicodeDecodeError:
            return f"{name} is no text in UTF-8"
    if size and not size.isdigit():
        return "size is no number"
    return "last_modified is no time" if values.get("last_modified") else f"it can't be read ({type(error).__name__})"
