"""Answers to FETCH (RFC 9051, section 7.5.2) as items by UID: plain ones at once, all others by ``imapclient``."""

from __future__ import annotations

import re
from typing import Any

_NUMBER = rb"(0|[1-9]\d{0,18})"
_FLAGS = rb'\(([^()"{\[%\x00-\x1f]*)\)'
_ITEM = rb'(?:(UID|RFC822\.SIZE) %s|(FLAGS) %s|(INTERNALDATE) "([^"\\\r\n]*)")' % (_NUMBER, _FLAGS)
_ITEMS = re.compile(_ITEM)
_LINE = re.compile(rb"\d+ \(%s(?: %s)*\)" % (_ITEM, _ITEM))
_BODY = re.compile(rb"\d+ \(UID %s (BODY\[[A-Z]*\](?:<0>)?) \{%s\}" % (_NUMBER, _NUMBER))

Items = dict[int, dict[bytes, Any]]


def items_by_uid(data: list[Any]) -> Items:
    """Return the items of FETCH answers by UID; an answer without one is other news, and is left out.

    Args:
        data: lines, and pairs of the beginning of a line and a literal, as :mod:`imaplib` gives them.
    """
    parts = [part for part in data if part is not None]
    items = _plain(parts)
    return _parsed(parts) if items is None else items


def _plain(parts: list[Any]) -> Items | None:
    """Return the items when every answer is written as servers usually do, else None."""
    result: Items = {}
    at = 0
    while at < len(parts):
        part = parts[at]
        one = _line(part) if isinstance(part, bytes) else _literal(part, parts[at + 1 : at + 2])
        if one is None:
            return None
        at += 1 if isinstance(part, bytes) else 2
        uid = one.get(b"UID")
        if uid is not None:
            result.setdefault(uid, {}).update(one)
    return result


def _line(line: bytes) -> dict[bytes, Any] | None:
    """Return the items of an answer without a literal."""
    if _LINE.fullmatch(line) is None:
        return None
    items: dict[bytes, Any] = {}
    for name, number, is_flags, flags, is_date, date in _ITEMS.findall(line):
        if name:
            items[name] = int(number)
        else:
            items[is_flags or is_date] = tuple(flags.split()) if is_flags else date
    return items


def _literal(part: Any, rest: list[Any]) -> dict[bytes, Any] | None:
    """Return UID and body of an answer whose literal is its last item."""
    head, content = part
    match = _BODY.fullmatch(head)
    if match is None or rest != [b")"] or int(match[3]) != len(content):
        return None
    return {b"UID": int(match[1]), match[2]: content}


def _parsed(parts: list[Any]) -> Items:
    from imapclient.response_parser import parse_response  # type: ignore[import-untyped]

    result: Items = {}
    for items in parse_response(parts)[1::2]:
        if not isinstance(items, tuple):
            continue
        named = {bytes(items[i]).upper(): items[i + 1] for i in range(0, len(items) - 1, 2) if _is_name(items[i])}
        uid = named.get(b"UID")
        if isinstance(uid, int):
            result.setdefault(uid, {}).update(named)
    return result


def _is_name(item: Any) -> bool:
    return isinstance(item, bytes)
