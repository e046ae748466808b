"""A calendar file that is changed: what isn't touched stays as it was, line by line, whatever is in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.sources.calendar.ics.components import decode
from leat.sources.calendar.ics.editing import (
    MARKS,
    add_instance,
    answer,
    mark,
    marks_of,
    put_text,
    put_times,
    read_book,
)
from leat.sources.calendar.ics.reasons import Unreadable
from tests.sources.calendar_corpus import LOADED
from tests.sources.calendar_tables import ics

NOW = datetime(2026, 1, 2, tzinfo=UTC)
START = ("DTSTART;TZID=Europe/Berlin:20260312T100000", "DTEND;TZID=Europe/Berlin:20260312T110000")


def lines_of(text: str) -> list[str]:
    return [line for line in re.split(r"\r*\n|\r", re.sub(r"(?:\r*\n|\r)[ \t]", "", text)) if line.strip()]


@pytest.mark.parametrize("name", sorted(LOADED))
def test_odd_files_are_refused_or_stay_as_they_are(name: str) -> None:
    text = decode(LOADED[name][0])
    try:
        book = read_book(text)
    except Unreadable:
        return
    before, after = lines_of(text.removeprefix("\ufeff")), lines_of(book.text())
    assert sorted(_plain(after)) == sorted(_plain(before))


def _plain(lines: list[str]) -> list[str]:
    """Return lines without END: one that ends nothing isn't written again."""
    return [line.upper() if line.upper().startswith("BEGIN:") else line for line in lines if line[:4].upper() != "END:"]


@given(st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=300), st.text(max_size=200))
def test_any_value_stays_and_any_text_is_written(value: str, text: str) -> None:
    text = "".join(each for each in text if each.isprintable() or each == "\n")
    book = read_book(ics("UID:1", *START, f"X-ODD;X-P=a:{value}").decode())
    put_text(book.master.node, "SUMMARY", text)
    mark(book.master, "a1", NOW, 1)
    again = read_book(book.text())
    assert all(len(line.encode()) <= 75 for line in book.text().split("\r\n"))
    assert f"X-ODD;X-P=a:{value}" in again.master.node.lines
    assert str(again.master.event.component.get("SUMMARY", "")) == text
    assert (again.master.event.sequence, marks_of(again.master.node)) == (1, ["a1"])


def test_marks_have_an_end() -> None:
    book = read_book(ics("UID:1", *START).decode())
    for number in range(MARKS + 5):
        mark(book.master, f"a{number}", NOW, number)
    mark(book.master, "a10", NOW, None)
    assert marks_of(book.master.node)[-2:] == ["a24", "a10"]
    assert len(marks_of(book.master.node)) == MARKS


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        ("DTSTART:20260312T100000Z", "DURATION:PT1H", "DTSTART:20260312T110000Z"),
        ("dtstart;VALUE=DATE-TIME:20260312T100000", "DURATION:PT1H", "DTSTART;VALUE=DATE-TIME:20260312T110000"),
        ("DTSTART;TZID=W. Europe Standard Time:20260312T100000", "DURATION:PT1H", None),
    ],
)
def test_times_stay_in_their_form(start: str, end: str, shown: str | None) -> None:
    book = read_book(ics("UID:1", start, end).decode())
    put_times(book.master, book.master.event.when("DTSTART") + timedelta(hours=1), None)
    expected = shown or start.replace("T10", "T11")
    assert {expected, end} <= set(book.master.node.lines)


def test_an_instance_has_no_rule() -> None:
    book = read_book(ics("UID:1", *START, "RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Berlin:20260313T100000").decode())
    original = book.master.event.when("DTSTART") + timedelta(days=2)
    new, part = add_instance(book, original, original, original + timedelta(hours=2))
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20260314T100000" in part.node.lines
    assert not any(line.startswith(("RRULE", "EXDATE")) for line in part.node.lines)
    assert "RRULE:FREQ=DAILY" in new.master.node.lines


def test_an_answer_changes_one_parameter() -> None:
    who = 'ATTENDEE;CN="A;PARTSTAT=X:,";RSVP=TRUE;PARTSTAT=TENTATIVE;X-ODD=1:mailto:Ann@Example.com'
    book = read_book(ics("UID:1", *START, who, "ATTENDEE:mailto:bob@example.com").decode())
    assert answer(book.master.node, frozenset({"ann@example.com"}), "DECLINED") == [("ann@example.com", "TENTATIVE")]
    assert 'ATTENDEE;CN="A;PARTSTAT=X:,";X-ODD=1;PARTSTAT=DECLINED:mailto:Ann@Example.com' in book.master.node.lines
    assert "ATTENDEE:mailto:bob@example.com" in book.master.node.lines
