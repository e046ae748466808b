"""The parts of a message (MIME, RFC 2045 to 2049): which are its text, which are attachments.

The structure is read by the standard library's parser under the policy that keeps headers as they came, which takes a
fifth of the time; each header that isn't plain is then decoded by the modern policy (:mod:`sources.email.text`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sources.email.text import decode_body, header_text
from sources.email.told import media_type_of, told_of

if TYPE_CHECKING:
    from email.message import Message

DEEPEST = 50
MOST_PARTS = 1_000
_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")


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


@dataclass(slots=True)
class Content:
    """What a message contains, and what is wrong with it, in words."""

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    reports: list[Message] = field(default_factory=list)
    originals: list[Message] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


def parse(raw: bytes) -> tuple[Message, list[str]]:
    """Return a message as the standard library reads it, and what stopped it from reading the body, if anything."""
    from email.parser import BytesParser
    from email.policy import compat32

    from sources.email.regular import read_regular

    regular = read_regular(raw)
    if regular is not None:
        return regular, []
    parser = BytesParser(policy=compat32)
    try:
        return parser.parsebytes(raw), []
    except RecursionError:
        return parser.parsebytes(_head(raw), headersonly=True), ["its parts are nested too deeply to be read"]


def _head(raw: bytes) -> bytes:
    ends = [at for mark in (b"\r\n\r\n", b"\n\n") if (at := raw.find(mark)) >= 0]
    return raw[: min(ends) + 4] if ends else raw


def content_of(message: Message, truncated: bool) -> Content:
    """Return the texts, attachments and reports of a message; nothing in a part stops the others."""
    out = Content()
    parts = list(_leaves(message, "", 0, out))
    for number, (path, part) in enumerate(parts):
        complete = not (truncated and number == len(parts) - 1)
        try:
            _sort(part, path, out, complete)
        except Exception as error:  # the parser raises almost anything on odd input
            out.defects.append(f"part {path}: {type(error).__name__}: {error}"[:200])
            out.attachments.append(Attachment(path, None, "application/octet-stream", None, "file", None, None))
    return out


def _leaves(part: Message, path: str, depth: int, out: Content) -> Iterator[tuple[str, Message]]:
    """Yield number and part of everything that isn't a multipart; an attached message is one part."""
    out.defects += [type(defect).__name__ for defect in part.defects]
    children = part.get_payload() if part.is_multipart() else None
    if not isinstance(children, list) or media_type_of(part).startswith("message/"):
        yield path or "1", part
        return
    if depth >= DEEPEST:
        out.defects.append(f"parts nested deeper than {DEEPEST} were left out")
        return
    for number, child in enumerate(children, 1):
        if number > MOST_PARTS:
            out.defects.append(f"only {MOST_PARTS} of {len(children)} parts were read")
            return
        yield from _leaves(child, f"{path}.{number}" if path else str(number), depth + 1, out)


def _sort(part: Message, path: str, out: Content, complete: bool) -> None:
    told = told_of(part)
    media_type, disposition, name = told.media_type, told.disposition, told.name
    if media_type == "message/delivery-status":
        out.reports.append(part)
    if media_type in ("message/rfc822", "text/rfc822-headers", "message/global"):
        out.originals.append(part)
    if media_type in ("text/plain", "text/html") and disposition != "attachment" and name is None:
        text, wrong = decode_body(_payload(part), told.charset)
        (out.plain if media_type == "text/plain" else out.html).append(text.replace("\r\n", "\n"))
        out.defects += [f"part {path}: {wrong}"] if wrong else []
        return
    content_id = header_text(str(part.get("content-id") or "")).strip("<> ") or None
    kind = _kind(media_type, name, disposition, content_id)
    content = _payload(part) if complete else None
    out.attachments.append(Attachment(path, name, media_type, disposition, kind, content_id, content))


def _kind(media_type: str, name: str | None, disposition: str | None, content_id: str | None) -> str:
    if media_type.startswith("message/"):
        return "message"
    if media_type in _TNEF or (name or "").lower() == "winmail.dat":
        return "tnef"
    return "inline" if disposition != "attachment" and content_id else "file"


def _payload(part: Message) -> bytes:
    """Return the decoded content; of an attached message, the message."""
    if part.is_multipart():
        inner = part.get_payload()
        return b"".join(_as_bytes(one) for one in inner) if isinstance(inner, list) else b""
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _as_bytes(message: Any) -> bytes:
    try:
        return bytes(message.as_bytes())
    except (LookupError, UnicodeError, ValueError, TypeError, AttributeError):
        return str(message.as_string()).encode("utf-8", "surrogateescape")
