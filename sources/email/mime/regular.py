"""Messages that follow the rules, split at their boundaries at once; the standard library goes line by line.

What comes out is what that library's parser makes of the same bytes, as :mod:`leat.sources.email.mime.structure` uses
it. Whatever is not plain (other line ends than CRLF, a header that isn't one, a boundary that is missing or doubled) is
left to that parser.
"""

from __future__ import annotations

import re
from email.message import Message
from email.policy import compat32
from functools import lru_cache
from itertools import pairwise

from leat.sources.email.mime.part_headers import is_attached

DEEPEST = 20
_REST = re.compile(r"(--)?[ \t]*(?=\r\n|\Z)")
_LONGEST = 500
"""How long a Content-Type may be to be cached."""
_FIELD = re.compile(r"[!-9;-~]+:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


def read_regular(raw: bytes) -> Message | None:
    """Return a message; None when it isn't regular (RFC 5322, section 2.1, and RFC 2046, section 5.1)."""
    if not raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n"):
        return None
    text = raw.decode("ascii", "surrogateescape")
    return _read_part(text, 0, len(text), 0)


def _read_part(text: str, begin: int, end: int, depth: int) -> Message | None:
    """Return the message or part between two places of a text."""
    head_end = text.find("\r\n\r\n", begin, end) + 2
    if head_end < 2:
        return None
    message = Message(compat32)
    if not _read_head(message, text, begin, head_end):
        return None
    kind, _, rest = _media_type(message).partition("/")
    if kind != "multipart" or (depth and is_attached(message)):
        message.set_payload(text[head_end + 2 : end])
        return message
    return _read_multipart(message, text, head_end, end, depth) if rest != "digest" and depth < DEEPEST else None


def _read_head(message: Message, text: str, begin: int, end: int) -> bool:
    """Add the fields between two places of a text to a message; returns whether there is nothing else."""
    at, add, match, split = begin, message.set_raw, _FIELD.match, compat32.header_source_parse
    while at < end:
        matched = match(text, at, end)
        if matched is None:
            return False
        add(*split([matched[0]]))
        at = matched.end()
    return True


def _media_type(message: Message) -> str:
    written = next((value for name, value in message.raw_items() if name.lower() == "content-type"), None)
    return _read_media_type(written) if written and len(written) < _LONGEST else message.get_content_type()


@lru_cache(maxsize=512)
def _read_media_type(written: str) -> str:
    message = Message(compat32)
    message.set_raw("content-type", written)
    return message.get_content_type()


def _read_multipart(message: Message, text: str, head_end: int, end: int, depth: int) -> Message | None:
    """Return the message with its parts, preamble and epilogue; the text between head and first part begins by CRLF."""
    boundary = message.get_boundary()
    encoding = str(message.get("content-transfer-encoding", "8bit")).lower()
    if not boundary or "\n" in boundary or encoding not in ("7bit", "8bit", "binary"):
        return None
    lines = _boundary_lines(boundary, text, head_end, end)
    if len(lines) < 2 or not lines[-1][1]:
        return None
    length = len(boundary) + 4
    first, last = lines[0].start() - length, lines[-1].end()
    if first > head_end:
        message.preamble = text[head_end + 2 : first]
    for before, after in pairwise(lines):
        part = _read_part(text, before.end() + 2, after.start() - length, depth + 1)
        if part is None:
            return None
        message.attach(part)
    message.epilogue = None if depth and last == end else text[last + 2 : end]
    return message


def _boundary_lines(boundary: str, text: str, begin: int, end: int) -> list[re.Match[str]]:
    """Return what follows the boundary on its lines, up to the one that closes, which has a group."""
    mark, lines = f"\r\n--{boundary}", []
    at = text.find(mark, begin, end)
    while at >= 0:
        rest = _REST.match(text, at + len(mark), end)
        if rest is not None:
            lines.append(rest)
            if rest[1]:
                break
        at = text.find(mark, at + 1, end)
    return lines
