"""What changed in one mailbox: by QRESYNC, else by CONDSTORE (both RFC 7162), else by comparing all UIDs and flags."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leat.sources.email.imap.fetch import Reader, read_messages
from leat.sources.email.imap.flags import flags_row, flags_text
from leat.sources.email.imap.mailboxes import Mailbox
from leat.sources.email.imap.session import Session, Status, windows
from leat.sources.email.streams import OF_A_MESSAGE
from leat.sources.email.threads import touch
from leat.sources.errors import UnexpectedShape
from leat.sources.events import Delete, Event, Logged


def rung_of(session: Session, status: Status) -> str:
    """Return how leat detects changes of a mailbox; some mailboxes have no modification sequences (NOMODSEQ)."""
    return session.rung if status.highestmodseq else "comparison"


def read_changes(
    session: Session, reader: Reader, mailbox: Mailbox, before: Status | None
) -> Generator[Event, None, Status]:
    """Yield what changed in a mailbox since a status, and return the status that the next run goes on from.

    Args:
        session: signed in.
        reader: where rows go.
        mailbox: which one.
        before: the status of the last run; None when nothing of it was loaded.
    """
    now = session.examine(mailbox.wire)
    if before is not None and before.uidvalidity != now.uidvalidity:
        data = {"account": session.account, "mailbox": mailbox.name, "old": before.uidvalidity, "new": now.uidvalidity}
        yield Logged("uidvalidity_changed", data)
        yield from forget(reader, session.account, mailbox.name)
        before = None
    rung = rung_of(session, now) if before is not None else "comparison"
    since = before.highestmodseq if before is not None and before.highestmodseq else 0
    yield from _read_all(session, reader, mailbox, now, rung if since else "comparison", since)
    if rung != "comparison" and _count(reader, session.account, mailbox.name) != now.messages:
        yield from _compare(session, reader, mailbox, now)
    return now


def _read_all(
    session: Session, reader: Reader, mailbox: Mailbox, now: Status, rung: str, since: int
) -> Iterator[Event]:
    """Yield what changed; what wasn't listed is deleted only when the server counts as many messages as it listed.

    Raises:
        UnexpectedShape: it counts more, so that its listing was cut off.
    """
    gone: list[int] = []
    listed = 0
    for window in windows(now.uidnext, now.messages):
        seen = yield from _read_window(session, reader, mailbox, now, window, rung, since)
        listed += seen.listed
        gone += seen.gone
    if rung != "qresync" and listed < now.messages:
        counted = session.examine(mailbox.wire)
        if counted.uidvalidity == now.uidvalidity and listed < counted.messages - (counted.uidnext - now.uidnext):
            got = f"{listed} messages, while the server counts {counted.messages}"
            next_step = "run again; if it stays, look at the server's log for a limit of its answers"
            raise UnexpectedShape(session.integration, f"listing the messages of {mailbox.name}", got, next_step)
    key = {"account": session.account, "mailbox": mailbox.name, "uidvalidity": now.uidvalidity}
    yield from _drop(reader, key, sorted(gone))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a window of UIDs showed: how many messages were listed, and which of those that were loaded weren't."""

    listed: int
    gone: list[int]


def forget(reader: Reader, account: str, mailbox: str) -> Iterator[Event]:
    """Yield the deletes of all messages of a mailbox, and forget them."""
    yield from reader.out.flush()
    yield from (Delete(stream, {"account": account, "mailbox": mailbox}) for stream in OF_A_MESSAGE)
    sql = "SELECT DISTINCT thread FROM message WHERE account = ? AND mailbox = ?"
    for (thread,) in list(reader.index.read(sql, account, mailbox)):
        touch(reader.index, account, thread)
    reader.index.write("DELETE FROM message WHERE account = ? AND mailbox = ?", account, mailbox)


def _compare(session: Session, reader: Reader, mailbox: Mailbox, now: Status) -> Iterator[Event]:
    """Yield what a server forgot to report: its count of messages differs (RFC 7162, section 3.2.5.2 advises this)."""
    count = 0
    for event in _read_all(session, reader, mailbox, now, "comparison", 0):
        count += 1
        yield event
    if count:
        yield Logged("mailbox_out_of_step", {"account": session.account, "mailbox": mailbox.name})


def _read_window(
    session: Session,
    reader: Reader,
    mailbox: Mailbox,
    now: Status,
    window: tuple[int, int],
    rung: str,
    since: int,
) -> Generator[Event, None, _Seen]:
    """Yield what is new or changed among the UIDs of a window, first and last included."""
    stored = _stored_flags(reader, session.account, mailbox.name, window)
    modifier = {"qresync": f"(CHANGEDSINCE {since} VANISHED)", "condstore": f"(CHANGEDSINCE {since})"}.get(rung, "")
    answers, ranges = session.fetch(f"{window[0]}:{window[1]}", ("UID", "FLAGS"), modifier)
    flags = {u: flags_text(a[b"FLAGS"]) for u, a in answers.items() if window[0] <= u <= window[1] and b"FLAGS" in a}
    if rung == "qresync":
        seen = _Seen(len(flags), _within(stored, ranges))
        new = sorted(flags.keys() - stored.keys())
    else:
        here = set(session.uids(window)) if rung == "condstore" else flags.keys()
        seen = _Seen(len(here), [uid for uid in stored if uid not in here])
        new = sorted(here - stored.keys())
    key = {"account": session.account, "mailbox": mailbox.name, "uidvalidity": now.uidvalidity}
    yield from _change_flags(reader, key, {u: text for u, text in flags.items() if stored.get(u, text) != text})
    yield from read_messages(session, reader, mailbox, now.uidvalidity, new)
    return seen


def _within(uids: Iterable[int], ranges: Iterable[tuple[int, int]]) -> list[int]:
    """Return those of the UIDs that are in one of the ranges, which may overlap."""
    ordered = sorted(uids)
    result: set[int] = set()
    for low, high in ranges:
        result.update(ordered[bisect_left(ordered, low) : bisect_right(ordered, high)])
    return list(result)


def _stored_flags(reader: Reader, account: str, mailbox: str, window: tuple[int, int]) -> dict[int, str]:
    sql = "SELECT uid, flags FROM message WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ?"
    return dict(reader.index.read(sql, account, mailbox, *window))


def _count(reader: Reader, account: str, mailbox: str) -> int:
    sql = "SELECT count(*) FROM message WHERE account = ? AND mailbox = ?"
    return sum(int(row[0]) for row in reader.index.read(sql, account, mailbox))


def _drop(reader: Reader, key: Mapping[str, Any], uids: list[int]) -> Iterator[Event]:
    find = "SELECT thread FROM message WHERE account = ? AND mailbox = ? AND uid = ?"
    drop = "DELETE FROM message WHERE account = ? AND mailbox = ? AND uid = ?"
    for uid in uids:
        yield from (Delete(stream, {**key, "uid": uid}) for stream in OF_A_MESSAGE)
        one = (key["account"], key["mailbox"], uid)
        for (thread,) in list(reader.index.read(find, *one)):
            touch(reader.index, str(key["account"]), thread)
        reader.index.write(drop, *one)


def _change_flags(reader: Reader, key: Mapping[str, Any], flags: Mapping[int, str]) -> Iterator[Event]:
    sql = "UPDATE message SET flags = ? WHERE account = ? AND mailbox = ? AND uid = ?"
    for uid, text in sorted(flags.items()):
        reader.index.write(sql, text, key["account"], key["mailbox"], uid)
        yield from reader.out.add("flags", flags_row({**key, "uid": uid}, text))
