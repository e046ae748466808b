"""Charsets: from the names that mail gives them to Python's codecs, and from bytes to text by those."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_ALIASES = {
    "": "us-ascii",
    "unknown-8bit": "utf-8",
    "x-unknown": "utf-8",
    "unknown": "utf-8",
    "binary": "utf-8",
    "7bit": "utf-8",
    "8bit": "utf-8",
    "utf8mb4": "utf-8",
    "utf-8-unix": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "x-unicode-2-0-utf-7": "utf-7",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "hz-gb-2312": "hz",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-euc-jp": "euc_jp",
    "cp50220": "iso-2022-jp",
    "cp50221": "iso-2022-jp",
    "x-big5": "cp950",
    "big5": "cp950",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso-8859-1-windows-3.1-latin-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-9": "cp1254",
    "iso-8859-9-e": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "cp-850": "cp850",
}
"""Names that Python doesn't know, and charsets that are used as if they were their larger relatives (WHATWG)."""

_NO_CHARSETS = frozenset(
    ("idna", "punycode", "undefined", "unicode-escape", "unicode_escape", "raw-unicode-escape", "raw_unicode_escape")
)
"""Text codecs of Python that are no charsets; some take a time that grows with the square of the length."""
_WIDER = {
    "cp950": ("big5hkscs",),
    "iso-2022-jp": ("iso2022_jp_ext", "iso2022_jp_2004"),
    "iso-2022-kr": ("cp949",),
    "hz": ("gb18030",),
}
"""What else to try when bytes aren't of a charset."""
_JIS = re.compile(rb"\x1b\$[@B]((?:[\x21-\x7e]{2})*)(?:\x1b\([BJ])?")


@lru_cache(maxsize=256)
def codec_of(charset: str) -> str | None:
    """Return the name of the Python codec for a charset; None when there is none for text."""
    name = charset.strip().strip("\"'").lower().removeprefix("charset=").replace(" ", "")
    name = _ALIASES.get(name, name)
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    return name if codec._is_text_encoding and codec.name not in _NO_CHARSETS else None


def decode_strictly(content: bytes, codec: str) -> str | None:
    """Return text; None when the bytes aren't of the charset, nor of a wider one that goes by its name."""
    for one in (codec, *_WIDER.get(codec, ())):
        try:
            return content.decode(one)
        except (UnicodeError, ValueError, LookupError):
            continue
    return _decode_windows_jis(content) if codec == "iso-2022-jp" else None


def decode_loosely(content: bytes, codec: str | None) -> str:
    """Return text in any case: of the charset, else as :func:`decode_anyway` reads it."""
    text = None if codec is None else decode_strictly(content, codec)
    return decode_anyway(content, codec)[0] if text is None else text


def decode_anyway(content: bytes, codec: str | None) -> tuple[str, str]:
    """Return the text of bytes that aren't of their charset, and the charset that they were read as.

    That is UTF-8 when they are it, or are it but for some damage; else their own charset, or Windows-1252 where that
    can't be, with U+FFFD for what remains.
    """
    text = content.decode("utf-8", "replace")
    is_utf_8 = "\ufffd" not in text or (codec in (None, "utf-8") and not text.replace("\ufffd", "").isascii())
    if is_utf_8:
        return text, "utf-8"
    other = codec if codec not in (None, "us-ascii", "ascii", "utf-8") else "cp1252"
    try:
        return content.decode(str(other), "replace"), str(other)
    except (UnicodeError, ValueError, LookupError):
        return content.decode("cp1252", "replace"), "cp1252"


def _decode_windows_jis(content: bytes) -> str | None:
    """Return ISO-2022-JP with the characters that Windows adds to it (CP50221), such as circled digits."""
    try:
        return _JIS.sub(lambda match: _shifted(match[1]), content).decode("cp932")
    except UnicodeError:
        return None


def _shifted(pairs: bytes) -> bytes:
    """Return characters of JIS X 0208 as Shift_JIS."""
    out = bytearray()
    for row, cell in zip(pairs[::2], pairs[1::2], strict=True):
        lead = (row - 0x21) // 2 + (0x81 if row < 0x5F else 0xC1)
        trail = cell + (0x1F if cell < 0x60 else 0x20) if row % 2 else cell + 0x7E
        out += bytes((lead, trail))
    return bytes(out)
