"""Feedback reports of providers: who complained, about which mail, in which words; RFC 5965, appendix B among them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sources.email_messages import multipart, part, rows, with_head

ABUSE = b"Feedback-Type: abuse\r\nUser-Agent: SomeGenerator/1.0\r\nVersion: 1\r\n"
FULL = (
    ABUSE + b"Original-Mail-From: <somespammer@example.net>\r\nOriginal-Rcpt-To: <User@example.com>\r\n"
    b"Arrival-Date: Thu, 8 Mar 2005 14:00:00 EDT\r\nReporting-MTA: dns; mail.example.com\r\nSource-IP: 192.0.2.1\r\n"
    b"Removal-Recipient: user@example.com\r\n"
)
ORIGINAL = with_head("From: a@example.net", "To: redacted", "Message-ID: <sent@example.net>", body=b"Spam")


def complaints(report: bytes, *more: bytes, kind: str = "message/feedback-report") -> list[dict[str, Any]]:
    text, about = part("Content-Type: text/plain", body=b"A complaint"), part(f"Content-Type: {kind}", body=report)
    return rows(multipart(text, about, *more, kind="report; report-type=feedback-report"), "complaints")


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_a_report_names_who_complained_and_about_which_mail(kind: str) -> None:
    [row] = complaints(FULL, part(f"Content-Type: {kind}", body=ORIGINAL))
    assert (row["recipient"], row["feedback_type"], row["position"]) == ("user@example.com", "abuse", 0)
    assert (row["source_ip"], row["reporting_mta"]) == ("192.0.2.1", "mail.example.com")
    assert (row["original_message_id"], row["user_agent"]) == ("sent@example.net", "SomeGenerator/1.0")
    assert row["arrived_at"] == datetime(2005, 3, 8, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("report", "recipients", "kind"),
    [
        (ABUSE, [None], "abuse"),
        (b"\r\n\r\n" + ABUSE + b"original-rcpt-to: a@x.example\r\nOriginal-Rcpt-To: B@x.example\r\n",
         ["a@x.example", "b@x.example"], "abuse"),
        (ABUSE.replace(b"\r\n", b"\n") + b"Original-Rcpt-To:\n a@x.example\nOriginal-Rcpt-To: a@x.example\n",
         ["a@x.example"], "abuse"),
        (b"FEEDBACK-TYPE: Not-Spam\r\n", [None], "not-spam"),
        (b"garbage", [None], None),
        (b"", [None], None),
    ],
)  # fmt: skip
def test_reports_as_programs_write_them(report: bytes, recipients: list[str | None], kind: str | None) -> None:
    found = complaints(report)
    assert [(row["recipient"], row["feedback_type"], row["position"]) for row in found] == [
        (each, kind, number) for number, each in enumerate(recipients)
    ]
    assert {row["original_message_id"] for row in found} == {None}


def test_a_mail_that_only_speaks_of_a_complaint_is_none() -> None:
    assert complaints(FULL, kind="text/plain") == []
    assert rows(with_head("Subject: s", "Content-Type: text/plain", body=FULL), "complaints") == []
