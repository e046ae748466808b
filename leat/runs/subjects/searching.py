"""Whether bytes name a person, in whatever form: as they are, in URLs, in base64, quoted-printable, gzip or zlib."""

from __future__ import annotations

import base64
import itertools
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, quote_plus

from leat.pipelines.load.sealed_texts import SealedTexts
from leat.sources.identity import Identity
from leat.sources.tombstones import ENDINGS, may_be_mentioned

_GZIP, _ZLIB = b"\x1f\x8b\x08", (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
_OVERLAP = 4096
_BASE64 = frozenset(bytes([sign]) for sign in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_CHUNK = 8 << 20
_MOST_PACKED = 256
_SHORTEST = 6
"""Shorter pieces of base64 say nothing."""


@dataclass(frozen=True)
class Searcher:
    """Looks for some values in bytes.

    Attributes:
        values: what is looked for, in lower case.
        texts: reads encrypted values; None where there are none.
    """

    values: Sequence[str]
    texts: SealedTexts | None = None

    @cached_property
    def plain(self) -> re.Pattern[bytes]:
        """What the values look like when they are legible: as they are, in a URL, in JSON with escapes.

        What is part of a longer address or name is another one.
        """
        spelt: set[bytes] = {_bounded(value, form) for value in self.values for form in _spellings(value)}
        longest_first: list[bytes] = sorted(spelt, key=len, reverse=True)
        return re.compile(b"|".join(longest_first), re.IGNORECASE)

    @cached_property
    def _needed(self) -> frozenset[bytes]:
        """Bytes in lower case, one of them in each legible form: the longest word of each way to write a value."""
        spelt = (form for value in self.values for form in _spellings(value))
        return frozenset(max(form.lower().split(b" "), key=len) for form in spelt)

    @cached_property
    def _encoded(self) -> re.Pattern[bytes]:
        """What the values look like in base64, at each of the three offsets, in the usual cases of letters."""
        spelt = {form for value in self.values for case in _cases(value) for form in _base64(case.encode())}
        return re.compile(b"|".join(re.escape(each) for each in sorted(spelt)))

    def finds(self, content: bytes) -> bool:
        """Return whether bytes have one of the values in some form."""
        if not self.values:
            return False
        return any(self._is_in(each) for each in (content, *_unpacked(content)))

    def _is_in(self, content: bytes) -> bool:
        if next(self.legible(content), None) is not None:
            return True
        matches = itertools.islice(self._encoded.finditer(content), _MOST_PACKED)
        return any(self.plain.search(text) for match in matches for text in _decoded(content, *match.span()))

    def legible(self, content: bytes) -> Iterator[tuple[int, int]]:
        """Yield where bytes have one of the values legibly, or encrypted with a key of this project."""
        lowered = content.lower()
        if any(each in lowered for each in self._needed):  # the pattern takes a second for each 20 MB
            yield from (match.span() for match in self.plain.finditer(content))
        if self.texts is not None:
            for place, clear in self.texts.in_bytes(content):
                if self.plain.search(clear.encode()):
                    yield place

    def without(self, content: bytes) -> bytes:
        """Return bytes with as many letters x in place of each legible value."""
        changed = bytearray(content)
        for start, end in self.legible(content):
            changed[start:end] = b"x" * (end - start)
        return bytes(changed)

    def finds_in(self, path: Path) -> bool:
        """Return whether a file has one of the values in some form; a large one is read in parts."""
        try:
            with path.open("rb") as file:
                tail = b""
                while part := file.read(_CHUNK):
                    if self.finds(tail + part):
                        return True
                    tail = part[-_OVERLAP:]
        except OSError:
            return False
        return False


def searcher_of(identities: Sequence[Identity], texts: SealedTexts | None = None) -> Searcher:
    """Return what looks for a person's addresses, logins and names."""
    return Searcher([value.lower() for kind, _, value in identities if may_be_mentioned(kind, value)], texts)


def _spellings(value: str) -> Iterator[bytes]:
    for text in (value, quote(value), quote_plus(value), value.replace("@", "%40"), value.replace("@", "=40")):
        yield text.encode()
    yield value.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00")


def _bounded(value: str, form: bytes) -> bytes:
    """Return the pattern of a spelling of a value that isn't part of a longer one, as texts are searched."""
    text = re.escape(form)
    if "@" in value:
        return rb"(?<![\w.+-])" + text + rb"(?![\w-]|\.\w)"
    if " " in value:
        return rb"(?<!\w)" + text.replace(rb"\ ", rb"(?:\s|\\n|\+|%20)+") + rb"(?!\w)"
    return rb"(?<![\w.])" + text + rb"(?![\w@]|\.(?!(?:" + ENDINGS.encode() + rb")\b)\w|%40)"


def _decoded(content: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield what the base64 around a place says, from each of the four places where a group may begin."""
    while start > 0 and end - start < _OVERLAP and content[start - 1 : start] in _BASE64:
        start -= 1
    stop = min(len(content), end + 64)
    for shift in range(4):
        text = re.match(rb"[A-Za-z0-9+/_-]*", content[start + shift : stop])
        coded = (text[0] if text else b"").translate(bytes.maketrans(b"-_", b"+/"))
        whole = coded[:-1] if len(coded) % 4 == 1 else coded  # one letter alone says nothing
        yield base64.b64decode(whole + b"=" * (-len(whole) % 4))


def _cases(value: str) -> set[str]:
    return {value, value.title(), value.upper(), value.capitalize()}


def _base64(content: bytes) -> Iterator[bytes]:
    """Yield what is certain of the base64 of bytes that stand at each offset in a group of three."""
    for offset in range(3):
        padded = b"\0" * offset + content
        whole = base64.b64encode(padded)
        start = (0, 2, 3)[offset]
        end = len(padded) * 8 // 6
        for form in (whole[start:end], whole[start:end].translate(bytes.maketrans(b"+/", b"-_"))):
            if len(form) >= _SHORTEST:
                yield form


def _unpacked(content: bytes) -> Iterator[bytes]:
    """Yield what streams of gzip and zlib in the bytes hold."""
    for number, match in enumerate(re.finditer(re.escape(_GZIP), content)):
        if number >= _MOST_PACKED:
            break
        yield _inflated(content[match.start() :], gzip_header=True)
    if content[:2] in _ZLIB:
        yield _inflated(content, gzip_header=False)


def _inflated(content: bytes, *, gzip_header: bool) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | (16 if gzip_header else 0)).decompress(content, 64 << 20)
    except zlib.error:
        return b""
