"""Driver for CalDAV servers (RFC 4791): Radicale, Xandikos, Nextcloud, Baïkal, iCloud, Fastmail and others.

One PROPFIND says for every calendar whether anything changed; a run with nothing new makes no further request but
one for shares, where the server has them. What changed is read by sync-collection and calendar-multiget. The account
needs the right to read the calendars, no other. Occurrences depend on the date: on the first run of a day (UTC) the
recurring events are read again and expanded over the new window.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from hashlib import sha256
from typing import Any

from pydantic import Field

from leat.sources.batch import to_json
from leat.sources.calendar.caldav.client import Client, open_account
from leat.sources.calendar.caldav.discovery import Calendar, find_roots, is_wanted, list_calendars
from leat.sources.calendar.caldav.hidden import hidden_files, quarantine_hidden
from leat.sources.calendar.caldav.listing import listing_rows
from leat.sources.calendar.caldav.reading import read_calendar, window_of
from leat.sources.calendar.people import Person, holidays_of
from leat.sources.calendar.streams import OF_A_FILE
from leat.sources.driver import ConnectionModel, SetupTest, Sync
from leat.sources.email.imap.connection import Connection as Mail
from leat.sources.errors import Forbidden, IntegrationError, NotFound
from leat.sources.events import Cursor, Delete, Event, Failed, Listed
from leat.sources.held import PartFailed, held
from leat.sources.http.request import Limits
from leat.sources.settings import LOCAL, Secret, Setting, read_secret, read_setting
from leat.sources.setup_tests import try_sign_in

FORMAT = 2
"""Raised when the cursor changes its meaning, or files are read in another way; an older one is then read as none."""


class Connection(ConnectionModel):
    """Where the calendars are, how to sign in, and how far to expand recurring events."""

    url: Setting = Field(description="Address of the server, a principal, a calendar home or one calendar.")
    username: Setting | None = Field(default=None, description="Login; none for a server that doesn't require one.")
    password: Secret | None = Field(default=None, description="Password, or an app password if the vendor has them.")
    calendars: tuple[str, ...] | None = Field(
        default=None, description="Names or paths of the calendars to read; none for all."
    )
    window_days_back: int = Field(default=90, ge=0, le=3660, description="Days of past occurrences to expand.")
    window_days_ahead: int = Field(default=365, ge=0, le=3660, description="Days of future occurrences to expand.")
    storage: Setting | None = Field(
        default=None,
        description="Folder collection-root of a Radicale on this machine; leat quarantines the files it hides.",
        json_schema_extra=LOCAL,
    )
    addresses: tuple[str, ...] = Field(
        default=(), description="Mail addresses of the account, for which it may answer invitations."
    )
    mail: Mail | None = Field(
        default=None, description="Mail server for invitations and replies, with the keys of an e-mail `connection`."
    )
    people: dict[str, Person] = Field(
        default={}, description="When people work, by their names: `leat slots` finds times at which they are free."
    )
    timeout: float = Field(default=30, gt=0, le=600, description="Seconds to wait for a response.")


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    """Try the connection step by step; stops at the first step that fails."""
    with open_connection(connection, sync, _whole(connection)) as client:
        ask = partial(find_roots, client)
        answer = yield from try_sign_in(ask, f"{client.url} answers", "the server accepts the account", Forbidden)
        if answer is None:
            return
        try:
            if answer.failure:
                raise answer.failure
            calendars = _wanted(client, connection, list_calendars(client, answer.value or []))
        except IntegrationError as error:
            yield SetupTest("may list calendars", False, str(error))
            return
        names = ", ".join(str(calendar.row["name"] or calendar.path) for calendar in calendars)
        yield SetupTest("may list calendars", bool(calendars), names or "the account has no calendar for events")
        if calendars:
            yield _sync_test(calendars)
    if connection.people:
        yield _people_test(connection, sync)
    if connection.mail is not None:
        from leat.sources.email.imap.driver import sending_test

        yield sending_test(connection.mail, sync)


def _people_test(connection: Connection, sync: Sync) -> SetupTest:
    places = sorted({person.holidays for person in connection.people.values() if person.holidays})
    try:
        for place in places:
            holidays_of(place, [sync.now.year])
    except ValueError as error:
        return SetupTest("holidays are available", False, f"people: {error}")
    return SetupTest("holidays are available", True, f"of {', '.join(places)}" if places else "nobody has any")


def _sync_test(calendars: list[Calendar]) -> SetupTest:
    without = [calendar.path for calendar in calendars if calendar.token is None]
    if without:
        detail = f"{', '.join(without)}: no; leat compares etags instead, which is slower"
        return SetupTest("supports sync-collection", False, detail)
    return SetupTest("supports sync-collection", True, "every calendar reports changes and deletes (RFC 6578)")


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    """Yield what changed since ``sync.cursor``.

    Raises:
        IntegrationError: the server can't be read; the cursor then stays where it was.
    """
    with open_connection(connection, sync, _whole(connection)) as client:
        earlier = _usable(client, connection, sync)
        roots, calendars = _calendars(client, earlier, _paths(sync.cursor))
        calendars = _wanted(client, connection, calendars)
        state = {"for": _fingerprint(client, connection), "format": FORMAT, "streams": sorted(sync.streams)}
        state |= {"roots": [list(root) for root in roots], "window": window_of(connection, sync.now)[0]}
        before: Mapping[str, Any] = earlier.get("calendars") or {}
        after: dict[str, Any] = {}
        failures: dict[str, IntegrationError] = {}
        because: set[str] = set()
        for calendar in calendars:
            old = before.get(calendar.path)
            rolled = (old or {}).get("window", earlier.get("window")) != state["window"]
            try:
                after[calendar.path] = yield from held(
                    _calendar(client, calendar, old, connection, sync, rolled, because)
                )
            except PartFailed as failed:
                failures[calendar.path] = failed.error
                if old is not None:  # as it was, expanded over the window in which it was read
                    after[calendar.path] = {"window": earlier.get("window"), **old}
        if failures and len(failures) == len(calendars):
            raise next(iter(failures.values()))
        if because and "events" in sync.streams:
            yield Listed("events", "; ".join(sorted(because)))
        yield from _failed(failures, sync)
        yield from listing_rows(client, calendars, earlier, state, sync)
        gone = set(_paths(sync.cursor)) - after.keys() - failures.keys()
        yield from (Delete(name, {"calendar": path}) for path in sorted(gone) for name in (*OF_A_FILE, "shares"))
        state["calendars"] = after
        if to_json(state) != to_json(dict(sync.cursor or {})):
            yield Cursor(state)


def _calendar(
    client: Client,
    calendar: Calendar,
    old: Mapping[str, Any] | None,
    connection: Connection,
    sync: Sync,
    rolled: bool,
    because: set[str],
) -> Generator[Event, None, dict[str, Any]]:
    """Yield what changed in a calendar; returns its part of the cursor."""
    if calendar.failure is not None:
        raise calendar.failure
    new = yield from read_calendar(client, calendar, old, connection, sync, rolled, because)
    yield from _hidden(connection, sync, calendar, old or {}, new)
    return new


def _failed(failures: Mapping[str, IntegrationError], sync: Sync) -> Iterator[Event]:
    """Yield the calendars that failed, each once, on the first of the selected streams that it has rows in."""
    stream = next((name for name in (*OF_A_FILE, "shares", "calendars") if name in sync.streams), None)
    if stream is not None:
        yield from (Failed(stream, error, {"calendar": path}) for path, error in failures.items())


def _hidden(
    connection: Connection, sync: Sync, calendar: Calendar, old: Mapping[str, Any], new: dict[str, Any]
) -> Iterator[Event]:
    """Yield the files that the server hides, where its storage can be looked at; puts them into the cursor."""
    if connection.storage is None:
        return
    storage = sync.project / read_setting(connection.storage, sync.integration, sync.project)
    new["hidden"] = hidden_files(sync.integration, storage, calendar.path, new["items"])
    window = window_of(connection, sync.now)[1]
    yield from quarantine_hidden(storage, calendar.path, new["hidden"], old.get("hidden") or {}, window)


def _whole(connection: Connection) -> Limits:
    return Limits(timeout=connection.timeout, attempts=1)  # the engine reads all again, which is one request as a rule


def open_connection(connection: Connection, sync: Sync, limits: Limits, **more: str) -> AbstractContextManager[Client]:
    """Open a session with the server of a declaration; ``more`` goes to :func:`open_account`.

    Raises:
        NotConfigured: a setting or variable is missing, or the address isn't an ``http`` or ``https`` URL.
    """
    url = read_setting(connection.url, sync.integration, sync.project)
    username = password = None
    if connection.username is not None:
        username = read_setting(connection.username, sync.integration, sync.project)
    if connection.password is not None:
        password = read_secret(connection.password, sync.integration, sync.project)
    return open_account(sync, url, username, password, limits, **more)


def _fingerprint(client: Client, connection: Connection) -> str:
    return sha256(to_json([client.url, connection.calendars]).encode()).hexdigest()[:16]


def _usable(client: Client, connection: Connection, sync: Sync) -> Mapping[str, Any]:
    """Return the cursor, or nothing when it was made for another address, other calendars or fewer streams."""
    cursor = sync.cursor or {}
    fits = cursor.get("for") == _fingerprint(client, connection) and cursor.get("format") == FORMAT
    return cursor if fits and sync.streams <= set(cursor.get("streams") or ()) else {}


def _paths(cursor: Mapping[str, Any] | None) -> list[str]:
    return list((cursor or {}).get("calendars") or {})


def _calendars(
    client: Client, before: Mapping[str, Any], paths: list[str]
) -> tuple[list[tuple[str, str]], list[Calendar]]:
    """List the calendars where the cursor says they are, and look for them again when they aren't there."""
    roots = [(str(path), str(depth)) for path, depth in before.get("roots") or ()]
    if roots:
        try:
            return roots, list_calendars(client, roots, paths)
        except NotFound:
            pass
    roots = find_roots(client)
    return roots, list_calendars(client, roots, paths)


def _wanted(client: Client, connection: Connection, calendars: list[Calendar]) -> list[Calendar]:
    wanted = [calendar for calendar in calendars if is_wanted(calendar, connection.calendars)]
    if calendars and not wanted:
        names = ", ".join(str(calendar.row["name"] or calendar.path) for calendar in calendars)
        raise NotFound(
            client.integration,
            "looking for connection.calendars",
            f"none of them is there, but {names}",
            "write a calendar's name or path",
        )
    return wanted
