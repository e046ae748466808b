"""Lists whose pages name the next one: a cursor, a link, a header. Each end has a reason that was seen.

A field that was there on a page before and isn't any more is an end. A field that no page ever had isn't one: a wrong
name, or one that the API has changed, looks just the same. Many APIs leave it out when there is one page, so that is
tried: asked for fewer records than that page has, the API has to give the field.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from leat.sources.http.client import Client
from leat.sources.http.headers import link_of
from leat.sources.http.request import HttpRequest
from leat.sources.json_path import parse_path, value_at, write_path
from leat.sources.rest_api.answers.marks import number_of, unread_mark
from leat.sources.rest_api.answers.page import Page, page_of
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.declaration.paging_styles import CursorPages, NextHeader, NextLink, Paged
from leat.sources.rest_api.pages.ends import ABSENT, End, Memory, Miscounted, Unproven, more_of, said
from leat.sources.rest_api.pages.requests import asked_size, with_params

_REFUSALS = frozenset(range(400, 500)) - {401, 407, 408, 425, 429}
_OTHER_LINKS = frozenset(
    {"self", "first", "last", "prev", "previous", "current", "up", "start", "search", "alternate", "canonical", "top"}
    | {"describedby", "related", "curies", "item", "items", "collection", "edit", "profile", "help", "about", "parent"}
)
_DECLARE = (
    "correct the field in paging; if the API leaves it out when there is one page, declare paging.size_param and size, "
    "by which that is tried, or paging.total"
)


@dataclass(slots=True)
class Follower:
    """Decides after each page what comes next."""

    client: Client
    endpoint: Endpoint
    paging: Paged
    ask: HttpRequest
    memory: Memory
    _pages: int = field(default=0)
    _seen: bool = field(default=False)
    _flagged: bool = field(default=False)

    def after(self, page: Page) -> HttpRequest | End:
        """Return the request of the next page, or why there is none.

        Raises:
            Unproven: the answer leaves open whether there is one.
            Miscounted: the list changes while it is read.
        """
        paging = self.paging
        self._pages += 1
        target, flag = self._target(page), more_of(page, paging)
        self._seen |= target is not ABSENT
        self._flagged |= flag is not None
        if flag is False:
            return End(f"{paging.more or paging.last} says that it is the last page")
        if not _leads(target):
            if flag is True:
                got = f"page {self._pages} says that there are more, and has no {self._where()}"
                raise Unproven(got, "correct paging.field: the field with what the next page is asked for with")
            return self._ended(page, target is not ABSENT)
        self.memory.seen = True
        self.memory.flagged |= self._flagged
        return self._next(page, target)

    def _target(self, page: Page) -> Any:
        """Return what the next page is asked for with."""
        paging = self.paging
        if isinstance(paging, CursorPages) and paging.last_record:
            last = "" if page.is_empty else page.last(parse_path(paging.last_record))
            if last is None:
                got = f"the last record of page {self._pages} has no {paging.last_record}"
                raise Unproven(got, "correct paging.last_record: a field that every record has")
            return last
        if isinstance(paging, CursorPages | NextLink):
            path = parse_path(paging.field or "")
            return value_at(page.rest, path, _holder(page.rest, path))
        if isinstance(paging, NextHeader):
            return page.headers.get(paging.header, ABSENT)
        paged = any(link_of(page.headers, relation) for relation in ("prev", "previous", "first", "last"))
        return link_of(page.headers, "next") or (None if paged else ABSENT)

    def _where(self) -> str:
        """Return where that is, as a user writes it."""
        paging = self.paging
        if isinstance(paging, CursorPages) and paging.last_record:
            return "record"
        if isinstance(paging, CursorPages | NextLink):
            return write_path(parse_path(paging.field or ""))
        return f"header {paging.header}" if isinstance(paging, NextHeader) else "next in a header Link"

    def _next(self, page: Page, target: Any) -> HttpRequest:
        paging = self.paging
        if not isinstance(target, str | int | float) or target is True:
            got = f"{self._where()} on page {self._pages} is a {type(target).__name__}"
            raise Unproven(got, "name the field with the text or number that leads to the next page")
        if isinstance(paging, CursorPages):
            return with_params(self.endpoint, self.ask, {paging.param: target})
        if isinstance(paging, NextHeader):
            return with_params(self.endpoint, self.ask, {paging.param: str(target).strip()})
        linked = replace(self.ask, path=self.client.follow(page.url, str(target), page.asked), params=())
        if isinstance(paging, NextLink) and paging.method == "GET":
            return replace(linked, method="GET", json=None)
        return linked

    def _ended(self, page: Page, present: bool) -> End:
        """Return why nothing leads on.

        Raises:
            Unproven: the field was never there.
        """
        where, delta = self._where(), self.endpoint.delta
        if delta is not None and value_at(page.rest, parse_path(delta.field)):
            return End(f"{delta.field} comes with the last page")
        if present:
            self._check_flag(page)
            if isinstance(self.paging, CursorPages) and self.paging.last_record:
                return End(f"empty page after {self._pages - 1} pages")
            return End(f"{where} is empty" if self._pages > 1 else f"{where} is empty on the only page")
        if self._seen:
            self._check_flag(page)
            return End(f"no {where} after pages that had one")
        mark = unread_mark(page.rest, page.headers, self.endpoint, wide=True)
        if mark:
            msg = f"no page has {where}, but the first has {mark}"
            raise Unproven(msg, f"is {mark} the field of paging?")
        return End("the only page is empty", weak=True) if page.is_empty else self._one_page(page)

    def _check_flag(self, page: Page) -> None:
        name = self.paging.more or self.paging.last
        if name and not self._flagged and not self.memory.flagged and self._pages > 1 and not page.is_empty:
            msg = f"no page has {name}"
            raise Unproven(msg, "correct paging.more or paging.last, or leave it out")

    def _one_page(self, page: Page) -> End:
        """Return why the only page is all there is, although it has nothing that could lead on.

        Raises:
            Unproven: it may not be.
        """
        where = self._where()
        tried = True if self.memory.seen else self._tried(page)
        if tried:
            self.memory.seen = True
            return End(f"no {where}, which the API gives when there are more", weak=True)
        name, size = asked_size(self.endpoint, self.ask)
        short = size is not None and page.count < size
        if tried is None and (short or self._counted(page)):
            because = f"one page of {page.count}, fewer than the {size} asked for" if short else "total reached"
            return End(because, weak=True)
        got = f"no page has {where}, and the first has {page.count} records"
        raise Unproven(got if tried is None else f"{got}, nor has it when {name} is {page.count - 1}", _DECLARE)

    def _tried(self, page: Page) -> bool | None:
        """Return whether the API gives the field when it is asked for fewer records; None when that can't be tried."""
        name, size = asked_size(self.endpoint, self.ask)
        if name is None or size is None or page.count < 2:
            return None
        ask = with_params(self.endpoint, self.ask, {name: page.count - 1})
        answer = self.client.send(replace(ask, accept=ask.accept | _REFUSALS))
        if answer.status >= 400:
            return None
        fewer = page_of(self.client, self.endpoint, ask, answer)
        leads = _leads(self._target(fewer)) or more_of(fewer, self.paging) is True
        if fewer.count < page.count - 1 and not leads:
            msg = f"{page.count} records, and {fewer.count} a moment later"
            raise Miscounted(msg)
        return leads and fewer.count < page.count

    def _counted(self, page: Page) -> bool:
        total = self.paging.total
        return total is not None and number_of(said(page, total)) == page.count


def _leads(target: Any) -> bool:
    """Return whether a value leads to another page: 0 does, what is empty doesn't."""
    return not (target is ABSENT or target is None or target is False or target == "")


def _holder(rest: Any, path: tuple[Any, ...]) -> Any:
    """Return None when an object or list of links is there, and all links have familiar names, else that nothing is."""
    if len(path) < 2 or not any(str(step).strip("_").lower() in ("link", "links") for step in path[:-1]):
        return ABSENT
    held = value_at(rest, path[:1], ABSENT)
    if isinstance(held, dict):
        names = [name for name, value in held.items() if value and name != path[1]]
    elif isinstance(held, list):
        names = [str(each.get("rel", each.get("relation"))) for each in held if isinstance(each, dict)]
    else:
        return ABSENT
    return None if held and _OTHER_LINKS.issuperset(names) else ABSENT
