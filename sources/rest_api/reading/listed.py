"""Lists that wait in a spool: read whole before leat decides whether anything is new, and again while they change."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError, Unavailable, UnexpectedShape
from leat.sources.events import Event, Logged
from leat.sources.http.client import Client
from leat.sources.rest_api.pages.ends import Miscounted
from leat.sources.rest_api.reading.convert import Converter
from leat.sources.rest_api.reading.lists import Lists
from leat.sources.rest_api.reading.spool import Spool

GROUP = 16 * 2**20
"""Bytes of JSON that are made into tables at a time; memory is bounded by it."""
LISTINGS = 3
"""How often a list is read while it changes."""

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading an endpoint needs: the connection, a folder for pages, and the extraction."""

    client: Client
    folder: Path
    sync: Sync


def read_into_spool(reading: Reading, converter: Converter, lists: Lists, at_once: bool) -> Generator[Event, None, int]:
    """Read a list into a spool, again while it changes, and return how often that was; yields rows where it is large.

    Raises:
        IntegrationError: it can't be read, or doesn't have as many records as it says.
    """
    wrong: list[str] = []
    for again in range(LISTINGS):
        lists.spool.restart()
        converter.rows = converter.bad = 0
        try:
            for page in lists.pages():
                lists.spool.add(page)
                reading.sync.progress(converter.name, 0)
                if at_once and lists.spool.size >= GROUP:
                    yield from converter.events(lists.spool.take())
        except Miscounted as error:
            wrong.append(str(error))
            if not again:
                yield Logged("listing_changed", {"endpoint": converter.name})
        else:
            return again
    raise miscounted(reading, converter.name, wrong)


def miscounted(reading: Reading, name: str, wrong: list[str]) -> IntegrationError:
    """Return the error for a list whose count is wrong each time: transient where it changes, else permanent."""
    got = f"{wrong[-1]}, {len(wrong)} times"
    if len(set(wrong)) > 1:
        advice = "try later; the list changes while it is read"
        return Unavailable(reading.sync.integration, f"listing {name}", got, advice)
    advice = "correct paging.total: it counts something else, or the account may not read all records"
    return UnexpectedShape(reading.sync.integration, f"listing {name}", got, advice)


def grouped(converter: Converter, spool: Spool) -> Iterator[Event]:
    """Yield the events of the pages that wait, some at a time."""
    group, size = [], 0
    for page in spool.take():
        group.append(page)
        size += page.size
        if size >= GROUP:
            yield from converter.events(group)
            group, size = [], 0
    yield from converter.events(group)
