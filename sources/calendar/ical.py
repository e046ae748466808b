"""iCalendar text to components (RFC 5545), so that one broken part costs only itself.

The text is first split at BEGIN and END, then each event and each alarm is parsed alone by ``icalendar``. Zones are the
file's own: Outlook gives different zones the same name in different files.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from icalendar import Component

MAX_DEPTH = 8
ESSENTIAL = ("UID", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")
"""Properties without which an event can't be placed in time; one that is unreadable quarantines its event."""


@dataclass(slots=True)
class Node:
    """A component as text: its unfolded lines and the components inside it.

    Attributes:
        name: upper case, for example ``VEVENT``.
        lines: its own properties.
        children: components inside.
        closed: whether its END was there.
    """

    name: str
    lines: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    closed: bool = False

    def text(self) -> str:
        """Return the component as text, without what is inside it."""
        return "\r\n".join((f"BEGIN:{self.name}", *self.lines, f"END:{self.name}", ""))

    def originals(self, name: str) -> list[str]:
        """Return the lines of a property as written, unfolded."""
        return [line for line in self.lines if re.match(rf"{name}[;:]", line, re.IGNORECASE)]


@dataclass(frozen=True, slots=True)
class Event:
    """A parsed VEVENT: the component of ``icalendar``, its alarms, and what in it can't be read."""

    component: Component
    node: Node
    alarms: tuple[Component | str, ...]
    unreadable: dict[str, str]

    def when(self, name: str) -> Any:
        """Return the date or datetime of a property; None when it is absent."""
        value = self.component.get(name)
        return None if value is None else value.dt


def decode(content: str | bytes) -> str:
    """Return the text of a file.

    Raises:
        ValueError: it isn't UTF-8, which RFC 5545 (3.1.4) requires.
    """
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"byte {error.start} is not UTF-8; save the file as UTF-8"
        raise ValueError(msg) from None


def split(text: str) -> Node:
    """Return the tree of components below one root node.

    Raises:
        ValueError: it isn't iCalendar.
    """
    lines = [line for line in re.split(r"\r\n|\n|\r", re.sub(r"(?:\r\n|\n|\r)[ \t]", "", text)) if line.strip()]
    if not lines:
        msg = "the file is empty"
        raise ValueError(msg)
    if lines[0].strip().upper() != "BEGIN:VCALENDAR":
        msg = f"not iCalendar: it starts with {lines[0][:40]!r}, not BEGIN:VCALENDAR"
        raise ValueError(msg)
    root = Node("")
    stack = [root]
    for line in lines:
        _place(stack, line)
    return root


def _place(stack: list[Node], line: str) -> None:
    upper = line[:80].strip().upper()
    if upper.startswith("BEGIN:"):
        if len(stack) > MAX_DEPTH:
            msg = f"components more than {MAX_DEPTH} deep"
            raise ValueError(msg)
        node = Node(upper.removeprefix("BEGIN:"))
        stack[-1].children.append(node)
        stack.append(node)
    elif upper.startswith("END:"):
        name = upper.removeprefix("END:")
        if len(stack) == 1 or stack[-1].name != name:
            msg = f"END:{name} where {stack[-1].name or 'nothing'} is open"
            raise ValueError(msg)
        stack.pop().closed = True
    else:
        stack[-1].lines.append(line)


def know_zones(root: Node) -> Iterator[tuple[str, str]]:
    """Forget the zones of other files and learn those of this one; yields name and reason of each unreadable one."""
    import icalendar
    from icalendar.timezone import tzp

    tzp.use_default()
    for calendar in root.children:
        for node in calendar.children:
            if node.name != "VTIMEZONE":
                continue
            text = "\r\n".join(("BEGIN:VTIMEZONE", *node.lines, *(c.text().strip() for c in node.children)))
            try:
                icalendar.Timezone.from_ical(text + "\r\nEND:VTIMEZONE\r\n")
            except Exception as error:
                yield ";".join(node.originals("TZID")) or "VTIMEZONE", _reason(error)


def parse_event(node: Node) -> Event:
    """Parse one VEVENT; :func:`know_zones` was called before.

    Raises:
        ValueError: something essential is missing or can't be read; the text says what.
    """
    if not node.closed:
        msg = "the file ends inside the event: END:VEVENT is missing"
        raise ValueError(msg)
    component = _parse(node.text())
    unreadable = {str(name or "line"): str(reason) for name, reason in component.errors}
    broken = [f"{name} can't be read: {unreadable[name]}" for name in ESSENTIAL if name in unreadable]
    broken += _missing(component)
    if broken:
        raise ValueError("; ".join(broken))
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        _check_zone(component, name)
    return Event(component, node, tuple(_alarms(node)), unreadable)


def _parse(text: str) -> Component:
    import icalendar

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a zone name that had to be guessed is a warning
        try:
            return icalendar.Event.from_ical(text)
        except Exception as error:
            raise ValueError(_reason(error)) from None


def _missing(component: Component) -> Iterator[str]:
    uid = component.get("UID")
    if uid is None or isinstance(uid, list) or not str(uid).strip():
        yield "it has no UID, or several"
    for name in ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID"):
        if isinstance(component.get(name), list):
            yield f"it has several {name}"
    if component.get("DTSTART") is None:
        yield "it has no DTSTART"


def _check_zone(component: Component, name: str) -> None:
    """Refuse a time whose zone nobody knows: icalendar would take it for a floating one."""
    value = component.get(name)
    if value is None or not hasattr(value, "dt"):
        return
    zone = value.params.get("TZID")
    if zone and isinstance(value.dt, datetime) and value.dt.tzinfo is None:
        msg = f"{name} is in the zone {zone!r}, which the file doesn't define and nobody knows"
        raise ValueError(msg)


def _alarms(node: Node) -> Iterator[Component | str]:
    """Yield the alarms; one that can't be read as the reason."""
    import icalendar

    for child in node.children:
        if child.name != "VALARM":
            continue
        try:
            alarm: Any = icalendar.Alarm.from_ical(child.text())
            _ = alarm["TRIGGER"].dt
            yield alarm
        except KeyError:
            yield "it has no TRIGGER"
        except Exception as error:
            yield _reason(error)


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\r\n")[0][:300]
