"""What blocks time in a calendar now, asked live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from leat.sources.actions import Refused
from leat.sources.calendar.availability import Period
from leat.sources.calendar.caldav.client import Client
from leat.sources.calendar.caldav.dav import multistatus, report
from leat.sources.calendar.ics.files import parse_file
from leat.sources.calendar.ics.rules import Window

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a calendar: path, version, and content."""

    path: str
    etag: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Busy:
    """A period in which a calendar is busy, and the file that says so."""

    start: datetime
    end: datetime
    uid: str
    file: File


def busy_in(client: Client, calendar: str, start: datetime, end: datetime) -> Iterator[Busy]:
    """Yield what blocks time in a calendar, asked live (RFC 4791, 7.8 and 9.9).

    Args:
        client: the connection.
        calendar: path of the calendar.
        start: from when on.
        end: until when, exclusive.

    Raises:
        Refused: an event can't be read.
    """
    for file, rows in _files_of(client, calendar, start, end):
        for row in rows["free_busy"]:
            if row["starts_at"] < end and row["ends_at"] > start:
                yield Busy(row["starts_at"], row["ends_at"], row["uid"], file)


def busy_periods(client: Client, calendar: str, start: datetime, end: datetime, zone: ZoneInfo) -> list[Period]:
    """Return when a calendar is busy in a period, asked live; whole days and floating times are days in a zone.

    Raises:
        Refused: an event can't be read.
    """
    periods = []
    for _, rows in _files_of(client, calendar, start - _A_DAY, end + _A_DAY):
        local = {(row["uid"], row["occurrence_id"]): row for row in rows["occurrences"]}
        for busy in rows["free_busy"]:
            row = local[busy["uid"], busy["occurrence_id"]]
            if row["all_day"] or row["floating"]:
                walls = (row["starts_local"], row["ends_local"])
                periods.append((walls[0].replace(tzinfo=zone), walls[1].replace(tzinfo=zone)))
            else:
                periods.append((row["starts_at"], row["ends_at"]))
    return [(s.astimezone(UTC), e.astimezone(UTC)) for s, e in periods if s < end and e > start]


def _files_of(
    client: Client, calendar: str, start: datetime, end: datetime
) -> Iterator[tuple[File, Mapping[str, list[dict[str, Any]]]]]:
    between = f'start="{start.astimezone(UTC):%Y%m%dT%H%M%SZ}" end="{end.astimezone(UTC):%Y%m%dT%H%M%SZ}"'
    events = f'<C:comp-filter name="VEVENT"><C:time-range {between}/></C:comp-filter>'
    wanted = f'<C:filter><C:comp-filter name="VCALENDAR">{events}</C:comp-filter></C:filter>'
    inner = f"<D:prop><D:getetag/><C:calendar-data/></D:prop>{wanted}"
    answer = report(client, calendar, "C:calendar-query", inner, "1", frozenset())
    for resource in multistatus(client, f"REPORT calendar-query {calendar}", answer).resources:
        text = resource.text("C:calendar-data")
        if resource.status != 200 or not text:
            continue
        file = File(resource.path, resource.text("D:getetag"), text)
        parsed = parse_file(calendar, file.path, text, file.etag, Window(start, end))
        without_times = any(each.stream == "occurrences" for each in parsed.quarantined)
        if parsed.has_broken or without_times or (parsed.quarantined and not parsed.rows["events"]):
            msg = f"{file.path} can't be read, so nobody knows whether {calendar} is free then: fix it on the server"
            raise Refused(msg)
        yield file, parsed.rows
