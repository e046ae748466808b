"""Names of attachments, and their size and hash: those of the bytes that were sent, in any encoding and depth."""

from __future__ import annotations

import base64
import quopri
from hashlib import sha256
from typing import Any

import pytest

from tests.sources.email_messages import message, multipart, part, rows, with_head

LETTER = (
    b"From: Dora <dora@x.example>\r\nSubject: The minutes of the meeting of the northern group, with all that was said "
    b"about the budget\r\nX-Trace:" + b" hop" * 30 + b"\r\nDKIM-Signature: v=1; a=rsa-sha256;\r\n\tb=abc\r\n"
    b"Message-ID: <letter@x.example>\r\n\r\nDear all,\r\n\r\nthe end \r\n"
)
RAW_8_BIT = LETTER + "grüße\r\n".encode() + b"\xff\xfe\r\n"
UNIX = LETTER.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    ("disposition", "content_type", "name"),
    [
        ("attachment; filename=\"_____.pdf\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.pdf", "", "Größe.pdf"),
        ("attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe.pdf; filename=Groesse.pdf", "", "Größe.pdf"),
        ("attachment; filename=Gr__e.pdf", "; name*=UTF-8''Gr%C3%B6%C3%9Fe.pdf", "Größe.pdf"),
        ("attachment; filename=Gr??e.pdf", '; name="=?utf-8?Q?Gr=C3=B6=C3=9Fe.pdf?="', "Größe.pdf"),
        ("attachment; filename=other.pdf", "; name*=UTF-8''Gr%C3%B6%C3%9Fe.pdf", "other.pdf"),
        ("attachment", "; name*=iso-8859-1'de'Gr%F6%DFe.pdf", "Größe.pdf"),
        ("attachment; filename*2*=.pdf; filename*0*=utf-8''Gr%C3; filename*1*=%B6%C3%9Fe", "", "Größe.pdf"),
        ('attachment; FileName*1="b.txt"; filename*0="a;"', "", "a;b.txt"),
        ("attachment; filename*3=b; filename*7=c", "", "bc"),
        ('attachment; filename*0="=?utf-8?B?R3LD"; filename*1="tsOfZS5wZGY=?="', "", "Größe.pdf"),
        ('attachment; filename="=?utf-8?Q?Gr=C3?=\r\n =?utf-8?Q?=B6=C3=9Fe.pdf?="', "", "Größe.pdf"),
        ("attachment; filename==?iso-8859-1?Q?Gr=F6=DFe;1.pdf?=; size=1", "", "Größe;1.pdf"),
        ("attachment; filename*=utf-8''%E4%BD; filename=plain.txt", "", "plain.txt"),
        ("attachment; filename*=x-unknown''Gr%C3%B6%C3%9Fe.pdf", "", "Größe.pdf"),
        ("attachment; filename*=gb2312''%C4%E3%BA%C3.txt", "", "你好.txt"),
        ("attachment; filename*=Gr%C3%B6%C3%9Fe.pdf", "", "Größe.pdf"),
        ("attachment; filename*=\"utf-8''Gr%C3%B6%C3%9Fe.pdf\"", "", "Größe.pdf"),
        ('attachment; filename=""', "; name=b.pdf", "b.pdf"),
        ('attachment; filename="  "', "", None),
        ("attachment; filename=..", "", None),
        ("attachment; filename*=utf-8''..%2F..%2Fetc%2Fshadow%00", "", "shadow"),
        ('attachment; filename="C:\\Users\\dora\\plan.txt"', "", "plan.txt"),
        ('attachment; filename="say \\"hi\\".txt"', "", 'say "hi".txt'),
        ("attachment; filename=the whole plan.txt; size=3", "", "the whole plan.txt"),
        ('attachment; filename="open.txt', "", "open.txt"),
        ('attachment; filename="two\r\n\tlines.txt"', "", "two lines.txt"),
        ('attachment; filename="txt.\u202eexe.doc"', "", "txt.exe.doc"),
        ('attachment; filename="Re: plan.eml"', "", "Re: plan.eml"),
        ("attachment; filename=Größe.pdf", "", "Größe.pdf"),
        ("attachment; filename=100%.txt", "", "100%.txt"),
        (";;;===", ";;", None),
    ],
)
def test_the_richer_name_counts(disposition: str, content_type: str, name: str | None) -> None:
    head = (f"Content-Type: application/pdf{content_type}", f"Content-Disposition: {disposition}")
    (row,) = rows(multipart(part(*head)), "attachments")
    assert row["name"] == name


def attached(raw: bytes, number: str = "2") -> dict[str, Any]:
    (row,) = [row for row in rows(raw, "attachments") if row["part"] == number]
    return row


@pytest.mark.parametrize("media_type", ["message/rfc822", "message/global", "message/partial", "message/x-odd"])
@pytest.mark.parametrize("letter", [LETTER, RAW_8_BIT, UNIX, b"", b"\r\n", b"no header", LETTER.rstrip()])
@pytest.mark.parametrize("encoding", [None, "7bit", "8bit", "binary"])
def test_an_attached_message_has_the_hash_of_what_was_sent(
    media_type: str, letter: bytes, encoding: str | None
) -> None:
    head = [f"Content-Type: {media_type}", *([f"Content-Transfer-Encoding: {encoding}"] if encoding else [])]
    row = attached(multipart(part("Content-Type: text/plain"), part(*head, body=letter)))
    assert (row["kind"], row["media_type"]) == ("message", media_type)
    assert (row["size"], row["sha256"]) == (len(letter), sha256(letter).hexdigest())


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_an_attached_message_is_decoded_where_it_is_encoded(encoding: str) -> None:
    head = ("Content-Type: message/rfc822", f"Content-Transfer-Encoding: {encoding}")
    body = base64.encodebytes(LETTER) if encoding == "base64" else quopri.encodestring(LETTER, quotetabs=False)
    row = attached(multipart(part("Content-Type: text/plain"), part(*head, body=body)))
    assert (row["size"], row["sha256"]) == (len(LETTER), sha256(LETTER).hexdigest())


def test_a_message_that_only_says_base64_is_taken_as_it_is() -> None:
    head = ("Content-Type: message/rfc822", "Content-Transfer-Encoding: base64")
    row = attached(multipart(part("Content-Type: text/plain"), part(*head, body=LETTER)))
    assert row["sha256"] == sha256(LETTER).hexdigest()


def test_messages_in_messages_and_in_digests() -> None:
    outer = multipart(part("Content-Type: message/rfc822", body=LETTER), mark="inner")
    raw = multipart(
        part("Content-Type: message/rfc822", body=outer),
        multipart(part(body=LETTER), part("Content-Type: text/plain", body=b"words"), kind="digest", mark="d", head=""),
    )
    actual = {row["part"]: (row["media_type"], row["sha256"]) for row in rows(raw, "attachments")}
    assert actual == {
        "1": ("message/rfc822", sha256(outer).hexdigest()),
        "2.1": ("message/rfc822", sha256(LETTER).hexdigest()),
    }
    assert message(raw)["text"] == "words"


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
def test_a_multipart_that_is_an_attachment_is_one_and_so_is_what_is_in_it(ends: bytes) -> None:
    inside = multipart(part("Content-Type: text/plain", body=b"saved page"), part("Content-Type: image/png"), mark="in")
    body = inside.partition(b"\r\n\r\n")[2].replace(b"\r\n", ends)
    saved = part(
        "Content-Type: multipart/related; boundary=in",
        "Content-Disposition: attachment; filename=page.mht", body=b"\r\n" + body,
    )  # fmt: skip
    raw = multipart(part("Content-Type: text/plain", body=b"see there"), saved.replace(b"\r\n", ends)).replace(
        b"\r\n", ends
    )
    body = (b"\r\n" + body).replace(b"\r\n", ends)
    actual = {row["part"]: row for row in rows(raw, "attachments")}
    assert sorted(actual) == ["2", "2.1", "2.2"]
    assert (actual["2"]["name"], actual["2"]["kind"]) == ("page.mht", "file")
    assert (actual["2"]["size"], actual["2"]["sha256"]) == (len(body), sha256(body).hexdigest())
    assert actual["2.1"]["sha256"] == sha256(b"saved page").hexdigest()
    assert message(raw)["text"] == "see there"


def test_a_whole_message_may_be_a_message_or_an_attachment() -> None:
    row = attached(with_head("Subject: s", "Content-Type: message/rfc822", body=LETTER), "1")
    assert row["sha256"] == sha256(LETTER).hexdigest()
    raw = multipart(part("Content-Type: text/plain", body=b"text"), head="Content-Disposition: attachment\r\n")
    assert (message(raw)["text"], message(raw)["attachments"]) == ("text", 0)


def test_a_multipart_that_was_cut_off_has_no_hash() -> None:
    inside = multipart(part("Content-Type: image/png"), part("Content-Type: image/gif"), mark="in", head="")
    saved = inside.replace(b"MIME-Version: 1.0\r\n", b"Content-Disposition: attachment\r\n")
    raw = multipart(part("Content-Type: text/plain"), saved)
    actual = {row["part"]: row["sha256"] is None for row in rows(raw[:-30], "attachments", complete=False)}
    assert actual == {"2": True, "2.1": False, "2.2": True}
