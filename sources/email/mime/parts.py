"""The parts of a message: which are its text, which are attachments, which report what came back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leat.limits import MIME_CHILDREN as MOST_PARTS
from leat.limits import MIME_DEPTH as DEEPEST
from leat.sources.email.mime.part_headers import headers_of
from leat.sources.email.mime.structure import parse_part
from leat.sources.email.mime.text import decode_body, header_text

if TYPE_CHECKING:
    from email.message import Message

_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")
_REPORTS = ("message/delivery-status", "message/global-delivery-status")
_FEEDBACK = "message/feedback-report"
_CALENDARS = ("text/calendar", "application/ics")
_ORIGINALS = ("message/rfc822", "message/global", "message/global-headers", "message/rfc822-headers",
              "text/rfc822-headers", "text/rfc822")  # fmt: skip
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]*+")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that isn't the message's text; ``content`` is None when it was not read to its end."""

    part: str
    name: str | None
    media_type: str
    disposition: str | None
    kind: str
    content_id: str | None
    content: bytes | None


@dataclass(frozen=True, slots=True)
class CalendarPart:
    """A part that is a calendar, as it was sent."""

    path: str
    content: bytes
    charset: str | None


@dataclass(slots=True)
class Content:
    """What a message contains, and what is wrong with it, in words; reports, originals and calendars as sent."""

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)
    feedback: list[bytes] = field(default_factory=list)
    originals: list[bytes] = field(default_factory=list)
    calendars: list[CalendarPart] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A part that isn't taken apart; ``attached`` is whether it is in a multipart that is an attachment."""

    path: str
    part: Message
    attached: bool


def content_of(message: Message, truncated: bool) -> Content:
    """Return the texts, attachments and reports of a message; nothing in a part stops the others."""
    out = Content()
    leaves = list(_leaves(message, "", 0, out, attached=False))
    last = leaves[-1].path if truncated and leaves else None
    for leaf in leaves:
        complete = last is None or not (last == leaf.path or last.startswith(f"{leaf.path}."))
        try:
            _sort(leaf, out, complete)
        except Exception as error:  # the parser raises almost anything on odd input
            out.defects.append(f"part {leaf.path} can't be read ({type(error).__name__})")
            out.attachments.append(Attachment(leaf.path, None, "application/octet-stream", None, "file", None, None))
    return out


def _leaves(part: Message, path: str, depth: int, out: Content, *, attached: bool) -> Iterator[_Leaf]:
    """Yield everything that isn't a multipart; of a multipart that is an attachment, itself and what is in it."""
    out.defects += [type(defect).__name__ for defect in part.defects]
    children = part.get_payload() if part.is_multipart() else None
    if not isinstance(children, list):
        yield _Leaf(path or "1", part, attached)
        headers = headers_of(part)
        if not (path and headers.media_type.startswith("multipart/") and headers.disposition == "attachment"):
            return
        children = _taken_apart(part)
        attached = True
    if depth >= DEEPEST:
        out.defects.append(f"parts nested deeper than {DEEPEST} were left out")
        return
    for number, child in enumerate(children, 1):
        if number > MOST_PARTS:
            out.defects.append(f"only {MOST_PARTS} of {len(children)} parts were read")
            return
        yield from _leaves(child, f"{path}.{number}" if path else str(number), depth + 1, out, attached=attached)


def _taken_apart(part: Message) -> list[Message]:
    try:
        written = next(value for name, value in part.raw_items() if name.lower() == "content-type")
        whole = parse_part(str(written), _payload(part, "multipart"))
    except Exception:  # what can't be taken apart is an attachment all the same
        return []
    payload: Any = whole.get_payload()
    return payload if isinstance(payload, list) else []


def _sort(leaf: _Leaf, out: Content, complete: bool) -> None:
    part, headers = leaf.part, headers_of(leaf.part)
    media_type, disposition, name = headers.media_type, headers.disposition, headers.name
    is_text = media_type in ("text/plain", "text/html") and disposition != "attachment" and name is None
    content = _payload(part, media_type)
    if is_text and not leaf.attached:
        text, wrong = decode_body(content, headers.charset)
        (out.plain if media_type == "text/plain" else out.html).append(text.replace("\r\n", "\n"))
        out.defects += [f"part {leaf.path}: {wrong}"] if wrong else []
        return
    if media_type in _REPORTS:
        out.reports.append(content)
    if media_type == _FEEDBACK:
        out.feedback.append(content)
    if media_type in _ORIGINALS:
        out.originals.append(content)
    if media_type in _CALENDARS and complete:
        out.calendars.append(CalendarPart(leaf.path, content, headers.charset))
    content_id = header_text(str(part.get("content-id") or "")).strip("<> ") or None
    kind = _kind(media_type, name, disposition, content_id)
    stored = content if complete else None
    out.attachments.append(Attachment(leaf.path, name, media_type, disposition, kind, content_id, stored))


def _kind(media_type: str, name: str | None, disposition: str | None, content_id: str | None) -> str:
    if media_type.startswith("message/"):
        return "message"
    if media_type in _TNEF or (name or "").lower() == "winmail.dat":
        return "tnef"
    return "inline" if disposition != "attachment" and content_id else "file"


def _payload(part: Message, media_type: str) -> bytes:
    """Return the decoded content.

    Of a message or multipart that says Base64 and isn't, the content as it came: RFC 2046 forbids to encode those, and
    some programs write the header alone.
    """
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return b""
    if media_type.startswith(("message/", "multipart")) and _says_base64(part):
        written = str(part.get_payload()).encode("utf-8", "surrogateescape")
        return content if _BASE64.fullmatch(written) else written
    return content


def _says_base64(part: Message) -> bool:
    return str(part.get("content-transfer-encoding", "")).strip().lower() == "base64"
