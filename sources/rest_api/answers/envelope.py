"""An answer in two: the list of records, cut out as the server wrote it, and the rest of it, parsed.

The list is cut by :mod:`raw`, level by level along its path: the slice is exactly one JSON array and what is left of
the answer is JSON too, or the answer is refused. Nothing else in it is taken for the list, and nothing is overlooked.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any

import msgspec

from leat.sources import json_raw as raw
from leat.sources.json_path import Path, write_path
from leat.sources.rest_api.answers.shapes import before_each, entries, expected, joined
from leat.sources.rest_api.declaration.endpoint import Endpoint

_BLANKS = b" \t\r\n"
_MARK = b"\xef\xbb\xbf"


class NoRecords(ValueError):
    """The answer has no list where one was declared."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An answer.

    Attributes:
        rest: the answer with null for the list; None when the answer is the list.
        records: the list, as the server wrote it.
        items: its entries, each as the server wrote it.
        empty: how an empty list is written when it isn't ``[]``: ``null``, or ``{}`` for the whole answer.
    """

    rest: Any
    records: bytes
    items: list[msgspec.Raw]
    empty: str = ""


def open_envelope(body: bytes, endpoint: Endpoint) -> Envelope:
    """Cut an answer.

    ``null`` in place of the list is an empty list, as Go writes it, and so is an answer of ``{}``, as proto3 does.

    Args:
        body: the answer, JSON.
        endpoint: the declaration: where the list is, what is there, whether an answer without it has none.

    Raises:
        ValueError: it is no JSON; NoRecords when it is, but has no list there.
    """
    body = body.removeprefix(_MARK).strip(_BLANKS)
    path = before_each(endpoint.records_path())
    rest, text = _cut(body, path)
    if text is None:
        if body == b"{}" or _may_lack(endpoint, rest):
            return Envelope(_parsed(body), b"[]", [], "{}")
        raise NoRecords(_mismatch(endpoint, path, "nothing"))
    if text == b"null":
        return Envelope(rest, b"[]", [], "null")
    items = entries(endpoint, text)
    if items is None:
        raise NoRecords(_mismatch(endpoint, path, _kind(text)))
    return Envelope(rest, text if text[:1] == b"[" and path == endpoint.records_path() else joined(items), items)


def _may_lack(endpoint: Endpoint, rest: Any) -> bool:
    """Return whether an answer without the field is an empty list: as declared, and in XML of the right root."""
    if endpoint.format.kind == "xml":
        return isinstance(rest, dict) and endpoint.records_path()[0] in rest
    return endpoint.absent_is_empty and isinstance(rest, dict)


def _cut(text: bytes, path: Path) -> tuple[Any, bytes | None]:
    """Return the rest of a value, and what is at a path in it; None when there is nothing."""
    if not path:
        return None, bytes(text)
    if text[:1] != b"{":
        json.loads(text)  # what is no JSON at all is reported as that
        return None, None
    step = path[0]
    members = _members(text, step)
    inner = members.pop(step, None) if isinstance(step, str) else None
    rest = {name: _parsed(value) for name, value in members.items()}
    if inner is None:
        return rest, None
    rest[str(step)], inside = _cut(bytes(inner), path[1:])
    return rest, inside


def _members(text: bytes, step: Any) -> dict[str, Any]:
    """Return the members of an object; whether a name is there twice is looked at only where it occurs twice."""
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        name = b'"%s"' % str(step).encode()
        if 0 <= text.find(name) == text.rfind(name):  # several times as fast as counting
            return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    return dict(raw.members(text))


def _parsed(text: bytes) -> Any:
    """Return a parsed value; what is nested too deeply, or has too many digits, is none that paging could use."""
    with contextlib.suppress(RecursionError):
        try:
            return json.loads(bytes(text))
        except json.JSONDecodeError:
            raise
        except ValueError:  # of more digits than Python takes
            return None
    return None


def _mismatch(endpoint: Endpoint, path: Path, got: str) -> str:
    return f"{write_path(path) if path else 'the answer'} has to be {expected(endpoint)}, and is {got}"


def _kind(text: bytes) -> str:
    return type(json.loads(text)).__name__
