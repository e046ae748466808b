"""Whatever an event says, its invitation is one mail with the planned headers, and says the same to every parser."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.policy import default
from typing import Any

import icalendar
from hypothesis import given
from hypothesis import strategies as st

from leat.sources.calendar.caldav.actions.creating import written
from leat.sources.calendar.caldav.actions.times import new_times
from leat.sources.calendar.ics.editing import read_book
from leat.sources.calendar.imip import Note, composed, one_line
from leat.sources.calendar.itip import cancellation, reply, request
from leat.sources.calendar.parameters import CreateEvent
from tests.kit.examples import examples

ANN, BOB, SHOP = "ann@x.example", "bob@x.example", "shop@x.example"
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200).filter(str.strip)


@examples(0.5)
@given(TEXTS, TEXTS | st.sampled_from(["Hi\nBcc: eve@x.example", "a\n\n.\nb", "=C3=A4 \\n \\;", "END:VEVENT"]))
def test_an_invitation_says_what_the_event_says(summary: str, text: str) -> None:
    wanted = CreateEvent(
        calendar="c", summary=summary, description=text, starts="2030-12-02T10:00", minutes=30, zone="Europe/Berlin",
        organizer=SHOP, attendees=[ANN, BOB], reminder=5,
    )  # fmt: skip
    book, now = read_book(written("a1", wanted, *new_times(wanted))), datetime.now(UTC)
    messages = {
        "REQUEST": request(book, book.parts, now),
        "CANCEL": cancellation(book, book.parts, [ANN], now),
        "REPLY": reply(book, book.parts, ANN, "DECLINED", now),
    }
    for method, message in messages.items():
        note = Note("a1@x.example", Address("S", addr_spec=SHOP), [ANN], summary, text, method, message)  # type: ignore[arg-type]
        mail: Any = message_from_bytes(b"Date: Mon, 02 Dec 2030 10:00:00 +0000\r\n" + composed(note), policy=default)
        assert list(mail.keys()) == ["Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type"]
        assert (str(mail["To"]), mail.defects) == (ANN, [])
        assert " ".join(mail["Subject"].split()) == " ".join(one_line(summary).split())
        part = next(each for each in mail.walk() if each.get_content_type() == "text/calendar")
        assert part.get_payload(decode=True) == message.encode() == next(mail.iter_attachments()).get_content()
        [event] = icalendar.Calendar.from_ical(part.get_content()).walk("VEVENT")
        assert (str(event["SUMMARY"]), str(event["UID"])) == (summary, "a1")
        if method != "REPLY":
            assert str(event["DESCRIPTION"]) == text
        people = event["ATTENDEE"]
        assert len(people if isinstance(people, list) else [people]) == (2 if method == "REQUEST" else 1)
