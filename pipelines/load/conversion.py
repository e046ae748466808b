"""What is landed of what a driver yields: the declared columns in their types, and of people only what may be stored.

A row with a value that a warehouse can't hold is quarantined here, before anything of it reaches the warehouse.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from leat.pipelines.load.casting import cast_column
from leat.pipelines.load.cells import GROWTH, OVERHEAD, Cipher, origin_of
from leat.pipelines.load.encrypting import compared, encrypted, plain_types, present
from leat.pipelines.load.forgetting import WITHHELD, Forgetting
from leat.pipelines.load.people import People
from leat.pipelines.load.table_schema import TableSchema
from leat.sources.batch import clean, to_json
from leat.sources.column_domain import outside
from leat.sources.domain import arrow_value
from leat.sources.errors import Permanent
from leat.sources.events import Masked, Quarantined, Rows
from leat.sources.stream import Column, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

MAX_KEY_BYTES = 2000  # Postgres indexes no more than 2704 bytes
MAX_RECORD = 10_000
"""How many characters of a broken record are stored."""

_NO_KEY = frozenset({"", "None", "null"})
_QUOTED = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`""")
_WITHHELD = "not stored, because columns of this stream are masked, left out or encrypted per person"


class BrokenContract(Permanent):
    """A driver yielded what the engine can't take; the driver has a bug."""


def broken_contract(integration: str, got: str) -> BrokenContract:
    """Return the error for what a driver did wrong."""
    return BrokenContract(
        integration, "reading what the driver yields", got, "report this: the driver has to be fixed; nothing is lost"
    )


@dataclass(frozen=True, slots=True)
class Conversion:
    """How what a driver yields is turned into what is landed.

    Attributes:
        tables: the schemas of the selected streams.
        mask_key: the key of the hash that replaces masked values, or what returns it: most loads don't need it.
        excluding: streams with columns left out; none of their records is written as it came.
        erased: what erasing does to the rows of each stream; empty when nobody is erased.
        cipher: encrypts values; None where no column is encrypted.
        people: gives the ciphers of people; None where no column is encrypted by keys of people.
    """

    tables: Mapping[str, TableSchema]
    mask_key: bytes | Callable[[], bytes]
    excluding: frozenset[str] = frozenset()
    erased: Mapping[str, Forgetting] = field(default_factory=dict)
    cipher: Cipher | None = None
    people: People | None = None

    def mask(self, value: str) -> str:
        """Return the keyed hash of a value: equal values stay equal, across streams and integrations too."""
        key = self.mask_key if isinstance(self.mask_key, bytes) else self.mask_key()
        return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()

    def plain(self, value: Any) -> Any:
        """Return a JSON value without the identities of erased people."""
        for forgetting in self.erased.values():
            return forgetting.tombstones.plain(value)
        return value


def converted(integration: str, rows: Rows, conversion: Conversion) -> tuple[pa.Table, list[Quarantined]]:
    """Return the rows that can be landed, and those that can't.

    Raises:
        BrokenContract: the driver left out a column, or a column is of another type.
    """
    import pyarrow as pa

    wanted = conversion.tables[rows.stream]
    missing = set(wanted.columns) - set(rows.table.column_names)
    if missing:
        raise broken_contract(integration, f"rows of {rows.stream} lack the columns {sorted(missing)}")
    types = plain_types(wanted)
    schema = arrow_schema(tuple(Column(name, kind, "") for name, kind in types.items()))
    given = rows.table.select(list(wanted.columns))
    columns, bad = [], dict[int, str]()
    for one in schema:
        try:
            column, refused = cast_column(given.column(one.name), one.type)
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            what = f"column {one.name} is {given.schema.field(one.name).type}, not {one.type}"
            raise broken_contract(integration, f"rows of {rows.stream} are not in its schema: {what}") from error
        if not rows.judged or given.schema.field(one.name).type != one.type:
            refused |= outside(types[one.name], column)
        bad = {row: f"column {one.name} {reason}" for row, reason in refused.items()} | bad
        columns.append(column)
    table = pa.Table.from_arrays(columns, schema=schema)
    bad |= _without_key(table, wanted)
    refused_rows = list(_refused(rows.stream, given, wanted, bad))
    if bad:
        table = table.filter(pa.array([row not in bad for row in range(len(table))]))
    return _private(integration, rows.stream, table, conversion), refused_rows


def _without_key(table: pa.Table, schema: TableSchema) -> dict[int, str]:
    """Return the rows that have no usable key."""
    import pyarrow as pa
    import pyarrow.compute

    pc: Any = pyarrow.compute
    unusable: Any = pa.scalar(False)
    size: Any = pa.scalar(0)
    for name in schema.key:
        column = table.column(name)
        unusable = pc.or_(unusable, pc.is_null(column))
        if pa.types.is_string(column.type) and name not in schema.masked:
            length = pc.cast(pc.fill_null(pc.binary_length(column), 0), pa.int64())
            if name in schema.encrypted:
                length = pc.add(pc.multiply(length, GROWTH), OVERHEAD)
            size = pc.add(size, length)
    unusable = pc.or_(unusable, pc.greater(size, MAX_KEY_BYTES))
    reason = f"a key column ({', '.join(schema.key)}) is null or the key is longer than {MAX_KEY_BYTES} bytes"
    rows = pc.indices_nonzero(unusable).to_pylist() if isinstance(unusable, pa.ChunkedArray) else []
    return dict.fromkeys(rows, reason)


def _refused(stream: str, given: pa.Table, schema: TableSchema, bad: Mapping[int, str]) -> Iterator[Quarantined]:
    for row, reason in sorted(bad.items()):
        record = {name: _plain(given.column(name)[row]) for name in given.column_names}
        identity = {name: record[name] for name in schema.key if record[name] is not None}
        shown = " ".join(str(identity.get(name, "null"))[:200] for name in schema.key)
        whole = identity if len(identity) == len(schema.key) else {}
        yield Quarantined(stream, shown, reason, to_json(record), whole)


def _plain(scalar: Any) -> Any:
    """Return a value as Python has it, or as text where Python can't hold it."""
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):  # a time outside of Python's years, text that isn't UTF-8
        import pyarrow as pa

        if pa.types.is_string(scalar.type):
            return scalar.as_buffer().to_pybytes().decode("utf-8", "replace")
        return f"{scalar.value} {scalar.type}"


def _private(integration: str, stream: str, table: pa.Table, conversion: Conversion) -> pa.Table:
    """Return the rows as they are landed: without who is erased, then with ciphertexts and hashes of hidden values."""
    schema = conversion.tables[stream]
    if stream in conversion.erased:
        table = conversion.erased[stream].rows(table)
    table = encrypted(f"{integration}.{stream}", table, schema, conversion.cipher, conversion.people)
    for name in schema.masked:
        index = table.column_names.index(name)
        table = table.set_column(index, table.schema.field(index), _hashed(table.column(index), conversion.mask))
    return table


def _hashed(column: Any, mask: Callable[[str], str]) -> Any:
    import pyarrow as pa

    encoded = column.combine_chunks().dictionary_encode()
    values = [None if value is None else mask(str(value)) for value in encoded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(encoded.indices)


def quarantine_data(integration: str, event: Quarantined, conversion: Conversion) -> dict[str, Any]:
    """Return what is landed of a broken record: nothing in clear that may be personal where columns are hidden."""
    digest = conversion.mask(clean(event.record))
    schema = conversion.tables[event.stream]
    event = _forgotten(event, conversion)
    of_people = any(how.person for how in schema.encrypted.values())  # a broken record doesn't say whose key it needs
    withheld = bool(schema.masked) or of_people or event.stream in conversion.excluding
    private = withheld or bool(schema.encrypted)
    record = _WITHHELD if withheld else _cut(clean(event.record))
    if private and not withheld:
        place, origin = f"{event.stream}\0{digest}".encode(), origin_of(integration, event.stream, "")
        record = present(conversion.cipher).of_row(place, "string", record, origin)
    hides_key = not {*schema.masked, *schema.encrypted}.isdisjoint(schema.key)
    key = conversion.mask(event.key) if hides_key else clean(event.key)
    identity = _identity(event, schema, conversion)
    keyless = not identity and not _NO_KEY.isdisjoint(re.split("[ /]", event.key))
    return {
        **{"key": key, "reason": _said(event, private), "record": record, "digest": digest},
        **{"keyless": keyless, "identity": identity},
    }


def _forgotten(event: Quarantined, conversion: Conversion) -> Quarantined:
    """Return the record without erased people: what names one of them is not stored."""
    forgetting = conversion.erased.get(event.stream)
    if forgetting is None:
        return event
    identity = {name: forgetting.value(name, value) for name, value in event.identity.items()}
    record = WITHHELD if forgetting.names(event.record) else event.record
    text = forgetting.tombstones.text
    return replace(event, key=text(event.key), reason=text(event.reason), record=record, identity=identity)


def _identity(event: Quarantined, schema: TableSchema, conversion: Conversion) -> dict[str, Any]:
    """Return the key of the row that the record would have become; nothing unless all of it is there."""
    result: dict[str, Any] = {}
    for name in schema.key:
        value = event.identity.get(name)
        try:
            if value is not None and isinstance(value, Masked):
                result[name] = value
            elif value is not None and name in schema.encrypted:
                result[name] = compared("", event.stream, name, schema.encrypted[name], value, conversion.cipher)
            elif value is not None and name in schema.masked:
                result[name] = conversion.mask(str(value))
            elif value is not None and schema.columns[name] != "json":
                result[name] = arrow_value(schema.columns[name], value)
        except ValueError:  # it is the key that is broken
            return {}
    return result if len(result) == len(schema.key) else {}


def _said(event: Quarantined, private: bool) -> str:
    """Return the reason; where columns are hidden or left out, without what is quoted in it."""
    return _QUOTED.sub("…", clean(event.reason)) if private else clean(event.reason)


def _cut(text: str) -> str:
    if len(text) <= MAX_RECORD:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[:MAX_RECORD]}… (cut: {len(text)} characters, SHA-256 {digest})"
