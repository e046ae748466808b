"""Which columns of a stream are encrypted, and how."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from leat.sources.stream import EXTRA, Stream


@dataclass(frozen=True, slots=True)
class Encrypted:
    """How a column is encrypted.

    Attributes:
        type: the leat type of its values; in the warehouse it is a text.
        joined: whether equal values have equal ciphertexts, in all columns for which this is true. Otherwise they
            have them only in the same row of the same column.
    """

    type: str
    joined: bool


def encrypted_columns(
    stream: Stream, encrypt: bool | tuple[str, ...], joined: Collection[str], clear: Collection[str]
) -> dict[str, Encrypted]:
    """Return the encrypted columns of a stream; those of the key are always joined, because leat looks rows up by them.

    Args:
        stream: the stream.
        encrypt: the columns; True for those with personal data, and ``extra``.
        joined: those that are joined.
        clear: columns that aren't encrypted, because they are left out or masked.
    """
    if isinstance(encrypt, bool):
        personal = {column.name for column in stream.columns if column.personal}
        # As with masks: what the stream doesn't know may be personal as well, where the rest of the record is.
        wanted = {*personal, EXTRA} if encrypt and personal else set()
    else:
        wanted = set(encrypt)
    wanted -= set(clear)
    return {
        column.name: Encrypted(column.type, column.name in stream.key or column.name in joined)
        for column in stream.all_columns()
        if column.name in wanted
    }
