"""Bytes and header values of a message to text, whatever charset they claim (RFC 2045, RFC 2047, RFC 6532)."""

from __future__ import annotations

import re

from leat.sources.email.mime.charsets import codec_of, decode_anyway, decode_strictly
from leat.sources.email.mime.words import decode_words

_FOLD = re.compile(r"\r?\n")
_ESCAPED = re.compile("[\udc80-\udcff]+")


def decode_body(content: bytes, charset: str | None) -> tuple[str, str | None]:
    """Return text, and what was wrong with its charset: None when it is as it says.

    What isn't in the charset it claims is read as :func:`leat.sources.email.mime.charsets.decode_anyway` does.
    """
    codec = codec_of(charset or "us-ascii")
    text = None if codec is None else decode_strictly(content, codec)
    if text is not None:
        return text, None
    said = f"charset {charset or 'us-ascii'} " + ("is unknown" if codec is None else "is wrong")
    text, read_as = decode_anyway(content, codec)
    return text, f"{said}; read as {read_as}"


def repair(text: str) -> str:
    """Return text with bytes that were not decoded (as surrogates, PEP 383) read as UTF-8, else as Windows-1252."""
    if text.isascii():
        return text
    return _ESCAPED.sub(lambda match: _bytes_to_text(match[0].encode("ascii", "surrogateescape")), text)


def _bytes_to_text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def header_text(value: str) -> str:
    """Return a header's value unfolded and with its encoded words decoded (RFC 2047)."""
    text = (_FOLD.sub("", value) if "\n" in value else value).strip()
    if "=?" not in text and text.isascii():
        return text
    return repair(decode_words(repair(text))).strip()
