"""Answers to FETCH mean the same whether they are read at once or by imapclient."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from imapclient.exceptions import ProtocolError

from leat.sources.email.imap.answers import _parsed, _plain, items_by_uid
from leat.sources.email.imap.flags import flags_text

ITEMS = [
    *("UID 7", "UID 8", "UID 007", "UID (7)", "uid 9", "RFC822.SIZE 120", "RFC822.SIZE NIL", "MODSEQ (12)", "X Y"),
    *("FLAGS ()", "FLAGS (\\Seen $Work)", "FLAGS (a%b c[d e] 5)", 'FLAGS ("a b")', "FLAGS NIL", "FLAGS (a\x01b)"),
    *('INTERNALDATE "10-Mar-2026 10:00:00 +0100"', 'INTERNALDATE "a UID 7 \\" b"', "INTERNALDATE NIL", "BODY[] NIL"),
]
LINES = st.lists(st.sampled_from(ITEMS), min_size=1, max_size=4).map(lambda items: [f"3 ({' '.join(items)})".encode()])
TEXT = b"Subject: x\r\n\r\n"
LITERALS = st.tuples(
    st.sampled_from(
        [b"3 (UID 7 BODY[] {%d}", b"3 (UID 8 BODY[HEADER] {%d}", b"3 (BODY[]<0> {%d}", b"3 (UID 7 BODY[]<0> {%d}"]
    ),
    st.sampled_from([len(TEXT), 3]),
    st.sampled_from([b")", b" UID 7)", b" FLAGS (\\Seen))"]),
).map(lambda drawn: [(drawn[0] % drawn[1], TEXT), drawn[2]])


def flags_as_text(answers: dict[int, dict[bytes, Any]]) -> dict[int, dict[bytes, Any]]:
    """Return items with flags as texts: imapclient takes one that is a number as that."""
    return {
        uid: {name: flags_text(item) if isinstance(item, tuple) else item for name, item in items.items()}
        for uid, items in answers.items()
    }


@settings(max_examples=500, deadline=None)
@given(answers=st.lists(LINES | LITERALS, max_size=4))
def test_answers_read_at_once_are_those_that_imapclient_reads(answers: list[list[Any]]) -> None:
    parts = [part for answer in answers for part in answer]
    actual = _plain(parts)
    if actual is None:
        with suppress(ProtocolError):
            _parsed(parts)
    else:
        assert flags_as_text(actual) == flags_as_text(_parsed(parts))


def test_usual_answers_are_read_at_once() -> None:
    line = b'1 (UID 7 FLAGS (\\Seen \\Recent) INTERNALDATE "22-Nov-2026 01:17:40 +0000" RFC822.SIZE 14)'
    data = [line, (b"1 (UID 7 BODY[] {%d}" % len(TEXT), TEXT), b")"]
    assert _plain(data) == items_by_uid([*data, None])
    assert items_by_uid([None]) == {}
