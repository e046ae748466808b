"""The lines of a component as programs write them, put into the form that RFC 5545 gives them before they are parsed.

What is put right has one meaning only: an empty value says nothing, a zone's name may hold commas and colons without
quotes, the form of a value says whether it is a date, and a leap second is the second before it (RFC 5545, 3.3.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

TIMES = ("DTSTART", "DTEND", "RECURRENCE-ID", "RDATE", "EXDATE")
_EMPTY_SAYS_NOTHING = frozenset(
    {*TIMES, "DURATION", "RRULE", "EXRULE", "SEQUENCE", "PRIORITY", "CREATED", "LAST-MODIFIED", "DTSTAMP", "GEO"}
    | {"ORGANIZER", "ATTENDEE", "ATTACH", "CATEGORIES", "STATUS", "CLASS", "TRANSP", "URL", "TRIGGER", "REPEAT"}
    | {"ACTION", "ACKNOWLEDGED"}
)
_LEAP_SECOND = re.compile(r"(T\d{4})60(?!\d)")
_DATE = re.compile(r"\d{8}")
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*((?:"[^"]*"|[^";])*)')


def name_of(line: str) -> str:
    """Return the name of a property, upper case."""
    return re.split("[;:]", line, maxsplit=1)[0].strip().upper()


def cleaned(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines that say something, in the form that they should have."""
    for line in lines:
        name = name_of(line)
        if name in TIMES:
            head, _, value = line.rpartition(":")
            values = [item.strip() for item in value.split(",") if item.strip()]
            if values:
                yield _time_line(name, head, values)
        elif name not in _EMPTY_SAYS_NOTHING or line.partition(":")[2].strip():
            yield line


def _time_line(name: str, head: str, values: Sequence[str]) -> str:
    """Return a line with times; its value has no colon, so everything before the last one is name and parameters."""
    dates = all(_DATE.fullmatch(value) for value in values)
    parameters = ""
    for key, value in _parameters(head):
        if key == "TZID" and not dates and zone_id(value):
            parameters += f';TZID="{zone_id(value)}"'
        elif key == "RANGE":
            parameters += f";RANGE={value.strip().upper()}"
        elif key == "VALUE" and value.strip().upper() == "PERIOD":
            parameters += ";VALUE=PERIOD"
    parameters += ";VALUE=DATE" if dates else ""
    return f"{name}{parameters}:" + ",".join(_LEAP_SECOND.sub(r"\g<1>59", value) for value in values)


def _parameters(head: str) -> Iterator[tuple[str, str]]:
    for match in _PARAMETER.finditer(head):
        yield match[1].upper(), match[2]


def zone_id(text: str) -> str:
    """Return the name of a zone without quotes and escapes (RFC 5545, 3.3.11; RFC 6868)."""
    text = re.sub(r"\\([\\,;:\"])", r"\1", text.replace('"', "").strip())
    return re.sub(r"\^(['^n])", lambda match: {"'": "'", "^": "^", "n": " "}[match[1]], text).strip()


def zone_named(lines: Sequence[str], name: str) -> str | None:
    """Return the name of the zone that a property names by its parameter TZID; None when it has none."""
    for line in lines:
        if name_of(line) == name:
            zone = dict(_parameters(line.rpartition(":")[0])).get("TZID")
            return zone_id(zone) or None if zone else None
    return None
