"""What a driver's system holds is what readers find, and nothing else happens to them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leat.pipelines.declare.system_columns import SYSTEM_COLUMNS
from leat.pipelines.load.conversion import Conversion
from leat.pipelines.load.event_log import SEQUENCE, landed_column
from leat.pipelines.load.mask_key import read_mask_key
from leat.sources.events import Cursor, Delete, FullScan, Quarantined, Rows
from leat.sources.stream import arrow_schema
from tests.contract.course import DUCKDB, MASKED, POSTGRES, Course, Place, Stage, left_out
from tests.contract.world import Keys, Row

AFTER = ("first", "second", "added", "changed", "deleted")


@pytest.fixture(params=[DUCKDB, POSTGRES, MASKED])
def place(request: pytest.FixtureRequest, course: Course) -> Place:
    return course.places[request.param]


def test_driver_yields_what_its_streams_promise(course: Course) -> None:
    streams = {stream.name: stream for stream in course.streams}
    events = course.extracted["first"]
    for event in events:
        if isinstance(event, Rows):
            assert event.table.schema.equals(streams[event.stream].schema(), check_metadata=True)
            for name in streams[event.stream].key:
                assert event.table.column(name).null_count == 0
        elif isinstance(event, Delete | FullScan):
            assert set(event.where) <= {column.name for column in streams[event.stream].columns}
            assert None not in event.where.values()
            assert isinstance(event, Delete) <= bool(event.where)
            assert isinstance(event, FullScan) <= (streams[event.stream].deletes == "full_scan")
        elif isinstance(event, Quarantined):
            assert event.stream in streams
            assert event.key
            assert event.reason
    last = events[-1]
    assert isinstance(last, Cursor), "the cursor comes last: what follows it would be read again"
    assert json.loads(json.dumps(last.value)) == last.value


def test_driver_yields_nothing_when_nothing_is_new(course: Course) -> None:
    assert course.extracted["second"] == []


def test_landed_rows_have_the_declared_schema(course: Course, place: Place) -> None:
    assert place.landed
    for stream in course.streams:
        if stream.name in place.landed:
            schema = place.landed[stream.name]
            declared = arrow_schema(place.declaration.columns(stream))
            assert [field.name for field in schema] == [*map(landed_column, declared.names), SEQUENCE]
            assert [schema.field(landed_column(name)).type for name in declared.names] == declared.types


@pytest.mark.parametrize("name", [DUCKDB, POSTGRES])
def test_rows_arrive_as_the_driver_gave_them(course: Course, name: str) -> None:
    stage = course.places[name].stages["first"]
    for stream in course.streams:
        given = {
            tuple(row[column] for column in stream.key): row
            for event in course.extracted["first"]
            if isinstance(event, Rows) and event.stream == stream.name
            for row in event.table.to_pylist()
        }
        if not set(stream.key) <= set(stage.expected[stream.name].columns):
            continue  # the time of the run is part of the key
        living = {tuple(row[column] for column in stream.key): row for row in stage.living(stream.name)}
        assert living.keys() == given.keys()
        json_columns = {column.name for column in stream.all_columns() if column.type == "json"}
        for key, row in given.items():
            for column, value in row.items():
                plain = _parsed if column in json_columns else _same
                assert plain(living[key][column]) == plain(value), (stream.name, key, column)


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _same(value: Any) -> Any:
    return value


def test_tables_have_the_declared_columns(course: Course, place: Place) -> None:
    for stream in course.streams:
        declared = {column.name: column.type for column in place.declaration.columns(stream)}
        assert place.columns[stream.name] == {**declared, **SYSTEM_COLUMNS}


@pytest.mark.parametrize("stage", AFTER)
def test_keys_are_those_of_the_system(course: Course, place: Place, stage: str) -> None:
    """Invariant I1; I2, no key twice, the course asserts wherever it reads a table."""
    expected = place.stages[stage].expected
    assert {stream.name for stream in course.streams} == {*expected, *course.world.blind}
    for stream in course.streams:
        rows = place.stages[stage].living(stream.name)
        assert not [row for row in rows if any(row[name] is None for name in stream.key)]
        if stream.name in expected:
            loaded = {tuple(row[name] for name in expected[stream.name].columns) for row in rows}
            assert loaded == _as_stored(course, place, stream.name, expected[stream.name]), stream.name
        if stream.name not in course.world.empty:
            assert rows, f"the system has nothing of {stream.name}: it proves nothing"


def _as_stored(course: Course, place: Place, stream: str, expected: Keys) -> set[tuple[Any, ...]]:
    """Return the keys as the project stores them: hashed where it hashes."""
    masked = place.declaration.masked(next(s for s in course.streams if s.name == stream))
    mask = Conversion({}, read_mask_key(place.project)).mask
    return {
        tuple(mask(str(v)) if c in masked else v for c, v in zip(expected.columns, key, strict=True))
        for key in expected.values
    }


def test_second_run_changes_nothing(course: Course, place: Place) -> None:
    first, second = place.stages["first"], place.stages["second"]
    assert (first.result.status, second.result.status) == ("loaded", "nothing_new"), (first.result, second.result)
    assert second.tables == first.tables
    assert second.published == first.published
    assert second.cursor == first.cursor
    assert {s.stream: s.total for s in second.result.streams} == {
        stream.name: len(second.living(stream.name)) for stream in course.streams
    }


@pytest.mark.parametrize("stage", ["added", "changed", "deleted"])
@pytest.mark.parametrize("name", [DUCKDB, POSTGRES])
def test_a_change_arrives_and_nothing_else_changes(course: Course, name: str, stage: str) -> None:
    place = course.places[name]
    before, after = place.stages[AFTER[AFTER.index(stage) - 1]], place.stages[stage]
    assert after.result.status == "loaded", after.result
    assert after.cursor != before.cursor, "the cursor has to move"
    assert after.step is not None
    for stream in course.streams:
        moved = [
            row
            for key in before.tables[stream.name].keys() | after.tables[stream.name].keys()
            if (row := after.tables[stream.name].get(key)) != before.tables[stream.name].get(key)
        ]
        may = after.step.touched.get(stream.name, lambda _row: False)
        assert None not in moved, f"a row of {stream.name} vanished; deleted rows are marked"
        assert not [row for row in moved if row is None or not may(row)], stream.name
        assert {row["_load_id"] for row in moved if row} <= {after.result.load_id}
        counted = next(result for result in after.result.streams if result.stream == stream.name)
        assert counted.inserted + counted.updated + counted.deleted == len(moved), counted
    for table, values in after.step.seen:
        assert len(_like(after, table, values)) == 1, (table, values)
    for table, values in after.step.gone:
        assert _like(after, table, values) == []


def _like(stage: Stage, stream: str, values: Row) -> list[dict[str, Any]]:
    return [row for row in stage.living(stream) if all(row[name] == value for name, value in values.items())]


def test_a_left_out_column_is_not_landed(course: Course) -> None:
    place = course.places[MASKED]
    for stream in course.streams:
        column = left_out(stream)
        if column is not None:
            assert column not in place.columns[stream.name]
            assert stream.name not in place.landed or landed_column(column) not in place.landed[stream.name].names
