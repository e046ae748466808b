"""Read one calendar: replace the rows of files that changed, delete those of files that went, move the window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Protocol

from leat.sources.calendar.caldav.changes import Changes, changes_since
from leat.sources.calendar.caldav.client import Client
from leat.sources.calendar.caldav.discovery import Calendar
from leat.sources.calendar.caldav.fetch import File, fetch
from leat.sources.calendar.ics.files import Parsed, parse_file
from leat.sources.calendar.ics.rules import Window
from leat.sources.calendar.streams import OF_A_FILE, STREAMS
from leat.sources.driver import Sync
from leat.sources.events import Delete, Event, Logged, Quarantined
from leat.sources.multi_batch import Replacement

_OF_THE_WINDOW = ("occurrences", "free_busy")


class HasWindow(Protocol):
    """What of a connection says how far recurring events are expanded."""

    @property
    def window_days_back(self) -> int: ...  # noqa: D102 - see the connection
    @property
    def window_days_ahead(self) -> int: ...  # noqa: D102 - see the connection


def window_of(connection: HasWindow, now: datetime) -> tuple[str, Window]:
    """Return the window of a run and its name in the cursor; it moves with the date, UTC."""
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    back, ahead = connection.window_days_back, connection.window_days_ahead
    window = Window(today - timedelta(days=back), today + timedelta(days=ahead + 1))
    return f"{today.date().isoformat()}/{back}/{ahead}", window


def read_calendar(
    client: Client,
    calendar: Calendar,
    state: Mapping[str, Any] | None,
    connection: HasWindow,
    sync: Sync,
    rolled: bool,
    because: set[str],
) -> Generator[Event, None, dict[str, Any]]:
    """Yield what changed in a calendar; returns its part of the cursor.

    Args:
        client: the connection to the server.
        calendar: the calendar.
        state: its part of the last cursor; None when it was never read.
        connection: says the window.
        sync: the run.
        rolled: whether the window is another than in the last run.
        because: what proved that listings were complete; added to.

    Raises:
        IntegrationError: the calendar can't be read.
    """
    changes = changes_since(client, calendar, state)
    if changes.because:
        because.add(changes.because)
    yield from changes.log
    if state is None:
        yield from _forget(sync, OF_A_FILE, {"calendar": calendar.path})
    reading = _Reading(client, calendar, sync, window_of(connection, sync.now)[1], changes, state or {})
    yield from reading.gone(changes.gone)
    again = sorted((reading.recurring | reading.unread) & changes.items.keys() - set(changes.changed)) if rolled else []
    yield from reading.files(changes.changed, fresh=True)
    yield from reading.files(again, fresh=False)
    yield from reading.end()
    return reading.state()


def _forget(sync: Sync, streams: tuple[str, ...], where: Mapping[str, Any]) -> Iterator[Delete]:
    yield from (Delete(name, where) for name in streams if name in sync.streams)


class _Reading:
    """The state of a calendar while it is read."""

    def __init__(
        self, client: Client, calendar: Calendar, sync: Sync, window: Window, changes: Changes, state: Mapping[str, Any]
    ) -> None:
        self._client, self._calendar, self._sync, self._window = client, calendar, sync, window
        self._changes = changes
        self._before = frozenset(state.get("items") or ())
        self._out = Replacement(sync, STREAMS)
        self._skipped: Counter[str] = Counter()
        self.recurring = set(state.get("recurring") or ())
        self.unread = set(state.get("unread") or ())

    def gone(self, names: list[str]) -> Iterator[Event]:
        """Delete the rows of files that no longer exist."""
        for name in names:
            yield from self._drop(name)

    def files(self, names: list[str], *, fresh: bool) -> Iterator[Event]:
        """Read files: those that changed, or those that only depend on the window."""
        for file in fetch(self._client, self._calendar, names):
            self._sync.progress("files of calendars", 1)
            if file.failure is not None:
                yield from self._unreadable(file, fresh)
            elif file.content is None:  # if it went after it was listed, the next listing says so
                yield Logged("listed_file_missing", {"href": self._calendar.path + file.name})
                self.unread.add(file.name)
            else:
                yield from self._replace(file, file.content, fresh or file.name in self.unread)

    def _drop(self, name: str) -> Iterator[Event]:
        self._changes.items.pop(name, None)
        self.recurring.discard(name)
        self.unread.discard(name)
        if name in self._before:
            yield from _forget(self._sync, OF_A_FILE, self._where(name))

    def _where(self, name: str) -> dict[str, Any]:
        return {"calendar": self._calendar.path, "href": self._calendar.path + name}

    def _unreadable(self, file: File, fresh: bool) -> Iterator[Event]:
        """Leave the last good rows; the file is tried again when the file changes and on the first run of each day."""
        if fresh:
            reason = f"{file.failure}; fix or delete the file on the server"
            yield Quarantined("events", self._calendar.path + file.name, reason, "")
        self.unread.add(file.name)

    def _replace(self, file: File, content: str | bytes, fresh: bool) -> Iterator[Event]:
        where = self._where(file.name)
        parsed = parse_file(where["calendar"], where["href"], content, file.etag, self._window, file.charset)
        self.unread.discard(file.name)
        if fresh:
            yield from self._report(parsed, where["href"])
        if parsed.quarantined and not parsed.rows["events"]:
            return  # the last good rows stay
        (self.recurring.add if parsed.recurring else self.recurring.discard)(file.name)
        streams = OF_A_FILE if fresh else _OF_THE_WINDOW
        if file.name in self._before:
            uids = sorted({row["uid"] for row in parsed.rows["events"]})
            wheres = [{**where, "uid": uid} for uid in uids] if parsed.has_broken else [where]
            for each in wheres:
                yield from _forget(self._sync, streams, each)
        for name in streams:
            for row in parsed.rows[name]:
                yield from self._out.add(name, row)

    def _report(self, parsed: Parsed, href: str) -> Iterator[Event]:
        yield from parsed.quarantined
        self._skipped += parsed.skipped
        for uid in parsed.bounded:
            yield Logged("occurrences_bounded", {"href": href, "uid": uid})

    def end(self) -> Iterator[Event]:
        """Yield the rows still held, and what was skipped."""
        yield from self._out.flush()
        if self._skipped:
            yield Logged("components_skipped", {"calendar": self._calendar.path, **self._skipped})

    def state(self) -> dict[str, Any]:
        """Return the calendar's part of the cursor."""
        return {
            "token": self._changes.token,
            "ctag": self._calendar.ctag if self._changes.token is None else None,
            "items": self._changes.items,
            "recurring": sorted(self.recurring),
            "unread": sorted(self.unread),
        }
