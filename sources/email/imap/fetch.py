"""Messages from the server to rows, in batches bounded by number and by bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from leat.sources.batch import clean
from leat.sources.driver import Sync
from leat.sources.email.imap.failures import is_of_one_answer
from leat.sources.email.imap.flags import flags_row
from leat.sources.email.imap.index import Index
from leat.sources.email.imap.listed import Listed, groups_of, listed_of, uid_set
from leat.sources.email.imap.mailboxes import Mailbox
from leat.sources.email.imap.session import Session
from leat.sources.email.store import Attachments
from leat.sources.email.threads import own_id, remember, thread_of
from leat.sources.errors import IntegrationError
from leat.sources.events import Event, Quarantined
from leat.sources.multi_batch import Replacement

AT_A_TIME = 500
_ABOUT = ("UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE")
_OF_THE_BODY = {"messages", "attachments", "bounces", "complaints", "invitations"}


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading messages needs: where they go, the earlier state, and how much of a message is read."""

    sync: Sync
    out: Replacement
    index: Index
    max_bytes: int
    store: Attachments | None


def read_messages(
    session: Session, reader: Reader, mailbox: Mailbox, uidvalidity: int, uids: Sequence[int]
) -> Iterator[Event]:
    """Yield the rows of messages of the open mailbox, and write them into the index.

    One that can't be fetched or understood is quarantined alone; one that is gone meanwhile is left out.
    """
    for at in range(0, len(uids), AT_A_TIME):
        some = uids[at : at + AT_A_TIME]
        left = set(some)
        result = {}
        for uid, answer in _about(session, reader, mailbox, uidvalidity, some):
            left.discard(uid)
            if isinstance(answer, Quarantined):
                yield answer
            else:
                result[uid] = answer
        yield from _unanswered(session, reader, mailbox, uidvalidity, [listed_of(uid, {}) for uid in sorted(left)])
        listed = [listed_of(uid, result[uid]) for uid in some if uid in result]
        for group in groups_of(listed, reader.max_bytes):
            yield from _read_group(session, reader, mailbox, uidvalidity, group)
        reader.sync.progress(f"read {mailbox.name} of {session.account}", len(listed))


def _about(
    session: Session, reader: Reader, mailbox: Mailbox, uidvalidity: int, uids: Sequence[int]
) -> Iterator[tuple[int, dict[bytes, Any] | Quarantined]]:
    """Yield what leat needs before it reads messages, by UID; one that the server can't answer is requested alone."""
    try:
        yield from session.fetch(uid_set(uids), _ABOUT)[0].items()
    except IntegrationError as error:
        if not is_of_one_answer(error):
            raise
        if len(uids) == 1:
            one = Listed(uids[0], "", 0, None)
            yield one.uid, _broken(session, reader, mailbox, uidvalidity, one, _refused(error), b"")
            return
        half = len(uids) // 2
        yield from _about(session, reader, mailbox, uidvalidity, uids[:half])
        yield from _about(session, reader, mailbox, uidvalidity, uids[half:])


def _unanswered(
    session: Session, reader: Reader, mailbox: Mailbox, uidvalidity: int, left: list[Listed]
) -> Iterator[Quarantined]:
    """Yield the quarantine of messages that the server says nothing about and lists all the same; others are gone."""
    here = set(session.uids((left[0].uid, left[-1].uid))) if left else set()
    reason = "the server lists the message and says nothing about it"
    yield from (_broken(session, reader, mailbox, uidvalidity, one, reason, b"") for one in left if one.uid in here)


def _refused(error: IntegrationError) -> str:
    return f"the server doesn't give the message: {error.got}"


def _read_group(
    session: Session, reader: Reader, mailbox: Mailbox, uidvalidity: int, group: list[Listed]
) -> Iterator[Event]:
    complete = group[0].size <= reader.max_bytes
    item = "BODY.PEEK[]" if complete else f"BODY.PEEK[]<0.{reader.max_bytes}>"
    if not _OF_THE_BODY & reader.sync.streams:
        item, complete = "BODY.PEEK[HEADER]", True
    try:
        answers, _ = session.fetch(uid_set([one.uid for one in group]), ("UID", item))
    except IntegrationError as error:
        if not is_of_one_answer(error):
            raise
        if len(group) > 1:
            for one in group:
                yield from _read_group(session, reader, mailbox, uidvalidity, [one])
            return
        yield _broken(session, reader, mailbox, uidvalidity, group[0], _refused(error), b"")
        return
    left = [one for one in group if b"UID" not in answers.get(one.uid, {})]
    yield from _unanswered(session, reader, mailbox, uidvalidity, left)
    for one in group:
        items = answers.pop(one.uid, {})
        raw = next((value for name, value in items.items() if name.startswith(b"BODY[")), None)
        if b"UID" in items:
            body = raw if isinstance(raw, bytes) else b""
            yield from _read_one(session, reader, mailbox, uidvalidity, one, body, complete)


def _read_one(
    session: Session, reader: Reader, mailbox: Mailbox, uidvalidity: int, one: Listed, raw: bytes, complete: bool
) -> Iterator[Event]:
    from leat.sources.email.rows import Fetched, Unreadable, read_message  # with all of MIME

    key = {"account": session.account, "mailbox": mailbox.name, "uidvalidity": uidvalidity, "uid": one.uid}
    store = None if reader.store is None else reader.store.store
    try:
        read = read_message(Fetched(key, raw, one.size, one.received_at, complete), store)
        thread = thread_of(reader.index, key, read.message_id, read.ancestors)
    except IntegrationError:  # not of the message: the folder of attachments can't be written
        raise
    except Exception as error:  # one message must never stop the others
        reason = str(error) if isinstance(error, Unreadable) else f"it can't be read ({type(error).__name__})"
        yield _broken(session, reader, mailbox, uidvalidity, one, reason, raw)
        return
    remember(reader.index, key, own_id(key, read.message_id), thread, one.flags, one.received_at)
    rows = _Rows([*read.rows, ("flags", flags_row(key, one.flags))], thread)
    while rows.left:
        try:
            yield from reader.out.add_all(rows)
        except (ValueError, TypeError, ArithmeticError) as error:  # this row alone; those after it are added
            yield Quarantined(rows.stream, _name(session, mailbox, one.uid), str(error), _beginning(raw))


class _Rows:
    """The rows of a message, one after the other; goes on after the last one when it is iterated again.

    Attributes:
        left: how many rows there are still.
        stream: the stream of the row that was given last.
    """

    def __init__(self, rows: list[tuple[str, dict[str, Any]]], thread: str) -> None:
        self._rows = rows
        self._thread = thread
        self.left = len(rows)
        self.stream = ""

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        while self.left:
            self.stream, row = self._rows[-self.left]
            self.left -= 1
            yield self.stream, ({**row, "thread_id": self._thread} if self.stream == "messages" else row)


def _broken(
    session: Session, reader: Reader, mailbox: Mailbox, uidvalidity: int, one: Listed, reason: str, raw: bytes
) -> Quarantined:
    """Return the quarantine of a message; it is written down all the same, so that it isn't tried again in each run."""
    key = {"account": session.account, "mailbox": mailbox.name, "uidvalidity": uidvalidity, "uid": one.uid}
    own = own_id(key, None)
    remember(reader.index, key, own, own, one.flags, one.received_at)
    return Quarantined("messages", _name(session, mailbox, one.uid), reason, _beginning(raw), key)


def _name(session: Session, mailbox: Mailbox, uid: int) -> str:
    return f"{session.account}/{mailbox.name}/{uid}"


def _beginning(raw: bytes) -> str:
    return clean(raw[:4_000].decode("utf-8", "backslashreplace"))
