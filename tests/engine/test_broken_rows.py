"""Rows that exist and are broken now stay as they were, and what is in the quarantine leaves it, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from leat.pipelines.load.conversion import Conversion, quarantine_data
from leat.pipelines.load.plan import RESET, SYNC, LoadPlan
from leat.pipelines.load.table_schema import TableSchema
from leat.sources.driver import add_sources
from leat.sources.events import Delete, FullScan, Listed, Masked, Quarantined, Rows
from tests.engine.test_apply import EVERY, HISTORY, STREAMS, alive, opened, rows, thing
from tests.kit.loads import Loads, declaration, planned
from tests.kit.project import SOURCES, Tally, everything_written
from tests.kit.project import row as project_row
from tests.kit.project import rows as project_rows

add_sources(SOURCES)
WHOLE = planned(RESET, EVERY, any_share=True)
SYNCED = planned(SYNC, EVERY, any_share=True)


@pytest.fixture
def loads(warehouse_url: str | None, tmp_path: Path) -> Iterator[Loads]:
    with opened(warehouse_url) as session:
        yield Loads(session, tmp_path, declaration({s: {**o, "max_quarantine_share": 1} for s, o in HISTORY.items()}))


def raw(stream: str, *records: dict[str, Any]) -> Rows:
    """Return rows as a driver may make them without a batch: with values that no warehouse holds."""
    return Rows(stream, pa.Table.from_pylist(list(records), schema=STREAMS[stream].schema()))


def broken(stream: str, id_: int | None, text: str = "broken", **identity: Any) -> Quarantined:
    return Quarantined(stream, f"a {id_}", "column label takes string, not int", text, identity)


def left(loads: Loads) -> list[tuple[str, str]]:
    return loads.read("SELECT record_key, record FROM leat.quarantine ORDER BY record_key, record")


NAN = float("nan")


@pytest.mark.parametrize("plan", [WHOLE, SYNCED], ids=["reset", "sync"])
def test_a_row_that_is_broken_now_outlives_a_complete_listing(loads: Loads, plan: LoadPlan) -> None:
    loads.load(rows("scanned", *(thing(i) for i in range(4))))
    loads.load(raw("scanned", thing(0), thing(1, weight=NAN)), FullScan("scanned"), plan=plan)
    assert set(alive(loads, "scanned")) == {("a", 0), ("a", 1)}
    assert [key for key, _ in left(loads)] == ["a 1"]
    loads.load(rows("scanned", thing(0)), FullScan("scanned"), plan=plan)
    assert set(alive(loads, "scanned")) == {("a", 0)}
    assert left(loads) == [], "the listing no longer has it"
    assert loads.read("SELECT count(*) FROM tally.scanned_history WHERE valid_to IS NULL") == [(1,)]


@pytest.mark.parametrize("plan", [WHOLE, SYNCED], ids=["reset", "sync"])
@pytest.mark.parametrize("named", [True, False])
def test_a_driver_may_say_which_row_is_broken(loads: Loads, plan: LoadPlan, named: bool) -> None:
    """Where it doesn't, the listing proves of no row that it is gone."""
    loads.load(rows("scanned", *(thing(i) for i in range(4))))
    one = broken("scanned", 1, **({"shelf": "a", "id": 1} if named else {}))
    loads.load(rows("scanned", thing(0)), one, FullScan("scanned"), plan=plan)
    assert len(alive(loads, "scanned")) == (2 if named else 4)
    withheld = loads.read("SELECT event_data FROM leat.log WHERE event_type = 'deletes_withheld'")
    assert len(withheld) == (0 if named else 1)
    loads.load(rows("scanned", thing(0), thing(1)), FullScan("scanned"), plan=plan)
    assert set(alive(loads, "scanned")) == {("a", 0), ("a", 1)}
    assert left(loads) == []


def test_a_reset_deletes_nothing_that_was_not_proven_to_be_gone(loads: Loads) -> None:
    loads.load(rows("scanned", *(thing(i) for i in range(3))))
    loads.load(rows("scanned", thing(0)), plan=WHOLE)
    assert len(alive(loads, "scanned")) == 3, "no proof"
    loads.load(rows("scanned", thing(0), thing(1)), Listed("scanned", "no next link"), plan=WHOLE)
    assert len(alive(loads, "scanned")) == 2, "everything was asked for, and the listing ended"


def test_a_reset_that_proves_parts_deletes_in_those_and_in_parts_that_vanished(loads: Loads) -> None:
    loads.load(rows("scanned", *(thing(i, shelf=shelf) for i in range(2) for shelf in "abc")))
    part = (rows("scanned", thing(0, shelf="a"), thing(0, shelf="b")), FullScan("scanned", {"shelf": "a"}))
    loads.load(*part, plan=SYNCED)
    assert set(alive(loads, "scanned")) == {("a", 0), ("b", 0), ("b", 1), ("c", 0), ("c", 1)}
    loads.load(*part, plan=WHOLE)
    assert set(alive(loads, "scanned")) == {("a", 0), ("b", 0), ("b", 1)}, "of shelf b not everything was listed"


def test_a_reset_that_rebuilds_the_table_leaves_what_is_broken_or_unproven(loads: Loads) -> None:
    options = {"history": True, "max_quarantine_share": 1}
    loads.declaration = declaration({"scanned": {**options, "exclude": ["tags"]}})
    loads.load(rows("scanned", *(thing(i, tags=["t"]) for i in range(3))))
    loads.declaration = declaration({"scanned": options})
    rebuilding = planned(RESET, frozenset({"scanned"}), cursor_stays=True, rebuild=True, any_share=True)
    loads.load(raw("scanned", thing(0, tags='["t"]'), thing(1, weight=NAN)), FullScan("scanned"), plan=rebuilding)
    actual = loads.read("SELECT id, label, tags IS NULL, _deleted_at IS NULL FROM tally.scanned ORDER BY id")
    assert actual == [(0, "x", False, True), (1, "x", True, True)]
    loads.declaration = declaration({"scanned": {**options, "exclude": ["on_day"]}})
    loads.load(rows("scanned", thing(0)), plan=rebuilding)
    assert set(alive(loads, "scanned")) == {("a", 0), ("a", 1)}, "no proof"
    assert loads.read("SELECT count(*) FROM tally.scanned_history") == [(2,)]


def test_rows_that_are_replaced_leave_one_that_is_broken_now(loads: Loads) -> None:
    loads.load(rows("fed", thing(1), thing(2), thing(3), thing(1, shelf="b")))
    loads.load(Delete("fed", {"shelf": "a"}), raw("fed", thing(1, "new"), thing(2, weight=NAN)))
    assert alive(loads, "fed") == {("a", 1): "new", ("a", 2): "x", ("b", 1): "x"}
    loads.load(raw("fed", thing(2, weight=NAN)), Delete("fed", {"shelf": "a", "id": 2}))
    assert set(alive(loads, "fed")) == {("a", 1), ("b", 1)}, "it was deleted after that"


def test_broken_records_without_a_key_stay_apart(loads: Loads) -> None:
    loads.load(broken("fed", None, "one"), broken("fed", None, "two"), raw("fed", thing(None), thing(None, "z")))  # type: ignore[arg-type]
    assert len(left(loads)) == 4
    again = loads.load(broken("fed", None, "two"))
    assert again is None, "no news, and the other may still be there"
    assert len(left(loads)) == 4


def test_a_broken_record_takes_the_place_of_one_with_its_key(loads: Loads) -> None:
    loads.load(broken("fed", 1, "old"), broken("fed", 2))
    ((first,),) = loads.read("SELECT first_seen_at FROM leat.quarantine WHERE record_key = 'a 1'")
    loads.load(broken("fed", 1, "new"))
    assert left(loads) == [("a 1", "new"), ("a 2", "broken")]
    assert loads.read("SELECT first_seen_at FROM leat.quarantine WHERE record_key = 'a 1'") == [(first,)]


def test_a_record_leaves_when_its_key_arrives_well_or_is_deleted_or_a_complete_listing_lacks_it(loads: Loads) -> None:
    loads.load(*(broken("fed", i) for i in range(3)), *(broken("scanned", i, str(i)) for i in range(3)))
    loads.load(rows("fed", thing(0)), Delete("fed", {"shelf": "a", "id": 1}))
    loads.load(rows("scanned", thing(9)), FullScan("scanned", {"shelf": "a"}))
    assert [key for key, _ in left(loads)] == ["a 0", "a 1", "a 2", "a 2"], "a part proves nothing of the rest"
    loads.load(broken("scanned", 1, "1"), FullScan("scanned"))
    assert [key for key, _ in left(loads)] == ["a 1", "a 2"]


def test_a_key_of_any_type_is_recognised(loads: Loads) -> None:
    loads.declaration = declaration({"values": {"max_quarantine_share": 1}}, source="typed")
    bad = {"id": 7, "a_float": NAN}
    table = pa.Table.from_pylist([bad], loads.declaration.every_stream()[0].schema())
    loads.load(Rows("values", table))
    assert [key for key, _ in left(loads)] == ["7"]
    loads.load(Rows("values", table.set_column(3, table.schema.field(3), pa.array([1.5]))))
    assert left(loads) == []


SECRET = "carol@example.com"


def masked(*columns: str) -> Conversion:
    return Conversion({"s": TableSchema({"id": "string", "n": "integer"}, ("id", "n"), columns, False, 1)}, b"key")


def test_of_masked_columns_nothing_is_stored_in_clear() -> None:
    conversion = masked("id")
    event = Quarantined("s", f"{SECRET} 1", f"column n takes integer, not '{SECRET}'", SECRET, {"id": SECRET, "n": 1})
    data = quarantine_data("tally", event, conversion)
    assert SECRET not in str(data)
    assert data["identity"] == {"id": conversion.mask(SECRET), "n": 1}, "as the rows have it"
    hashed = quarantine_data("tally", Quarantined("s", "x 1", "", "", {"id": Masked("abc"), "n": 1}), conversion)
    assert hashed["identity"]["id"] == "abc"
    apart = [quarantine_data("tally", Quarantined("s", "", "", text), conversion)["digest"] for text in "ab"]
    assert len(set(apart)) == 2, "and different records stay apart"
    clear = quarantine_data("tally", event, masked())
    assert (clear["key"], clear["record"], clear["reason"]) == (event.key, event.record, event.reason)


def test_of_a_stream_with_columns_left_out_no_record_is_stored() -> None:
    conversion = Conversion(masked().tables, b"key", frozenset({"s"}))
    data = quarantine_data(
        "tally", Quarantined("s", "1", f"column n takes integer, not '{SECRET}'", SECRET), conversion
    )
    assert SECRET not in str(data)
    assert data["key"] == "1"


def test_a_column_that_is_left_out_is_not_in_the_quarantine_either(tally: Tally) -> None:
    tally.declare("{fed: {exclude: [label]}}")
    odd = {"do": "quarantine", "stream": "fed", "key": "2", "reason": "odd", "record": f"label={SECRET}"}
    tally.then(project_rows("fed", project_row(1, SECRET)), odd)
    assert tally.run().status == "loaded"
    assert tally.query("SELECT record_key FROM leat.quarantine") == [("2",)]
    assert not [text for text in everything_written(tally.folder / ".leat") if SECRET.encode() in text]


@pytest.mark.parametrize(
    "identity", [{"id": "x"}, {"id": "x", "n": "1"}, {"id": 1, "n": 1}, {"id": "x", "n": 2**64}, {}]
)
def test_a_key_that_is_not_whole_or_broken_itself_spares_nothing(identity: dict[str, Any]) -> None:
    assert quarantine_data("tally", Quarantined("s", "k", "", "", identity), masked())["identity"] == {}


def test_masked_rows_that_are_broken_leave_when_they_arrive_well(loads: Loads) -> None:
    loads.declaration = declaration({"fed": {"mask": ["shelf", "label"], "max_quarantine_share": 1}})
    loads.load(raw("fed", thing(1, SECRET, SECRET, weight=NAN)), raw("fed", thing(2, SECRET, SECRET)))
    everything = loads.read("SELECT * FROM leat.quarantine") + loads.read("SELECT * FROM tally.fed")
    assert SECRET not in str(everything)
    assert len(left(loads)) == 1
    loads.load(rows("fed", thing(1, SECRET, SECRET)))
    assert left(loads) == []
