"""What a server says about messages before they are read, and which are asked for together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leat.sources.email.imap.flags import flags_text

BYTES_AT_A_TIME = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Listed:
    """A message before it is read: its UID, flags, size in bytes, and when the server received it."""

    uid: int
    flags: str
    size: int
    received_at: datetime | None


def uid_set(uids: Sequence[int]) -> str:
    """Return ascending UIDs as a set (RFC 9051, sequence-set): ``1:3,7``."""
    pieces: list[list[int]] = []
    for uid in uids:
        if pieces and uid == pieces[-1][1] + 1:
            pieces[-1][1] = uid
        else:
            pieces.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in pieces)


def listed_of(uid: int, items: dict[bytes, Any]) -> Listed:
    """Return what a FETCH answer says about a message; a size or time that can't be read is none."""
    from imapclient.datetime_util import parse_to_datetime  # type: ignore[import-untyped]

    date, size = items.get(b"INTERNALDATE"), items.get(b"RFC822.SIZE")
    try:
        received = parse_to_datetime(date, normalise=False) if isinstance(date, bytes) else None
    except (ValueError, TypeError, IndexError, OverflowError):
        received = None
    if received is not None and received.tzinfo is None:
        received = None
    return Listed(uid, flags_text(items.get(b"FLAGS")), size if isinstance(size, int) else 0, received)


def groups_of(listed: list[Listed], max_bytes: int) -> Iterator[list[Listed]]:
    """Yield messages together that aren't too much for one answer; one that is too large comes alone."""
    group: list[Listed] = []
    total = 0
    for one in listed:
        if one.size > max_bytes:
            yield [one]
            continue
        if group and total + one.size > BYTES_AT_A_TIME:
            yield group
            group, total = [], 0
        group.append(one)
        total += one.size
    if group:
        yield group
