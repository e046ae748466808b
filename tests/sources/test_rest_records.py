"""A record becomes a row, or is quarantined alone: odd values, siblings, digits, other shapes of lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.sources import domain
from leat.sources.events import Event, Quarantined, Rows
from leat.sources.http.request import HttpRequest
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.reading.convert import CHUNK, Converter
from leat.sources.rest_api.reading.spool import Spooled
from tests.kit.examples import examples
from tests.kit.odd_values import MARK, RECORDS, REFUSED, TAKEN

GOOD = (b'{"id": 1, "note": "one"}', b'{"id":3,"note":"three"}')


def endpoint(columns: Mapping[str, Any], **more: Any) -> Endpoint:
    return Endpoint.model_validate({"path": "v1/things", "key": "id", "columns": {"id": "integer", **columns}, **more})


def converted(
    declared: Endpoint, *pages: bytes, nested: Mapping[str, Endpoint] = {}, chunk: int = CHUNK
) -> list[Event]:
    converter = Converter("things", declared, nested, True, (), chunk=chunk)
    return list(converter.events([Spooled(HttpRequest("v1/things"), len(page), {}, page) for page in pages]))


def rows(events: list[Event], stream: str = "things") -> list[dict[str, Any]]:
    tables = [event.table for event in events if isinstance(event, Rows) and event.stream == stream]
    return [row for table in tables for row in table.to_pylist()]


def refused(events: list[Event]) -> list[Quarantined]:
    return [event for event in events if isinstance(event, Quarantined)]


def of_a_type(values: Mapping[str, Mapping[str, Any]]) -> Iterator[Any]:
    for kind, named in values.items():
        for name, value in named.items():
            yield pytest.param(kind, value, id=f"{kind}: {name}")


@pytest.mark.parametrize(("kind", "odd"), of_a_type(REFUSED))
def test_a_value_outside_of_its_type_is_refused_alone_and_is_in_no_reason(kind: str, odd: bytes) -> None:
    page = b'[%s, {"id": 2, "x": %s, "note": null}, %s]' % (GOOD[0], odd, GOOD[1])
    events = converted(endpoint({"x": kind, "note": "string"}), page)
    loaded = [row for row in rows(events) if not _outside(kind, row["x"])]
    assert [row["id"] for row in loaded] == [1, 3]
    reasons = [event.reason for event in refused(events)] or ["column x (by the landing)"]
    assert [reason for reason in reasons if "x" not in reason or MARK in reason or len(reason) > 200] == []
    assert all(
        (len(event.record) < 20_000 and event.key in ("2", "record")) or "record" in event.key
        for event in refused(events)
    )


def _outside(kind: str, value: Any) -> bool:
    """Return whether the landing refuses a value that the driver lets pass."""
    return kind == "json" and value is not None and domain.json_problem(value) is not None


@pytest.mark.parametrize(("kind", "odd"), of_a_type(TAKEN))
def test_a_value_that_is_only_written_oddly_is_taken(kind: str, odd: tuple[bytes, Any]) -> None:
    page = b'[%s, {"id": 2, "x": %s}, %s]' % (GOOD[0], odd[0], GOOD[1])
    events = converted(endpoint({"x": kind, "note": "string"}), page)
    assert refused(events) == []
    assert [row["x"] for row in rows(events)] == [None, odd[1], None]
    assert [row["note"] for row in rows(events)] == ["one", None, "three"]


@pytest.mark.parametrize("odd", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("columns", [{"note": "string"}, {}], ids=["declared", "undeclared"])
def test_a_record_that_is_no_row_is_refused_alone(odd: bytes, columns: dict[str, str]) -> None:
    events = converted(endpoint(columns), b"[%s,%s,%s]" % (GOOD[0], odd, GOOD[1]))
    assert [row["id"] for row in rows(events)] == [1, 3]
    (actual,) = refused(events)
    assert MARK not in actual.reason + actual.key
    assert actual.key.isdigit() == (
        odd.startswith(b'{"id": ') and b"id" not in odd[8:] and "name of" not in actual.reason
    )
    assert len(actual.record) < 20_000


def test_records_without_a_key_are_distinguished() -> None:
    texts = [b'{"note": 1}', b'{"note": 2}', b'{"note": 1, "id": null}']
    keys = [each.key for each in refused(converted(endpoint({}), b"[%s]" % b",".join(texts)))]
    assert len(set(keys)) == 3
    assert keys == [each.key for each in refused(converted(endpoint({}), b"[%s]" % b", ".join(texts)))]


def test_numbers_preserve_the_digits_that_the_server_wrote() -> None:
    numbers = b'"j": {"a": 1.10, "b": [0.123456789012345678]}, "d": 1234567890123456.78, "x": 10000000000000000.01'
    page = b'[{"id": 1, %s}]' % numbers
    (row,) = rows(converted(endpoint({"j": "json", "d": "decimal(20,4)"}), page))
    assert (row["j"], str(row["d"]), row["extra"]) == (
        '{"a":1.10,"b":[0.123456789012345678]}',
        "1234567890123456.7800",
        '{"x":10000000000000000.01}',
    )


@pytest.mark.parametrize(
    ("record", "fields", "extra"),
    [
        ({"c": {"mail": "m", "at": {"zip": 2}}, "n": 3}, ["c.mail"], {"c": {"at": {"zip": 2}}, "n": 3}),
        ({"c": {"mail": "m", "at": {"zip": 2, "city": 3}}}, ["c.mail", "c.at.zip"], {"c": {"at": {"city": 3}}}),
        ({"c": {"mail": "m"}}, ["c.mail"], None),
        ({"c": {"mail": "m", "phone": None}, "n": None}, ["c.mail"], None),
        ({"c": "no object"}, ["c.mail"], {"c": "no object"}),
        ({"c": [{"mail": "m", "x": 1}, {"mail": "n"}]}, ["c[0].mail"], {"c": {"0": {"x": 1}, "1": {"mail": "n"}}}),
        ({"c": {"mail": "m", "x": 1}}, ["c", "c.mail"], None),
        ({"c.mail": "m", "c": {"mail": "n"}}, ["['c.mail']"], {"c": {"mail": "n"}}),
        ({"c": {}, "n": []}, ["c.mail"], {"n": []}),
    ],
)  # fmt: skip
def test_what_is_not_declared_is_stored(record: dict[str, Any], fields: list[str], extra: Any) -> None:
    columns = {f"x{i}": {"type": "json", "field": field} for i, field in enumerate(fields)}
    (row,) = rows(converted(endpoint(columns), json.dumps([{"id": 1, **record}]).encode()))
    assert (None if row["extra"] is None else json.loads(row["extra"])) == extra


LINES = {
    "path": "v1/things", "nested_in": "things", "records": "lines", "key": ["thing", "sku"],
    "columns": {"thing": {"type": "integer", "parent": "id"}, "sku": "string"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([{"sku": "A"}, {"sku": "B"}], ["A", "B"]),
        ({"sku": "A"}, ["A"]),
        ([], []),
        (None, []),
        (..., []),
        ("A", "a record has to be a JSON object"),
        ([{"sku": "A"}, {"sku": 5}], "column sku takes string, not a number"),
    ],
)
def test_one_entry_needs_no_list(lines: Any, expected: Any) -> None:
    record = {"id": 1} if lines is ... else {"id": 1, "lines": lines}
    nested = {"lines": Endpoint.model_validate(LINES)}
    events = converted(endpoint({}), json.dumps([record]).encode(), nested=nested)
    assert [row["id"] for row in rows(events)] == [1]
    if isinstance(expected, list):
        assert [(row["thing"], row["sku"]) for row in rows(events, "lines")] == [(1, sku) for sku in expected]
    else:
        assert [each.reason.partition(";")[0] for each in refused(events)] == [expected]


def test_plain_values_and_lists_of_values_are_records() -> None:
    tags = Endpoint.model_validate(
        {
            **LINES,
            "records": "tags",
            "columns": {"thing": LINES["columns"]["thing"], "sku": {"type": "string", "field": "."}},
        }  # type: ignore[index]
    )
    events = converted(
        endpoint({}), b'[{"id": 1, "tags": ["a", "b", 5]}, {"id": 2, "tags": "c"}]', nested={"tags": tags}
    )
    assert [(row["thing"], row["sku"]) for row in rows(events, "tags")] == [(1, "a"), (1, "b"), (2, "c")]
    assert len(refused(events)) == 1
    prices = endpoint({"id": {"type": "integer", "field": "[0]"}, "price": {"type": "float", "field": "[1]"}})
    assert rows(converted(prices, b"[[1, 2.5, 7], [2, 3, null]]")) == [
        {"id": 1, "price": 2.5, "extra": '{"2":7}'},
        {"id": 2, "price": 3.0, "extra": None},
    ]


def test_a_large_page_is_cut_and_small_ones_are_put_together() -> None:
    declared = endpoint({"note": "string"})
    large = json.dumps([{"id": n, "note": "x" * 30} for n in range(10)]).encode()
    small = (json.dumps([{"id": n, "note": "y"}]).encode() for n in range(10, 20))
    events = converted(declared, large, *small, chunk=100)
    assert [row["id"] for row in rows(events)] == list(range(20))
    sizes = [event.table.num_rows for event in events if isinstance(event, Rows)]
    assert max(sizes) < 10
    assert len(sizes) < 15


def test_odd_pages_and_plain_ones_of_several_parents_are_one_table() -> None:
    columns = {"note": "string", "data": "json", "again": {"type": "string", "field": "note"}}
    declared = endpoint({**columns, "owner": {"type": "integer", "parent": "id"}})
    plain = b'[{"id": 1, "note": "a", "data": {"b": [1.10, null]}}, {"id": 2, "data": null, "more": {"c": 1}}]'
    odd = b'[{"id": 3, "note": "\\u0000x"}, 5, {"id": 4, "note": "d", "id": 4}]'
    pages = ((plain, {"id": 7}), (odd, {"id": 8}), (plain.replace(b'"id": ', b'"id": 1'), {"id": 9}))
    for chunk in (CHUNK, 60, 1):
        spooled = [Spooled(HttpRequest("v1/things"), len(page), parent, page) for page, parent in pages]
        events = list(Converter("things", declared, {}, True, (), chunk=chunk).events(spooled))
        assert [(row["id"], row["note"], row["again"], row["owner"]) for row in rows(events)] == [
            *((1, "a", "a", 7), (2, None, None, 7), (3, "\ufffdx", "\ufffdx", 8), (4, "d", "d", 8)),
            *((11, "a", "a", 9), (12, None, None, 9)),
        ]
        assert [row["data"] for row in rows(events)][:2] == ['{"b":[1.10,null]}', None]
        assert [row["extra"] for row in rows(events)] == [
            None,
            '{"more":{"c":1}}',
            None,
            None,
            None,
            '{"more":{"c":1}}',
        ]
        assert [(each.reason, each.record) for each in refused(events)] == [("a record has to be a JSON object", "5")]


@pytest.mark.parametrize("odd", [b'"' + b"x" * (16 * 2**20) + b'"', b"[" * 501 + b"]" * 501, b"1" * 2000])
def test_a_value_that_no_warehouse_holds_is_refused_before_it_is_landed(odd: bytes) -> None:
    small = b",".join(b'{"id": %d, "x": {}}' % number for number in range(2, 400))
    for columns in ({"x": "json"}, {"note": "string"}):
        events = converted(endpoint(columns), b'[{"id": 1, "x": [%s]}, %s]' % (odd, small))
        assert len(rows(events)) == 398
        (one,) = refused(events)
        assert "column x" in one.reason or "a field" in one.reason
        assert one.identity == {"id": 1}
        assert all(event.judged for event in events if isinstance(event, Rows))


class _Poison(dict[str, Any]):
    """Fields that can't be looked at: an example of whatever goes wrong that nobody has thought of."""

    def get(self, *_args: Any) -> Any:
        raise MemoryError


def test_what_nobody_has_thought_of_is_refused_alone() -> None:
    from leat.sources.rest_api.rows.records import open_list
    from leat.sources.rest_api.rows.tables import Tables

    declared = endpoint({"note": "string"})
    records = open_list(declared, b"[%s]" % b",".join(b'{"id": %d}' % n for n in range(9)), {})
    records.fields[5] = _Poison(records.fields[5])
    read = Tables("things", declared, None).read(records)
    assert read.table.column("id").to_pylist() == [0, 1, 2, 3, 4, 6, 7, 8]
    assert [each.reason for each in read.bad] == ["can't become a row (MemoryError)"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["2026-01-01T00:00:00Z", "5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
COLUMNS = {
    "a": "string", "b": "integer", "c": "float", "d": "boolean", "e": "timestamp", "f": "date", "g": "json",
    "h": "decimal(10,2)", "i": "datetime",
}  # fmt: skip


@examples()
@given(st.lists(st.dictionaries(st.sampled_from([*COLUMNS, "id", "z"]), JSON) | JSON, max_size=4), st.booleans())
def test_whatever_comes_its_neighbours_are_loaded(odd: list[Any], convert: bool) -> None:
    """Records are loaded or refused, each of them, and alike whether read at once or one by one."""
    declared = endpoint({name: {"type": kind, "convert": convert} for name, kind in COLUMNS.items()})
    texts = [json.dumps(record).encode() for record in [{"id": 10**9}, *odd, {"id": 10**9 + 1, "a": "x"}]]
    events = converted(declared, b"[%s]" % b",".join(texts))
    assert len(rows(events)) + len(refused(events)) == len(texts)
    assert {10**9, 10**9 + 1} <= {row["id"] for row in rows(events)}
    for row in rows(events):
        assert [name for name in ("g", "extra") if row[name] is not None and not _is_json(row[name])] == []
    alone = [event for text in texts for event in converted(declared, b"[%s]" % text)]
    assert rows(alone) == rows(events)
    assert [(each.key, each.reason) for each in refused(alone)] == [(e.key, e.reason) for e in refused(events)]


def _is_json(text: str) -> bool:
    return json.loads(text) is not ...
