"""Scheduling messages in mails: invitations and replies as programs write them, and what can't be read."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from tests.sources.calendar_tables import ics
from tests.sources.email_messages import message, multipart, part, rows, with_head

REPLY = (
    "BEGIN:VEVENT", "UID:meeting", "DTSTAMP:20260310T090000Z", "DTSTART:20260311T090000Z", "DTEND:20260311T100000Z",
    "SEQUENCE:2", "ORGANIZER;CN=The Shop:mailto:Shop@x.example", "SUMMARY:Kick-off",
    "ATTENDEE;CN=\"Ann: A.\";PARTSTAT=ACCEPTED:MAILTO:Ann@x.example", "COMMENT:I come late", "END:VEVENT",
)  # fmt: skip


def calendar(*lines: str, method: str | None = "REPLY") -> bytes:
    text = ics(*lines)
    return text if method is None else text.replace(b"VERSION:2.0", b"VERSION:2.0\r\nMETHOD:" + method.encode())


def mailed(content: bytes, kind: str = "text/calendar; method=REPLY; charset=utf-8", attached: bool = True) -> bytes:
    """Return a mail that has a calendar as Google, Microsoft and Apple write it: in the alternative, and attached."""
    encoded, base = base64.encodebytes(content), "Content-Transfer-Encoding: base64"
    parts = [part(f"Content-Type: {kind}", base, body=encoded)]
    if attached:
        head = ('Content-Type: application/ics; name="i.ics"', 'Content-Disposition: attachment; filename="i.ics"')
        parts.append(part(*head, base, body=encoded))
    return multipart(part("Content-Type: text/plain", body=b"Accepted"), *parts)


def test_a_reply_is_read_once_however_often_the_mail_has_it() -> None:
    [row] = rows(mailed(calendar(*REPLY)), "invitations")
    assert (row["part"], row["event_uid"], row["recurrence_id"], row["method"]) == ("2", "meeting", "", "REPLY")
    assert (row["attendee_email"], row["response_status"]) == ("ann@x.example", "ACCEPTED")
    assert (row["organizer_email"], row["sequence"], row["comment"]) == ("shop@x.example", 2, "I come late")
    assert row["stamped_at"] == datetime(2026, 3, 10, 9, tzinfo=UTC)
    assert "BEGIN:VEVENT" in row["content"]
    assert len(rows(mailed(calendar(*REPLY)), "attachments")) == 2


def test_an_invitation_to_a_series_and_one_of_its_occurrences() -> None:
    series = [line for line in REPLY if not line.startswith("COMMENT")]
    series.insert(3, "RRULE:FREQ=WEEKLY")
    other = [*REPLY[:5], "RECURRENCE-ID:20260318T090000Z", *REPLY[5:7], "ATTENDEE:mailto:bob@x.example", "END:VEVENT"]
    both = rows(mailed(calendar(*series, *other, method="request")), "invitations")
    assert [(row["method"], row["recurrence_id"]) for row in both] == [("REQUEST", ""), ("REQUEST", "20260318T090000Z")]
    assert [row["attendees"] for row in both] == [["ann@x.example"], ["bob@x.example"]]
    assert {(row["attendee_email"], row["response_status"]) for row in both} == {(None, None)}


@pytest.mark.parametrize("times", [(), ("DTSTART;TZID=Nowhere:20260311T090000",), ("DTSTART:soon", "DTEND:later")])
def test_a_reply_needs_no_times(times: tuple[str, ...]) -> None:
    for more, identity in (((), ""), (("RECURRENCE-ID:20260318T090000Z",), "20260318T090000Z")):
        [row] = rows(mailed(calendar(*REPLY[:3], *times, *more, *REPLY[5:])), "invitations")
        assert (row["recurrence_id"], row["attendee_email"], row["starts_at"]) == (identity, "ann@x.example", None)


@pytest.mark.parametrize("lines", [("BEGIN:VEVENT", "UID:x", "RECURRENCE-ID:soon", "END:VEVENT"), ("\0",)])
def test_what_cannot_be_read_is_a_defect_of_the_mail(lines: tuple[str, ...]) -> None:
    raw = mailed(calendar(*lines) if lines[0] != "\0" else b"nothing", attached=False)
    assert rows(raw, "invitations") == []
    assert message(raw)["defects"] == ["part 2: its calendar can't be read (Unreadable)"]


def test_a_calendar_without_a_method_is_a_file() -> None:
    assert rows(mailed(calendar(*REPLY, method=None)), "invitations") == []
    whole = with_head("Subject: s", "Content-Type: text/calendar; charset=latin-1", body=calendar(*REPLY))
    assert [row["part"] for row in rows(whole, "invitations")] == ["1"]
    assert rows(whole, "invitations", complete=False) == []


def test_a_reply_that_answers_for_two_answers_for_nobody() -> None:
    two = [*REPLY[:-1], "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@x.example", "END:VEVENT"]
    [row] = rows(mailed(calendar(*two)), "invitations")
    assert (row["attendee_email"], row["attendees"]) == (None, ["ann@x.example", "bob@x.example"])
