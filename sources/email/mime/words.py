"""Encoded words in headers (RFC 2047), as programs really write them.

White space between two of them is not shown (section 6.2), and a character that is split over two is put together
again, which section 5 forbids and many programs write. Blanks and question marks inside a word, words without white
space around them and words in quotes are read too. What isn't an encoded word stays as it is.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from dataclasses import dataclass

from leat.sources.email.mime.charsets import codec_of, decode_loosely, decode_strictly

WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?((?:(?!=\?[^?\s]+\?[bBqQ]\?).)*?)\?=", re.DOTALL)
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
_SEPARATE = ("utf-16", "utf-32", "utf-7", "utf_16", "utf_32", "utf_7")
"""Codecs with a mark at the beginning, or a state that each word ends by itself."""


@dataclass(slots=True)
class _Run:
    """The bytes of adjacent words of one charset."""

    charset: str
    pieces: list[bytes]


def decode_words(text: str) -> str:
    """Return text with its encoded words decoded."""
    if "=?" not in text:
        return text
    out: list[str] = []
    run: _Run | None = None
    at = 0
    for match in WORD.finditer(text):
        charset, content = match[1].partition("*")[0].lower(), _content(match[2], match[3])
        between = text[at : match.start()]
        at = match.end()
        if run is not None and not between.strip():
            if run.charset == charset:
                run.pieces.append(content)
                continue
            between = ""
        out += [_decoded(run), between]
        run = _Run(charset, [content])
    return "".join([*out, _decoded(run), text[at:]])


def _decoded(run: _Run | None) -> str:
    """Return the text of adjacent words: decoded together where that can be, else one by one."""
    if run is None:
        return ""
    codec = codec_of(run.charset)
    if len(run.pieces) > 1 and not (codec or "").startswith(_SEPARATE):
        together = decode_strictly(b"".join(run.pieces), codec or "utf-8")
        if together is not None:
            return together
    return "".join(decode_loosely(piece, codec) for piece in run.pieces)


def _content(encoding: str, written: str) -> bytes:
    """Return the bytes of an encoded word."""
    raw = written.encode("utf-8", "surrogateescape")
    if encoding in "qQ":
        return a2b_qp(raw.replace(b"\r", b"").replace(b"\n", b""), header=True)
    letters = _NOT_BASE64.sub("", written)
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return a2b_base64(letters + "=" * (-len(letters) % 4))
    except Error:
        return raw
