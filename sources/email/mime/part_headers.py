"""What the headers of a part say about it (RFC 2045, RFC 2183): type, file name, charset, whether it is attached."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from leat.sources.email.mime.parameters import file_name, parameter_of
from leat.sources.email.mime.text import repair

if TYPE_CHECKING:
    from email.message import Message

_LONGEST = 500
"""How long headers may be for their parsed form to be cached."""
_MOST = 65_536
_FOLD = re.compile(r"\r?\n")
_T = TypeVar("_T")


def media_type_of(part: Message) -> str:
    """Return the MIME type, lower case."""
    return repair(_safely(part.get_content_type, "application/octet-stream"))


@dataclass(frozen=True, slots=True)
class PartHeaders:
    """What Content-Type and Content-Disposition say about a part."""

    media_type: str
    disposition: str | None
    name: str | None
    charset: str | None


def headers_of(part: Message) -> PartHeaders:
    """Return what a part's headers say about it."""
    first: dict[str, str] = {}
    for name, value in part.raw_items():
        first.setdefault(name.lower(), value)
    content_type, disposition = first.get("content-type"), first.get("content-disposition")
    is_usual = len(content_type or "") + len(disposition or "") < _LONGEST
    read = _parse_headers if is_usual else _parse_headers.__wrapped__
    return read(content_type, disposition, part.get_default_type())


@lru_cache(maxsize=512)
def _parse_headers(content_type: str | None, disposition: str | None, default: str) -> PartHeaders:
    """Return what the two headers say; most parts of most messages have one of a few dozen pairs."""
    from email.message import Message
    from email.policy import compat32

    part = Message(compat32)
    part.set_default_type(default)
    if content_type is not None:
        part.set_raw("content-type", content_type[:_MOST])
    media_type = media_type_of(part)
    content_type, disposition = _unfolded(content_type), _unfolded(disposition)
    shown = (disposition or "").partition(";")[0].strip().lower() or None
    return PartHeaders(media_type, shown, file_name(disposition, content_type), parameter_of(content_type, "charset"))


def _unfolded(value: str | None) -> str | None:
    return None if value is None else repair(_FOLD.sub("", value[:_MOST]))


def is_attached(part: Message) -> bool:
    """Return whether Content-Disposition says that a part is an attachment."""
    written = next((value for name, value in part.raw_items() if name.lower() == "content-disposition"), "")
    return str(written).partition(";")[0].strip().lower() == "attachment"


def _safely(read: Callable[[], _T], otherwise: _T) -> _T:
    try:
        return read()
    except Exception:  # email.message raises almost anything on odd parameters
        return otherwise
