"""What a load does to the tables: each sentence of pipelines/load/merge.py and sources/events.py, on both engines."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leat.pipelines.load import merge
from leat.pipelines.load.plan import RESET, SYNC
from leat.pipelines.load.stream_failures import StreamFailed
from leat.sources.batch import Batch
from leat.sources.driver import add_sources, load_streams
from leat.sources.events import Cursor, Delete, Event, FullScan, Logged, Quarantined, Rows
from leat.warehouse.duckdb.session import DuckDBSession
from leat.warehouse.duckdb.writer import in_memory
from leat.warehouse.ducklake.attach import SharedCatalog
from leat.warehouse.ducklake.catalog import LakeCatalog
from leat.warehouse.ducklake.dialect import DUCKLAKE, SHARED_LAKE
from leat.warehouse.postgres.session import PostgresSession
from leat.warehouse.postgres.warehouse import PostgresWarehouse
from leat.warehouse.session import Session
from leat.warehouse.url import is_shared_lake, read_lake_url
from tests.kit.engines import is_server
from tests.kit.loads import START, Loads, declaration, planned
from tests.kit.model import Model, Refused
from tests.kit.project import SOURCES

add_sources(SOURCES)
STREAMS = {stream.name: stream for stream in load_streams("tally")}
EVERY = frozenset(STREAMS)
HISTORY = {name: {"history": True} for name in STREAMS}


@contextlib.contextmanager
def opened(url: str | None) -> Iterator[Session]:
    """Open an empty warehouse in one transaction that leaves nothing behind."""
    if url is None:
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET threads = 1")
            connection.execute("BEGIN")
            yield DuckDBSession(connection)
    elif not is_server(url):
        with tempfile.TemporaryDirectory() as folder, in_memory() as connection:
            LakeCatalog(Path(folder), timedelta(days=1)).attach(
                connection, Path(folder) / "lake.sqlite", "warehouse", read_only=False
            )
            connection.execute("USE warehouse")
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET threads = 1")
            connection.execute("BEGIN")
            yield DuckDBSession(connection, DUCKLAKE)
    elif is_shared_lake(url):
        with SharedCatalog(*read_lake_url(url, "the URL")).connect(read_only=False) as connection:
            connection.execute("SET threads = 1")
            connection.execute("BEGIN")
            yield DuckDBSession(connection, SHARED_LAKE)
    else:
        with PostgresWarehouse(url)._engine.connect() as alchemy:
            yield PostgresSession(alchemy)
            alchemy.rollback()


@pytest.fixture
def loads(warehouse_url: str | None, tmp_path: Path) -> Iterator[Loads]:
    with opened(warehouse_url) as session:
        yield Loads(session, tmp_path, declaration(HISTORY))


def rows(stream: str, *records: dict[str, Any]) -> Rows:
    """Return records of a stream as a driver yields them."""
    batch = Batch(STREAMS[stream])
    for record in records:
        assert not list(batch.add(record))
    (event,) = batch.flush()
    return event


def thing(id_: int, label: str | None = "x", shelf: str = "a", **more: Any) -> dict[str, Any]:
    return {"shelf": shelf, "id": id_, "label": label, **more}


def alive(loads: Loads, stream: str) -> dict[tuple[str, int], str]:
    actual = loads.read(f"SELECT shelf, id, label FROM tally.{stream} WHERE _deleted_at IS NULL")
    assert len({row[:2] for row in actual}) == len(actual), "a key twice"
    return {(shelf, id_): label for shelf, id_, label in actual}


def versions(loads: Loads, stream: str) -> list[tuple[Any, ...]]:
    """Return key, label and the minutes from and to which each version held."""
    actual = loads.read(f"SELECT shelf, id, label, valid_from, valid_to FROM tally.{stream}_history")
    return sorted((*row[:3], _minute(row[3]), _minute(row[4])) for row in actual)


def _minute(at: datetime | None) -> float:
    return math.inf if at is None else (at - START) / timedelta(minutes=1)


def counts(result: Any) -> tuple[int, int, int, int]:
    return result.inserted, result.updated, result.deleted, result.total


# One sentence, one test


def test_without_a_version_the_last_that_arrives_wins(loads: Loads) -> None:
    done = loads.load(rows("fed", thing(1, "old", revision=9), thing(1, "new", revision=1)), rows("fed", thing(2)))
    assert done is not None
    assert alive(loads, "fed") == {("a", 1): "new", ("a", 2): "x"}
    assert counts(done["fed"]) == (2, 0, 0, 2)


def test_with_a_version_the_highest_wins_whatever_the_order(loads: Loads) -> None:
    loads.load(rows("scanned", thing(1, "two", revision=2), thing(1, "one", revision=1), thing(1, None)))
    assert alive(loads, "scanned") == {("a", 1): "two"}
    loads.load(rows("scanned", thing(1, "late", revision=1)))
    assert alive(loads, "scanned") == {("a", 1): "two"}
    loads.load(rows("scanned", thing(1, "same", revision=2)))
    assert alive(loads, "scanned") == {("a", 1): "same"}
    loads.load(rows("scanned", thing(1, "three", revision=3)))
    assert alive(loads, "scanned") == {("a", 1): "three"}


def test_of_equal_versions_the_last_that_arrives_wins(loads: Loads) -> None:
    loads.load(rows("scanned", thing(1, "first", revision=2), thing(1, "second", revision=2)))
    assert alive(loads, "scanned") == {("a", 1): "second"}


def test_a_delete_between_two_versions_lets_the_lower_one_in(loads: Loads) -> None:
    loads.load(rows("scanned", thing(1, "high", revision=5)))
    loads.load(Delete("scanned", {"shelf": "a"}), rows("scanned", thing(1, "restored", revision=3)))
    assert alive(loads, "scanned") == {("a", 1): "restored"}


def test_a_delete_covers_what_came_before_it_and_not_what_came_after(loads: Loads) -> None:
    loads.load(rows("fed", thing(1), thing(2), thing(3, shelf="b")))
    done = loads.load(
        rows("fed", thing(1, "before")), Delete("fed", {"shelf": "a"}), rows("fed", thing(2, "after"), thing(4))
    )
    assert alive(loads, "fed") == {("a", 2): "after", ("a", 4): "x", ("b", 3): "x"}
    assert done is not None
    assert counts(done["fed"]) == (1, 1, 1, 3)


def test_a_row_yielded_and_deleted_in_one_load_never_was(loads: Loads) -> None:
    done = loads.load(rows("fed", thing(1)), Delete("fed", {"shelf": "a", "id": 1}))
    assert not done
    assert loads.read("SELECT * FROM tally.fed") == []


def test_a_delete_may_name_a_part_of_the_key_or_another_column(loads: Loads) -> None:
    loads.load(rows("fed", thing(1, "keep"), thing(2, "drop"), thing(1, "drop", "b"), thing(3, "keep", "b")))
    loads.load(Delete("fed", {"id": 1}))
    assert alive(loads, "fed") == {("a", 2): "drop", ("b", 3): "keep"}
    loads.load(Delete("fed", {"label": "drop"}))
    assert alive(loads, "fed") == {("b", 3): "keep"}


def test_replacing_children_leaves_equal_ones_untouched(loads: Loads) -> None:
    loads.load(rows("fed", thing(1), thing(2), thing(3)))
    before = loads.read("SELECT id, _load_id FROM tally.fed WHERE id = 2")
    done = loads.load(Delete("fed", {"shelf": "a"}), rows("fed", thing(2), thing(3, "new"), thing(4)))
    assert done is not None
    assert counts(done["fed"]) == (1, 1, 1, 3)
    assert loads.read("SELECT id, _load_id FROM tally.fed WHERE id = 2") == before


def test_a_child_that_moves_from_parent_to_parent_ends_with_the_last(loads: Loads) -> None:
    loads.load(rows("fed", thing(1, "B")))
    moved = (Delete("fed", {"label": "A"}), rows("fed", thing(1, "A")))
    loads.load(*moved, Delete("fed", {"label": "B"}))
    assert alive(loads, "fed") == {("a", 1): "A"}, "it left B before B was emptied"
    loads.load(rows("fed", thing(1, "B")))
    loads.load(*moved, Delete("fed", {"label": "A"}))
    assert alive(loads, "fed") == {}, "it moved to A, and A was emptied"


def test_deletes_may_name_values_of_every_type(loads: Loads) -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, 89, UTC)
    wheres: list[dict[str, Any]] = [
        {"seen_at": at}, {"on_day": date(2026, 3, 4)}, {"wall_clock": at.replace(tzinfo=None)}, {"sound": False},
        {"weight": 1.5}, {"label": 'a "b", \n\'c\''},
    ]  # fmt: skip
    loads.load(rows("fed", *(thing(i, None) | where for i, where in enumerate(wheres)), thing(99, "stays")))
    loads.load(*(Delete("fed", where) for where in wheres))
    assert alive(loads, "fed") == {("a", 99): "stays"}


def test_full_scans_may_be_scoped_by_values_of_every_type(loads: Loads) -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, 89, UTC)
    wheres: list[dict[str, Any]] = [
        {"seen_at": at}, {"on_day": date(2026, 3, 4)}, {"wall_clock": at.replace(tzinfo=None)}, {"sound": False},
        {"weight": 1.5}, {"label": 'a "b", \n\'c\' 100% ?'}, {"shelf": "%s?"},
    ]  # fmt: skip
    loads.load(rows("scanned", *(thing(i, None) | where for i, where in enumerate(wheres)), thing(99, "stays")))
    loads.load(*(FullScan("scanned", where) for where in wheres), rows("scanned", thing(100)))
    assert set(alive(loads, "scanned")) == {("a", 99), ("a", 100)}


def test_a_full_scan_deletes_what_it_did_not_name(loads: Loads) -> None:
    loads.load(rows("scanned", *(thing(i) for i in range(4))))
    done = loads.load(rows("scanned", thing(1), thing(2)), FullScan("scanned"), rows("scanned", thing(3, "later")))
    assert set(alive(loads, "scanned")) == {("a", 1), ("a", 2), ("a", 3)}
    assert done is not None
    assert counts(done["scanned"]) == (0, 1, 1, 3)


def test_a_full_scan_of_a_scope_leaves_the_rest_alone(loads: Loads) -> None:
    loads.load(rows("scanned", *(thing(i, shelf=shelf) for i in range(3) for shelf in "ab")))
    loads.load(rows("scanned", thing(1)), FullScan("scanned", {"shelf": "a"}))
    assert set(alive(loads, "scanned")) == {("a", 1), ("b", 0), ("b", 1), ("b", 2)}


def test_a_row_of_a_lower_version_still_exists(loads: Loads) -> None:
    loads.load(rows("scanned", thing(1, "high", revision=5), thing(2, revision=1)))
    loads.load(rows("scanned", thing(1, "low", revision=1)), FullScan("scanned"))
    assert alive(loads, "scanned") == {("a", 1): "high"}


@pytest.mark.parametrize(
    ("before", "share", "gone", "stops"),
    [(9, 0.5, 9, False), (10, 0.5, 5, False), (10, 0.5, 6, True), (100, 0.29, 29, False), (100, 0.29, 30, True),
     (10, 0, 1, True), (10, 1, 10, False)],
)  # fmt: skip
def test_the_guard_stops_at_the_declared_share(
    warehouse_url: str | None, tmp_path: Path, before: int, share: float, gone: int, stops: bool
) -> None:
    with opened(warehouse_url) as session:
        loads = Loads(session, tmp_path, declaration({"scanned": {"max_delete_share": share}}))
        loads.load(rows("scanned", *(thing(i) for i in range(before))))
        scan = (rows("scanned", thing(1000), *(thing(i) for i in range(gone, before))), FullScan("scanned"))
        if stops:
            with pytest.raises(StreamFailed, match=f"{gone} of {before} rows .* --allow-deletes"):
                loads.load(*scan)
        else:
            done = loads.load(*scan)
            assert done is not None
            assert done["scanned"].deleted == gone


def test_deletes_may_be_allowed(loads: Loads) -> None:
    loads.load(rows("scanned", *(thing(i) for i in range(50))))
    loads.load(FullScan("scanned"), plan=planned(SYNC, EVERY, any_share=True))
    assert alive(loads, "scanned") == {}


@pytest.mark.parametrize("stream", ["fed", "kept"])
def test_a_full_scan_of_a_stream_that_has_none_is_refused(loads: Loads, stream: str) -> None:
    loads.load(rows(stream, thing(1)))
    with pytest.raises(StreamFailed, match=f"full scan of {stream}"):
        loads.load(FullScan(stream))


def test_a_complete_extraction_deletes_what_it_did_not_name_unless_rows_are_never_deleted(loads: Loads) -> None:
    loads.load(*(rows(stream, thing(1), thing(2)) for stream in STREAMS))
    proven = FullScan("scanned")
    loads.load(*(rows(stream, thing(2)) for stream in STREAMS), proven, plan=planned(RESET, EVERY))
    assert {stream: len(alive(loads, stream)) for stream in STREAMS} == {"fed": 1, "scanned": 1, "kept": 2}


def test_rows_without_a_usable_key_are_quarantined(loads: Loads) -> None:
    def odd(*pairs: tuple[str | None, int | None]) -> Rows:
        import pyarrow as pa

        records = [{"shelf": shelf, "id": id_, "label": "odd"} for shelf, id_ in pairs]
        return Rows("fed", pa.Table.from_pylist(records, schema=STREAMS["fed"].schema()))

    edge, over = "é" * 1000, "é" * 1000 + "x"
    done = loads.load(odd(("a", 1), (None, 2), ("a", None), (edge, 3), (over, 4)))
    assert done is not None
    assert (done["fed"].inserted, done["fed"].quarantined) == (2, 3)
    assert set(alive(loads, "fed")) == {("a", 1), (edge, 3)}
    lasting = loads.read("SELECT record_key, reason, record FROM leat.quarantine ORDER BY 1")
    assert [key for key, _, _ in lasting] == ["a null", "null 2", f"{'é' * 200} 4"]
    assert all("2000 bytes" in reason and json.loads(record)["label"] == "odd" for _, reason, record in lasting)
    again = loads.load(rows("fed", thing(7)), odd((None, 2)))
    assert again is not None
    assert again["fed"].quarantined == 0, "elsewhere in the load it is the same record"


def test_quarantine_repeated_is_no_news(loads: Loads) -> None:
    bad = Quarantined("fed", "9", "it's odd", "{\x00broken")
    loads.load(rows("fed", thing(1)))
    done = loads.load(bad, replace(bad, reason="odd again"), replace(bad, reason="it's odd"))
    assert done is not None
    assert done["fed"].quarantined == 1
    assert loads.load(bad) is None
    changed = loads.load(replace(bad, record="other"))
    assert changed is not None
    assert changed["fed"].quarantined == 1
    (entry,) = loads.read("SELECT record_key, record, first_seen_at < last_seen_at FROM leat.quarantine")
    assert entry == ("9", "other", True)


def test_history_opens_closes_and_opens_again(loads: Loads) -> None:
    loads.load(rows("fed", thing(1, "one"), thing(2)))
    loads.load(rows("fed", thing(1, "uno"), thing(1, "eins")))
    loads.load(Delete("fed", {"id": 1}))
    loads.load(rows("fed", thing(2)))
    loads.load(rows("fed", thing(1, "eins")))
    assert versions(loads, "fed") == [
        ("a", 1, "eins", 2, 3), ("a", 1, "eins", 5, math.inf), ("a", 1, "one", 1, 2), ("a", 2, "x", 1, math.inf)
    ]  # fmt: skip


def test_history_goes_on_when_the_clock_went_back(loads: Loads) -> None:
    loads.load(rows("fed", thing(1, "one")))
    loads.at -= timedelta(hours=1)
    loads.load(rows("fed", thing(1, "uno")))
    assert loads.read("SELECT count(*) FROM tally.fed_history WHERE valid_to <= valid_from") == [(0,)]
    assert loads.read("SELECT count(*) FROM tally.fed_history WHERE valid_to IS NULL") == [(1,)]


def test_logs_and_cursor_are_applied_with_the_load(loads: Loads) -> None:
    loads.load(
        Cursor({"at": 1}), Logged("hm", {"why": 'quo"te\x00', "n": [1]}), rows("fed", thing(1)), Cursor({"at": 2})
    )
    (log,) = loads.read("SELECT event_type, event_data FROM leat.log")
    assert (log[0], _json(log[1])) == ("hm", {"why": 'quo"te�', "n": [1]})
    (cursor,) = loads.read("SELECT cursor FROM leat.cursors")
    assert _json(cursor[0]) == {"at": 2}


def test_the_last_cursor_counts_among_thousands_of_events(loads: Loads) -> None:
    loads.load(*(Cursor({"at": i}) for i in range(12_001)), rows("fed", thing(1)))
    assert _json(loads.read("SELECT cursor FROM leat.cursors")[0][0]) == {"at": 12_000}


def test_unknown_fields_are_stored_and_counted(loads: Loads) -> None:
    done = loads.load(rows("fed", thing(1, colour="red"), thing(2), thing(3, colour=None, deep={"a": [1, None]})))
    assert done is not None
    assert done["fed"].drifted == 2
    extra = dict(loads.read("SELECT id, extra FROM tally.fed"))
    assert {id_: _json(value) for id_, value in extra.items()} == {
        1: {"colour": "red"}, 2: None, 3: {"deep": {"a": [1, None]}}
    }  # fmt: skip
    again = loads.load(rows("fed", thing(2, colour="blue")))
    assert again is not None
    assert again["fed"].drifted == 1


def test_an_equal_row_is_not_touched_and_an_equal_load_changes_nothing(loads: Loads) -> None:
    events = (rows("fed", thing(1, weight=-0.0, tags={"a": 1, "b": [2]}), thing(2)), Cursor({"line": 1}))
    loads.load(*events)
    before = loads.read("SELECT * FROM tally.fed ORDER BY id")
    assert loads.load(*events) is None
    assert _comparable(loads.read("SELECT * FROM tally.fed ORDER BY id")) == _comparable(before)
    assert len(loads.read("SELECT * FROM leat.loads")) == 1


def test_applying_a_landing_again_changes_nothing(loads: Loads) -> None:
    loads.load(rows("fed", thing(1), thing(2), thing(3)))
    loads.load(Delete("fed", {"id": 1}), rows("fed", thing(2, "new"), thing(2, "newer")), Cursor({"line": 1}))
    before = {
        table: loads.read(f"SELECT * FROM tally.{table} ORDER BY shelf, id, 13") for table in ("fed", "fed_history")
    }
    assert loads.apply(loads.landed[-1]) is None
    for table, rows_before in before.items():
        assert loads.read(f"SELECT * FROM tally.{table} ORDER BY shelf, id, 13") == rows_before


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _comparable(actual: list[tuple[Any, ...]]) -> list[str]:
    return [repr(row) for row in actual]  # NaN is not equal to itself


# Values

TEXTS = [
    "", " ", "null", "NULL", "\\N", "\\.", '"', '""', "'", "a,b", "a\nb", "a\r\nb", "\r", "\n", "\t", "\\", "\\n", "%s",
    "?", "𝄞 é ß 漢 \u200b", "\ufeffbom", "\u2028", "x" * 10_000_000,
]  # fmt: skip
STRANGE = {"a\x00b": "a\ufffdb", "\x00": "\ufffd", "a\ud800b": "a\ufffdb", "\udfff": "\ufffd"}
FLOATS = [
    0.0,
    -0.0,
    1.5,
    5e-324,
    1.7976931348623157e308,
    0.1,
    1 / 3,
    123456789.123456789,
]
INTEGERS = [0, -1, 2**63 - 1, -(2**63)]
TIMES = [datetime.fromisoformat(text) for text in (
    "0001-01-01", "9999-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999", "2026-03-29T01:30",
    "1900-01-01T00:00:00.000001",
)]  # fmt: skip
DEEP: Any = {"leaf": None}
for _ in range(200):
    DEEP = {"d": [DEEP, 1]}
JSONS: list[Any] = [{}, [], "text", 0, True, False, {"": ""}, {"a": {"b": [1, 2.5, None, "é\n\"\\"]}}, DEEP,
                    {"k": "x" * 100_000}, 2**63, -1.5e-300, {"$ref": "%s ?"}]  # fmt: skip


def test_every_value_comes_back_as_it_was(loads: Loads) -> None:
    names = ("label", "weight", "revision", "wall_clock", "seen_at", "on_day", "tags", "sound")
    values = itertools.zip_longest(
        [*TEXTS, *STRANGE], FLOATS, INTEGERS, TIMES, [t.replace(tzinfo=UTC) for t in TIMES],
        [t.date() for t in TIMES], JSONS, [True, False],
    )  # fmt: skip
    records = [thing(i) | dict(zip(names, row, strict=True)) for i, row in enumerate(values)]
    loads.load(rows("fed", *records))
    actual = loads.read(f"SELECT id, {', '.join(names)} FROM tally.fed ORDER BY id")
    for record, row in zip(records, actual, strict=True):
        back = dict(zip(names, row[1:], strict=True))
        back["tags"] = _json(back["tags"]) if not isinstance(record["tags"], str) else back["tags"].strip('"')
        wanted = {name: record[name] for name in names} | {"label": STRANGE.get(record["label"], record["label"])}
        assert repr(back).replace("<UTC>", repr(UTC)) == repr(wanted)
    assert loads.load(rows("fed", *records)) is None, "equal values must not look like changes"


def test_a_value_that_is_nested_too_deeply_is_one_bad_record() -> None:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    for record in (thing(1, tags=value), thing(1, unknown=value)):
        with pytest.raises(ValueError, match="nested too deeply"):
            rows("fed", record)


def test_keys_of_strange_text_stay_apart(loads: Loads) -> None:
    keys = [text for text in TEXTS if len(text) < 100] + ["A", "a", "é", "e\u0301"]
    loads.load(rows("fed", *(thing(1, str(i), key) for i, key in enumerate(keys))))
    assert alive(loads, "fed") == {(key, 1): str(i) for i, key in enumerate(keys)}
    loads.load(*(Delete("fed", {"shelf": key, "id": 1}) for key in keys[::2]))
    assert set(alive(loads, "fed")) == {(key, 1) for key in keys[1::2]}


# Any sequence of loads, against the model

shelves = st.sampled_from("ab")
ids = st.integers(0, 4)
words = st.sampled_from(["x", "y", "z"])


@st.composite
def some_rows(draw: st.DrawFn, stream: str, ids: st.SearchStrategy[int] = ids) -> Rows:
    one = st.builds(
        lambda shelf, id_, label, revision, colour: thing(id_, label, shelf, revision=revision, colour=colour),
        shelves, ids, words, st.integers(0, 4), st.sampled_from([None, None, "red"]),
    )  # fmt: skip
    return rows(stream, *draw(st.lists(one, min_size=1, max_size=6)))


def wheres(columns: tuple[str, ...], least: int = 1) -> st.SearchStrategy[dict[str, Any]]:
    values = {"shelf": shelves, "id": ids, "label": words, "revision": st.integers(0, 4)}
    optional = {name: values[name] for name in columns}
    return st.fixed_dictionaries({}, optional=optional).filter(lambda where: len(where) >= least)


any_column = wheres(("shelf", "id", "label", "revision"))
key_column = wheres(("shelf", "id"))
fed = st.one_of(some_rows("fed"), some_rows("fed"), st.builds(Delete, st.just("fed"), any_column))
lasting = some_rows("kept")
scanned = st.one_of(
    some_rows("scanned", st.integers(0, 20)),
    some_rows("scanned"),
    st.builds(Delete, st.just("scanned"), key_column),
    st.builds(FullScan, st.just("scanned"), wheres(("shelf", "id", "label"), 0)),
)
scripts = st.lists(st.lists(st.one_of(fed, scanned, lasting), max_size=6), min_size=1, max_size=4)
quick = settings(
    max_examples=20, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def table_of(loads: Loads, stream: str) -> dict[Any, Any]:
    actual = loads.read(f"SELECT shelf, id, label, revision, extra, _load_id, _deleted_at FROM tally.{stream}")
    assert len({row[:2] for row in actual}) == len(actual), "a key twice"
    return {(*row[:2],): (*row[2:4], _json(row[4]), row[5], row[6] is not None) for row in actual}


def table_of_model(model: Model, load_ids: list[str]) -> dict[Any, Any]:
    return {
        key: (*_shown(row.values), load_ids[row.load], row.deleted) for key, row in model.table.items()
    }  # fmt: skip


def _shown(values: dict[str, Any]) -> tuple[Any, ...]:
    return values["label"], values["revision"], _json(values["extra"])


def history_of(loads: Loads, stream: str) -> list[str]:
    actual = loads.read(f"SELECT shelf, id, label, revision, extra, valid_from, valid_to FROM tally.{stream}_history")
    return sorted(repr((row[:2], row[2], row[3], _json(row[4]), _minute(row[5]), _minute(row[6]))) for row in actual)


def history_of_model(model: Model) -> list[str]:
    return sorted(
        repr((key, *_shown(values), float(start + 1), math.inf if end is None else float(end + 1)))
        for key, values, start, end in model.history
    )


@quick
@given(script=scripts, few=st.sampled_from([0, 10]))
def test_any_sequence_of_loads_does_what_the_model_does_and_twice_is_once(
    warehouse_url: str | None, script: list[list[Event]], few: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(warehouse_url) as session, patch.object(merge, "_FEW", few):
        loads = Loads(session, Path(folder), declaration(HISTORY))
        models = {name: Model(stream) for name, stream in STREAMS.items()}
        for number, events in enumerate(script):
            try:
                wanted = {name: model.load(number, events) for name, model in models.items()}
            except Refused:
                with pytest.raises(StreamFailed):
                    loads.load(*events)
                return
            done = loads.load(*events)
            if not done:
                assert not any(result.changed for result in wanted.values())
            else:
                assert done == wanted
            for name, model in models.items():
                assert table_of(loads, name) == table_of_model(model, [landed.load_id for landed in loads.landed])
                assert history_of(loads, name) == history_of_model(model)
            before = {name: (table_of(loads, name), history_of(loads, name)) for name in STREAMS}
            loads.apply(loads.landed[-1], planned(SYNC, EVERY, any_share=True))
            assert {name: (table_of(loads, name), history_of(loads, name)) for name in STREAMS} == before


@quick
@given(script=st.lists(st.lists(st.one_of(fed, lasting), max_size=5), min_size=1, max_size=3))
def test_where_a_script_is_split_into_loads_does_not_matter(
    warehouse_url: str | None, script: list[list[Event]]
) -> None:
    ends = []
    for loads_of in (script, [[event for events in script for event in events]]):
        with tempfile.TemporaryDirectory() as folder, opened(warehouse_url) as session:
            loads = Loads(session, Path(folder), declaration())
            for events in [[], *loads_of]:
                loads.load(*events)
            ends.append({name: alive(loads, name) for name in ("fed", "kept")})
    assert ends[0] == ends[1]
