"""Driver for IMAP servers (RFC 9051, RFC 3501): Dovecot, Cyrus, Exchange, Gmail, Fastmail and others.

With CONDSTORE, STATUS says for every mailbox whether anything changed; a run with nothing new opens
none. QRESYNC reports what changed, else CONDSTORE, else leat compares all UIDs and flags. Nothing is ever changed
on the server: mailboxes are opened by EXAMINE, and bodies fetched by BODY.PEEK.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from leat.sources.batch import to_json
from leat.sources.driver import SetupTest, Sync
from leat.sources.email.imap.account import FORMAT, read_account, read_again
from leat.sources.email.imap.connection import Connection, accounts_of, address_of, attachments_folder, hosts
from leat.sources.email.imap.fetch import Reader
from leat.sources.email.imap.index import open_index
from leat.sources.email.imap.mailboxes import list_wanted
from leat.sources.email.imap.opening import sessions_of
from leat.sources.email.imap.session import Address, Session
from leat.sources.email.sending.declared import is_probed
from leat.sources.email.store import Attachments
from leat.sources.email.streams import OF_A_MESSAGE, STREAMS
from leat.sources.email.threads import threads_touched
from leat.sources.errors import IntegrationError
from leat.sources.events import Cursor, Delete, Event, Listed
from leat.sources.multi_batch import Replacement

__all__ = ["Connection", "extract", "hosts", "sending_test", "setup_tests"]


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    """Try the connection step by step; stops at the first step that fails."""
    address, accounts = address_of(connection, sync), accounts_of(connection, sync)
    reached = f"{address.host}:{address.port} answers ({address.security})"
    rungs, names = set(), []
    for number, (account, password) in enumerate(accounts.items()):
        try:
            session = Session(sync.integration, account, address)
        except IntegrationError as error:
            yield SetupTest("reachable", False, str(error))
            return
        if number == 0:
            yield SetupTest("reachable", True, reached)
        with session:
            try:
                session.sign_in(password)
            except IntegrationError as error:
                yield SetupTest("authenticated", False, str(error))
                return
            try:
                mailboxes = list_wanted(session, connection.mailboxes, connection.skip_mailboxes)
                names.append(f"{account}: {', '.join(one.name for one in mailboxes) or 'no mailbox'}")
            except IntegrationError as error:
                yield SetupTest("may list mailboxes", False, str(error))
                return
            rungs.add(session.rung)
    yield SetupTest("authenticated", True, f"the server accepts {len(accounts)} account(s)")
    yield SetupTest("may list mailboxes", True, "; ".join(names))
    yield _changes_test(rungs)
    if connection.send is not None:
        yield sending_test(connection, sync)


def _changes_test(rungs: set[str]) -> SetupTest:
    slow = "comparison" in rungs
    how = ", ".join(sorted(rungs))
    detail = f"{how}: all UIDs and flags are compared in each run, which is slower" if slow else how
    return SetupTest("reports changes", True, detail)


def sending_test(connection: Connection, sync: Sync) -> SetupTest:
    """Try to sign in where mail is sent, and to search for what was sent; sends nothing."""
    from leat.sources.email.imap.actions.outgoing import connect

    try:
        with connect(connection, sync) as outgoing:
            outgoing.smtp.open()
            outgoing.is_sent("setup-test@leat.invalid")
            how = f"witness {outgoing.witness_address}" if outgoing.witness else "copies that the server files"
            if not is_probed(connection.send):
                how = "nothing shows after a crash whether a mail was sent: declare a witness"
            return SetupTest("may send", True, f"{outgoing.smtp.address.host} takes mail; {how}")
    except IntegrationError as error:
        return SetupTest("may send", False, str(error))


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    """Yield what changed since ``sync.cursor``.

    Raises:
        IntegrationError: the server can't be read; the cursor then stays where it was.
    """
    address, accounts = address_of(connection, sync), accounts_of(connection, sync)
    earlier = _usable(connection, address, sync)
    with open_index(sync.folder, earlier.get("index")) as index:
        if index.is_new:
            earlier = {}
        folder = attachments_folder(connection, sync)
        out = Replacement(sync, STREAMS)
        store = Attachments(folder, sync.integration) if folder else None
        reader = Reader(sync, out, index, connection.max_bytes, store)
        yield from _forget_accounts(reader, earlier, accounts)
        state = {"for": _fingerprint(connection, address), "format": FORMAT, "streams": sorted(sync.streams)}
        after: dict[str, Any] = {}
        for session in sessions_of(sync.integration, address, accounts):
            before = earlier.get("accounts", {}).get(session.account)
            after[session.account] = yield from read_account(session, reader, connection, before)
            yield from read_again(session, reader, after[session.account])
        yield from out.flush()
        yield from _finish(reader, {**state, "accounts": after}, earlier)


def _finish(reader: Reader, state: dict[str, Any], before: Mapping[str, Any]) -> Iterator[Event]:
    """Yield the threads and the cursor, where anything is new."""
    if reader.index.is_changed:
        yield from threads_touched(reader.index, reader.out)
        mailboxes = sum(len(account["mailboxes"]) for account in state["accounts"].values())
        because = f"the server ended the FETCH of each of {mailboxes} mailboxes up to UIDNEXT with OK"
        yield from (Listed(stream, because) for stream in OF_A_MESSAGE if stream in reader.sync.streams)
    if reader.store is not None:
        reader.store.secure()
    state["index"] = reader.index.save() or before.get("index")
    if to_json(state) != to_json(dict(reader.sync.cursor or {})):
        yield Cursor(state)


def _forget_accounts(reader: Reader, earlier: Mapping[str, Any], accounts: Mapping[str, str]) -> Iterator[Event]:
    """Yield the deletes of accounts that are read no more, and of all when everything is read from the start."""
    before = set((reader.sync.cursor or {}).get("accounts") or ())
    gone = before - accounts.keys() if earlier else before | accounts.keys()
    for account in sorted(gone):
        yield from (Delete(stream, {"account": account}) for stream in (*OF_A_MESSAGE, "threads"))
        if account not in accounts:
            yield Delete("mailboxes", {"account": account})
        if earlier:
            reader.index.write("DELETE FROM message WHERE account = ?", account)
            reader.index.write("DELETE FROM parent WHERE account = ?", account)


def _fingerprint(connection: Connection, address: Address) -> str:
    settings = [connection.mailboxes, connection.skip_mailboxes, connection.max_bytes, str(connection.attachments)]
    return sha256(to_json([address.host, *settings]).encode()).hexdigest()[:16]


def _usable(connection: Connection, address: Address, sync: Sync) -> Mapping[str, Any]:
    """Return the cursor, or nothing when it was made for another server, other settings or fewer streams."""
    cursor = sync.cursor or {}
    fits = cursor.get("for") == _fingerprint(connection, address) and cursor.get("format") == FORMAT
    return cursor if fits and sync.streams <= set(cursor.get("streams") or ()) else {}
