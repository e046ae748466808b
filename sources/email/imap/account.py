"""One account: which of its mailboxes changed, and the rows of the mailboxes themselves."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from hashlib import sha256
from typing import Any

from leat.sources.batch import to_json
from leat.sources.email.imap.changes import forget, read_changes, rung_of
from leat.sources.email.imap.connection import Connection
from leat.sources.email.imap.failures import is_of_one_answer
from leat.sources.email.imap.fetch import Reader, read_messages
from leat.sources.email.imap.mailboxes import Mailbox, list_wanted
from leat.sources.email.imap.session import Session, Status
from leat.sources.email.streams import OF_A_MESSAGE
from leat.sources.errors import Forbidden, IntegrationError, NotFound, RateLimited, Rejected, Unauthenticated
from leat.sources.events import Event, Failed, FullScan, Logged

FORMAT = 1
"""Raised when the cursor changes its meaning; an older one is then read as none."""


def read_account(
    session: Session, reader: Reader, connection: Connection, before: Mapping[str, Any] | None
) -> Generator[Event, None, dict[str, Any]]:
    """Yield what changed in an account, and return what the cursor has to say of it.

    Args:
        session: signed in.
        reader: where rows go.
        connection: which mailboxes are wanted.
        before: what this function returned in the last run.
    """
    old: Mapping[str, Any] = (before or {}).get("mailboxes") or {}
    mailboxes = list_wanted(session, connection.mailboxes, connection.skip_mailboxes)
    _must_match(session, connection, mailboxes)
    shared = session.account.lower() in {login.lower() for login in connection.shared}
    after: dict[str, list[int]] = {}
    refused: dict[str, IntegrationError] = {}
    for mailbox in mailboxes:
        mailbox.row["shared"] = shared
        earlier = Status(*old[mailbox.name]) if mailbox.name in old else None
        if not mailbox.selectable:
            continue
        try:
            now = yield from _read_mailbox(session, reader, mailbox, earlier)
            mailbox.row.update(uidvalidity=now.uidvalidity, messages=now.messages, changes_by=rung_of(session, now))
            after[mailbox.name] = [now.uidvalidity, now.uidnext, now.messages, now.highestmodseq]
        except IntegrationError as error:
            if not _is_of_one_mailbox(error):
                raise
            refused[mailbox.name] = error
    if refused:
        here = {one.name for one in list_wanted(session, connection.mailboxes, connection.skip_mailboxes)}
        mailboxes = [mailbox for mailbox in mailboxes if mailbox.name in here]
        refused = {name: why for name, why in refused.items() if name in here}
        _must_be_of_one_mailbox(refused, after)
        yield from _failures(session, reader, refused)
        after |= {name: old[name] for name in refused if name in old}
    for name in sorted(old.keys() - after.keys()):
        yield from forget(reader, session.account, name)
    return (yield from _describe(session, reader, mailboxes, refused, before, after))


def _is_of_one_mailbox(error: IntegrationError) -> bool:
    """Return whether other mailboxes can be read after this failure; a limit holds for all of them."""
    if isinstance(error, RateLimited | Unauthenticated):
        return False
    return isinstance(error, Forbidden | NotFound | Rejected) or is_of_one_answer(error)


def _must_be_of_one_mailbox(refused: Mapping[str, IntegrationError], after: Mapping[str, Any]) -> None:
    """Raise what went wrong, when no mailbox could be read and that isn't a matter of rights."""
    worst = next((one for one in refused.values() if not isinstance(one, Forbidden | NotFound | Rejected)), None)
    if worst is not None and not after:
        raise worst


def _failures(session: Session, reader: Reader, refused: Mapping[str, IntegrationError]) -> Iterator[Event]:
    """Yield the failure of each mailbox that should be readable; one that the account may not read is written down."""
    stream = next((name for name in OF_A_MESSAGE if name in reader.sync.streams), "mailboxes")
    for name, error in sorted(refused.items()):
        if not isinstance(error, Forbidden | NotFound | Rejected):
            yield Failed(stream, error, {"account": session.account, "mailbox": name})


def _read_mailbox(
    session: Session, reader: Reader, mailbox: Mailbox, before: Status | None
) -> Generator[Event, None, Status]:
    """Yield what changed in a mailbox; requests only its status if that shows that nothing has."""
    if before is not None and before.highestmodseq and session.status(mailbox.wire) == before:
        return before
    return (yield from read_changes(session, reader, mailbox, before))


def _must_match(session: Session, connection: Connection, mailboxes: list[Mailbox]) -> None:
    if connection.mailboxes is not None and not mailboxes:
        asked = f"looking for connection.mailboxes of {session.account}"
        raise NotFound(session.integration, asked, "none of them is there", "correct the names; leat check lists them")


def _describe(
    session: Session,
    reader: Reader,
    mailboxes: list[Mailbox],
    refused: Mapping[str, IntegrationError],
    before: Mapping[str, Any] | None,
    after: dict[str, list[int]],
) -> Generator[Event, None, dict[str, Any]]:
    """Yield the mailboxes where they are not as before, and what could not be opened, once."""
    digest = sha256(to_json([mailbox.row for mailbox in mailboxes]).encode()).hexdigest()[:16]
    if (before or {}).get("listing") != digest and "mailboxes" in reader.sync.streams:
        for mailbox in mailboxes:
            yield from reader.out.add("mailboxes", mailbox.row)
        yield from reader.out.flush()
        because = f"the server ended LIST with OK after {len(mailboxes)} mailboxes"
        yield FullScan("mailboxes", {"account": session.account}, because)
    if sorted(refused) != ((before or {}).get("refused") or []):
        for name, why in sorted(refused.items()):
            yield Logged("mailbox_not_read", {"account": session.account, "mailbox": name, "reason": str(why)})
    return {"listing": digest, "refused": sorted(refused), "mailboxes": after}


def read_again(session: Session, reader: Reader, state: Mapping[str, Any]) -> Iterator[Event]:
    """Yield the messages again whose thread turned out to be a part of another one."""
    if not reader.index.is_changed:
        return
    pending = list(reader.index.read("SELECT mailbox, uid FROM again WHERE account = ? ORDER BY 1, 2", session.account))
    for mailbox in list_by_name(session, {name for name, _ in pending}):
        uidvalidity = state["mailboxes"].get(mailbox.name, [0])[0]
        if session.examine(mailbox.wire).uidvalidity == uidvalidity:
            uids = [uid for name, uid in pending if name == mailbox.name]
            yield from read_messages(session, reader, mailbox, uidvalidity, uids)
    reader.index.write("DELETE FROM again")


def list_by_name(session: Session, names: set[str]) -> list[Mailbox]:
    """Return the mailboxes with these names that are there."""
    return [one for one in list_wanted(session, None, ()) if one.name in names] if names else []
