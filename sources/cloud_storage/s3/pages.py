"""A page of a listing: XML of S3 to one line of text for each object, version and delete marker.

A server writes all entries of a page alike, so the first one of a kind is taken apart, and a pattern made of it takes
the others; where that doesn't take every entry, each is taken apart by itself. That is ten times faster than a tree.

A line has ``key, version, kind, etag, size, last modified, storage class, owner's id, owner's name``, with tabs between
them. In the key, bytes up to the space, ``%`` and DEL are percent-encoded, so that no line end is in it and all lines
of a key follow each other when they are sorted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from urllib.parse import unquote_to_bytes

from leat.sources.cloud_storage.s3.text import unescaped

OBJECT, LATEST, OLDER, MARKER, OLD_MARKER = b"O", b"V", b"v", b"D", b"d"
"""Kinds of lines: an object without versions; the newest version and others; a marker that is newest and others."""

_KINDS = {b"Contents": (OBJECT, OBJECT), b"Version": (LATEST, OLDER), b"DeleteMarker": (MARKER, OLD_MARKER)}
_NAMES = (b"Key", b"VersionId", b"IsLatest", b"ETag", b"Size", b"LastModified", b"StorageClass", b"ID", b"DisplayName")
_LEAF = re.compile(rb"<([A-Za-z]+)>([^<]*)</\1>|<([A-Za-z]+)\s*/>|<[^>]*>")
_ENCODED = re.compile(rb"[\x00-\x20%\x7f]")
_UNPLAIN = re.compile(rb"[\x00-\x20%+&\x7f]")
_UNPLAIN_NAME = re.compile(rb"[\t\r\n&]")
_ROOT = re.compile(rb"^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>\s*)?<(\w+)[ >]")
_ENTRY = re.compile(rb"<(?:\w+:)?(?:Contents|Version|DeleteMarker)(?=[\s/>:])")


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer of a listing holds.

    Attributes:
        lines: an entry each, without a line end, in the order of the server.
        prefixes: the common prefixes, where a delimiter was asked for; bytes that are no UTF-8 are surrogates.
        after: the parameters that ask for the next page; None on the last.
        ended: whether the answer says that it is the last, where it is.
    """

    lines: list[bytes]
    prefixes: list[str]
    after: dict[str, str] | None
    ended: bool = True


def parse_page(body: bytes) -> Page:
    """Return what a ListObjectsV2 or ListObjectVersions answer holds.

    Raises:
        ValueError: it isn't such an answer, or not a whole one.
    """
    root = _ROOT.match(body)
    kind = root[1] if root else b""
    if kind not in (b"ListBucketResult", b"ListVersionsResult") or not body.rstrip().endswith(b"</%s>" % kind):
        msg = "the listing is cut off" if kind.startswith(b"List") else "no listing of a bucket"
        raise ValueError(msg)
    body = body.replace(b"&#34;", b'"').replace(b"&quot;", b'"')  # around etags
    encoded = b"<EncodingType>url</EncodingType>" in body
    lines = [line for tag in _KINDS for line in _lines(body, tag, encoded)]
    if len(lines) != len(_ENTRY.findall(body)):
        msg = "the listing has entries in a form that can't be read"
        raise ValueError(msg)
    prefixes = [
        _decoded(text, encoded).decode("utf-8", "surrogateescape")
        for text in re.findall(rb"<CommonPrefixes>\s*<Prefix>([^<]*)</Prefix>", body)
    ]
    counted = _text(body, b"KeyCount").strip()
    if counted.isdecimal() and int(counted) > len(lines) + len(prefixes):
        msg = f"it counts {counted} keys and has {len(lines) + len(prefixes)}"
        raise ValueError(msg)
    truncated = _text(body, b"IsTruncated").strip().lower()
    return Page(lines, prefixes, _after(body, encoded) if truncated == "true" else None, truncated == "false")


def _after(body: bytes, encoded: bool) -> dict[str, str]:
    """Return where a page that isn't the last says to go on.

    Raises:
        ValueError: it doesn't say it.
    """
    token = _text(body, b"NextContinuationToken")
    if token:
        return {"continuation-token": token}
    key = _text(body, b"NextKeyMarker")
    if not key:
        msg = "it says that there is more, but not where to go on"
        raise ValueError(msg)
    marker = _decoded(key.encode("utf-8", "surrogateescape"), encoded).decode("utf-8", "surrogateescape")
    version = _text(body, b"NextVersionIdMarker")
    return {"key-marker": marker, **({"version-id-marker": version} if version else {})}


def _text(body: bytes, name: bytes) -> str:
    match = re.search(rb"<%s>([^<]*)</%s>" % (name, name), body)
    return unescaped(match[1]).decode("utf-8", "surrogateescape") if match else ""


def _lines(body: bytes, tag: bytes, encoded: bool) -> Iterator[bytes]:
    opening, closing = b"<%s>" % tag, b"</%s>" % tag
    count = body.count(opening)
    if not count:
        return iter(())
    if body.count(closing) != count:
        msg = "the listing is cut off"
        raise ValueError(msg)
    first = body.index(opening)
    pattern, order = _shape(body[first : body.index(closing, first) + len(closing)])
    listed = list(map(order, pattern.findall(body)))
    if len(listed) != count:
        entries = re.findall(rb"%s.*?%s" % (opening, closing), body, re.DOTALL)
        leaves = ({name: text for name, text, *_ in _LEAF.findall(entry) if name} for entry in entries)
        listed = [(texts.get(b"Key", b""), *(_on_a_line(texts, name) for name in _NAMES[1:])) for texts in leaves]
    return _joined(listed, _KINDS[tag], encoded)


def _on_a_line(texts: dict[bytes, bytes], name: bytes) -> bytes:
    return b" ".join(texts.get(name, b"").split())


def _joined(entries: list[tuple[bytes, ...]], kinds: tuple[bytes, bytes], encoded: bool) -> Iterator[bytes]:
    """Yield the lines of entries; what isn't plain is looked at one by one only where there is some."""
    keys = [entry[0] for entry in entries]
    if _UNPLAIN.search(b"".join(keys)):
        keys = [line_key(key, encoded) for key in keys]
    owners = [entry[7:] for entry in entries]
    if _UNPLAIN_NAME.search(b"".join(map(b"".join, owners))):
        owners = [tuple(b" ".join(unescaped(text).split()) for text in owner) for owner in owners]
    current, older = kinds
    for key, (_, version, latest, etag, size, modified, storage_class, *_), owner in zip(
        keys, entries, owners, strict=True
    ):
        kind = older if latest == b"false" else current
        yield b"\t".join((key, version, kind, etag.strip(b'"'), size, modified, storage_class, *owner))


def _shape(entry: bytes) -> tuple[re.Pattern[bytes], Callable[[tuple[bytes, ...]], tuple[bytes, ...]]]:
    return _compiled(re.sub(rb">[^<]*<", b"><", entry))


@lru_cache(maxsize=64)
def _compiled(skeleton: bytes) -> tuple[re.Pattern[bytes], Callable[[tuple[bytes, ...]], tuple[bytes, ...]]]:
    """Return the pattern that takes entries like this one, and what puts their values into the order of ``_NAMES``."""
    names: list[bytes] = []
    parts: list[bytes] = []
    for leaf in _LEAF.finditer(skeleton):
        if leaf[1]:
            names.append(leaf[1])
            parts.append(rb"<%s>([^<\t\r\n]*)</%s>" % (leaf[1], leaf[1]))
        else:
            parts.append(re.escape(leaf[0]))
    places = {name: number for number, name in reversed(list(enumerate(names)))}
    pattern = re.compile(rb"\s*".join([b"", *parts])[3:] + b"()")  # the empty group is what is absent
    return pattern, itemgetter(*(places.get(name, len(names)) for name in _NAMES))


def line_key(text: bytes, encoded: bool) -> bytes:
    """Return a key as lines have it, from how the XML has it."""
    return text if not _UNPLAIN.search(text) else encode_key(_decoded(text, encoded))


def encode_key(key: bytes) -> bytes:
    """Return a key as lines have it."""
    return _ENCODED.sub(lambda match: b"%%%02X" % match[0][0], key)


def _decoded(text: bytes, encoded: bool) -> bytes:
    text = unescaped(text)
    return unquote_to_bytes(text.replace(b"+", b" ")) if encoded else text
