"""What the headers of a part tell about it (RFC 2045, RFC 2183): type, file name, charset, whether it is attached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, TypeVar

from sources.email.text import header_text, repair

if TYPE_CHECKING:
    from email.message import Message

_LONGEST = 500
"""How long headers may be for what they tell to be kept in memory."""
_T = TypeVar("_T")


def media_type_of(part: Message) -> str:
    """Return the MIME type, lower case."""
    return repair(_safely(part.get_content_type, "application/octet-stream"))


@dataclass(frozen=True, slots=True)
class Told:
    """What Content-Type and Content-Disposition tell about a part."""

    media_type: str
    disposition: str | None
    name: str | None
    charset: str | None


def told_of(part: Message) -> Told:
    """Return what a part's headers tell of it."""
    first: dict[str, str] = {}
    for name, value in part.raw_items():
        first.setdefault(name.lower(), value)
    content_type, disposition = first.get("content-type"), first.get("content-disposition")
    is_usual = len(content_type or "") + len(disposition or "") < _LONGEST
    read = _read_told if is_usual else _read_told.__wrapped__
    return read(content_type, disposition, part.get_default_type())


@lru_cache(maxsize=512)
def _read_told(content_type: str | None, disposition: str | None, default: str) -> Told:
    """Return what the two headers tell; most parts of most messages have one of a few dozen pairs."""
    from email.message import Message
    from email.policy import compat32

    part = Message(compat32)
    part.set_default_type(default)
    for field_name, value in (("content-type", content_type), ("content-disposition", disposition)):
        if value is not None:
            part.set_raw(field_name, value)
    media_type = media_type_of(part)
    shown = _safely(part.get_content_disposition, None)
    name = _name(part)
    charset = _safely(lambda: str(part.get_param("charset") or ""), "")
    return Told(media_type, shown, name, repair(charset) or None)


def _name(part: Message) -> str | None:
    """Return the file name (RFC 2231, or RFC 2047 as many write it), without folders and control characters."""
    for field_name in ("content-disposition", "content-type"):
        value = part.get(field_name)
        if value is not None and not isinstance(value, str):  # raw 8-bit: the policy made a Header of it
            part.replace_header(field_name, repair(dict(part.raw_items())[field_name]))
    name = _safely(part.get_filename, None)
    name = "".join(one for one in header_text(name or "") if one.isprintable())
    return PureWindowsPath(name).name.strip()[:255] or None if name else None


def _safely(read: Callable[[], _T], otherwise: _T) -> _T:
    try:
        return read()
    except Exception:  # email.message raises almost anything on odd parameters
        return otherwise
