"""JSON is cut into pieces that are what the server wrote, whatever is odd in one of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.sources import json_raw as raw
from leat.sources.json_path import parse_path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
ODD = {
    "nan": b"NaN",
    "many digits": b"9" * 5000,
    "deep": b"[" * 20_000 + b"]" * 20_000,
    "lone surrogate": b'"\\ud800"',
    "not utf-8": b'"\xff, ]}"',
    "control character": b'"a\nb"',
    "escaped quote": b'"\\",\\\\"',
    "no number": b"01",
    "long": b'"' + b"x\\n" * 100_000 + b'"',
}


@given(st.lists(JSON), st.sampled_from([None, 1]), st.booleans())
def test_a_list_is_cut_into_its_entries(value: list[object], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert [json.loads(item) for item in raw.items(text)] == value
    assert [json.loads(item) for item in raw.items(text[:-1] + b" ] ")] == value
    odd = [*raw.items(b"[" + text + b", NaN]")]
    assert (json.loads(odd[0]), odd[1]) == (value, b"NaN")


@given(st.dictionaries(st.text(), JSON), st.booleans())
def test_an_object_is_cut_into_its_members(value: dict[str, object], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert {name: json.loads(item) for name, item in raw.members(text).items()} == value


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_is_odd_stays_in_its_entry(odd: bytes) -> None:
    text = b'[{"id": 1.10}, {"id": 2, "odd": %s} ,{"id":3}]' % odd
    first, second, third = raw.items(text)
    assert raw.members(first) == {"id": b"1.10"}
    assert raw.members(second) == {"id": b"2", "odd": odd}
    assert raw.members(third) == {"id": b"3"}


@pytest.mark.parametrize(
    "text",
    [b"", b"5", b"{}", b"[1", b"[1]]", b"[1],[2]", b"[1}", b'["a]', b"[1,]", b"[,1]", b"[NaN,]", b"[NaN", b"<p>"],
)
def test_what_is_no_list_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"begin|match"):
        raw.items(text)


def test_two_members_of_one_name_are_refused_when_they_differ() -> None:
    assert raw.members(b'{"a": 1, "a":1, "\\u00e9": 2}') == {"a": b"1", "é": b"2"}
    with pytest.raises(raw.TwiceNamed, match="two fields 'a'"):
        raw.members(b'{"a": 1, "\\u0061": 2}')


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        (".", [b'{"a": {"b": [1.0, {"c":2}]}, "d.e": null}']),
        ("a.b[0]", [b"1.0"]),
        ("a.b[1].c", [b"2"]),
        ("a.b[*]", [b"1.0", b'{"c":2}']),
        ("a[*][*].c", [b"2"]),
        ("['d.e']", [b"null"]),
        ("a.b[2]", []),
        ("a.b.c", []),
        ("a.b[0].c", []),
        ("x[*]", []),
    ],
)
def test_a_path_leads_to_texts(path: str, texts: list[bytes]) -> None:
    assert list(raw.reach(b'{"a": {"b": [1.0, {"c":2}]}, "d.e": null}', parse_path(path))) == texts


def test_an_entry_is_chosen_by_a_field() -> None:
    text = b'{"fields": [5, {"id": 1, "v": 1.10}, {"id": 2, "v": 2.20}, {"id": 2}]}'
    assert list(raw.reach(text, parse_path("fields[id=2].v"))) == [b"2.20"]
    assert list(raw.reach(text, parse_path("fields[id=3].v"))) == []


def test_blanks_go_and_digits_stay() -> None:
    assert raw.compact(b' {"a" : [1.10, 1E400,\n -0.0 ], "b c": " x "} ') == b'{"a":[1.10,1E400,-0.0],"b c":" x "}'
    for odd in ODD.keys() - {"escaped quote", "long", "many digits"}:
        with pytest.raises(ValueError, match=r"is no valid JSON|can't decode"):
            raw.compact(ODD[odd])
