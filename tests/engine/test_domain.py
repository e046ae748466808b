"""What a column of each type holds: the same on both engines, and in Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from leat.limits import FIELD_BYTES as MAX_FIELD_BYTES
from leat.limits import JSON_DEPTH as MAX_JSON_DEPTH
from leat.limits import JSON_DIGITS as MAX_JSON_DIGITS
from leat.pipelines.load.table_schema import widens
from leat.sources.batch import Batch
from leat.sources.column_domain import outside
from leat.sources.domain import arrow_value, json_problem
from leat.sources.driver import add_sources, load_streams
from leat.sources.events import Rows
from leat.sources.stream import Column, Stream, arrow_schema, column_type
from leat.warehouse.duckdb.dialect import DUCKDB
from leat.warehouse.postgres.dialect import POSTGRES
from tests.engine.test_apply import opened
from tests.kit.loads import Loads, declaration
from tests.kit.project import SOURCES

add_sources(SOURCES)
VALUES = load_streams("typed")[0]
NAMES = {column.type: column.name for column in VALUES.columns[1:]}

LARGEST = "a" * MAX_FIELD_BYTES
EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))

INSIDE: list[tuple[str, Any]] = [
    ("string", ""),
    ("string", "\ufeff\u200b\U0010ffff\x01\x7f\r\n\t\\N\"',"),
    ("integer", -(2**63)),
    ("integer", 2**63 - 1),
    ("float", 1.7976931348623157e308),
    ("float", -5e-324),
    ("float", 0.1),
    ("boolean", False),
    ("timestamp", datetime(1, 1, 1, tzinfo=UTC)),
    ("timestamp", datetime(1, 1, 1, 13, 59, tzinfo=EAST) + timedelta(minutes=1)),
    ("timestamp", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ("datetime", datetime(1, 1, 1)),  # noqa: DTZ001
    ("datetime", datetime(9999, 12, 31, 23, 59, 59, 999999)),  # noqa: DTZ001
    ("date", date(1, 1, 1)),
    ("date", date(9999, 12, 31)),
    ("json", []),
    ("json", {"": None, "a": [True, 1.5, "x"]}),
    ("json", 10**308),
    ("json", [1.7976931348623157e308, 5e-324]),
    ("decimal(18,4)", Decimal("99999999999999.9999")),
    ("decimal(18,4)", Decimal("-0.0001")),
    ("decimal(18,4)", Decimal("1.500000000")),
    ("decimal(18,4)", Decimal("1E+13")),
    ("decimal(18,4)", 7),
    ("decimal(38,0)", 10**38 - 1),
    ("decimal(38,38)", Decimal("0." + "9" * 38)),
]
OUTSIDE: list[tuple[str, Any]] = [
    ("string", 1),
    ("string", LARGEST + "a"),
    ("integer", True),
    ("integer", 1.0),
    ("integer", 2**63),
    ("integer", 10**5000),
    ("float", "1"),
    ("float", float("nan")),
    ("float", float("-inf")),
    ("float", 10**400),
    ("float", True),
    ("boolean", 1),
    ("timestamp", datetime(1, 1, 1)),  # noqa: DTZ001
    ("timestamp", datetime(1, 1, 1, 13, 59, tzinfo=EAST)),
    ("timestamp", datetime(9999, 12, 31, 12, 0, tzinfo=WEST)),
    ("timestamp", date(2026, 1, 1)),
    ("datetime", datetime(2026, 1, 1, tzinfo=UTC)),
    ("date", datetime(2026, 1, 1, tzinfo=UTC)),
    ("date", "2026-01-01"),
    ("json", 10**309),
    ("json", {"a": 10**5000}),
    ("json", LARGEST),
    ("decimal(18,4)", Decimal("100000000000000")),
    ("decimal(18,4)", Decimal("1.00001")),
    ("decimal(18,4)", Decimal("NaN")),
    ("decimal(18,4)", Decimal("1E+999999")),
    ("decimal(18,4)", Decimal("1E-999999")),
    ("decimal(18,4)", 1.5),
    ("decimal(18,4)", 10**5000),
    ("decimal(38,0)", 10**38),
]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def deep_text(depth: int) -> str:
    return "[" * depth + "]" * depth


def of_values(*values: tuple[str, Any]) -> list[Rows]:
    batch = Batch(VALUES)
    full = [rows for i, (kind, value) in enumerate(values) for rows in batch.add({"id": i, NAMES[kind]: value})]
    return [*full, *batch.flush()]


def as_double(value: Any) -> Any:
    """Return JSON with its large numbers as the floats that they are: Postgres writes 1e308 with all its digits."""
    if isinstance(value, list) and len(value) > 1:
        return [as_double(each) for each in value]
    return float(value) if isinstance(value, int) and abs(value) >= 2**63 else value


@pytest.fixture
def loads(warehouse_url: str | None, tmp_path: Path) -> Iterator[Loads]:
    with opened(warehouse_url) as session:
        yield Loads(session, tmp_path, declaration(source="typed"))


def test_values_just_inside_are_read_back_equal(loads: Loads) -> None:
    values = [*INSIDE, ("json", nested(MAX_JSON_DEPTH)), ("string", LARGEST), ("json", LARGEST[:-2])]
    done = loads.load(*of_values(*values))
    assert done is not None
    assert (done["values"].inserted, done["values"].quarantined) == (len(values), 0)
    columns = ", ".join(NAMES.values())
    actual = {number: row for number, *row in loads.read(f"SELECT id, {columns} FROM typed.values")}
    for number, (kind, value) in enumerate(values):
        read = dict(zip(NAMES, actual[number], strict=True))
        back = json.loads(read[kind]) if kind == "json" and loads.session.dialect.name == "duckdb" else read[kind]
        same = back == value or as_double(back) == as_double(value)
        assert same, kind
        assert [other for other, held in read.items() if held is not None] == ([kind] if read[kind] is not None else [])
    assert not loads.load(*of_values(*values)), "and nothing differs when they come again"


@pytest.mark.parametrize(("kind", "value"), OUTSIDE, ids=[kind for kind, _ in OUTSIDE])
def test_a_value_just_outside_is_refused_in_words_that_do_not_hold_it(kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^column {NAMES[kind]}") as refused:
        list(Batch(VALUES).add({"id": 1, NAMES[kind]: value}))
    assert type(refused.value) is ValueError
    said = str(refused.value)
    assert len(said) < 120
    assert not set(said.split()) & {"inf", "-inf", "nan", "1.5", "1.00001", "2026-01-01", "100000000000000"}


UNKNOWN = [nested(MAX_JSON_DEPTH + 1), nested(5000), {"a": 10**309}, 10**5000, LARGEST]


@pytest.mark.parametrize("value", UNKNOWN, ids=["deep", "very deep", "big", "very big", "large"])
def test_an_unknown_field_has_to_fit_too(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^a field that the stream does not have "):
        list(Batch(VALUES).add({"id": 1, "unknown": value}))


def test_json_that_has_to_be_cleaned_may_be_as_deep() -> None:
    batch = Batch(VALUES)
    assert not list(batch.add({"id": 1, "a_json": [*nested(MAX_JSON_DEPTH), "\x00"]}))
    (event,) = batch.flush()
    assert event.table["a_json"].to_pylist() == ["[" * MAX_JSON_DEPTH + "1" + "]" * (MAX_JSON_DEPTH - 1) + ',"\ufffd"]']


def test_extra_that_is_no_object_is_a_field_like_others() -> None:
    batch = Batch(VALUES)
    assert not list(batch.add({"id": 1, "extra": "x"}))
    assert [rows.table["extra"].to_pylist() for rows in batch.flush()] == [['{"extra":"x"}']]


def test_a_batch_is_full_when_it_holds_much_text() -> None:
    batch = Batch(VALUES)
    given = [rows.table.num_rows for i in range(5) for rows in batch.add({"id": i, "a_string": LARGEST})]
    assert given == [1] * 5


GOOD_JSON = ["1", ' {"a" : 1} ', '"\\ud83d\\ude00"', '"\\\\u0000"', "1e308", "1e-1000", '"nan, inf"', '["[",[",]"]]']
BAD_JSON = [
    "",
    "x",
    "{'a':1}",
    '{"a":1,}',
    "[1,]",
    "NaN",
    "[Infinity]",
    '{"a":-inf}',
    '"\\ud800"',
    '"\\u0000"',
    "01",
    "1e309",
    "9" * 310,
    "1e200000",
    "0e99999",
    f"1e-{MAX_JSON_DIGITS + 1}",
    "0." + "0" * MAX_JSON_DIGITS + "1",
    deep_text(MAX_JSON_DEPTH + 1),
    deep_text(50_000),
    '{"a":' * 50_000,
    f'"{LARGEST}"',
]


def test_a_column_of_json_is_judged_as_each_text_alone() -> None:
    texts = [*GOOD_JSON, None, deep_text(MAX_JSON_DEPTH), '{"a":"' + "[" * 500 + '"}', *BAD_JSON]
    actual = outside("json", pa.chunked_array([texts[:5], texts[5:]], pa.string()))
    assert sorted(actual) == list(range(len(texts) - len(BAD_JSON), len(texts)))
    assert actual == {i: json_problem(text) for i, text in enumerate(texts) if text and json_problem(text)} | {
        i: actual[i] for i, text in enumerate(texts) if text == ""
    }


def test_json_that_is_good_means_the_same_on_both_engines(loads: Loads) -> None:
    texts = [*GOOD_JSON, deep_text(MAX_JSON_DEPTH)]
    table = pa.Table.from_pylist([{"id": i, "a_json": text} for i, text in enumerate(texts)], VALUES.schema())
    loads.load(Rows("values", table))
    actual = loads.read("SELECT a_json FROM typed.values ORDER BY id")
    back = [json.loads(v) if loads.session.dialect.name == "duckdb" else v for (v,) in actual]
    assert as_double(back) == as_double([json.loads(text) for text in texts])


def test_columns_are_judged_whole() -> None:
    micros = [-(2**62), 0, None, 2**62]
    for kind in ("timestamp", "datetime", "date"):
        to = arrow_schema((Column("x", kind, ""),)).field(0).type
        numbers = [None if n is None else max(min(n, 2**30), -(2**30)) for n in micros] if kind == "date" else micros
        column = pa.array(numbers, pa.int32() if kind == "date" else pa.int64()).cast(to)
        assert sorted(outside(kind, column)) == [0, 3]
    assert sorted(outside("float", pa.array([1.0, None, float("nan"), float("inf")]))) == [2, 3]
    assert sorted(outside("string", pa.array(["a\x00b", "c", None, LARGEST, LARGEST + "a"]))) == [0, 4]
    no_text = pa.array([b"a", b"\xff", None], pa.binary()).view(pa.string())
    assert sorted(outside("string", no_text)) == [1]
    assert sorted(outside("json", no_text)) == [0, 1]
    assert outside("integer", pa.array([1, None])) == outside("string", pa.nulls(3, pa.string())) == {}


@pytest.mark.parametrize(
    ("text", "kind"), [("decimal(18, 4)", "decimal(18,4)"), ("DECIMAL(38,38)", "decimal(38,38)"), ("json", "json")]
)
def test_a_type_is_written_in_one_form(text: str, kind: str) -> None:
    assert column_type(text) == kind
    Stream("s", "", (Column("x", kind, ""),), ("x",), "never")
    for dialect in (DUCKDB, POSTGRES):
        assert dialect.leat_type(dialect.sql_type(kind)) == kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("decimal", "decimal(18,4)"),
        ("decimal(18", "in quotes"),
        ("decimal(39,2)", "at most 38 digits"),
        ("decimal(4,5)", "digits"),
        ("decimal(0,0)", "digits"),
        ("strng", 'did you mean "string"'),
        ("money", "there are string"),
    ],
)
def test_another_type_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        column_type(text)
    assert said in str(refused.value)
    with pytest.raises(ValueError, match="unknown type"):
        Stream("s", "", (Column("x", text, ""),), ("x",), "never")


@pytest.mark.parametrize(
    ("old", "new", "may"),
    [
        ("decimal(10,2)", "decimal(12,4)", True),
        ("decimal(10,2)", "decimal(11,4)", False),
        ("decimal(10,2)", "decimal(12,1)", False),
        ("decimal(10,2)", "string", True),
        ("integer", "decimal(19,0)", True),
        ("integer", "decimal(19,1)", False),
        ("float", "decimal(38,10)", False),
        ("string", "decimal(38,10)", False),
        ("json", "string", True),
        ("decimal(10,0)", "integer", False),
    ],
)
def test_a_type_widens_where_every_value_fits(old: str, new: str, may: bool) -> None:
    assert widens(old, new) is may


def test_a_decimal_is_never_rounded() -> None:
    assert arrow_value("decimal(4,2)", Decimal("12.340000")) == Decimal("12.34")
    with pytest.raises(ValueError, match="more than 2 digits after the point"):
        arrow_value("decimal(4,2)", Decimal("12.345"))
