"""Messages from the server to rows, in batches bounded by number and by bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sources.batch import clean
from sources.driver import Sync
from sources.email.failures import said_no
from sources.email.flags import flags_row, flags_text
from sources.email.index import Index
from sources.email.mailboxes import Mailbox
from sources.email.rows import Fetched, read_message
from sources.email.session import Session
from sources.email.threads import own_id, remember, thread_of
from sources.errors import IntegrationError
from sources.events import Event, Quarantined
from sources.replacing import Replacement

AT_A_TIME = 500
_BYTES_AT_A_TIME = 8 * 2**20
_ABOUT = ("UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE")
_OF_THE_BODY = {"messages", "attachments", "bounces"}


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading messages needs: where they go, what is known, and how much of a message is read."""

    sync: Sync
    out: Replacement
    index: Index
    max_bytes: int
    store: Callable[[bytes], str] | None


@dataclass(frozen=True, slots=True)
class _Listed:
    uid: int
    flags: str
    size: int
    received_at: datetime | None


def read_messages(
    session: Session, reader: Reader, mailbox: Mailbox, uidvalidity: int, uids: Sequence[int]
) -> Iterator[Event]:
    """Yield the rows of messages of the open mailbox, and write them into the index.

    One that can't be fetched or understood is quarantined alone; one that is gone meanwhile is left out.
    """
    for at in range(0, len(uids), AT_A_TIME):
        some = uids[at : at + AT_A_TIME]
        wanted = set(some)
        found, _ = session.fetch(uid_set(some), _ABOUT)
        listed = [_listed(uid, items) for uid, items in sorted(found.items()) if uid in wanted]
        for group in _groups(listed, reader.max_bytes):
            yield from _read_group(session, reader, mailbox, uidvalidity, group)
        reader.sync.progress(f"read {mailbox.name} of {session.account}", len(listed))


def uid_set(uids: Sequence[int]) -> str:
    """Return ascending UIDs as a set (RFC 9051, sequence-set): ``1:3,7``."""
    pieces: list[list[int]] = []
    for uid in uids:
        if pieces and uid == pieces[-1][1] + 1:
            pieces[-1][1] = uid
        else:
            pieces.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in pieces)


def _listed(uid: int, items: dict[bytes, Any]) -> _Listed:
    from imapclient.datetime_util import parse_to_datetime  # type: ignore[import-untyped]

    date, size = items.get(b"INTERNALDATE"), items.get(b"RFC822.SIZE")
    try:
        received = parse_to_datetime(date, normalise=False) if isinstance(date, bytes) else None
    except ValueError:
        received = None
    return _Listed(uid, flags_text(items.get(b"FLAGS")), size if isinstance(size, int) else 0, received)


def _groups(listed: list[_Listed], max_bytes: int) -> Iterator[list[_Listed]]:
    """Yield messages together that aren't too much for one answer; one that is too large comes alone."""
    group: list[_Listed] = []
    total = 0
    for one in listed:
        if one.size > max_bytes:
            yield [one]
            continue
        if group and total + one.size > _BYTES_AT_A_TIME:
            yield group
            group, total = [], 0
        group.append(one)
        total += one.size
    if group:
        yield group


def _read_group(
    session: Session, reader: Reader, mailbox: Mailbox, uidvalidity: int, group: list[_Listed]
) -> Iterator[Event]:
    complete = group[0].size <= reader.max_bytes
    item = "BODY.PEEK[]" if complete else f"BODY.PEEK[]<0.{reader.max_bytes}>"
    if not _OF_THE_BODY & reader.sync.streams:
        item, complete = "BODY.PEEK[HEADER]", True
    try:
        found, _ = session.fetch(uid_set([one.uid for one in group]), ("UID", item))
    except IntegrationError as error:
        if not said_no(error):
            raise
        if len(group) > 1:
            for one in group:
                yield from _read_group(session, reader, mailbox, uidvalidity, [one])
            return
        yield from _broken(session, reader, mailbox, uidvalidity, group[0], str(error), b"")
        return
    for one in group:
        items = found.pop(one.uid, {})
        raw = next((value for name, value in items.items() if name.startswith(b"BODY[")), None)
        if b"UID" in items:
            body = raw if isinstance(raw, bytes) else b""
            yield from _read_one(session, reader, mailbox, uidvalidity, one, body, complete)


def _read_one(
    session: Session, reader: Reader, mailbox: Mailbox, uidvalidity: int, one: _Listed, raw: bytes, complete: bool
) -> Iterator[Event]:
    key = {"account": session.account, "mailbox": mailbox.name, "uidvalidity": uidvalidity, "uid": one.uid}
    try:
        read = read_message(Fetched(key, raw, one.size, one.received_at, complete), reader.store)
    except Exception as error:  # one message must never stop the others
        yield from _broken(session, reader, mailbox, uidvalidity, one, f"{type(error).__name__}: {error}", raw)
        return
    thread = thread_of(reader.index, key, read.message_id, read.ancestors)
    remember(reader.index, key, own_id(key, read.message_id), thread, one.flags, one.received_at)
    try:
        yield from reader.out.add_all(_with_thread(read.rows, thread))
    except ValueError as error:
        yield Quarantined("messages", _name(session, mailbox, one.uid), str(error), _beginning(raw))
    yield from reader.out.add("flags", flags_row(key, one.flags))


def _with_thread(rows: list[tuple[str, dict[str, Any]]], thread: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for stream, row in rows:
        yield stream, ({**row, "thread_id": thread} if stream == "messages" else row)


def _broken(
    session: Session, reader: Reader, mailbox: Mailbox, uidvalidity: int, one: _Listed, reason: str, raw: bytes
) -> Iterator[Event]:
    """Yield the quarantine of a message; it is written down all the same, so that it isn't tried again in each run."""
    key = {"account": session.account, "mailbox": mailbox.name, "uidvalidity": uidvalidity, "uid": one.uid}
    own = own_id(key, None)
    remember(reader.index, key, own, own, one.flags, one.received_at)
    yield Quarantined("messages", _name(session, mailbox, one.uid), reason, _beginning(raw))


def _name(session: Session, mailbox: Mailbox, uid: int) -> str:
    return f"{session.account}/{mailbox.name}/{uid}"


def _beginning(raw: bytes) -> str:
    return clean(raw[:4_000].decode("utf-8", "backslashreplace"))


def store_in(folder: Path) -> Callable[[bytes], str]:
    """Return a function that keeps content in a folder under its hash, and returns its path below the folder."""

    def store(content: bytes) -> str:
        digest = sha256(content).hexdigest()
        path = folder / digest[:2] / digest
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = path.with_suffix(f".{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_bytes(content)
            draft.replace(path)
        return f"{digest[:2]}/{digest}"

    return store
