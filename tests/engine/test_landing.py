"""What lies between a driver and the warehouse: names, sizes, and values that no warehouse holds."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from leat.pipelines.load.conversion import MAX_RECORD, BrokenContract, Conversion, converted, quarantine_data
from leat.pipelines.load.event_log import MAX_BYTES, items, landed_column, landed_stream
from leat.pipelines.load.landing import SMALL, IncompleteLanding, Landed, land, landed_loads
from leat.pipelines.load.table_schema import TableSchema
from leat.sources.events import Cursor, Delete, Event, FullScan, Quarantined, Rows
from leat.warehouse.session import WarehouseError
from tests.engine.test_apply import opened
from tests.kit.examples import examples
from tests.kit.project import Tally, labels, row, rows

ODD_COLUMNS = (
    *("name_", "a__b", "id_", "x1_", "c0", "c_6964", "dlt_load_id", "leat_digest", "record_key", "place"),
    *(
        "s",
        "t",
        "l",
        "select",
        "order",
        "user",
        "table",
        "rowid",
        "oid",
        "all",
        "end",
        "desc",
        "moment",
        "stream",
        "valid_from",
    ),
)
ODD_STREAMS = (
    *("items_", "items__x", "items", "items__new", "leat_events", "leat_staged", "leat_superseded", "leat_deletes_0"),
    *("leat_twice", "leat_ended", "leat_news", "order", "user", "s_6974656d73", "dlt_loads", "values", "fed_"),
    "a" * 41,
)


def declare_odd_names(tally: Tally) -> None:
    columns = ", ".join(f'Column("{name}", "string", "")' for name in ODD_COLUMNS)
    streams = ", ".join(f'Stream("{name}", "Odd.", COLUMNS_, ("id", "id_"), "full_scan")' for name in ODD_STREAMS)
    made = f'(lambda COLUMNS_: ({streams},))((Column("id", "integer", ""), {columns}))'
    tally.declare("{items: {exclude: [valid_from], history: true}}", version=made)


def test_odd_names_of_streams_and_columns_lose_nothing(tally: Tally) -> None:
    declare_odd_names(tally)
    odd = [{"id": i, **{name: f"{name} {i}" for name in ODD_COLUMNS}} for i in range(2)]
    tally.then(*(rows(stream, *odd) for stream in ODD_STREAMS))
    result = tally.run()
    assert result.status == "loaded", result.error
    for stream in ODD_STREAMS:
        names = [name for name in ODD_COLUMNS if (stream, name) != ("items", "valid_from")]
        listed = ", ".join(f'"{name}"' for name in names)
        answer = tally.query(f'SELECT id, {listed} FROM tally."{stream}" ORDER BY id')
        assert answer == [(i, *(f"{name} {i}" for name in names)) for i in range(2)]
    changed = {**odd[0], "place": "elsewhere"}
    tally.then(*({"do": "delete", "stream": s, "where": {"id_": "id_ 1"}} for s in ODD_STREAMS))
    tally.then(*(rows(stream, changed, changed) for stream in ODD_STREAMS))
    assert tally.run().status == "loaded"
    for stream in ODD_STREAMS:
        assert tally.query(f'SELECT id, place, _deleted_at IS NULL FROM tally."{stream}" ORDER BY id') == [
            (0, "elsewhere", True),
            (1, "place 1", False),
        ]


def test_a_column_that_a_file_lacks_is_never_read_as_empty(warehouse_url: str | None, tmp_path: Path) -> None:
    schema = pa.schema([pa.field(name, pa.int64(), metadata={"leat.type": "integer"}) for name in ("a", "b")])
    files = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    parquet.write_table(pa.table({"a": [1], "b": [2]}), files[0])
    parquet.write_table(pa.table({"a": [1], "b_": [2]}), files[1])
    with opened(warehouse_url) as session:
        session.stage("well", files[:1], schema)
        with pytest.raises(WarehouseError, match=r"leat_staged: 1\.parquet lacks b\. Next: "):
            session.stage("leat_staged", files, schema)
        session.stage("empty", [], schema)
        session.stage("named", files[1:], schema, ["b_", "a"])
        assert session.execute("SELECT a, b FROM named") == [(2, 1)]


def test_rows_that_are_missing_in_a_landing_are_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "data" / landed_stream("things_")
    folder.mkdir(parents=True)
    parquet.write_table(pa.table({landed_column("id"): [1, 2]}), folder / "0.parquet")
    landed = Landed("1", tmp_path)
    landed.check_rows("x", {"things_": 2})
    with pytest.raises(IncompleteLanding, match="2 of 3 rows"):
        landed.check_rows("x", {"things_": 3})
    with pytest.raises(IncompleteLanding, match="0 of 1 rows"):
        landed.check_rows("x", {"things": 1})


def conversion(masked: tuple[str, ...] = (), **columns: str) -> Conversion:
    return Conversion({"things": TableSchema(columns, ("id",), masked, False, 1)}, b"key")


def test_what_is_written_at_once_is_bounded_by_bytes() -> None:
    texts = ["a" * (MAX_BYTES // 4), *["b"] * 30_000, *["c" * (MAX_BYTES // 2)] * 5]
    table = pa.table({"id": range(len(texts)), "text": texts})
    events = [Rows("things", table.slice(0, 3)), Rows("things", table.slice(3))]
    actual = [table for _, table in items("x", iter(events), conversion(id="integer", text="string"))]
    pieces = [piece for piece in actual if "kind" not in piece.column_names]
    assert max(piece.nbytes for piece in pieces) < 3 * MAX_BYTES
    assert len(pieces) < 12, "small ones are put together"
    assert sum(piece.num_rows for piece in pieces) == len(texts)
    everything = pa.concat_tables(pieces)
    assert everything["_seq"].to_pylist() == everything[landed_column("id")].to_pylist() == list(range(len(texts)))


def test_many_small_pieces_are_written_together() -> None:
    events = [Rows(f"s{i % 3}", pa.table({"id": [i]})) for i in range(3000)]
    shapes = {f"s{i}": TableSchema({"id": "integer"}, ("id",), (), False, 1) for i in range(3)}
    actual = [name for name, _ in items("x", iter(events), Conversion(shapes, b"key"))]
    assert sorted(actual) == sorted([*(landed_stream(name) for name in shapes), "leat_events"])


def test_rows_of_many_megabytes_are_loaded(tmp_path: Path) -> None:
    """They take more memory than most loads may: on DuckDB, the load is then applied again with more."""
    tally = Tally(tmp_path)
    tally.declare("{fed: {history: true}}")
    tally.then(rows("fed", *(row(i, f"{i}" + "x" * 10_000_000) for i in range(12))))
    result = tally.run()
    assert result.status == "loaded", result.error
    answer = tally.query("SELECT id, length(label) FROM tally.fed_history ORDER BY id")
    assert answer == [(i, 10_000_000 + len(str(i))) for i in range(12)]


def test_a_row_that_no_warehouse_holds_is_quarantined_and_its_neighbours_are_not() -> None:
    table = pa.table(
        {
            "id": [1, 2, None, 4, 5],
            "f": [1.5, float("nan"), 1.0, 2.5, float("inf")],
            "at": pa.array([0, 0, 0, 2**62, 0], pa.int64()).cast(pa.timestamp("us", "UTC")),
            "j": ['{"a":1}', "1e999", "{", "{}", None],
        }
    )
    shape = conversion(id="integer", f="float", at="timestamp", j="json")
    good, bad = converted("x", Rows("things", table), shape)
    assert good["id"].to_pylist() == [1]
    assert [(one.key, one.reason) for one in bad] == [
        ("2", "column f is NaN or an infinity"),
        ("null", "a key column (id) is null or the key is longer than 2000 bytes"),
        ("4", "column at lies outside of the years 1 to 9999, UTC"),
        ("5", "column f is NaN or an infinity"),
    ]
    assert '"id":4' in bad[2].record


@pytest.mark.parametrize(
    ("column", "kind", "good"),
    [
        (pa.array([1, 2**62, None], pa.int64()).cast(pa.timestamp("ms", "UTC")), "timestamp", [True, False, True]),
        (pa.array([1, 2**63, None], pa.uint64()), "integer", [True, False, True]),
        (pa.array(["1.5", "1.55", None], pa.string()).cast(pa.decimal128(5, 2)), "decimal(4,1)", [True, False, True]),
        (pa.array(["a", "b\x00", None], pa.large_string()), "string", [True, False, True]),
        (pa.array([b"a", b"\xff", None], pa.binary()), "string", [True, False, True]),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_one_bad_row(column: pa.Array, kind: str, good: list[bool]) -> None:
    table = pa.table({"id": range(len(column)), "x": column})
    good_rows, bad = converted("x", Rows("things", table), conversion(id="integer", x=kind))
    assert good_rows["id"].to_pylist() == [i for i, fits in enumerate(good) if fits]
    assert [one.key for one in bad] == [str(i) for i, fits in enumerate(good) if not fits]
    assert all(one.reason.startswith("column x ") for one in bad)


def test_a_column_of_another_type_is_the_drivers_fault() -> None:
    with pytest.raises(BrokenContract, match=r"rows of things are not in its schema: column x is list<.*>, not int64"):
        converted("x", Rows("things", pa.table({"id": [1], "x": [[1]]})), conversion(id="integer", x="integer"))
    with pytest.raises(BrokenContract, match="column x is string, not int64"):
        converted("x", Rows("things", pa.table({"id": [1], "x": ["one"]})), conversion(id="integer", x="integer"))


def test_the_record_of_a_quarantined_row_is_bounded_and_says_how_long_it_was() -> None:
    event = Quarantined("things", "1", "broken", "x" * 1_000_000)
    text = quarantine_data("tally", event, conversion(id="integer"))["record"]
    assert len(text) < MAX_RECORD + 200
    assert text.startswith("xxx")
    assert "1000000 characters" in text
    assert "SHA-256 " in text


SHAPE = {
    "things": TableSchema({"id": "integer", "at": "timestamp", "amount": "decimal(12,2)", "text": "string",
                           "data": "json", "on": "date", "share": "float", "yes": "boolean"}, ("id",), (), False, 1),
    "others": TableSchema({"id": "string"}, ("id",), ("id",), False, 1),
}  # fmt: skip
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
THING = st.fixed_dictionaries({
    "id": st.integers(-(2**63), 2**63 - 1),
    "at": st.none() | MOMENTS,
    "amount": st.none() | st.decimals(-(10**10) + 1, 10**10 - 1, places=2),
    "text": st.none() | st.text(max_size=20),
    "data": st.none() | st.sampled_from(['{"a": 1}', "[]", '"é"', "1e999"]),
    "on": st.none() | st.dates(),
    "share": st.none() | st.floats(),
    "yes": st.none() | st.booleans(),
})  # fmt: skip
THINGS = pa.schema({
    "id": pa.int64(), "at": pa.timestamp("us", "UTC"), "amount": pa.decimal128(12, 2), "text": pa.string(),
    "data": pa.string(), "on": pa.date32(), "share": pa.float64(), "yes": pa.bool_(),
})  # fmt: skip
ANY_EVENT = st.one_of(
    st.lists(THING, max_size=4).map(lambda made: Rows("things", pa.Table.from_pylist(made, THINGS))),
    st.text(max_size=5).map(lambda name: Rows("others", pa.table({"id": [name]}))),
    st.integers(0, 9).map(lambda number: Delete("things", {"id": number})),
    st.just(FullScan("others")),
    st.text(max_size=9).map(lambda text: Quarantined("things", "1", "broken", text)),
    st.integers().map(lambda number: Cursor({"line": number})),
)


@examples(0.2)
@given(st.lists(ANY_EVENT, max_size=6))
def test_leat_lands_what_dlt_lands(tmp_path: Path, events: list[Event]) -> None:
    read = []
    for number, small in enumerate((SMALL, 0)):
        landed = Landed("1", tmp_path / f"{number}-{time.monotonic_ns()}")
        landed.folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("leat.pipelines.load.landing.SMALL", small)
            land(landed, "x", iter(events), Conversion(SHAPE, b"key"), lambda _phase: None)
        assert landed_loads(landed.folder.parent)
        files = {name: [parquet.read_table(file) for file in landed.files(name)] for name in SHAPE}
        tables = {name: pa.concat_tables(parts) for name, parts in files.items() if parts}
        rows_of = {name: sorted(map(repr, table.to_pylist())) for name, table in tables.items()}
        shapes = {
            name: list(zip(table.column_names, table.schema.types, strict=True)) for name, table in tables.items()
        }
        read.append((rows_of, shapes, list(landed.events())))
    assert read[0] == read[1]


def test_settings_of_dlt_in_the_environment_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By this one, dlt would put the files of all streams where leat doesn't look for them."""
    monkeypatch.setattr("leat.pipelines.load.landing.SMALL", 0)
    monkeypatch.setenv("DESTINATION__FILESYSTEM__LAYOUT", "{load_id}.{table_name}.{ext}")
    tally = Tally(tmp_path)
    tally.declare()
    tally.then(rows("fed", row(1, "one")))
    assert tally.run().status == "loaded"
    assert labels(tally, "fed") == {("a", 1): "one"}
