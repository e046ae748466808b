"""Delivery reports as servers really write them: blank lines, comments, types, encodings, originals."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sources.email_messages import bounces, multipart, part, report, rows, with_head

ABOUT = b"Reporting-MTA: dns; out.x.example\r\nArrival-Date: Tue, 12 May 2026 12:00:00 +0200\r\n"
LOST = b"Final-Recipient: rfc822; lost@y.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
FULL = b"Final-Recipient: rfc822; full@y.example\r\nAction: delayed\r\nStatus: 4.2.2\r\n"
ARRIVED = datetime(2026, 5, 12, 10, tzinfo=UTC)
ORIGINAL = with_head("From: ann@x.example", "Message-ID: <sent@x.example>", body=b"")


@pytest.mark.parametrize(
    "status",
    [
        ABOUT + b"\r\n" + LOST + b"\r\n" + FULL,
        b"\r\n\r\n\r\n" + ABOUT + b"\r\n\r\n\r\n" + LOST + b"\r\n \r\n\r\n" + FULL + b"\r\n\r\n",
        ABOUT + LOST + FULL,
        ABOUT + LOST + b"\r\n" + FULL,
        (ABOUT + b"\r\n" + LOST + b"\r\n" + FULL).replace(b"\r\n", b"\n"),
        ABOUT + b"\r\n" + LOST.replace(b"\r\nAction", b"\r\n\r\nAction") + b"\r\n" + FULL,
        LOST + b"\r\n" + FULL + b"\r\n" + ABOUT,
        b"Here is what happened\r\n" + ABOUT + b"\r\n" + LOST + b"garbage\r\n\r\n" + FULL,
        ABOUT.upper().replace(b"DNS; OUT.X.EXAMPLE", b"dns; out.x.example") + b"\r\n" + LOST + b"\r\n" + FULL,
    ],
)
@pytest.mark.parametrize("kind", ["message/delivery-status", "message/global-delivery-status"])
def test_recipients_are_distinguished_however_blank_lines_are_spread(status: bytes, kind: str) -> None:
    first, second = bounces(status, kind=kind)
    assert (first["recipient"], first["action"], first["status"]) == ("lost@y.example", "failed", "5.1.1")
    assert (second["recipient"], second["action"], second["status"]) == ("full@y.example", "delayed", "4.2.2")
    assert {(row["reporting_mta"], row["arrived_at"]) for row in (first, second)} == {("out.x.example", ARRIVED)}
    assert [row["position"] for row in (first, second)] == [0, 1]


def test_original_recipients_without_blank_lines() -> None:
    pairs = b"".join(
        b"Original-Recipient: rfc822;o%d@y.example\r\nFinal-Recipient: rfc822;f%d@y.example\r\nAction: failed\r\n"
        % (n, n)
        for n in range(3)
    )
    actual = [(row["original_recipient"], row["recipient"]) for row in bounces(ABOUT + pairs)]
    assert actual == [(f"o{n}@y.example", f"f{n}@y.example") for n in range(3)]
    (row,) = bounces(LOST + b"Original-Recipient: rfc822; asked@y.example\r\n")
    assert (row["recipient"], row["original_recipient"]) == ("lost@y.example", "asked@y.example")


@pytest.mark.parametrize(
    ("field", "value", "column", "expected"),
    [
        ("Final-Recipient", "RFC822;<lost@y.example> (Lost)", "recipient", "lost@y.example"),
        ("Final-Recipient", "rfc822 ; Lost@Y.example", "recipient", "lost@y.example"),
        ("Final-Recipient", "lost@y.example", "recipient", "lost@y.example"),
        ("Final-Recipient", 'rfc822; "a b"@y.example', "recipient", '"a b"@y.example'),
        ("Final-Recipient", "rfc822;;lost@y.example", "recipient", "lost@y.example"),
        ("Final-Recipient", "LOCAL; root", "recipient", "root"),
        ("Final-Recipient", "rfc822;", "recipient", None),
        ("Final-Recipient", "utf-8; zoë@bücher.example", "recipient", "zoë@bücher.example"),
        ("Final-Recipient", "utf-8; zo\\x{EB}@b\\x{FC}cher.example", "recipient", "zoë@bücher.example"),
        ("Final-Recipient", "rfc822;\r\n lost@y.example", "recipient", "lost@y.example"),
        ("Original-Recipient", "rfc822;ann+2Btag@y.example", "original_recipient", "ann+tag@y.example"),
        ("Original-Recipient", "rfc822;a+3Db@y.example", "original_recipient", "a=b@y.example"),
        ("Original-Recipient", "rfc822;ann+40y.example", "original_recipient", "ann@y.example"),
        ("Original-Recipient", "rfc822;ann+tag@y.example", "original_recipient", "ann+tag@y.example"),
        ("Original-Recipient", "rfc822;ann+2024@y.example", "original_recipient", "ann+2024@y.example"),
        ("Original-Recipient", "utf-8;zo+C3+ABe@y.example", "original_recipient", "zoëe@y.example"),
        ("Status", "5.1.1(unknown user)", "status", "5.1.1"),
        ("Status", "(permanent) 5.7.26 (dmarc)", "status", "5.7.26"),
        ("Status", "5.1.1, really", "status", "5.1.1"),
        ("Status", "550", "status", "550"),
        ("Status", "", "status", None),
        ("Action", "FAILED (for good)", "action", "failed"),
        ("Action", "failed;", "action", "failed"),
        ("Diagnostic-Code", "smtp; 550 5.1.1 <lost@y.example>; no (such) user",
         "diagnostic", "550 5.1.1 <lost@y.example>; no (such) user"),
        ("Diagnostic-Code", "550 no user; sorry", "diagnostic", "550 no user; sorry"),
        ("Diagnostic-Code", "smtp;550\r\n no\r\n\tuser", "diagnostic", "550 no user"),
        ("Remote-MTA", "dns; in.y.example (10.0.0.1, the server)", "remote_mta", "in.y.example"),
        ("Last-Attempt-Date", "Tue, 12 May 2026 12:00 +02:00 (now)", "last_attempt_at", ARRIVED),
        ("Last-Attempt-Date", "Tue May 12 10:00:00 2026", "last_attempt_at", ARRIVED),
    ],
)  # fmt: skip
def test_fields_with_types_comments_and_brackets(field: str, value: str, column: str, expected: Any) -> None:
    rest = b"\r\n".join(line for line in LOST.split(b"\r\n") if not line.startswith(field.encode()))
    (row,) = bounces(ABOUT + b"\r\n" + f"{field}: {value}\r\n".encode() + rest)
    assert row[column] == expected


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Content-Type: message/rfc822", ORIGINAL + b"text"),
        ("Content-Type: message/rfc822", b"\r\n\r\n" + ORIGINAL),
        ("Content-Type: message/rfc822", ORIGINAL.rstrip()),
        ("Content-Type: message/global", ORIGINAL),
        ("Content-Type: message/global-headers", ORIGINAL),
        ("Content-Type: text/rfc822-headers", ORIGINAL),
        ("Content-Type: message/rfc822-headers", ORIGINAL),
        ("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64", base64.encodebytes(ORIGINAL)),
        ("Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: base64", base64.encodebytes(ORIGINAL)),
        ("Content-Type: text/rfc822-headers; name=headers.txt\r\nContent-Disposition: attachment", ORIGINAL),
    ],
)
def test_the_original_is_identified_in_every_form(head: str, body: bytes) -> None:
    (row,) = bounces(LOST, part(*head.split("\r\n"), body=body))
    assert row["original_message_id"] == "sent@x.example"


def test_without_an_original_the_report_may_name_it() -> None:
    (row,) = bounces(ABOUT + b"X-Original-Message-ID: <sent@x.example>\r\n\r\n" + LOST)
    assert row["original_message_id"] == "sent@x.example"


def test_a_report_may_be_encoded() -> None:
    status = base64.encodebytes(ABOUT + b"\r\n" + LOST)
    (row,) = bounces(status, kind="message/delivery-status\r\nContent-Transfer-Encoding: base64")
    assert (row["recipient"], row["arrived_at"]) == ("lost@y.example", ARRIVED)


@pytest.mark.parametrize(
    "raw",
    [
        report(LOST, kind="message/disposition-notification"),
        report(LOST, kind="text/plain"),
        report(LOST, kind="message/feedback-report"),
        multipart(part("Content-Type: message/rfc822", body=report(LOST)), mark="outer"),
        with_head("Subject: Undelivered", body=LOST),
        report(ABOUT),
        report(b""),
    ],
)
def test_what_is_no_delivery_report_gives_no_bounce(raw: bytes) -> None:
    assert rows(raw, "bounces") == []


def test_a_report_is_an_attachment_with_the_hash_of_its_bytes() -> None:
    (row,) = [row for row in rows(report(ABOUT + b"\r\n" + LOST), "attachments") if row["part"] == "2"]
    assert (row["kind"], row["size"]) == ("message", len(ABOUT + b"\r\n" + LOST))
