"""The bytes of a calendar file to a tree of components: encoding, lines, BEGIN and END (RFC 5545, 3.1).

Every way in which a file can come, alone or in the answer to a multiget, leads through here.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field

from leat.limits import ICS_DEPTH as MAX_DEPTH
from leat.sources.calendar.ics.lines import name_of
from leat.sources.calendar.ics.reasons import Unreadable

_TOP = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY"})
_BREAK = re.compile(r"\r*\n|\r")
_FOLD = re.compile(r"(?:\r*\n|\r)[ \t]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"B\0E\0", "utf-16-le"),
    (b"\0B\0E", "utf-16-be"),
)


@dataclass(slots=True)
class Node:
    """A component as text: its unfolded lines and the components inside it.

    Attributes:
        name: upper case, for example ``VEVENT``.
        lines: its own properties.
        children: components inside.
        closed: whether its END was there.
        wrong_end: whether the END of another component was in its place.
    """

    name: str
    lines: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    closed: bool = False
    wrong_end: bool = False

    def text(self) -> str:
        """Return the component as text, without what is inside it."""
        return "\r\n".join((f"BEGIN:{self.name}", *self.lines, f"END:{self.name}", ""))

    def originals(self, name: str) -> list[str]:
        """Return the lines of a property as written, unfolded."""
        return [line for line in self.lines if name_of(line) == name]


def decode(content: str | bytes, charset: str | None = None) -> str:
    """Return the text of a file.

    Args:
        content: the file; text when a server has decoded it.
        charset: the encoding that the server declares; UTF-8 if none.

    Raises:
        Unreadable: it isn't in that encoding; RFC 5545 (3.1.4) wants UTF-8 where none is declared.
    """
    if isinstance(content, str):
        return content
    encoding = next((name for mark, name in _BOMS if content.startswith(mark)), None) or _codec(charset)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-8":  # RFC 5545, 3.1: a line may be folded in the middle of a character
            try:
                return re.sub(rb"(?:\r*\n|\r)[ \t]", b"", content).decode()
            except UnicodeDecodeError:
                pass
        named = {"utf-8": "UTF-8"}.get(encoding, encoding)
        msg = f"byte {error.start} of the file is not {named}; save it as UTF-8"
        raise Unreadable(msg) from None


def _codec(charset: str | None) -> str:
    """Return the codec of a declared encoding; UTF-8 if Python has none of that name."""
    try:
        codec = codecs.lookup((charset or "utf-8").strip("\"' "))
    except (LookupError, ValueError):
        return "utf-8"
    return codec.name if codec._is_text_encoding else "utf-8"


def split(text: str) -> Node:
    """Return the tree of components below one root node.

    Raises:
        Unreadable: it isn't iCalendar.
    """
    unfolded = _FOLD.sub("", text.replace("\ufeff", "") if text.startswith("\ufeff") else text)
    lines = [line for line in _BREAK.split(unfolded) if line.strip()]
    if not lines:
        msg = "the file is empty"
        raise Unreadable(msg)
    if lines[0].strip().upper() != "BEGIN:VCALENDAR":
        msg = "not iCalendar: the file doesn't start with BEGIN:VCALENDAR"
        raise Unreadable(msg)
    root = Node("")
    stack = [root]
    for line in lines:
        _place(stack, line)
    return root


def _place(stack: list[Node], line: str) -> None:
    """Put a line where it belongs; what is closed wrongly is broken alone, and what follows it isn't."""
    upper = line[:80].strip().upper()
    if upper.startswith("BEGIN:"):
        name = upper.removeprefix("BEGIN:").strip()
        if name in _TOP:  # no such component is inside another: the one before has no END
            del stack[2:]
        if len(stack) > MAX_DEPTH:
            msg = f"components more than {MAX_DEPTH} deep"
            raise Unreadable(msg)
        node = Node(name)
        stack[-1].children.append(node)
        stack.append(node)
    elif upper.startswith("END:"):
        _close(stack, upper.removeprefix("END:").strip())
    else:
        stack[-1].lines.append(line)


def _close(stack: list[Node], name: str) -> None:
    """Close the innermost component of a name; what is open inside it stays unclosed. A stray END is left out."""
    place = next((at for at in range(len(stack) - 1, 0, -1) if stack[at].name == name), None)
    if place is not None:
        stack[place].closed = True
        del stack[place:]
    elif len(stack) > 2:  # a typing error, for it comes where this one has to end
        stack[-1].wrong_end = True
        stack.pop()
