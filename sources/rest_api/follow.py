"""Lists whose pages tell of the next: a cursor, a link, a header. Each end has a reason that was seen.

A field that was there on a page before and isn't any more is an end. A field that no page ever had isn't one, unless
the only page is shorter than the page that was asked for: a wrong name looks just the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sources.json_path import parse_path, value_at, write_path
from sources.rest_api.declared import Endpoint
from sources.rest_api.marks import flag_of, number_of, unread_mark
from sources.rest_api.page import Page
from sources.rest_api.paging_styles import CursorPages, NextHeader, NextLink, Paged
from sources.rest_api.requests import asked_size, with_params
from sources.web.ask import Ask
from sources.web.client import Client
from sources.web.headers import link_of

_ABSENT = object()


class Unproven(ValueError):
    """A list can't be known to be complete; ``advice`` is what to declare."""

    def __init__(self, got: str, advice: str) -> None:
        super().__init__(got)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class End:
    """The list is complete, and why; weak when only the absence of something says so."""

    because: str
    weak: bool = False


@dataclass(slots=True)
class Memory:
    """What earlier pages of an endpoint had, in this run and before: it tells an end from a field that was renamed.

    Attributes:
        seen: whether a page ever had what leads to the next.
        least: records in the smallest page that another page followed.
    """

    seen: bool = False
    least: int | None = None

    def followed(self, count: int) -> None:
        """Note that another page comes after one of so many records."""
        self.least = count if self.least is None else min(count, self.least)

    def state(self) -> dict[str, Any]:
        """Return what the cursor holds."""
        return {"seen": self.seen, "least": self.least}


def memory_of(state: Mapping[str, Any]) -> Memory:
    """Return the memory that a cursor holds."""
    held = state.get("pages", {})
    return Memory(bool(held.get("seen")), held.get("least"))


@dataclass(slots=True)
class Follower:
    """Decides after each page what comes next."""

    client: Client
    endpoint: Endpoint
    ask: Ask
    memory: Memory
    _pages: int = field(default=0)
    _seen: bool = field(default=False)
    _flagged: bool = field(default=False)

    def after(self, page: Page) -> Ask | End:
        """Return the request of the next page, or why there is none.

        Raises:
            Unproven: the answer leaves open whether there is one.
        """
        paging = self.endpoint.paging
        if not isinstance(paging, Paged):
            return End("the answer is the whole list")
        self._pages += 1
        target, where = self._target(page)
        flag = more_of(page, paging)
        self._seen |= target is not _ABSENT
        self._flagged |= flag is not None
        self.memory.seen |= self._seen
        if flag is False:
            return End(f"{paging.more or paging.last} says that it is the last page")
        if target is _ABSENT or target is None or target is False or target == "":
            if flag is True:
                got = f"page {self._pages} says that there are more, and has no {where}"
                raise Unproven(got, "correct paging.field: the field with what the next page is asked for with")
            return self._ended(page, target is not _ABSENT, where)
        self.memory.followed(page.count)
        return self._next(page, target, where)

    def _target(self, page: Page) -> tuple[Any, str]:
        """Return what the next page is asked for with, and where it is."""
        paging = self.endpoint.paging
        if isinstance(paging, CursorPages) and paging.last_record:
            found = "" if page.is_empty else page.last(parse_path(paging.last_record))
            if found is None:
                got = f"the last record of page {self._pages} has no {paging.last_record}"
                raise Unproven(got, "correct paging.last_record: a field that every record has")
            return found, f"record on page {self._pages}"
        if isinstance(paging, CursorPages | NextLink):
            path = parse_path(paging.field or "")
            return value_at(page.rest, path, _holder(page.rest, path)), write_path(path)
        if isinstance(paging, NextHeader):
            return page.headers.get(paging.header, _ABSENT), f"header {paging.header}"
        paged = any(link_of(page.headers, relation) for relation in ("prev", "previous", "first", "last"))
        return link_of(page.headers, "next") or (None if paged else _ABSENT), "next in a header Link"

    def _next(self, page: Page, target: Any, where: str) -> Ask:
        paging = self.endpoint.paging
        if not isinstance(target, str | int | float) or target is True:
            got = f"{where} on page {self._pages} is a {type(target).__name__}"
            raise Unproven(got, "name the field with the text or number that leads to the next page")
        if isinstance(paging, CursorPages):
            return with_params(self.endpoint, self.ask, {paging.param: target})
        if isinstance(paging, NextHeader):
            return with_params(self.endpoint, self.ask, {paging.param: str(target).strip()})
        linked = replace(self.ask, path=self.client.follow(page.url, str(target), page.asked), params=())
        if isinstance(paging, NextLink) and paging.method == "GET":
            return replace(linked, method="GET", json=None)
        return linked

    def _ended(self, page: Page, present: bool, where: str) -> End:
        """Return why nothing leads on.

        Raises:
            Unproven: the field was never there, and the page may be full.
        """
        if self._seen and not present:
            return End(f"no {where} after pages that had one")
        size, least = asked_size(self.endpoint, self.ask), self.memory.least
        short = size is not None and page.count < size and (least is None or page.count < least)
        all_in_one = self._pages == 1 and (page.is_empty or short or self._counted(page))
        self._check_flag(all_in_one)
        if present and isinstance(self.endpoint.paging, CursorPages) and self.endpoint.paging.last_record:
            return End(f"empty page after {self._pages - 1} pages")
        if present:
            return End(f"{where} is empty" if self._pages > 1 else f"{where} is empty on the only page")
        if not all_in_one:
            msg = f"no page has {where}, and the first has {page.count} records"
            raise Unproven(msg, _DECLARE)
        mark = unread_mark(page.rest, page.headers, self.endpoint, wide=True)
        if mark:
            msg = f"no page has {where}, but the first has {mark}"
            raise Unproven(msg, f"is {mark} the field of paging?")
        if page.is_empty:
            return End("the only page is empty", weak=True)
        return End(f"one page of {page.count}, shorter than asked for" if short else "total reached", weak=True)

    def _check_flag(self, all_in_one: bool) -> None:
        paging = self.endpoint.paging
        name = isinstance(paging, Paged) and (paging.more or paging.last)
        if name and not self._flagged and not all_in_one:
            msg = f"no page has {name}"
            raise Unproven(msg, "correct paging.more or paging.last, or leave it out")

    def _counted(self, page: Page) -> bool:
        total = getattr(self.endpoint.paging, "total", None)
        return total is not None and number_of(value_at(page.rest, parse_path(total))) == page.count


_DECLARE = (
    "correct the field in paging; if the API leaves it out when there is one page, declare paging.size_param and size, "
    "or paging.total, so that one page can be known to be all"
)


def more_of(page: Page, paging: Paged) -> bool | None:
    """Return whether the answer says that there are more pages; None when no field says it.

    Raises:
        Unproven: it says neither.
    """
    for name, sense in ((paging.more, True), (paging.last, False)):
        if name is not None:
            value = value_at(page.rest, parse_path(name), _ABSENT)
            if value is _ABSENT or value is None:
                return None
            flag = flag_of(value)
            if flag is None:
                msg = f"{name} is neither true nor false"
                raise Unproven(msg, "correct paging.more or paging.last")
            return flag is sense
    return None


def _holder(rest: Any, path: tuple[Any, ...]) -> Any:
    """Return None when an object or list of links is there that lacks the next, else that nothing is."""
    links = len(path) > 1 and any(str(step).strip("_").lower() in ("link", "links") for step in path[:-1])
    return None if links and value_at(rest, path[:1], _ABSENT) is not _ABSENT else _ABSENT
