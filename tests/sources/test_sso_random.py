"""SCIM services made at random: what is loaded is what they hold, or it is an error and everything stays as it was.

``LEAT_EXAMPLES`` says how many are made. Left out are services that look like an honest one that holds less:
those whose faults add up to a total that is just what came.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from hypothesis import assume, given
from hypothesis import strategies as st

from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError
from leat.sources.http.client import Answer, Client, HttpRequest, Limits
from leat.sources.http.exchange import Wire
from leat.sources.http.failures import error_of
from leat.sources.sso.scim.access import ADVICE, Access
from leat.sources.sso.scim.directory import read_directory
from tests.kit.examples import examples
from tests.kit.tables import NOW, Tables

NAME = "sso"
TOTALS = ("right", "text", "none", "zero", "one", "of the page", "one more", "one less", "as at first", "what remains")
BEYOND = ("empty", "nothing", "400", "404", "500", "the last page")


@dataclass
class Service:
    """One service.

    Attributes:
        users: their names, in the order in which it lists them.
        groups: names of members by name of group.
        cap: resources on a page at most.
        total: what it says of the total, of :data:`TOTALS`.
        base: what it takes ``startIndex`` to count from; None when it ignores it.
        beyond: what it answers beyond the end, of :data:`BEYOND`.
        deletes: users that go, by the number of the request before which they do.
        shout: whether names of attributes are in capitals.
        asked: how many requests came.
        first: how many resources it had when they were first listed, by path.
    """

    users: list[str]
    groups: dict[str, list[str]]
    cap: int
    total: str
    base: int | None
    beyond: str
    deletes: dict[int, int]
    shout: bool
    asked: int = 0
    first: dict[str, int] = field(default_factory=dict)

    def answer(self, ask: HttpRequest) -> Answer:
        """Return the answer to a request, or raise the error that its status means."""
        self.asked += 1
        gone = self.deletes.get(self.asked)
        if gone is not None and self.users:
            del self.users[gone % len(self.users)]
        query = dict(ask.pairs())
        if ask.path == "ServiceProviderConfig":
            return self._said(ask, 200, {"filter": {"supported": False}})
        resources = list(self._resources(ask.path))
        start = 1 if "startIndex" not in query or self.base is None else int(query["startIndex"])
        place = start - (1 if "startIndex" not in query or self.base is None else self.base)
        place = max(0, place)
        size = min(self.cap, int(query.get("count", self.cap)))
        if place >= len(resources) and place > 0:
            if self.beyond.isdigit():
                return self._said(ask, int(self.beyond), {})
            if self.beyond == "the last page":
                place = max(0, len(resources) - size)
        page = resources[place : place + size]
        listed: dict[str, Any] = {} if not page and self.beyond == "nothing" else {"Resources": page}
        self.first.setdefault(ask.path, len(resources))
        total = self._total(len(resources), len(page), place, self.first[ask.path])
        return self._said(ask, 200, {**listed, **({} if total is None else {"totalResults": total})})

    def _resources(self, path: str) -> Iterator[dict[str, Any]]:
        if path == "Users":
            yield from ({"id": name, "userName": name, "meta": {}} for name in self.users)
            return
        for name, members in self.groups.items():
            yield {"id": name, "displayName": name, "members": [{"value": member} for member in members]}

    def _total(self, count: int, size: int, place: int, first: int) -> Any:
        values = {"right": count, "text": str(count), "none": None, "zero": 0, "one": 1, "of the page": size}
        values |= {"one more": count + 1, "one less": max(0, count - 1), "as at first": first}
        return (values | {"what remains": max(0, count - place)})[self.total]

    def _said(self, ask: HttpRequest, status: int, value: Any) -> Answer:
        body = json.dumps(_capitals(value) if self.shout else value).encode()
        if status >= 400:
            raise error_of(NAME, f"GET {ask.path}", status, {}, body, ADVICE)
        return Answer(f"GET {ask.path}", status, body, {}, "https://id.example/scim/v2/")


def _capitals(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.upper(): _capitals(inner) for name, inner in value.items()}
    return [_capitals(inner) for inner in value] if isinstance(value, list) else value


class InProcess(Client):
    """A client of a service in this process."""

    __slots__ = ("service",)

    def __init__(self, service: Service) -> None:
        super().__init__("sso", "https://id.example/scim/v2/", cast("Any", None), Limits(), ADVICE, cast("Wire", None))
        object.__setattr__(self, "service", service)

    def send(self, ask: HttpRequest) -> Answer:
        """Ask it."""
        return cast("Service", self.service).answer(ask)  # type: ignore[attr-defined]


NAMES = [f"u{number}" for number in range(12)]
SERVICES = st.builds(
    Service,
    users=st.lists(st.sampled_from(NAMES), unique=True, max_size=9),
    groups=st.dictionaries(
        st.sampled_from(["g1", "g2", "g3"]), st.lists(st.sampled_from(NAMES), unique=True, max_size=3)
    ),
    cap=st.integers(1, 10),
    total=st.sampled_from(TOTALS),
    base=st.sampled_from([1, 1, 1, 0, None]),
    beyond=st.sampled_from(BEYOND),
    deletes=st.dictionaries(st.integers(1, 12), st.integers(0, 8), max_size=2),
    shout=st.booleans(),
)


def is_distinct(service: Service, count: int | None) -> bool:
    """Return whether the faults of a service can be distinguished from an honest one that holds less."""
    longest = max(len(service.users), len(service.groups))
    cap = min(service.cap, count or service.cap)
    lies = service.total in ("one", "one less", "of the page", "what remains")
    if service.base is None and cap < longest:
        return not lies  # it gives its first page again and again, and says that this is all
    if service.base == 0 and cap < longest:
        return not lies  # what it skips is what it leaves out of its total
    return not (service.deletes and lies)  # what goes while it is read is what it leaves out


def state_of(service: Service) -> dict[str, set[tuple[str, ...]]]:
    members = {(group, member) for group, names in service.groups.items() for member in names}
    return {
        "users": {(name,) for name in service.users},
        "groups": {(name,) for name in service.groups},
        "group_members": members,
    }


def load(tables: Tables, service: Service, count: int | None) -> bool:
    """Read a service once and apply it; returns whether that went well."""
    access = Access(InProcess(service), count)
    sync = Sync("sso", frozenset(tables.keys), tables.cursor, tables.folder, tables.folder, NOW)
    events = []
    reading = read_directory(access, sync, (), tables.cursor or {})
    try:
        while True:
            events.append(next(reading))
    except StopIteration as end:
        tables.take(events)
        tables.cursor = end.value
        return True
    except IntegrationError:
        return False


@examples()
@given(first=SERVICES, second=SERVICES, count=st.none() | st.integers(1, 5))
def test_what_is_loaded_is_what_the_service_holds(first: Service, second: Service, count: int | None) -> None:
    assume(is_distinct(first, count) and is_distinct(second, count))
    with TemporaryDirectory() as folder:
        tables = Tables("sso", "scim", {}, Path(folder))
        before: dict[str, set[tuple[str, ...]]] = {name: set() for name in state_of(first)}
        for service in (first, second):
            begun = state_of(service)
            well = load(tables, service, count)
            failed = tables.failed() if well else set(before)
            ended = state_of(service)
            after = {name: set(tables.rows[name]) for name in before}
            for name, rows in after.items():
                if name in failed:
                    assert rows == before[name], (name, service)
                else:
                    assert ended[name] <= rows <= begun[name], (name, service)  # what went meanwhile may be either
            before = after
