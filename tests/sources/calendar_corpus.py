"""Odd calendar files: what programs write wrongly, and what somebody might write to stop a system.

Each has the text ``planted-Zu8kq`` in it where a value goes, so that a test can look for it where no value may be.
"""

from __future__ import annotations

import codecs

from tests.sources.calendar_tables import ics

P = "planted-Zu8kq"
START = "DTSTART:20260312T100000Z"
EVENT = ("BEGIN:VEVENT", "DTSTAMP:20260101T000000Z", START, "SUMMARY:" + P)


def _zone(*rules: str, offset: str = "+0100", name: str = P) -> tuple[str, ...]:
    inner = (
        "BEGIN:STANDARD",
        "DTSTART:16010101T000000",
        f"TZOFFSETFROM:{offset}",
        f"TZOFFSETTO:{offset}",
        *rules,
        "END:STANDARD",
    )
    return ("BEGIN:VTIMEZONE", f"TZID:{name}", *inner, "END:VTIMEZONE")


def _in_zone(*rules: str, offset: str = "+0100") -> bytes:
    return ics("UID:z", f"DTSTART;TZID={P}:20260312T100000", "SUMMARY:" + P, zones=_zone(*rules, offset=offset))


def _times(*lines: str) -> bytes:
    return ics("UID:t", "SUMMARY:" + P, *lines)


LOADED: dict[str, tuple[bytes, int]] = {
    "two calendars": (ics(*EVENT, "UID:1", "END:VEVENT") + ics(*EVENT, "UID:2", "END:VEVENT"), 2),
    "zones of two calendars": (
        ics("UID:1", f"DTSTART;TZID={P}:20260312T100000", zones=_zone())
        + ics("UID:2", f"DTSTART;TZID={P}:20260312T100000", zones=_zone(offset="+0300")),
        2,
    ),
    "text before and after": (b"\r\n \r\n" + ics(*EVENT, "UID:1", "END:VEVENT") + b"END:VCALENDAR\r\n\r\n", 1),
    "no end of the calendar": (ics(*EVENT, "UID:1", "END:VEVENT").replace(b"END:VCALENDAR\r\n", b""), 1),
    "small letters": (ics(*EVENT, "UID:1", "END:VEVENT").lower().replace(b"20260312t100000z", b"20260312T100000Z"), 1),
    "ten thousand attendees": (ics("UID:1", START, *(f"ATTENDEE:mailto:{P}{n}@example.org" for n in range(10_000))), 1),
    "a huge description": (ics("UID:1", START, f"DESCRIPTION:{P}" + "x" * 2_000_000), 1),
    "a huge line without a colon": (ics("UID:1", START, P * 100_000), 1),
    "many exceptions": (ics("UID:1", START, "RRULE:FREQ=DAILY", "EXDATE:" + ",".join([START[8:]] * 20_000)), 1),
    "many rules": (ics("UID:1", START, *["RRULE:FREQ=DAILY;INTERVAL=0"] * 20), 1),
    "control characters": (ics("UID:1", START, f"SUMMARY:{P}\x00\x01\x1f\x7f\x85\u2028\ufffe"), 1),
    "an alarm of ten years": (ics("UID:1", START, "BEGIN:VALARM", "TRIGGER:-P3650D", "END:VALARM"), 1),
    "year 1": (_times("DTSTART:00010101T000000Z"), 1),
    "year 9999": (_times("DTSTART;VALUE=DATE:99991230"), 1),
    "a leap second": (_times("DTSTART:20261231T235960Z"), 1),
    "a date with a zone": (_times("DTSTART;TZID=Europe/Berlin:20261231"), 1),
    "a zone without quotes": (_times("DTSTART;TZID=W. Europe Standard Time:20261231T100000"), 1),
    "a zone in small letters": (_times("DTSTART;TZID=europe/berlin:20261231T100000"), 1),
    "a zone of a vendor": (_times("DTSTART;TZID=/example.org/2026/Europe/Berlin:20261231T100000"), 1),
    "a zone that changes yearly": (_in_zone("RRULE:FREQ=YEARLY;INTERVAL=0;BYMONTH=2;BYMONTHDAY=30"), 1),
    "an instance alone": (_times("RECURRENCE-ID:20260301T100000Z", START), 1),
    "numbers out of range": (_times(START, f"SEQUENCE:{10**30}", f"PRIORITY:{P}", f"GEO:{P}", f"CREATED:{P}"), 1),
    "an empty everything": (_times(START, "RRULE:", "EXDATE:", "RDATE:", "DTEND:", "DURATION:", "ATTENDEE:"), 1),
    "THISANDFUTURE far away": (
        ics(*EVENT, "UID:1", "RRULE:FREQ=DAILY", "END:VEVENT", *EVENT[:2], "UID:1", "DTSTART:99990101T000000Z",
            "RECURRENCE-ID;RANGE=THISANDFUTURE:20260313T100000Z", "END:VEVENT"), 2,
    ),
    "a thousand instances": (
        ics(*EVENT, "UID:1", "RRULE:FREQ=HOURLY", "END:VEVENT", *(
            line for n in range(1000) for line in
            (*EVENT, "UID:1", f"RECURRENCE-ID;RANGE=THISANDFUTURE:20260312T{n % 24:02}{n // 24:02}00Z", "END:VEVENT"))),
        1001,
    ),
}  # fmt: skip
"""Files by name, with the number of rows of ``events`` that they give."""

QUARANTINED: dict[str, bytes] = {
    "empty": b"",
    "blank": b"\r\n\r\n",
    "a page": f"<html>{P}</html>".encode(),
    "another format": f"BEGIN:VCARD\r\nFN:{P}\r\nEND:VCARD\r\n".encode(),
    "bytes": P.encode() + bytes(range(256)),
    "no uid": ics(START, "SUMMARY:" + P),
    "an empty uid": ics("UID: ", START, "SUMMARY:" + P),
    "two uids": ics("UID:1", "UID:2", START, "SUMMARY:" + P),
    "no start": ics("UID:1", "SUMMARY:" + P),
    "a start in words": _times(f"DTSTART:{P}"),
    "a start of another type": _times("DTSTART:PT1H"),
    "a period as a start": _times("DTSTART:20260101T000000Z/PT1H"),
    "year 0": _times("DTSTART:00000101T000000Z"),
    "before year 1 in UTC": _times("DTSTART;TZID=Europe/Berlin:00010101T000000"),
    "after year 9999": _times("DTSTART:99991231T235959Z", "DURATION:P1D"),
    "month 13": _times("DTSTART:20261301T000000Z"),
    "arabic digits": _times("DTSTART:\u0662\u0660\u0662\u0666\u0660\u0663\u0661\u0662T100000Z"),
    "a duration of ages": _times(START, "DURATION:P999999999W"),
    "an end before the start": _times(START, "DTEND:20260311T100000Z"),
    "an unknown zone": _times(f"DTSTART;TZID={P}:20260312T100000"),
    "a zone from a path": _times(f"DTSTART;TZID=../../../{P}:20260312T100000"),
    "a zone that changes every second": _in_zone("RRULE:FREQ=SECONDLY"),
    "a zone that changes never": _in_zone("RRULE:FREQ=SOMETIMES"),
    "a zone of a thousand hours": _in_zone(offset="+9900"),
    "a zone without an offset": _in_zone(offset=P),
    "an empty zone": ics("UID:z", f"DTSTART;TZID={P}:20260312T100000", zones=("BEGIN:VTIMEZONE", "TZID:" + P)),
    "an unknown frequency": _times(START, f"RRULE:FREQ={P}"),
    "a rule in words": _times(START, f"RRULE:{P}"),
    "a rule that says a thing twice": _times(START, "RRULE:FREQ=DAILY;INTERVAL=1;INTERVAL=2", "X-A:" + P),
    "exceptions in words": _times(START, "RRULE:FREQ=DAILY", f"EXDATE:{P}"),
    "cut": ics("UID:1", START, "SUMMARY:" + P)[:-30],
    "another end": ics("UID:1", START, "SUMMARY:" + P, "END:VTODO"),
    "deep": ics(*["BEGIN:X-A"] * 5_000, "SUMMARY:" + P),
    "an alarm without end": ics("UID:1", START, "BEGIN:VALARM", f"TRIGGER:{P}"),
    "an attachment that is none": ics("UID:1", START, "ATTACH;ENCODING=BASE64;VALUE=BINARY:" + "?" * 50 + P),
    "twins": ics(*EVENT, "UID:1", "END:VEVENT", *EVENT, "UID:1", "END:VEVENT"),
}  # fmt: skip
"""Files by name that are quarantined at least in part."""

_TEXT = ics("UID:1", START, "SUMMARY:Gr\u00fc\u00dfe")
ENCODINGS: dict[str, bytes] = {
    "plain": _TEXT,
    "with a byte order mark": codecs.BOM_UTF8 + _TEXT,
    "with two byte order marks": codecs.BOM_UTF8 * 2 + _TEXT,
    "UTF-16, little": codecs.BOM_UTF16_LE + _TEXT.decode().encode("utf-16-le"),
    "UTF-16, big": codecs.BOM_UTF16_BE + _TEXT.decode().encode("utf-16-be"),
    "UTF-16 without a mark": _TEXT.decode().encode("utf-16-le"),
    "UTF-32": _TEXT.decode().encode("utf-32"),
    "CR only": _TEXT.replace(b"\r\n", b"\r"),
    "LF only": _TEXT.replace(b"\r\n", b"\n"),
    "CR CR LF": _TEXT.replace(b"\r\n", b"\r\r\n"),
    "folded": _TEXT.replace(b"SUMMARY:", b"SUM\r\n MARY:\r\n\t"),
    "folded with CR": _TEXT.replace(b"\r\n", b"\r").replace(b"SUMMARY:", b"SUM\r MARY:\r\t"),
    "folded with CR CR LF": _TEXT.replace(b"\r\n", b"\r\r\n").replace(b"SUMMARY:", b"SUM\r\r\n MARY:\r\r\n\t"),
    "folded in a character": _TEXT.replace(b"\xc3\xbc", b"\xc3\r\n \xbc"),
}
"""The same event in every form that one can come in."""
