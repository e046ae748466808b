"""An answer in two: the list of records, as bytes, and the rest of it, parsed.

The list is cut out without being parsed. Where it ends is found from the end of the answer: the leftmost ``]`` after
which the rest is JSON again. Whoever parses the list finds out if that was wrong, for it then is no JSON
(:mod:`tables`); the answer is then parsed as a whole by :func:`parse_envelope`.
"""

from __future__ import annotations

import json
import re
from typing import Any

_HEAD = 1 << 16
_TAIL = 1 << 12
_TRIES = 40
_BLANKS = b" \t\r\n"


class NoRecords(ValueError):
    """The answer has no list where one was declared."""


def split_envelope(body: bytes, path: tuple[str, ...]) -> tuple[Any, bytes] | None:
    """Return the rest of an answer, with null for the list, and the list; None when it can't be told by looking."""
    if not path:
        whole = body.strip(_BLANKS)
        return (None, whole) if whole[:1] == b"[" and whole[-1:] == b"]" else None
    opening = re.compile(re.escape(json.dumps(path[-1], ensure_ascii=False).encode()) + rb"\s*:\s*(?=\[)")
    for found in opening.finditer(body, 0, _HEAD):
        start = found.end()
        rest, end = _ending(body, start, path)
        if end:
            return rest, body[start:end]
    return None


def _ending(body: bytes, start: int, path: tuple[str, ...]) -> tuple[Any, int]:
    """Return the rest of the answer and the end of the list; an end of 0 when there is none near the end."""
    best: tuple[Any, int] = (None, 0)
    floor = max(start, len(body) - _TAIL)
    at = len(body)
    for _ in range(_TRIES):
        at = body.rfind(b"]", floor, at)
        if at < 0:
            break
        try:
            rest = json.loads(body[:start] + b"null" + body[at + 1 :])
        except (ValueError, RecursionError):
            continue
        if value_at(rest, path, ...) is None:
            best = (rest, at + 1)
    return best


def parse_envelope(body: bytes, path: tuple[str, ...]) -> tuple[Any, list[Any]]:
    """Parse the whole answer; returns the rest of it and the list.

    Raises:
        ValueError: it is no JSON; NoRecords when it is, but has no list there.
    """
    whole = json.loads(body)
    records = value_at(whole, path, ...)
    if not isinstance(records, list):
        got = "nothing" if records is ... else type(records).__name__
        msg = f"{'.'.join(path) or 'the answer'} has to be a list, and is {got}"
        raise NoRecords(msg)
    if path:
        value_at(whole, path[:-1], {})[path[-1]] = None
    return (whole if path else None), records


def value_at(value: Any, path: tuple[str, ...], missing: Any = None) -> Any:
    """Return what is at a path of keys."""
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return missing
        value = value[key]
    return value
