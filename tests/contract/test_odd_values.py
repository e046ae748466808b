"""Odd values in the columns of every driver's streams: healthy neighbours are loaded, on both engines the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from leat.pipelines.declare.declaration import Declaration
from leat.sources.batch import Batch, to_json
from leat.sources.events import Event, Quarantined, Rows
from leat.sources.stream import TYPES, Column, Stream
from leat.warehouse.session import Session, quote
from tests.contract.world import drivers
from tests.engine.test_apply import opened
from tests.kit.loads import Loads, declaration
from tests.kit.odd_values import MARK, TEXTS

START = datetime(2026, 1, 1, tzinfo=UTC)
SOURCES = sorted({source for source, _ in drivers()})
DECIMALS = ("decimal(18,4)", "decimal(38,0)")
EAST = timezone(timedelta(hours=14))


def nested(depth: int) -> Any:
    value: Any = MARK
    for _ in range(depth):
        value = {"a": [value]}
    return value


ODD: list[Any] = [
    *TEXTS.values(),
    *(MARK, MARK.encode(), b"\xff", object(), {1, 2}, (MARK,), [], {}, {1: 2, None: 3}, {"a\x00": "\ud800"}),
    *(True, 0, -1, 2**63 - 1, -(2**63), 2**63, 10**400, 10**5000, [10**5000], {MARK: 10**309}),
    *(1.5, -0.0, 5e-324, 1.7e308, float("nan"), float("-inf"), {MARK: float("nan")}),
    *(Decimal("1.5"), Decimal("NaN"), Decimal("1e999999"), Decimal("1e-999999"), Decimal("0.12345")),
    *(date(1, 1, 1), date(9999, 12, 31), START, START.replace(tzinfo=None)),
    *(datetime(1, 1, 1, tzinfo=EAST), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), datetime(1, 1, 1)),  # noqa: DTZ001
    *(nested(10), nested(200), nested(260), nested(3000)),
]
"""Each is put into a column of each type."""

JSON_TEXTS = [
    "",
    "{",
    '{"a":1,}',
    "NaN",
    "[-Infinity]",
    "1e999",
    "9" * 400,
    '"\\u0000"',
    '"\\ud800"',
    "[" * 600 + "]" * 600,
]
TIMES = [-(2**62), 2**62, -62_135_596_800_000_001, 253_402_300_800_000_000]
ARROW: dict[str, Any] = {
    "string": pa.array(["a\x00b", "\x00"]),
    "json": pa.array(JSON_TEXTS),
    "float": pa.array([float("nan"), float("inf")]),
    "timestamp": pa.array(TIMES, pa.int64()).cast(pa.timestamp("us", "UTC")),
    "datetime": pa.array(TIMES, pa.int64()).cast(pa.timestamp("us")),
    "date": pa.array([-(2**31), 2**31 - 1, -719_163, 2_932_897], pa.int32()).cast(pa.date32()),
}
"""What a driver that makes whole columns may bring."""


def healthy(stream: Stream, number: int) -> dict[str, Any]:
    """Return a record whose values fit, and whose key no other number has."""
    moment = START + timedelta(minutes=number)
    values: dict[str, Any] = {
        "string": f"text {number}",
        "integer": number,
        "float": number / 2,
        "boolean": bool(number % 2),
        "timestamp": moment,
        "datetime": moment.replace(tzinfo=None),
        "date": date(1, 1, 1) + timedelta(days=number),
        "json": {"number": number},
    }
    return {column.name: values.get(column.type, Decimal(number)) for column in stream.columns}


def odd_records(stream: Stream) -> Iterator[Event]:
    """Yield the events of a driver that makes records: odd ones, each between two that are healthy."""
    batch = Batch(stream)
    for number, column, value in places(stream):
        yield from batch.add(healthy(stream, number))
        try:
            yield from batch.add({**healthy(stream, number + 1), column: value})
        except ValueError as error:  # and nothing else
            yield Quarantined(stream.name, f"{column} {number}", str(error), "")
    yield from batch.flush()


def places(stream: Stream) -> Iterator[tuple[int, str, Any]]:
    """Yield which odd value is put into which column, and the number of the healthy record before it."""
    number = 0
    for kind in sorted({column.type for column in stream.columns}):
        columns = [column.name for column in stream.columns if column.type == kind]
        for i, value in enumerate(ODD):
            number += 2
            yield number, columns[i % len(columns)], value
    yield from ((number + 2 * (i + 1), "unknown", value) for i, value in enumerate(ODD))


def odd_columns(stream: Stream) -> Iterator[Event]:
    """Yield the events of a driver that makes columns: odd values, each in a row after one that is healthy."""
    number = 1_000_000
    for column in stream.columns:
        if column.type in ARROW:
            odd = ARROW[column.type]
            records = [healthy(stream, number + i) for i in range(2 * len(odd))]
            number += len(records)
            plain = [{n: to_json(v) if isinstance(v, dict) else v for n, v in record.items()} for record in records]
            table = pa.Table.from_pylist(plain, stream.schema())
            place = table.column_names.index(column.name)
            good = table.column(place).combine_chunks()
            mixed = pa.concat_arrays([good, odd.cast(good.type)]).take(
                pa.array([i if i % 2 == 0 else len(good) + i // 2 for i in range(len(good))])
            )
            yield Rows(stream.name, table.set_column(place, table.schema.field(place), mixed))


def declared(source: str) -> Declaration:
    """Return the declaration of a source all of whose records may be broken; of an endpoint where it has no streams."""
    every = {"max_quarantine_share": 1, "history": True}
    if source != "rest_api":
        streams = declaration(source=source).every_stream()
        odd = {s.name for s in streams if "valid_from" in {column.name for column in s.columns}}
        return declaration({s.name: {**every, "history": s.name not in odd} for s in streams}, source)
    from leat.sources.rest_api.http.driver import Connection

    columns = {f"a_{i}": kind for i, kind in enumerate((*TYPES, *DECIMALS))}
    endpoints = {"things": {"path": "things", "key": "id", "columns": {"id": "integer", **columns}}}
    connection = Connection.model_validate({"url": "https://api.example.com/", "endpoints": endpoints})
    made = declaration({"things": every}, source)
    return made.model_copy(update={"connection": connection, "driver": "http"})


def held(session: Session, integration: str, stream: Stream, table: str) -> list[str]:
    """Return the rows of a table, as text that is the same for both engines."""
    columns = stream.all_columns()
    listed = ", ".join(quote(column.name) for column in columns)
    rows = session.execute(f"SELECT {listed} FROM {quote(integration, table)}")
    return sorted(repr([_plain(session, *pair) for pair in zip(columns, row, strict=True)]) for row in rows)


def _plain(session: Session, column: Column, value: Any) -> Any:
    """Return a value, JSON parsed; Postgres has no negative zero in it, and writes large numbers with all digits."""
    if column.type == "json" and value is not None:
        text = value if session.dialect.name == "duckdb" else json.dumps(value)
        return json.dumps(json.loads(text, parse_int=_number, parse_float=_number), sort_keys=True)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    return value + 0.0 if isinstance(value, float) else value


def _number(text: str) -> float:
    return float(text) + 0.0


@pytest.mark.parametrize("source", SOURCES)
def test_odd_values_hurt_no_neighbour_on_either_engine(source: str, postgres_url: str, tmp_path: Path) -> None:
    made = declared(source)
    streams = made.selected()
    events = [event for stream in streams for event in (*odd_records(stream), *odd_columns(stream))]
    result: dict[str, Any] = {}
    for engine, url in (("duckdb", None), ("postgres", postgres_url)):
        with opened(url) as session:
            results = Loads(session, tmp_path / engine, made).load(*events)
            assert results is not None
            rows = {s.name: held(session, made.name, s, s.name) for s in streams}
            versioned = [s for s in streams if made.options(s.name).history]
            versions = {s.name: held(session, made.name, s, f"{s.name}_history") for s in versioned}
            broken = session.execute("SELECT stream, record_key, reason FROM leat.quarantine ORDER BY 1, 2, 3")
            result[engine] = (rows, versions, broken)
            assert all(MARK not in reason for _, _, reason in broken)
            keys = {s.name: {tuple(row) for row in _keys(session, made.name, s)} for s in streams}
        for stream in streams:
            wanted = {tuple(healthy(stream, n)[name] for name in stream.key) for n in _numbers(stream)}
            assert wanted <= keys[stream.name], stream.name
    for one, other in zip(result["duckdb"], result["postgres"], strict=True):
        assert _differences(one, other) == []
    assert result["duckdb"][2], "and there were odd ones"


def _differences(one: Any, other: Any) -> list[Any]:
    """Return what only one of two engines holds."""
    if isinstance(one, dict):
        return [item for name in one for item in _differences(one[name], other[name])]
    return sorted(set(one) ^ set(other))[:3]


def _keys(session: Session, integration: str, stream: Stream) -> list[tuple[Any, ...]]:
    listed = ", ".join(map(quote, stream.key))
    return session.execute(f"SELECT {listed} FROM {quote(integration, stream.name)}")


def _numbers(stream: Stream) -> Iterator[int]:
    """Yield the numbers of the records that are healthy."""
    yield from (number for number, _, _ in places(stream))
    number = 1_000_000
    for column in stream.columns:
        count = 2 * len(ARROW.get(column.type, ()))
        yield from range(number, number + count, 2)
        number += count
