"""Bytes and header values of a message to text, whatever charset they claim (RFC 2045, RFC 2047, RFC 6532)."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Any

_ALIASES = {
    "": "us-ascii",
    "unknown-8bit": "utf-8",
    "x-unknown": "utf-8",
    "binary": "utf-8",
    "8bit": "utf-8",
    "utf8mb4": "utf-8",
    "utf-8-unix": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9-e": "iso-8859-9",
    "windows-874": "cp874",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
    "cp-850": "cp850",
}
"""Names that Python doesn't know, and charsets that are used as if they were their larger relatives (WHATWG)."""

_FOLD = re.compile(r"\r?\n")
_ESCAPED = re.compile("[\udc80-\udcff]+")


@lru_cache(maxsize=256)
def codec_of(charset: str) -> str | None:
    """Return the name of the Python codec for a charset; None when there is none for text."""
    name = charset.strip().strip("\"'").lower().removeprefix("charset=").replace(" ", "")
    name = _ALIASES.get(name, name)
    try:
        return name if codecs.lookup(name)._is_text_encoding else None
    except (LookupError, ValueError):
        return None


def decode_body(content: bytes, charset: str | None) -> tuple[str, str | None]:
    """Return text, and what was wrong with its charset: None when it is as it says.

    What isn't in the charset it claims is read as UTF-8 when it is that, else as the claimed one or Windows-1252 with
    U+FFFD for what remains.
    """
    codec = codec_of(charset or "us-ascii")
    if codec is not None:
        try:
            return content.decode(codec), None
        except (UnicodeError, ValueError):
            pass
    said = f"charset {charset or 'us-ascii'} " + ("is unknown" if codec is None else "is wrong")
    try:
        return content.decode("utf-8"), f"{said}; read as utf-8"
    except UnicodeDecodeError:
        other = codec if codec not in (None, "us-ascii", "utf-8") else "cp1252"
        return content.decode(str(other), "replace"), f"{said}; read as {other}"


def repair(text: str) -> str:
    """Return text with bytes that were not decoded (as surrogates, PEP 383) read as UTF-8, else as Windows-1252."""
    if text.isascii():
        return text
    return _ESCAPED.sub(lambda found: _bytes_to_text(found[0].encode("ascii", "surrogateescape")), text)


def _bytes_to_text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def header_text(value: str) -> str:
    """Return a header's value unfolded and decoded (RFC 2047), by the standard library's modern policy."""
    text = (_FOLD.sub("", value) if "\n" in value else value).strip()
    if "=?" in text:
        text = str(structured("subject", repair(text)))
    return repair(text).strip()


def structured(name: str, value: str) -> Any:
    """Return a header as the standard library's modern policy understands it.

    A value that makes the parser itself fail is returned as plain text: no header can stop a message.
    """
    from email.header import decode_header, make_header

    try:
        return _header_class(name)(name, value)
    except Exception:  # email._header_value_parser raises almost anything on odd input
        try:
            return str(make_header(decode_header(value)))
        except (LookupError, ValueError):
            return value


@lru_cache(maxsize=16)
def _header_class(name: str) -> Any:
    """Return the class for a header; the policy makes a new one for each value."""
    from email.policy import default

    return default.header_factory[name]  # type: ignore[index]
