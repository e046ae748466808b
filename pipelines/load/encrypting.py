"""Encrypts the columns of a load that are declared `encrypt`, before anything of them is written to disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leat.pipelines.declare.encryption import Encrypted
from leat.pipelines.load.cells import Cipher, origin_of
from leat.pipelines.load.people import People
from leat.pipelines.load.table_schema import TableSchema
from leat.sources.domain import arrow_value
from leat.sources.errors import Permanent

if TYPE_CHECKING:
    import pyarrow as pa


class NotComparable(Permanent):
    """A driver names rows by a column whose ciphertexts can't be compared."""


def encrypted(
    name: str, table: pa.Table, schema: TableSchema, cipher: Cipher | None, people: People | None = None
) -> pa.Table:
    """Return a table with ciphertexts in the encrypted columns.

    Args:
        name: of the stream, with its integration.
        table: the rows, in the declared types.
        schema: of the stream's table.
        cipher: encrypts; None only where nothing is encrypted.
        people: gives the ciphers of people; None only where no column is encrypted by them.
    """
    if not schema.encrypted:
        return table
    import pyarrow as pa

    cipher = present(cipher)
    stream = name.partition(".")[2]
    rows = [] if all(each.joined for each in schema.encrypted.values()) else _row_names(table, schema)
    ciphers = {"": [cipher] * len(table)}
    for person in sorted({how.person for how in schema.encrypted.values() if how.person}):
        ciphers[person] = _present(people).of(stream, person, table.column(person), cipher)
    columns = {
        column: _joined(table.column(column), how, cipher)
        if how.joined
        else _of_rows(table.column(column), (name, column), rows, how, ciphers[how.person])
        for column, how in schema.encrypted.items()
    }
    for column, values in columns.items():
        field = pa.field(column, pa.string(), metadata={"leat.type": "string"})
        table = table.set_column(table.column_names.index(column), field, values)
    return table


def present(cipher: Cipher | None) -> Cipher:
    """Return the cipher.

    Raises:
        RuntimeError: there is none, although something is to be encrypted; nothing may then be written.
    """
    if cipher is None:
        msg = "columns are to be encrypted, and there is no key"
        raise RuntimeError(msg)
    return cipher


def _present(people: People | None) -> People:
    if people is None:
        msg = "columns are to be encrypted by keys of people, and there are none"
        raise RuntimeError(msg)
    return people


def compared(integration: str, stream: str, column: str, how: Encrypted, value: Any, cipher: Cipher | None) -> str:
    """Return the ciphertext by which leat finds the rows of a value.

    Raises:
        NotComparable: the column isn't joined.
        ValueError: the value isn't of the column's type.
    """
    if not how.joined:
        raise NotComparable(
            integration,
            f"reading what the driver says of {stream}",
            f"it names rows by {column}, whose ciphertexts can't be compared",
            f"write `joined: [{column}]` for the stream, then run `leat reset {integration} --stream {stream}`",
        )
    return present(cipher).joined(how.type, value if how.type == "json" else arrow_value(how.type, value))


def _joined(column: Any, how: Encrypted, cipher: Cipher) -> Any:
    import pyarrow as pa

    encoded = column.combine_chunks().dictionary_encode()
    values = [None if v is None else cipher.joined(how.type, v) for v in encoded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(encoded.indices)


def _of_rows(column: Any, names: tuple[str, str], rows: list[bytes], how: Encrypted, ciphers: list[Cipher]) -> Any:
    import pyarrow as pa

    (integration, _, stream), name = names[0].partition("."), names[1]
    place, origin = f"{names[0]}\0{name}\0".encode(), origin_of(integration, stream, name)
    values = [
        None if value is None else cipher.of_row(place + row, how.type, value, origin)
        for row, value, cipher in zip(rows, column.to_pylist(), ciphers, strict=True)
    ]
    return pa.array(values, pa.string())


def _row_names(table: pa.Table, schema: TableSchema) -> list[bytes]:
    keys = zip(*(table.column(name).to_pylist() for name in schema.key), strict=True)
    return [repr(key).encode("utf-8", "surrogatepass") for key in keys]


def plain_types(schema: TableSchema) -> Mapping[str, str]:
    """Return the types of the columns before they are encrypted."""
    return {**schema.columns, **{name: how.type for name, how in schema.encrypted.items()}}
