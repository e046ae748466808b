"""Regular messages are taken apart as the standard library does it if it opens none; others are left to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leat.sources.email.mime.regular import read_regular
from leat.sources.email.mime.structure import _parse

PIECES = [
    *(
        "\r\n",
        "\r\n\r\n",
        "--b",
        "--b--",
        "--b \t",
        "--bb",
        "--bb--",
        "\r\n--b\r\n",
        "\r\n--bb\r\n",
        "\r\n--b--\r\n",
        "\r\n--bb--",
    ),
    *("Content-Type: multipart/mixed; boundary=b\r\n", 'Content-Type: multipart/alternative;\r\n boundary="bb"\r\n'),
    *(
        "Content-Type: text/plain\r\n\r\n",
        "Content-Type: text/html\r\n",
        "Content-Type: multipart/digest; boundary=bb\r\n",
    ),
    "Content-Type: multipart/mixed; boundary=bb\r\nContent-Disposition: attachment\r\n",
    *("Content-Type: message/rfc822\r\n\r\n", "Content-Transfer-Encoding: base64\r\n", "content-type: nonsense\r\n"),
    *("A: b\r\n", "A:\r\n b\r\n", "A: b\r\n\t\r\n", ": no name\r\n", "From me\r\n", " folded\r\n", "A b: c\r\n"),
    *("text", "text\r\n", "\n", "\r", "\xff", "\x00", "=?utf-8?q?=C3=A9?=", "Subject: \udce9\r\n"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@st.composite
def entities(draw: st.DrawFn, boundaries: tuple[str, ...] = ("b", "bb", "b b", "c--")) -> str:
    """Messages and parts that are mostly regular."""
    head = "".join(draw(st.lists(st.sampled_from(["A: b\r\n", "Subject: x\r\n y\r\n", "To:a@b\r\n"]), max_size=3)))
    if not boundaries or draw(st.booleans()):
        return f"{head}Content-Type: text/plain\r\n\r\n{draw(TEXTS)}"
    mark, left = boundaries[0], boundaries[1:]
    head += draw(
        st.sampled_from(["", "Content-Disposition: attachment; filename=x\r\n", "Content-Disposition: inline\r\n"])
    )
    parts = draw(st.lists(entities(left), min_size=1, max_size=3))
    ends = st.sampled_from(["", "\r\n", "\r\n\r\n", "\r\nafter", "\r\nafter\r\n"])
    before = draw(st.sampled_from(["", "\r\n", "before\r\n", "before\r\n\r\n"]))
    body = "\r\n".join(f"--{mark}\r\n{part}" for part in parts)
    return f'{head}Content-Type: multipart/mixed; boundary="{mark}"\r\n\r\n{before}{body}\r\n--{mark}--{draw(ends)}'


def tree(message: Any) -> dict[str, Any]:
    """Return everything that a message is made of."""
    payload = message.get_payload()
    return {
        "fields": list(message.raw_items()),
        "payload": [tree(part) for part in payload] if isinstance(payload, list) else payload,
        "around": (message.preamble, message.epilogue, message.get_default_type()),
        "defects": [repr(defect) for defect in message.defects],
    }


def must_agree(text: str) -> None:
    raw = text.encode("latin-1", "surrogateescape") if text.isascii() else text.encode("utf-8", "surrogateescape")
    actual = read_regular(raw)
    if actual is not None:
        assert tree(actual) == tree(_parse(raw)[0])


@settings(max_examples=600, deadline=None)
@given(text=TEXTS)
def test_random_text_is_read_as_by_the_standard_library(text: str) -> None:
    must_agree(text)


@settings(max_examples=600, deadline=None)
@given(text=entities())
def test_nested_parts_are_read_as_by_the_standard_library(text: str) -> None:
    must_agree(text)


def test_an_attached_message_needs_no_other_parser() -> None:
    inner = "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n"
    text = f"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n{inner}\r\n--o--\r\n"
    assert read_regular(text.encode()) is not None
    must_agree(text)


@pytest.mark.parametrize("end", ["", "\r\n", "\r\n\r\nafter\r\n"])
@pytest.mark.parametrize("before", ["", "\r\n", "This is MIME.\r\n"])
def test_usual_message_needs_no_other_parser(before: str, end: str) -> None:
    inner = "Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\nA: b\r\n\r\none\r\n--i\r\nA: c\r\n\r\ntwo\r\n--i--"
    head = f"Content-Type: multipart/mixed; boundary=o\r\n\r\n{before}"
    text = f"{head}--o\r\n{inner}{end}\r\n--o\r\nA: d\r\n\r\n\r\n--o--{end}"
    assert read_regular(text.encode()) is not None
    must_agree(text)
