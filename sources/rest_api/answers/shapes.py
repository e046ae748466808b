"""What is where records are declared, as a list: a list, one object, an object of records, lists within a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from leat.sources import json_raw as raw
from leat.sources.json_path import EACH, Path
from leat.sources.rest_api.declaration.endpoint import Endpoint


def before_each(path: Path) -> Path:
    """Return the part of a path before its first star: one value is there."""
    return path[: path.index(EACH)] if EACH in path else path


def expected(endpoint: Endpoint) -> str:
    """Return what must be where records are declared, for errors."""
    if endpoint.single:
        return "one object"
    return "an object of records" if endpoint.keyed_by else "a list"


def entries(endpoint: Endpoint, text: bytes) -> list[msgspec.Raw] | None:
    """Return the records in what an answer has at :func:`before_each` of ``records``; None when it has another shape.

    Raises:
        ValueError: it can't be cut.
    """
    path = endpoint.records_path()
    start = text.lstrip()[:1]
    if EACH in path:
        several = start in (b"[", b"{")
        return list(map(msgspec.Raw, _each(raw.reach(text, path[len(before_each(path)) :])))) if several else None
    if endpoint.keyed_by is not None:
        empty = start == b"[" and not raw.entries(text)
        return list(map(msgspec.Raw, _pairs(text))) if start == b"{" else [] if empty else None
    if start == b"[" and not endpoint.single:
        return raw.entries(text)
    alone = (endpoint.single and start == b"{") or endpoint.format.kind == "xml"
    return raw.entries(b"[%s]" % text) if alone else None


def nested_entries(endpoint: Endpoint, texts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the records in what a record has where a list is declared: one entry alone needs no list."""
    for text in texts:
        if endpoint.keyed_by is not None and text[:1] == b"{":
            yield from _pairs(text)
        else:
            yield from _each([text])


def joined(texts: list[msgspec.Raw]) -> bytes:
    """Return records as a JSON array."""
    return b"[%s]" % b",".join(map(bytes, texts))


def _each(texts: Iterable[bytes]) -> Iterator[bytes]:
    for text in texts:
        if text.lstrip()[:1] == b"[":
            yield from raw.items(text)
        elif text != b"null":
            yield text


def _pairs(text: bytes) -> Iterator[bytes]:
    """Yield pairs of a name and a record, as JSON."""
    for name, value in raw.pairs(text):
        yield b"[%s,%s]" % (raw.quote(name), value)
