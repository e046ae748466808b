"""Bytes to the tree of a message's parts (MIME, RFC 2045 to 2049); attached messages stay the bytes that were sent.

The structure is read by the standard library's parser under the policy that leaves headers as they came, which takes a
fifth of the time. That parser would take an attached message apart, and would write it in another form; so leat
presents such a part to it as a file, and multiparts that are attachments too.
"""

from __future__ import annotations

from email.message import Message
from typing import Any

from leat.limits import MIME_HEAD_LINES as MOST_HEAD_LINES
from leat.limits import MIME_PARTS as MOST_PARTS
from leat.sources.email.mime.part_headers import is_attached

_CHUNK = 64 * 2**10
_OPAQUE = "application/octet-stream"


class Part(Message):
    """A message or part whose attached messages and multiparts the parser doesn't open."""

    is_root = False

    def get_content_type(self) -> str:
        """Return the type that the parser goes by."""
        written = super().get_content_type()
        return _OPAQUE if is_opaque(self, written, self.is_root) else written


def is_opaque(part: Message, media_type: str, is_root: bool) -> bool:
    """Return whether the content of a part is taken as it was sent and not taken apart."""
    kind = media_type.partition("/")[0]
    return kind == "message" or (kind == "multipart" and not is_root and is_attached(part))


def parse(raw: bytes) -> tuple[Message, list[str]]:
    """Return a message, and what stopped the parser from reading all of it, in words, if anything."""
    from leat.sources.email.mime.regular import read_regular

    is_long = raw.count(b"\n") > MOST_PARTS
    raw, defects = _with_bounded_head(raw) if is_long else (raw, [])
    regular = None if is_long and raw.count(b"\n--") > MOST_PARTS else read_regular(raw)
    if regular is not None:
        return regular, defects
    try:
        message, is_whole = _parse(raw)
    except RecursionError:
        return _parse_head(raw), [*defects, "its parts are nested too deeply to be read"]
    return message, defects if is_whole else [*defects, f"only the first {MOST_PARTS} parts were read"]


def parse_part(content_type: str, content: bytes) -> Message:
    """Return a multipart that was an attachment, taken apart."""
    return parse(b"Content-Type: " + content_type.encode("utf-8", "surrogateescape") + b"\r\n\r\n" + content)[0]


def _parse(raw: bytes) -> tuple[Message, bool]:
    """Return a message, and whether all of it was read: a few bytes can be a part."""
    from email.parser import BytesFeedParser
    from email.policy import compat32

    made = 0

    def make(**settings: Any) -> Part:
        nonlocal made
        made += 1
        part = Part(**settings)
        part.is_root = made == 1
        return part

    parser = BytesFeedParser(make, policy=compat32)
    made = 0  # it made one to see how that goes
    for at in range(0, len(raw), _CHUNK):
        parser.feed(raw[at : at + _CHUNK])
        if made > MOST_PARTS:
            return parser.close(), False
    return parser.close(), True


def _parse_head(raw: bytes) -> Message:
    from email.parser import BytesParser
    from email.policy import compat32

    return BytesParser(policy=compat32).parsebytes(raw[: _end_of_head(raw)], headersonly=True)


def _end_of_head(raw: bytes) -> int:
    end = raw.find(b"\r\n\r\n") + 4
    end = end if end > 3 else len(raw)
    other = raw.find(b"\n\n", 0, end) + 2
    return other if other > 1 else end


def _with_bounded_head(raw: bytes) -> tuple[bytes, list[str]]:
    """Return a message with the first lines of its header, when that has too many."""
    end = _end_of_head(raw)
    if raw.count(b"\n", 0, end) <= MOST_HEAD_LINES:
        return raw, []
    at = -1
    for _ in range(MOST_HEAD_LINES):
        at = raw.index(b"\n", at + 1)
    return raw[: at + 1] + b"\r\n" + raw[end:], [f"only the first {MOST_HEAD_LINES} lines of its header were read"]
