"""Records to Arrow: whatever way a value takes through the batch, slow or fast, the same comes out."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leat.sources.batch import Batch, clean, to_json
from leat.sources.stream import Column, Stream, Type

KINDS: tuple[Type, ...] = ("string", "integer", "float", "boolean", "timestamp", "datetime", "date", "json")
STREAM = Stream(
    name="things",
    description="A thing.",
    columns=(Column("id", "string", "Its id."), *(Column(kind, kind, f"A {kind}.") for kind in KINDS)),
    key=("id",),
    deletes="never",
)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(0), "GMT")])
TEXTS = st.text(st.characters() | st.sampled_from("\x00\ud800\udc00\ude00\ufeff\\u0"), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | TEXTS
    | st.binary(max_size=4)
    | st.datetimes()
    | st.datetimes(timezones=ZONES)
    | st.dates()
    | st.decimals()
)
KEYS = TEXTS | st.integers(-3, 3) | st.booleans() | st.none()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


_EARLIEST, _LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def plainly_clean(text: str) -> str:
    """NUL and lone surrogates become U+FFFD; two surrogates that make a character become that."""
    return text.replace("\x00", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def plain(value: Any) -> Any:
    """Return what JSON holds of a value, step by step."""
    if isinstance(value, dict):
        return {plainly_clean(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace").replace("\x00", "\ufffd")
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return plainly_clean(str(value))


def fitting(kind: str, value: Any) -> Any:
    """Return what a column holds of a value; raise ValueError when it doesn't fit."""
    exact = type(value)
    if kind == "json":
        return json.dumps(plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if kind == "string" and exact is str:
        return plainly_clean(value)
    fits = {
        "integer": exact is int,
        "float": exact in (int, float),
        "boolean": exact is bool,
        "timestamp": exact is datetime and value.tzinfo is not None,
        "datetime": exact is datetime and value.tzinfo is None,
        "date": exact is date,
    }
    if not fits.get(kind):
        msg = f"column {kind} takes {kind}, not {exact.__name__}"
        raise ValueError(msg)
    if (kind == "integer" and not -(2**63) <= value < 2**63) or (kind == "float" and not math.isfinite(value)):
        msg = f"column {kind} is "  # a number that no warehouse holds
        raise ValueError(msg)
    if kind == "timestamp" and not _EARLIEST <= value <= _LATEST:
        msg = "column timestamp lies outside"
        raise ValueError(msg)
    return float(value) if kind == "float" else value


def batched(record: dict[str, Any]) -> dict[str, Any]:
    """Return the row that a batch of one record holds."""
    batch = Batch(STREAM)
    assert list(batch.add(record)) == []
    (rows,) = batch.flush()
    assert rows.table.schema.equals(STREAM.schema(), check_metadata=True)
    return dict(rows.table.to_pylist()[0])


@settings(max_examples=400, deadline=None)
@given(value=VALUES)
@example(value={"b": 1, "a": [float("nan"), -math.inf], "\ud83d\ude00": "\ud800"})
@example(value={1: "number", "1": "text", None: "none"})
@example(value=["\\u0000", "\x00", Decimal("1.10"), 10**40, True, 1])
def test_json_is_the_same_whichever_way_it_is_made(value: Any) -> None:
    text = to_json(value)
    assert text == json.dumps(plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert "\x00" not in text
    text.encode()


@settings(max_examples=600, deadline=None)
@given(kind=st.sampled_from(KINDS), value=SCALARS | VALUES)
@example(kind="integer", value=True)
@example(kind="boolean", value=1)
@example(kind="integer", value=2**63)
@example(kind="integer", value=-(2**63))
@example(kind="date", value=datetime(2026, 1, 1, tzinfo=UTC))
def test_value_fits_its_column_or_is_refused_in_words(kind: str, value: Any) -> None:
    record = {kind: value, "id": "1"}
    if value is None:
        assert batched(record)[kind] is None
        return
    try:
        wanted = fitting(kind, value)
    except ValueError as error:
        with pytest.raises(ValueError, match=r"^column ") as refused:
            list(Batch(STREAM).add(record))
        assert str(refused.value).startswith(str(error))
    else:
        assert batched(record)[kind] == wanted


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_clean_text_can_be_stored(text: str) -> None:
    assert clean(text) == plainly_clean(text)


def test_unknown_fields_are_stored_without_those_that_are_null() -> None:
    actual = batched({"z": 1, "id": "1", "a": "x", "nothing": None, "extra": {"z": 2, "own": True}})
    assert actual["extra"] == '{"a":"x","own":true,"z":2}'
    assert batched({"id": "1", "extra": None})["extra"] is None


def test_record_without_its_key_is_refused_and_leaves_no_trace() -> None:
    batch = Batch(STREAM)
    with pytest.raises(ValueError, match="key column id is missing"):
        list(batch.add({"string": "x", "id": None}))
    assert list(batch.flush()) == []


def test_first_wrong_value_of_the_record_is_the_one_that_is_reported() -> None:
    with pytest.raises(ValueError, match="column float takes float"):
        list(Batch(STREAM).add({"float": "x", "integer": "y"}))


def test_batch_is_given_when_it_is_full() -> None:
    batch = Batch(STREAM, 2)
    given_out = [rows.table.num_rows for number in range(5) for rows in batch.add({"id": str(number)})]
    assert given_out == [2, 2]
    assert [rows.table["id"].to_pylist() for rows in batch.flush()] == [["4"]]


@pytest.mark.parametrize("kind", [list, dict])
def test_value_nested_too_deeply_is_refused(kind: type) -> None:
    value: Any = "x"
    for _ in range(100_000):
        value = [value] if kind is list else {"a": value}
    with pytest.raises(ValueError, match="nested too deeply"):
        to_json(value)
