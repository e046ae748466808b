"""Which columns of a stream are encrypted, and how."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from leat.sources.stream import EXTRA, Column, Stream
from leat.sources.subject import NAME, TEXT


@dataclass(frozen=True, slots=True)
class Encrypted:
    """How a column is encrypted.

    Attributes:
        type: the leat type of its values; in the warehouse it is a text.
        joined: whether equal values have equal ciphertexts, in all columns for which this is true. Otherwise they
            have them only in the same row of the same column.
        person: the column of the row that says whose key encrypts the value; empty where the key is everybody's.
    """

    type: str
    joined: bool
    person: str = ""


def encrypted_columns(
    stream: Stream,
    encrypt: bool | tuple[str, ...],
    joined: Collection[str],
    clear: Collection[str],
    per_person: bool | tuple[str, ...] = False,
) -> dict[str, Encrypted]:
    """Return the encrypted columns of a stream; those of the key are always joined, because leat looks rows up by them.

    Args:
        stream: the stream.
        encrypt: the columns; True for those with personal data, and ``extra``.
        joined: those that are joined.
        clear: columns that aren't encrypted, because they are left out or masked.
        per_person: those that are encrypted by a key of the person they are about; True for all that aren't joined.
    """
    if isinstance(encrypt, bool):
        personal = {column.name for column in stream.columns if column.personal}
        # As with masks: what the stream doesn't know may be personal as well, where the rest of the record is.
        wanted = {*personal, EXTRA} if encrypt and personal else set()
    else:
        wanted = set(encrypt)
    wanted -= set(clear)
    return {
        column.name: _how(stream, column, column.name in stream.key or column.name in joined, per_person)
        for column in stream.all_columns()
        if column.name in wanted
    }


def _how(stream: Stream, column: Column, joined: bool, per_person: bool | tuple[str, ...]) -> Encrypted:
    of_person = not joined and (per_person if isinstance(per_person, bool) else column.name in per_person)
    return Encrypted(column.type, joined, (of_person and person_of(stream, column.name)) or "")


def person_of(stream: Stream, column: str) -> str | None:
    """Return the column that says whose value a column has: the one that it is ``of``, else the key, else the only one.

    None where no column says it, or several might.
    """
    subjects = {each.name: each.subject for each in stream.columns if each.subject is not None}
    naming = {name: subject for name, subject in subjects.items() if subject.kind not in (NAME, TEXT)}
    root = subjects[column].of if column in subjects else None
    if root is None and column in naming:
        root = column
    if root is None:
        roots = {subject.of or name for name, subject in naming.items()}
        roots = roots & set(stream.key) or roots  # a row is about whom its key names
        root = roots.pop() if len(roots) == 1 else None
    is_plain = any(each.name == root and each.type != "json" for each in stream.columns)
    return root if root in naming and is_plain else None
