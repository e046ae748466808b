"""Names and addresses as real mail writes them: encoded words, missing brackets and quotes, groups, comments."""

from __future__ import annotations

import base64
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leat.sources.email.mime.addresses import Address, addresses_of
from leat.sources.email.mime.words import decode_words
from tests.sources.email_messages import message, rows, with_head


def word(raw: bytes, charset: str) -> str:
    return f"=?{charset}?B?{base64.b64encode(raw).decode()}?="


KANJI = "高橋花子".encode("iso-2022-jp")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("=?utf-8?B?QXVzZ2FuZ3M=?= =?utf-8?B?cG9zdCBOw7xybmJlcmc=?=", "Ausgangspost Nürnberg"),
        ("=?utf-8?Q?J=C3?= =?utf-8?Q?=B6rn?=", "Jörn"),
        ("=?utf-8?Q?Nu=C3=B1?==?utf-8?Q?ez?=", "Nuñez"),
        ("=?ISO-8859-1?Q?Ren=E9?=\t=?utf-8?Q?_Zo=C3=AB?=", "René Zoë"),
        ("=?utf-8*fr?Q?No=C3=ABl?=", "Noël"),
        ("=?utf-8?Q?two words?=", "two words"),
        ("=?utf-8?Q?Why, though??=", "Why, though?"),
        ("=?utf-8?Q?open =?utf-8?Q?shut?=", "=?utf-8?Q?open shut"),
        ("=?utf-8?Q?never shut", "=?utf-8?Q?never shut"),
        ("=?utf-8?B?w7xi ZXI?=", "über"),
        ("=?utf-8?B?4pyT4p?=", "✓\ufffd"),
        ("=?utf-8?Q?caf=E9?=", "café"),
        ("=?us-ascii?Q?caf=C3=A9?=", "café"),
        ("=?utf-7?Q?Stra+AN8-e?=", "Straße"),
        ("=?x-unknown?Q?na=C3=AFve?=", "naïve"),
        ("=?unknown-8bit?Q?na=EFve?=", "naïve"),
        ("=?punycode?Q?Mnchen-3ya?=", "Mnchen-3ya"),
        (word("镕".encode("gb18030"), "gb2312"), "镕"),
        (word("①②".encode("cp932"), "shift_jis"), "①②"),
        (word(b"\x1b$B-!-j\x1b(B ok", "iso-2022-jp"), "①㈱ ok"),
        (f"{word(KANJI[:5], 'iso-2022-jp')} {word(KANJI[5:], 'ISO-2022-JP')}", "高橋花子"),
        (f"{word('é'.encode('utf-16'), 'utf-16')} {word('à'.encode('utf-16'), 'utf-16')}", "éà"),
        ("=?iso-8859-9?Q?=DDstanbul?=", "İstanbul"),
    ],
)
def test_encoded_words_of_any_kind(written: str, text: str) -> None:
    assert decode_words(written) == text
    assert message(with_head(f"Subject: {written}"))["subject"] == text


SPLIT = "=?utf-8?Q?Gro=C3=9F?=\r\n =?utf-8?Q?handel?="


@pytest.mark.parametrize("field", ["From", "Sender", "To", "Cc", "Bcc", "Reply-To"])
@pytest.mark.parametrize("form", ["{} <g@x.example>", '"{}" <g@x.example>', "g@x.example ({})", "{}<g@x.example>"])
def test_white_space_between_encoded_words_is_not_shown_in_any_phrase(field: str, form: str) -> None:
    raw = with_head(f"{field}: {form.format(SPLIT)}")
    (row,) = rows(raw, "recipients")
    assert (row["role"], row["email"], row["name"]) == (field.lower().replace("-", "_"), "g@x.example", "Großhandel")


def test_groups_and_lists_are_decoded_alike() -> None:
    raw = with_head(f"To: {SPLIT}: a@x.example;", f"List-Id: {SPLIT} <l.x.example>", f"List-Unsubscribe: ({SPLIT}) <u>")
    assert rows(raw, "recipients")[0]["group_name"] == "Großhandel"
    assert (message(raw)["list_id"], message(raw)["list_unsubscribe"]) == ("l.x.example", "(Großhandel) <u>")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"Cleo Carter" cleo@x.example', [("cleo@x.example", "Cleo Carter")]),
        ("Cleo Carter cleo@x.example>", [("cleo@x.example", "Cleo Carter")]),
        ("Cleo <cleo@x.example", [("cleo@x.example", "Cleo")]),
        ("Cleo <<cleo@x.example>>", [("cleo@x.example", "Cleo")]),
        ("Cleo <mailto:cleo@x.example>", [("cleo@x.example", "Cleo")]),
        ("<MAILTO:50%25off@x.example?subject=hi>", [("50%off@x.example", None)]),
        ("mailto:cleo@x.example", [("cleo@x.example", None)]),
        ("Cleo [mailto:cleo@x.example]", [("cleo@x.example", "Cleo")]),
        ("The Night Desk", [(None, "The Night Desk")]),
        ("Desk <desk>", [(None, "Desk")]),
        ("<MAILER-DAEMON>", [(None, "MAILER-DAEMON")]),
        ('"Cleo" </O=ORG/CN=CLEO>', [(None, "Cleo")]),
        ("Cleo <c d@x.example>", [(None, "Cleo")]),
        ("Cleo <a@b@c>", [(None, "Cleo")]),
        ("cleo@", [(None, "cleo@")]),
        ("@x.example", [(None, "@x.example")]),
        ("Cleo @ Work", [(None, "Cleo @ Work")]),
        ('"Cleo @ x.example"', [(None, "Cleo @ x.example")]),
        ("cleo @ x.example", [("cleo@x.example", None)]),
        ("<cleo . c @ x . example>", [("cleo.c@x.example", None)]),
        ("cleo(her)@x.example", [("cleo@x.example", None)]),
        ("<@a.example,@b.example:cleo@x.example>", [("cleo@x.example", None)]),
        ("cleo@x.example.", [("cleo@x.example", None)]),
        ("a@x.example; b@x.example;", [("a@x.example", None), ("b@x.example", None)]),
        ("a@x.example b@x.example", [("a@x.example", None), ("b@x.example", None)]),
        ("A <a@x.example> B <b@x.example>", [("a@x.example", "A"), ("b@x.example", "B")]),
        ("<a@x.example> Cleo", [("a@x.example", "Cleo")]),
        ("home@y.example <a@x.example>", [("a@x.example", "home@y.example")]),
        ('"a@x.example" <a@x.example>', [("a@x.example", "a@x.example")]),
        ('"Cleo \\"CC\\" Carter" <a@x.example>', [("a@x.example", 'Cleo "CC" Carter')]),
        ('Cleo "CC <a@x.example>', [("a@x.example", 'Cleo "CC')]),
        ("Cleo (CC <a@x.example>", [("a@x.example", "Cleo (CC")]),
        ("Cleo (the (real) one) <a@x.example>", [("a@x.example", "Cleo")]),
        ("a@x.example (Cleo (real))", [("a@x.example", "Cleo (real)")]),
        ("Dr. C. Carter Jr. <a@x.example>", [("a@x.example", "Dr. C. Carter Jr.")]),
        ('"john doe"@x.example', [('"john doe"@x.example', None)]),
        ('"john.doe"@x.example', [("john.doe@x.example", None)]),
        ('Cleo <"c@c"@x.example>', [('"c@c"@x.example', "Cleo")]),
        ("Cleo <cleo@[IPv6:::1]>", [("cleo@[ipv6:::1]", "Cleo")]),
        ("Zoë <zoë@bücher.example>", [("zoë@bücher.example", "Zoë")]),
        ("zoë@xn--bcher-kva.example", [("zoë@xn--bcher-kva.example", None)]),
        ("高橋\u3000花子 <h@x.example>", [("h@x.example", "高橋\u3000花子")]),
        ("a..b.@x.example", [("a..b.@x.example", None)]),
        ("=?utf-8?Q?Carter, Zo=C3=AB?= <z@x.example>", [("z@x.example", "Carter, Zoë")]),
        ("=?utf-8?Q?Carter=2C_=22Z=22?= <z@x.example>", [("z@x.example", 'Carter, "Z"')]),
        ("=?utf-8?Q?Zo=C3=AB_<z@x.example>?=", [("z@x.example", "Zoë")]),
        ("=?utf-8?Q?z=40x.example?=", [("z@x.example", None)]),
        ("FYI: report <r@x.example>", [("r@x.example", "FYI: report")]),
        ("12:30 news <n@x.example>", [("n@x.example", "12:30 news")]),
        ('"" <a@x.example>', [("a@x.example", None)]),
        (" , ,", []),
        (">", []),
        ('""', []),
        ("C\x00D <c\x00d@x.example>", [(None, "C D")]),
    ],
)
def test_addresses_are_read_as_written_and_never_invented(value: str, expected: list[tuple[str | None, str]]) -> None:
    assert [(one.email, one.name) for one in addresses_of(value)] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("undisclosed-recipients:", [Address(None, None, "undisclosed-recipients")]),
        ("Nobody here:;, a@x.example", [Address(None, None, "Nobody here"), Address("a@x.example", None)]),
        ("A: b@x.example; C:;", [Address("b@x.example", None, "A"), Address(None, None, "C")]),
        ('"A, B": c@x.example; d@x.example',
         [Address("c@x.example", None, "A, B"), Address("d@x.example", None)]),
    ],
)  # fmt: skip
def test_groups_end_where_they_end(value: str, expected: list[Address]) -> None:
    assert addresses_of(value) == expected


@pytest.mark.parametrize("piece", ["(", '"', '\\"', "<", '<"', "a ", "a@", ":;", "A:", "(a", "=?a?q?", "a@b ", '"a" '])
def test_hostile_headers_take_no_time_that_grows_with_their_square(piece: str) -> None:
    began = process_time()
    actual = addresses_of(piece * (32_768 // len(piece)))
    assert len(actual) <= 2_000
    assert process_time() - began < 2


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from('ab@.<>"(),;:\\ =?qé\x00[]'), max_size=40))
def test_every_address_is_written_in_its_header(value: str) -> None:
    plain = "".join(value.split()).replace("\\", "").replace('"', "")
    for one in addresses_of(value):
        if one.email is not None:
            assert one.email.count("@") >= 1
            for side in one.email.replace("\\", "").replace('"', "").split("@"):
                assert "".join(side.split()) in plain or "(" in value or "=?" in value
