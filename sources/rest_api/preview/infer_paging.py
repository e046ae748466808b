"""Where the list of an answer is, and how it may be paged, for endpoints that leave that open."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from leat.sources.http.headers import link_of
from leat.sources.json_path import Path, write_path
from leat.sources.rest_api.answers.page import Page
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.declaration.paging_styles import (
    CursorPages,
    LinkHeader,
    NextHeader,
    NextLink,
    Offset,
    Pages,
    Style,
)

_DEPTH = 4
_WORD = re.compile(r"[^a-z0-9]")
_MORE = ("hasmore", "hasnext", "hasnextpage", "more")
_TOTAL = ("total", "totalcount", "totalresults", "totalitems", "totalrecords", "totalelements", "totalsize", "count")
_START = ("offset", "startat", "start", "skip", "from")
_SIZE = ("limit", "maxresults", "perpage", "pagesize", "size", "count", "top", "take")
_TOKENS = ("endcursor", "cursor", "continuation", "bookmark", "after")
_PAGE = ("page", "currentpage", "pagenumber", "pageno", "pageindex")


def find_list(answer: Any) -> Path | None:
    """Return where the list of records is in an answer: of several lists of objects the longest; None when none is."""
    if isinstance(answer, list):
        return ()
    lists = list(_lists(answer, ()))
    of_objects = [each for each in lists if each[1] and isinstance(each[1][0], dict)]
    longest = max(of_objects or lists, key=lambda each: (len(each[1]), -len(each[0])), default=None)
    return None if longest is None else longest[0]


def likely_paging(page: Page, endpoint: Endpoint, key: tuple[str, ...]) -> Iterator[Style]:
    """Yield styles by which the first page of a list may lead to the next, the likeliest first."""
    fields = list(_fields(page.rest, ()))
    if link_of(page.headers, "next"):
        yield LinkHeader(kind="link_header")
    more = next((write_path(path) for path, word, value in fields if word in _MORE and value is True), None)
    for path, word, value in fields:
        if isinstance(value, list):
            yield from _in_list_of_links(path, value)
        if not isinstance(value, str | int) or value in ("", False, True):
            continue
        text, name = str(value), str(path[-1])
        leads = word in _TOKENS or any("next" in _WORD.sub("", str(step).lower()) for step in path[-2:])
        if leads and re.match(r"(https?://|/|\?)", text):
            yield NextLink(kind="next_link", field=write_path(path))
        elif leads and isinstance(value, int) and "page" in word:
            yield Pages(kind="pages", param="page", first=value - 1 if value > 0 else 1)
        elif leads:
            for param in _cursor_params(name):
                yield CursorPages(kind="cursor", field=write_path(path), param=param, more=more)
    for name, text in page.headers.items():
        if _WORD.sub("", name.lower()) in ("xnextpage", "xnextcursor", "nextpage", "nextcursor") and text.strip():
            yield NextHeader(kind="next_header", header=name, param="page" if "age" in name.lower() else "cursor")
    yield from _by_number(page, fields)
    if more and key:
        last = endpoint.columns[key[0]].field or key[0] if key[0] in endpoint.columns else key[0]
        yield CursorPages(kind="cursor", last_record=last, param="starting_after", more=more)


def _in_list_of_links(path: Path, links: list[Any]) -> Iterator[Style]:
    """Yield how to follow a list of links that includes the next one, as in FHIR and HAL."""
    for link in links:
        for relation, address in itertools.product(("rel", "relation"), ("href", "url", "uri")):
            if isinstance(link, dict) and link.get(relation) == "next" and link.get(address):
                yield NextLink(kind="next_link", field=f"{write_path(path)}[{relation}=next].{address}")


def _by_number(page: Page, fields: list[tuple[Path, str, Any]]) -> Iterator[Style]:
    """Yield styles by number, where the answer says how many records there are, or at which it is."""
    numbers = {word: (path, value) for path, word, value in fields if isinstance(value, int) and value is not True}
    total = next((write_path(numbers[w][0]) for w in _TOTAL if w in numbers and numbers[w][1] > page.count), None)
    size = next(
        ((str(numbers[w][0][-1]), page.count) for w in _SIZE if w in numbers and numbers[w][1] == page.count), None
    )
    sized: Mapping[str, Any] = {} if size is None else {"size_param": size[0], "size": size[1]}
    for word in _START:
        if word in numbers and total:
            path, value = numbers[word]
            yield Offset(
                kind="offset", param=str(path[-1]), first=value, total=total, **(sized or {"size": page.count})
            )
    for word in _PAGE:
        if word in numbers and (total or size):
            path, value = numbers[word]
            name = "page" if word in ("currentpage", "page") else str(path[-1])
            yield Pages(kind="pages", param=name, first=value, total=total, **sized)
    if total:
        yield Offset(kind="offset", size=page.count, total=total)
        yield Pages(kind="pages", total=total)


def _cursor_params(name: str) -> Iterator[str]:
    """Yield names of the parameter that may take a cursor: what is left of the field's name goes first."""
    plain = re.sub(r"^@?odata\.|^_+", "", name)
    rest = re.sub(r"^next[_-]?", "", plain, flags=re.IGNORECASE)
    if rest and rest != plain:
        yield rest[0].lower() + rest[1:]
    if plain.lower() in ("endcursor", "after"):
        yield "after"
    yield from dict.fromkeys(("cursor", "page_token", "after"))


def _lists(value: Any, path: Path) -> Iterator[tuple[Path, list[Any]]]:
    if isinstance(value, dict) and len(path) < _DEPTH:
        for name, inner in value.items():
            if isinstance(inner, list):
                yield (*path, name), inner
            else:
                yield from _lists(inner, (*path, name))


def _fields(value: Any, path: Path) -> Iterator[tuple[Path, str, Any]]:
    if isinstance(value, dict) and len(path) < _DEPTH:
        for name, inner in value.items():
            if isinstance(inner, dict):
                yield from _fields(inner, (*path, name))
            else:
                yield (*path, name), _WORD.sub("", name.lower()), inner
