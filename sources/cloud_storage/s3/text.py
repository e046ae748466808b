"""Text in XML of S3, which servers write with characters that no XML has (XML 1.0, 2.2 and 4.1)."""

from __future__ import annotations

import re

_REFERENCE = re.compile(rb"&(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6})|(amp|lt|gt|quot|apos));")
_NAMED = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
_PAIR = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
_LAST = 0x10FFFF


def unescaped(text: bytes) -> bytes:
    """Return text with its references replaced, each by the very character that it names, also one that XML forbids.

    Two halves of a surrogate pair become their character; one alone stays three bytes that are no UTF-8.
    """
    if b"&" not in text:
        return text
    return _PAIR.sub(_joined, _REFERENCE.sub(_character, text))


def _character(match: re.Match[bytes]) -> bytes:
    if match[3]:
        return _NAMED[match[3]]
    code = int(match[1]) if match[1] else int(match[2], 16)
    return chr(code).encode("utf-8", "surrogatepass") if code <= _LAST else match[0]


def _joined(match: re.Match[bytes]) -> bytes:
    halves = match[0].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
    return halves.decode("utf-16").encode()
