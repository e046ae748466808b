"""JSON that is cut without being parsed: the entries of a list, the members of an object, each as the server wrote it.

So no number loses a digit, and what is odd in one entry (a number of 5,000 digits, 20,000 levels, ``NaN``, half of a
surrogate pair, bytes that aren't UTF-8) stays in that entry. msgspec does it at the speed of memory; what msgspec
refuses is cut by its brackets, commas and quotes alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from leat.sources.json_path import EACH, Chosen, Path

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)
_NAME = re.compile(rb'\s*("[^"\\]*+(?:\\.[^"\\]*+)*+")\s*:\s*', re.DOTALL)
_OPEN, _CLOSE = b"[{", {b"]"[0]: b"["[0], b"}"[0]: b"{"[0]}
_INDEX = re.compile("[0-9]{1,9}")
_BLANKS = b" \t\r\n"


class TwiceNamed(ValueError):
    """An object has two members of one name, with different values."""


def compact(text: bytes) -> bytes:
    """Return JSON without blanks.

    Raises:
        ValueError: it is no JSON as every parser takes it.
    """
    try:
        text = msgspec.json.format(text, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        msg = "is no valid JSON"
        raise ValueError(msg) from None
    if not text.isascii():
        text.decode()
    return text


def entries(text: bytes) -> list[msgspec.Raw]:
    """Return the entries of a list as views into it, which ``bytes`` makes texts of.

    Raises:
        ValueError: it is no list, or one that doesn't end where the text does.
    """
    try:
        return msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return [msgspec.Raw(part) for part in _parts(text, b"[")]


def items(text: bytes) -> list[bytes]:
    """Return the texts of the entries of a list.

    Raises:
        ValueError: as :func:`entries`.
    """
    return [bytes(entry) for entry in entries(text)]


def members(text: bytes) -> dict[str, bytes]:
    """Return the texts of the members of an object by their names.

    Raises:
        ValueError: it is no object, or one that doesn't end where the text does; TwiceNamed when nobody can say which
            of two values counts.
    """
    whole = _whole(text)
    if whole is not None:
        return {name: bytes(value) for name, value in whole.items()}
    result: dict[str, bytes] = {}
    for name, value in _pairs(text):
        if result.setdefault(name, value) != value:
            msg = f"has two fields {name[:80]!r} with different values"
            raise TwiceNamed(msg)
    return result


def pairs(text: bytes) -> list[tuple[str, bytes]]:
    """Return the names and texts of the members of an object, also of those that are there twice.

    Raises:
        ValueError: it is no object, or one that doesn't end where the text does.
    """
    whole = _whole(text)
    return list(_pairs(text)) if whole is None else [(name, bytes(value)) for name, value in whole.items()]


def _whole(text: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the members of an object in which nothing is odd."""
    try:
        fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return None
    size = len(msgspec.json.encode(fields))
    lost = size != len(text) and _size(msgspec.json.encode(fields)) != _size(text)
    return None if lost else fields  # a name is there twice, or is written with escapes


def quote(name: str) -> bytes:
    """Return a name as JSON; halves of surrogate pairs in it are escaped."""
    return json.dumps(name).encode()


def opened(text: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the members of an object, or the entries of a list by their numbers; None for a plain value.

    Raises:
        ValueError: it can't be cut.
    """
    start = text.lstrip(_BLANKS)[:1]
    if start not in (b"{", b"["):
        return None
    pairs = members(text).items() if start == b"{" else ((str(i), item) for i, item in enumerate(items(text)))
    return {name: msgspec.Raw(value) for name, value in pairs}


def reach(text: bytes, path: Path) -> Iterator[bytes]:
    """Yield the texts that a path leads to; nothing where it leads nowhere.

    Raises:
        ValueError: an object or list on the way can't be cut.
    """
    if not path:
        yield text
        return
    step, rest = path[0], path[1:]
    start = text.lstrip(_BLANKS)[:1]
    if start == b"{":
        fields = members(text)
        several = list(fields.values()) if step is EACH else [fields[step]] if step in fields else []
    elif start == b"[":
        entries = items(text)
        if isinstance(step, Chosen):
            entries = [entry for entry in entries if step.fits(_loaded(entry))][:1]
            step = EACH
        place = -1 if step is EACH or not _INDEX.fullmatch(step) else int(step)
        several = entries if step is EACH else entries[place : place + 1] if place >= 0 else []
    else:
        return
    for value in several:
        yield from reach(value, rest)


def _loaded(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _size(text: bytes) -> int:
    return len(msgspec.json.format(text, indent=-1))


def _pairs(text: bytes) -> Iterator[tuple[str, bytes]]:
    for part in _parts(text, b"{"):
        name = _NAME.match(part)
        if name is None:
            msg = "a member of an object has no name"
            raise ValueError(msg)
        yield json.loads(name[1].decode("utf-8", "surrogateescape"), strict=False), part[name.end() :]


def _parts(text: bytes, opening: bytes) -> Iterator[bytes]:
    """Yield what is between the commas of the outermost list or object."""
    text = text.strip(_BLANKS)
    if text[:1] != opening:
        msg = f"it doesn't begin with {opening.decode()}"
        raise ValueError(msg)
    stack = bytearray()
    start, several = 1, False
    for match in _TOKEN.finditer(text):
        mark = text[match.start()]
        if mark in _OPEN:
            stack.append(mark)
        elif mark in _CLOSE:
            if not stack or stack.pop() != _CLOSE[mark]:
                break
            if not stack:
                last = text[start : match.start()].strip(_BLANKS)
                if match.end() != len(text) or (several and not last):
                    break
                if last:
                    yield last
                return
        elif mark == b","[0] and len(stack) == 1:
            part = text[start : match.start()].strip(_BLANKS)
            if not part:
                break
            yield part
            start, several = match.end(), True
        elif match.end() - match.start() == 1 and mark == b'"'[0]:
            break
    msg = "its brackets, commas and quotes don't match"
    raise ValueError(msg)
