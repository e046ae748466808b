"""What an answer says about more pages, in the words of all APIs: so that no mark of a next page goes unread.

A declaration reads some fields of an answer. What lies next to the list and looks like a next page, and is read by
nothing, is a mark: a listing that ends in spite of one isn't proven complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leat.sources.http.headers import link_of
from leat.sources.json_path import Path, parse_path, value_at, write_path
from leat.sources.rest_api.declaration.endpoint import Endpoint

_DEPTH = 3
_WORD = re.compile(r"[^a-z0-9]")
_NEXT = re.compile(
    r"(odata)?next((page|records?|results?|items?|batch|set|list|start|query|chunk)?"
    r"(token|cursor|links?|url|uri|href|path|id|key|number|no|num|offset|marker|index|page|row|from|position|skip)?)"
    r"|(continuation|pagination|paging|resume|page)token|continuation|continue|continuationuri"
)
_HELD = frozenset({"cursor", "endcursor", "bookmark", "after", "marker", "scrollid", "iterator"})
"""Names of tokens that some APIs also give with the last page: they count unless a flag says that it is the last."""
_MORE = frozenset(
    {"hasmore", "hasnext", "hasnextpage", "hasmorepages", "hasmoreitems", "hasmoreresults", "hasmorerecords", "more"}
    | {"moreresults", "morerecords", "moreitems", "moredata", "moreavailable", "morepages", "incompleteresults"}
    | {"truncated", "istruncated", "hasadditionalpages", "moreitemsincollection", "moretocome"}
)
_LAST = frozenset(
    {"islast", "islastpage", "last", "lastpage", "done", "isdone", "finished", "isfinished", "endofstream", "eof"}
    | {"endoflist", "endofresults", "endofrecords", "isend", "isfinal", "isfinalpage", "nomore", "nomorepages", "final"}
)
_TOTAL = re.compile(r"(total|totalcount|totalresults|totalitems|totalrecords|totalelements|totalsize|totalhits)")
_PAGES = re.compile(r"(totalpages?|pagetotal|pagestotal|totalpagecount|pagecount|numpages|numberofpages|pages)")
_WIDE = re.compile(r"next|cursor|token|contin|after|offset|marker|bookmark|scroll|more|resume|skip")
_TRUE, _FALSE = frozenset({"true", "yes", "y", "1"}), frozenset({"false", "no", "n", "0"})


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an answer: where it is, its name in small letters alone, and its value."""

    path: Path
    word: str
    value: Any


def flag_of(value: Any) -> bool | None:
    """Return a flag, which may be written as text or number; None when it is none. A number of what is left is true."""
    if isinstance(value, bool | int | float):
        return value > 0
    word = value.strip().lower() if isinstance(value, str) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def number_of(value: Any) -> int | None:
    """Return a whole number, which may be written as text; None when it is none."""
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,18}\s*", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value)


def unread_mark(rest: Any, headers: Mapping[str, str], endpoint: Endpoint, wide: bool = False) -> str | None:
    """Return the first mark of another page that nothing reads, as a user writes it.

    Args:
        rest: the answer without its list.
        headers: of the answer.
        endpoint: the declaration, which says what is read.
        wide: whether every field counts whose name only sounds like one.
    """
    if link_of(headers, "next") and endpoint.paging.kind != "link_header" and "Link" not in endpoint.paging.ignore:
        return "the header Link with rel=next"
    for name, text in headers.items():
        word = _word(name).removeprefix("x").removeprefix("ms")
        if text.strip() and name.lower() not in _headers_read(endpoint):
            more = flag_of(text) if word in _MORE else _NEXT.fullmatch(word) and flag_of(text) is not False
            if more:
                return f"the header {name}"
    read = _read(endpoint)
    fields = [each for each in _fields(rest, endpoint) if not _is_read(each.path, read)]
    ended = any(_says_last(each) for each in _fields(rest, endpoint))
    return next((write_path(each.path) for each in fields if _says_more(each, ended, wide)), None)


def unread_total(rest: Any, headers: Mapping[str, str], endpoint: Endpoint, rows: int, pages: int) -> str | None:
    """Return the first count of records or pages that nothing reads and that is greater than what was read."""
    read = _read(endpoint)
    for each in _fields(rest, endpoint):
        number = number_of(each.value)
        if number is not None and not _is_read(each.path, read) and not isinstance(each.value, float):
            if _TOTAL.fullmatch(each.word) and number > rows:
                return write_path(each.path)
            if _PAGES.fullmatch(each.word) and number > pages:
                return write_path(each.path)
    for name, text in headers.items():
        word = _word(name).removeprefix("x").removeprefix("wp")
        number = number_of(text.rpartition("/")[2] if word == "contentrange" else text)
        if number is None or name.lower() in _headers_read(endpoint):
            continue
        counts = word == "contentrange" or _TOTAL.fullmatch(word)
        if (counts and number > rows) or (_PAGES.fullmatch(word) and number > pages):
            return f"the header {name}"
    return None


def failure_of(rest: Any, endpoint: Endpoint) -> str | None:
    """Return what in an answer says that it failed, although its status doesn't: ``ok: false``, ``errors``."""
    if not isinstance(rest, dict):
        return None
    for name, bad in endpoint.fails_when.items():
        value = value_at(rest, parse_path(name))
        if value == bad and isinstance(value, bool) == isinstance(bad, bool):
            return f"{name} says that it failed"
    read = _read(endpoint)
    for name, value in rest.items():
        word = _word(name)
        if _is_read((name,), read):
            continue
        if word in ("ok", "success", "issuccess") and value is False:
            return f"{write_path((name,))} is false"
        if word == "errors" and isinstance(value, list) and value:
            return f"{write_path((name,))} isn't empty"
    return None


def _says_more(each: Field, ended: bool, wide: bool) -> bool:
    value, word = each.value, each.word
    if word in _MORE:
        return flag_of(value) is True
    if word in _LAST and (isinstance(value, bool) or (isinstance(value, str) and value.lower() in ("true", "false"))):
        return flag_of(value) is False
    if word in ("link", "links") and isinstance(value, list):
        return any(_is_next(entry) for entry in value)
    text = isinstance(value, str) and bool(value.strip()) and value.strip().lower() not in (*_FALSE, "null", "none")
    if _NEXT.fullmatch(word):
        return text or _holds(value)
    if word in _HELD:
        return text and not ended
    return wide and text and _WIDE.search(word) is not None and not word.startswith(("prev", "first", "self", "sync"))


def _says_last(each: Field) -> bool:
    more = each.word in _MORE and flag_of(each.value) is False
    return more or (each.word in _LAST and each.value is True)


def _holds(value: Any) -> bool:
    """Return whether what lies below a name like ``next`` leads anywhere."""
    if isinstance(value, dict):
        return any(_holds(inner) or (isinstance(inner, str) and bool(inner)) for inner in value.values())
    return value is True or (isinstance(value, int | float) and not isinstance(value, bool) and value > 0)


def _is_next(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    relation = entry.get("rel", entry.get("relation"))
    return relation == "next" and any(entry.get(name) for name in ("href", "url", "uri", "link"))


def _fields(value: Any, endpoint: Endpoint) -> Iterator[Field]:
    """Yield the fields next to a list, at each level of its path, and those of the objects that lie there."""
    yield from _below(value, (), parse_path(endpoint.records) if endpoint.records else (), 0)


def _below(value: Any, path: Path, list_at: Path, depth: int) -> Iterator[Field]:
    if not isinstance(value, dict) or depth > _DEPTH:
        return
    for name, inner in value.items():
        here = (*path, name)
        yield Field(here, _word(name), inner)
        yield from _below(inner, here, list_at, 0 if here == list_at[: len(here)] else depth + 1)


def _word(name: str) -> str:
    return _WORD.sub("", name.lower())


def _read(endpoint: Endpoint) -> list[Path]:
    named = [*endpoint.paging.reads(), *endpoint.paging.ignore, *endpoint.reads()]
    return [parse_path(text) for text in named]


def _is_read(path: Path, read: list[Path]) -> bool:
    """Return whether a field is read, or something in it is."""
    return any(each[: len(path)] == path or path[: len(each)] == each for each in read)


def _headers_read(endpoint: Endpoint) -> set[str]:
    paging = endpoint.paging
    return {name.lower() for name in (getattr(paging, "header", ""), *paging.reads(), *paging.ignore)}
