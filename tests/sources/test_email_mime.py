"""What messages get wrong: charsets, encoded words, parts that aren't what they say, addresses, reports, depth."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from email.utils import getaddresses
from hashlib import sha256

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leat.sources.batch import Batch
from leat.sources.email.mime.addresses import Address, _parsed_addresses, addresses_of
from leat.sources.email.mime.preview import preview
from leat.sources.email.streams import STREAMS
from tests.sources.email_messages import message, multipart, part, rows, with_head


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?q?Caf=C3=A9?=", "Café"),
        ("=?ISO-8859-1?Q?Caf=E9?= =?utf-8?b?4pyT?=", "Café✓"),
        ("=?utf-8?B?ww==?=\r\n =?utf-8?B?qQ==?=", "é"),
        ("=?gb2312?B?xOO6ww==?=", "你好"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?x-no-such-charset?q?abc?=", "abc"),
        ("=?utf-8?q?broken", "=?utf-8?q?broken"),
        ("=?utf-8?x?what?=", "=?utf-8?x?what?="),
        ("Re: =?utf-8?q?a_b?= c", "Re: a b c"),
        ("folded\r\n subject\r\n\tline", "folded subject\tline"),
        ("plain € as UTF-8", "plain € as UTF-8"),
    ],
)
def test_rfc_2047_headers_are_decoded(value: str, text: str) -> None:
    assert message(with_head(f"Subject: {value}"))["subject"] == text


def test_raw_8_bit_headers_are_read_as_utf_8_or_windows_1252() -> None:
    assert message(b"Subject: caf\xe9 \x80\r\n\r\n")["subject"] == "café €"
    assert message("Subject: žluťoučký\r\n\r\n".encode())["subject"] == "žluťoučký"


@pytest.mark.parametrize(
    ("charset", "body", "text", "defect"),
    [
        ("utf-8", "naïve".encode(), "naïve", None),
        ("iso-8859-1", b"\x93quoted\x94", "“quoted”", None),
        ("us-ascii", "naïve".encode(), "naïve", "charset us-ascii is wrong; read as utf-8"),
        ("utf-8", b"na\xefve", "naïve", "charset utf-8 is wrong; read as cp1252"),
        ("x-martian", "naïve".encode(), "naïve", "charset x-martian is unknown; read as utf-8"),
        ("gb2312", "你好朋友".encode("gb18030"), "你好朋友", None),
        ("ks_c_5601-1987", "안녕".encode("cp949"), "안녕", None),
        ("base64", b"abc", "abc", "charset base64 is unknown; read as utf-8"),
        ('"utf-8"', "é".encode(), "é", None),
    ],
)
def test_wrong_charsets_are_read_as_well_as_can_be(charset: str, body: bytes, text: str, defect: str | None) -> None:
    row = message(with_head("Subject: s", f"Content-Type: text/plain; charset={charset}", body=body))
    assert row["text"] == text
    assert row["defects"] == (None if defect is None else [f"part 1: {defect}"])


@pytest.mark.parametrize(
    ("encoding", "body", "text"),
    [
        ("base64", base64.b64encode(b"Hello"), "Hello"),
        ("base64", b"SGVsbG8", "Hello"),
        ("quoted-printable", b"caf=C3=A9 =\r\nends=zz", "café ends=zz"),
        ("x-nonsense", b"Hello", "Hello"),
        ("8bit", "é".encode(), "é"),
    ],
)
def test_transfer_encodings_even_broken_ones(encoding: str, body: bytes, text: str) -> None:
    head = ("Content-Type: text/plain; charset=utf-8", f"Content-Transfer-Encoding: {encoding}")
    assert message(with_head("Subject: s", *head, body=body))["text"] == text


def test_attachments_that_are_not_attachment() -> None:
    raw = multipart(
        part("Content-Type: text/plain", body=b"The text"),
        part("Content-Type: image/png", "Content-Disposition: inline; filename=logo.png", "Content-ID: <logo@x>"),
        part('Content-Type: application/pdf; name="report.pdf"'),
        part("Content-Type: text/plain; name=notes.txt", body=b"notes"),
        part("Content-Type: text/html", "Content-Disposition: attachment", body=b"<p>page</p>"),
        part("Content-Type: application/octet-stream"),
        part("Content-Type: text/calendar; charset=utf-8; method=REQUEST", body=b"BEGIN:VCALENDAR"),
    )
    actual = {row["part"]: row for row in rows(raw, "attachments")}
    assert [(p, r["name"], r["kind"], r["disposition"]) for p, r in actual.items()] == [
        ("2", "logo.png", "inline", "inline"),
        ("3", "report.pdf", "file", None),
        ("4", "notes.txt", "file", None),
        ("5", None, "file", "attachment"),
        ("6", None, "file", None),
        ("7", None, "file", None),
    ]
    assert actual["2"]["content_id"] == "logo@x"
    assert actual["4"]["sha256"] == sha256(b"notes").hexdigest()
    assert (message(raw)["text"], message(raw)["html"], message(raw)["attachments"]) == ("The text", None, 6)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename*=utf-8''na%C3%AFve%20caf%C3%A9.pdf", "naïve café.pdf"),
        ("attachment; filename*0*=utf-8''na%C3%AF; filename*1*=ve; filename*2=.pdf", "naïve.pdf"),
        ('attachment; filename="=?utf-8?B?Y2Fmw6kucGRm?="', "café.pdf"),
        ("attachment; filename==?utf-8?Q?caf=C3=A9.pdf?=", "café.pdf"),
        ('attachment; filename="..\\\\..\\\\etc/passwd"', "passwd"),
        ('attachment; filename="a\x07b.txt"', "ab.txt"),
        ('attachment; filename="café.pdf"', "café.pdf"),
        ("attachment", None),
    ],
)
def test_file_names_of_rfc_2231_rfc_2047_and_neither(disposition: str, name: str | None) -> None:
    raw = multipart(part("Content-Type: application/pdf", f"Content-Disposition: {disposition}"))
    (row,) = rows(raw, "attachments")
    assert row["name"] == name


def test_attached_messages_are_one_attachment_and_not_the_text() -> None:
    inner = with_head("Subject: inner", "Message-ID: <inner@x>", body=b"inner text")
    raw = multipart(part("Content-Type: text/plain", body=b"outer"), part("Content-Type: message/rfc822", body=inner))
    (row,) = rows(raw, "attachments")
    assert (row["kind"], row["media_type"], row["size"] > 40) == ("message", "message/rfc822", True)
    assert (message(raw)["text"], message(raw)["subject"]) == ("outer", "s")


def test_winmail_dat_is_stored_as_an_attachment() -> None:
    tnef = b"\x78\x9f\x3e\x22rest"
    (row,) = rows(multipart(part("Content-Type: application/ms-tnef; name=winmail.dat", body=tnef)), "attachments")
    assert (row["kind"], row["name"], row["sha256"]) == ("tnef", "winmail.dat", sha256(tnef).hexdigest())


def test_alternatives_give_text_and_html() -> None:
    raw = multipart(
        part("Content-Type: text/plain", body=b"plain"), part("Content-Type: text/html", body=b"<b>rich</b>"),
        kind="alternative",
    )  # fmt: skip
    row = message(raw)
    assert (row["text"], row["html"], row["attachments"], row["preview"]) == ("plain", "<b>rich</b>", 0, "plain")


def test_preview_of_a_page_is_its_words() -> None:
    page = "<html><head><title>t</title><style>p {}</style></head><body><p>Dear&nbsp;all,</p><p>hello</p></body></html>"
    assert preview("", page) == "Dear all, hello"
    assert preview(" \r\n\r\n", "") is None
    assert len(preview("word " * 1_000, "") or "") == 200


def test_nul_and_lone_surrogates_can_be_stored() -> None:
    raw = with_head("Subject: a\x00b", "X-Odd: \udcff\udcfe", body=b"text\x00more \xed\xa0\x80")
    batch = Batch(next(stream for stream in STREAMS if stream.name == "messages"))
    list(batch.add(message(raw)))
    (event,) = batch.flush()
    row = event.table.to_pylist()[0]
    assert row["subject"] == "a\ufffdb"
    assert "\x00" not in row["text"]
    row["text"].encode("utf-8")


def test_deep_nesting_stops_nothing() -> None:
    raw = b"Subject: deep\r\n"
    for level in range(80):
        raw += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
    row = message(raw + b"Content-Type: text/plain\r\n\r\nbottom")
    assert row["subject"] == "deep"
    assert any("nested deeper than 50" in defect for defect in row["defects"])


def test_nesting_too_deep_for_the_parser_leaves_the_headers() -> None:
    raw = b"Subject: abyss\r\n"
    for level in range(3_000):
        raw += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
    row = message(raw)
    assert (row["subject"], row["text"]) == ("abyss", None)
    assert "nested too deeply" in row["defects"][0]


def test_thousands_of_parts_are_bounded() -> None:
    raw = multipart(*(part("Content-Type: image/png") for _ in range(1_100)))
    assert len(rows(raw, "attachments")) == 1_000
    assert message(raw)["defects"] == ["only 1000 of 1100 parts were read"]


def test_a_part_that_was_cut_off_has_no_hash() -> None:
    raw = multipart(
        part("Content-Type: text/plain", body=b"text"), part("Content-Type: image/png"), part("Content-Type: image/gif")
    )
    actual = rows(raw[:-20], "attachments", complete=False)
    assert [row["sha256"] is None for row in actual] == [False, True]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"no header at all",
        b"Subject\r\n\r\n",
        b": nameless\r\n\r\n",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\n--\r\n',
        b'Content-Type: ;;;===\r\nContent-Disposition: ;"\r\n\r\nx',
        b'From: "unclosed <a@b\r\nTo: ,,,;:<<>>\r\nDate: never\r\n\r\n',
        b"Content-Type: message/delivery-status\r\n\r\nx",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!!",
        b"Subject: =?utf-8?b?" + b"A" * 10_000 + b"?=\r\n\r\n",
        b"From: =?utf-8?q?=00=ff?= <a@b>\r\nReferences: <" + b"a" * 5_000 + b">\r\n\r\n",
        bytes(range(256)),
    ],
)
def test_one_broken_message_never_stops_the_others(raw: bytes) -> None:
    assert message(raw)["uid"] == 1


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"From", b"To", b"Subject", b"Content-Type", b"Date", b"References"]))
@example(b"=?", b"From")
def test_no_bytes_stop_the_reader(value: bytes, name: bytes) -> None:
    assert message(name + b": " + value + b"\r\n\r\n" + value)["account"] == "a"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("A <a@x.example>, b@y.example", [("a@x.example", "A"), ("b@y.example", None)]),
        ('"Doe, John" <J.Doe@X.example>', [("j.doe@x.example", "Doe, John")]),
        ("=?utf-8?q?J=C3=B6rg?= <j@x.example>", [("j@x.example", "Jörg")]),
        ('"=?utf-8?q?J=C3=B6rg?=" <j@x.example>', [("j@x.example", "Jörg")]),
        ("Jörg <j@x.example>", [("j@x.example", "Jörg")]),
        ("a@x.example (Ann)", [("a@x.example", "Ann")]),
        ("Team: a@x.example, b@x.example;", [("a@x.example", None), ("b@x.example", None)]),
        ("<>", [(None, None)]),
        ("Somebody", [(None, "Somebody")]),
        ("postmaster@[10.0.0.1]", [("postmaster@[10.0.0.1]", None)]),
    ],
)
def test_addresses(value: str, expected: list[tuple[str | None, str | None]]) -> None:
    assert [(one.email, one.name) for one in addresses_of(value)] == expected


def test_groups_are_named_even_when_empty() -> None:
    assert addresses_of("undisclosed-recipients:;") == [Address(None, None, "undisclosed-recipients")]
    assert addresses_of("Team: a@x.example;") == [Address("a@x.example", None, "Team")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Za-z]{0,6}( [A-Za-z]{1,6})?", fullmatch=True),
            st.from_regex(r"[a-z.]{0,3}[a-z]@[a-z]{1,5}\.ex", fullmatch=True),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_plain_addresses_are_read_as_the_standard_library_does(people: list[tuple[str, str]]) -> None:
    people = [(name.strip(), address.lstrip(".").replace("..", ".")) for name, address in people]
    value = ", ".join(f"{name} <{address}>" if name else address for name, address in people)
    assert addresses_of(value) == _parsed_addresses(value)
    assert [(one.name or "", one.email) for one in addresses_of(value)] == getaddresses([value])


def test_ids_dates_lists_and_authentication() -> None:
    raw = with_head(
        "Message-ID: <abc\r\n def@x.example>",
        "In-Reply-To: Your message of Monday <p@x.example>",
        "References: <r@x.example>\r\n <p@x.example>",
        "Date: Tue, 10 Mar 2026 10:00:00 +0200 (EET)",
        "List-Id: The list <list.x.example>",
        "Auto-Submitted: auto-replied; x=y",
        "Authentication-Results: mx.x; spf=pass (spf=fail in here) smtp.mailfrom=a; dkim=fail; dmarc=none",
        "Authentication-Results: forged; spf=fail; dkim=pass",
    )
    row = message(raw)
    assert (row["message_id"], row["in_reply_to"]) == ("abcdef@x.example", "p@x.example")
    assert row["references"] == ["r@x.example", "p@x.example"]
    assert (row["date"], row["date_zone"]) == (datetime(2026, 3, 10, 8, tzinfo=UTC), "+0200")
    assert (row["list_id"], row["auto_submitted"]) == ("list.x.example", "auto-replied")
    assert (row["spf"], row["dkim"], row["dmarc"]) == ("pass", "fail", "none")
    assert len(row["authentication_results"]) == 2


@pytest.mark.parametrize("date", ["Tue, 99 Mar 2026 10:00 +0000", "yesterday", "1 Jan 10000 00:00:00 +0000"])
def test_dates_that_are_none(date: str) -> None:
    assert message(with_head(f"Date: {date}"))["date"] is None


REPORT = b"""Reporting-MTA: dns; mx.example
Arrival-Date: Tue, 10 Mar 2026 10:00:00 +0100

Original-Recipient: rfc822;Info@x.example
Final-Recipient: rfc822; gone@x.example
Action: failed
Status: 5.1.1 (no such user)
Remote-MTA: dns; in.x.example
Diagnostic-Code: smtp; 550 5.1.1
 no such user

Final-Recipient: rfc822; full@x.example
Action: delayed
Status: 4.2.2
"""


@pytest.mark.parametrize("original", ["message/rfc822", "text/rfc822-headers"])
def test_bounces_are_parsed_from_delivery_status_notifications(original: str) -> None:
    raw = multipart(
        part("Content-Type: text/plain", body=b"It came back"),
        part("Content-Type: message/delivery-status", body=REPORT),
        part(f"Content-Type: {original}", body=with_head("Message-ID: <sent@x.example>", "Subject: the mail")),
        kind="report; report-type=delivery-status",
    )
    first, second = rows(raw, "bounces")
    assert (first["recipient"], first["original_recipient"]) == ("gone@x.example", "info@x.example")
    assert (first["action"], first["status"], first["permanent"]) == ("failed", "5.1.1", True)
    assert (first["diagnostic"], first["remote_mta"]) == ("550 5.1.1 no such user", "in.x.example")
    assert (first["reporting_mta"], first["arrived_at"]) == ("mx.example", datetime(2026, 3, 10, 9, tzinfo=UTC))
    assert (second["recipient"], second["permanent"]) == ("full@x.example", False)
    assert {row["original_message_id"] for row in (first, second)} == {"sent@x.example"}
