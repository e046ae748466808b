"""What replaces erased people in texts, JSON and rows: nothing of them is left, nothing else changes, twice is once."""

from __future__ import annotations

import base64
import gzip
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.pipelines.load.forgetting import Forgetting
from leat.runs.subjects.searching import searcher_of
from leat.sources.driver import load_streams
from leat.sources.subject import normalised
from leat.sources.tombstones import Tombstones, tombstones_of, words_of

KEY = b"k" * 32
ADA = (("email", "", "ada@acorn.example"), ("login", "", "ada.king"), ("name", "", "Ada King"),
       ("customer", "payments", "cus_1"),
       ("customer", "payments", "cus_NffrFeUfNV2Hib"))  # fmt: skip
STONES = tombstones_of(KEY, ADA)
TEXTS = st.lists(
    st.sampled_from(["Ada", "King", "Ada King", "ADA  KING", "ada@acorn.example", "Ada@Acorn.Example", "ada.king",
                     "adam@acorn.example", "/", " ", ", ", "<", ">", "é", "ada%40acorn.example", "\n", "mailto:"]),
    max_size=12,
).map("".join)  # fmt: skip


@given(TEXTS)
def test_a_text_without_somebody_stays_without(text: str) -> None:
    once = STONES.text(text)
    assert STONES.text(once) == once
    assert "ada@acorn.example" not in normalised(once).split()


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("Dear Ada King, your order", "Dear {name}, your order"),
        ("Adam King and ada kings", "Adam King and ada kings"),
        ("<ada@acorn.example>;bcc=ADA@ACORN.EXAMPLE", "<{email}>;bcc={email}"),
        ("xada@acorn.example ada@acorn.example.org", "xada@acorn.example ada@acorn.example.org"),
        ("/ada.king/work/", "/{login}/work/"),
        ("Ada\nKing", "{name}"),
        ("", ""),
    ],
)
def test_words_are_replaced_where_they_are_whole(text: str, stays: str) -> None:
    words = {
        "email": STONES.replacement("ada@acorn.example"),
        "login": STONES.replacement("ada.king"),
        "name": STONES.replacement("Ada King", "name"),
    }
    assert STONES.text(text) == stays.format(**words)


@given(st.recursive(TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_json_stays_json(value: object) -> None:
    text = json.dumps(value)
    after = STONES.json(text, "payments")
    assert after is not None
    assert json.loads(after) == STONES.plain(value)
    assert STONES.json(after, "payments") == after


def test_a_record_of_somebody_goes_whole_where_it_is_personal() -> None:
    charge = json.dumps({"object": {"customer": "cus_NffrFeUfNV2Hib", "phone": "+33"}})
    assert STONES.json(charge, "payments", personal=True) is None
    assert STONES.json(charge, "elsewhere", personal=True) == charge, "an id belongs to its integration"
    short = json.dumps({"customer": "cus_1"})
    assert STONES.json(short, "payments", personal=True) == short, "so short an id may be a number of something else"
    assert STONES.json('["ada@acorn.example", "b@b.example"]', personal=True) is not None, "a list may name others"


def test_names_are_compared_by_their_words() -> None:
    assert words_of("  Fay   NGUYỄN ") == words_of("fay nguyễn") == "fay nguyễn"
    stones = tombstones_of(KEY, [("name", "", "Fay Nguyễn")])
    assert stones.text("by Fay Nguye\u0302\u0303n.").startswith("by Erased ")


def test_nobody_is_erased() -> None:
    assert not Tombstones(b"")
    assert Tombstones(b"").text("ada@acorn.example") == "ada@acorn.example"


CUSTOMERS = next(stream for stream in load_streams("payments") if stream.name == "customers")
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(["cus_1", "cus_2", "cus_3"]),
            "email": st.sampled_from(["ada@acorn.example", "ADA@acorn.example", "b@b.example", None]),
            "name": st.sampled_from(["Ada King", "Ben", None]),
            "phone": st.sampled_from(["+33 1", None]),
            "metadata": st.sampled_from(['{"for": "Ada King"}', "{}", None]),
        }
    ),
    max_size=6,
)


@given(ROWS)
def test_what_is_erased_twice_is_as_if_once(rows: list[dict[str, str | None]]) -> None:
    forgetting = Forgetting(STONES, "payments", {c.name: c for c in CUSTOMERS.all_columns()}, CUSTOMERS.key)
    schema = pa.schema([(name, pa.string()) for name in ("id", "email", "name", "phone", "metadata")])
    once = forgetting.rows(pa.Table.from_pylist(rows, schema=schema))
    assert forgetting.rows(once).to_pylist() == once.to_pylist()
    for before, after in zip(rows, once.to_pylist(), strict=True):
        hers = before["id"] == "cus_1" or str(before["email"]).lower() == "ada@acorn.example"
        assert after["id"] == before["id"]
        assert (after["phone"] is None) == (hers or before["phone"] is None)
        assert "King" not in str(after)
        if not hers:
            assert (after["email"], after["phone"]) == (before["email"], before["phone"])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("to ada@acorn.example.", True),
        ("to joada@acorn.example", False),
        ("to mary.ada@acorn.example", False),
        ("to mary-ada@acorn.example", False),
        ("to ada@acorn.example.org", False),
        ("leave-ada.king, ada.king-2", True),
        ("/handover-ada.king.ics", True),
        ("ada.king.pdf", True),
        ("ada.king.smith", False),
        ("ada.kingston", False),
        ("ada.king@elsewhere.example", False),
        ("Ada King", True),
        ("Ada Kingston", False),
    ],
)
def test_a_search_of_bytes_agrees_with_what_is_replaced(text: str, named: bool) -> None:
    searcher = searcher_of([each for each in ADA if each[0] != "customer"])
    assert (STONES.text(text) != text) == named
    for content in (text.encode(), gzip.compress(text.encode()), b"x " + base64.b64encode(b" " + text.encode())):
        assert searcher.finds(content) == named, content


ANY_CASE = st.lists(st.tuples(TEXTS, st.sampled_from([str, str.upper, str.title])), max_size=3).map(
    lambda parts: "%20".join(change(text) for text, change in parts).encode()
)


@given(ANY_CASE)
def test_a_search_looks_no_closer_than_it_has_to_and_misses_nothing(content: bytes) -> None:
    searcher = searcher_of([*ADA, ("name", "", "Zoë O'Neil-Ångström")])
    assert list(searcher.legible(content)) == [match.span() for match in searcher.plain.finditer(content)]
