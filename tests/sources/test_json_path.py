"""Paths in answers and records, as a user writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.sources.json_path import EACH, Path, parse_path, value_at, values_at, write_path

DOCUMENT = {
    "data": {"items": [{"sku": "A"}, {"sku": "B"}]},
    "@odata.nextLink": "next",
    "it's [a]": {"key.x": 1},
    "of": {"a": {"n": [1]}, "b": {"n": [2, 3]}, "c": {"n": None}, "d": 5},
    "0": "zero",
    "none": None,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("data.items[1].sku", "B"),
        ("data.items.0.sku", "A"),
        ("['@odata.nextLink']", "next"),
        ("""["@odata.nextLink"]""", "next"),
        ("['it\\'s [a]']['key.x']", 1),
        ("""["it's [a]"]["key.x"]""", 1),
        ("0", "zero"),
        ("[0]", "zero"),
        ("@odata", None),
        ("data.items[7].sku", None),
        ("data.items.sku", None),
        ("none.deeper", None),
        ("of[*].n", None),
        ("data.items[sku=B]", {"sku": "B"}),
        ("data.items[sku=B].sku", "B"),
        ("data.items[sku=C].sku", None),
        ("data[sku=B]", None),
        (".", DOCUMENT),
    ],
)
def test_a_path_leads_to_a_value(text: str, value: object) -> None:
    assert value_at(DOCUMENT, parse_path(text)) == value


def test_a_star_leads_to_each_entry() -> None:
    assert list(values_at(DOCUMENT, parse_path("of[*].n"))) == [[1], [2, 3], None]
    assert list(values_at(DOCUMENT, parse_path("of[*].n[*]"))) == [1, 2, 3]
    assert list(values_at(DOCUMENT, parse_path("data.*.1.sku"))) == ["B"]
    assert list(values_at(DOCUMENT, parse_path("['*']"))) == []
    assert list(values_at(DOCUMENT, parse_path("data.items[*].sku"))) == ["A", "B"]
    assert list(values_at(DOCUMENT, parse_path("none[*].x"))) == list(values_at(DOCUMENT, parse_path("no"))) == []


@pytest.mark.parametrize(
    "text", ["", "a..b", ".a", "a.", "a[b]", "a[=b]", "a[0", "a]", "a[-1]", "['a'", "['a']b", "a[0]b", "a[]"]
)
def test_what_is_no_path_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no path at character \d+: write names with dots between"):
        parse_path(text)


@given(st.lists(st.text(min_size=1) | st.just(EACH)).map(tuple))
def test_every_path_can_be_written(path: Path) -> None:
    assert parse_path(write_path(path)) == path
