"""New and vanished fields: each is reported once, whichever way it comes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.load.drift import SIZEABLE, Change, changes_since
from leat.warehouse.connect import open_warehouse
from tests.kit.command import tally_project, then
from tests.kit.project import Tally, delete, full_scan, row, rows

_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def said(tally: Tally) -> list[tuple[str, str, tuple[str, ...]]]:
    with open_warehouse(tally.warehouse_url, tally.project.state).snapshot() as session:
        return [(c.stream, c.kind.removeprefix("fields_"), c.fields) for c in changes_since(session, _LONG_AGO)]


def listing(stream: str = "scanned", count: int = SIZEABLE, **more: Any) -> list[dict[str, Any]]:
    """Return the steps of a complete listing."""
    return [rows(stream, *(row(i, **more) for i in range(count))), full_scan(stream)]


def test_each_change_is_reported_once(tally: Tally) -> None:
    steps = [
        listing(weight=1.0, colour="red", maker="ann"),  # the first load is what there is, and no change
        listing(weight=2.0, colour="red", maker="bob"),
        listing(weight=3.0, colour="blue", maker="ann", **{"what's new?": 1, "100%": [2]}),
        listing(weight=4.0, colour="blue", maker="ann", **{"what's new?": 2, "100%": [2]}),
        listing(colour="blue", tags=["a"]),
        listing(colour="green", tags=["b"]),
        listing(weight=5.0, colour="green", maker="ann"),
    ]
    for each in steps:
        tally.then(*each)
        assert tally.run().error is None
    assert said(tally) == [
        ("scanned", "appeared", ("100%", "what's new?")),
        ("scanned", "vanished", ("100%", "maker", "weight", "what's new?")),
        ("scanned", "appeared", ("maker", "weight")),
        ("scanned", "vanished", ("tags",)),
    ]
    seen = tally.query(
        "SELECT field, in_extra, vanished_at IS NULL FROM leat.fields WHERE field NOT IN ('shelf', 'id')"
    )
    assert {name: (extra, there) for name, extra, there in seen} == {
        "100%": (True, False), "what's new?": (True, False), "maker": (True, True), "colour": (True, True),
        "weight": (False, True), "tags": (False, False),
    }  # fmt: skip


@pytest.mark.parametrize(
    "second",
    [
        [rows("fed", row(1, weight=2.0)), rows("scanned", row(1, label="x"))],  # no complete listing
        listing(count=SIZEABLE - 1, label="x"),  # too small to say anything
        [rows("scanned", *(row(i, label="x") for i in range(SIZEABLE))), full_scan("scanned", shelf="a")],
        [delete("fed", id=1)],
    ],
)
def test_nothing_vanishes_without_a_sizeable_complete_listing(tally: Tally, second: list[dict[str, Any]]) -> None:
    tally.then(*listing(weight=1.0, maker="ann"), rows("fed", row(1, maker="ann"), row(2, maker="ann")))
    tally.run()
    tally.then(*second)
    assert tally.run().error is None
    assert said(tally) == []


def test_a_stream_without_listings_reports_new_fields(tally: Tally) -> None:
    tally.then(rows("kept", row(1, maker="ann"), row(2)))
    tally.run()
    tally.then(rows("kept", row(3, maker="ann", colour="red")), rows("fed", row(1, colour="red")))
    tally.run()
    tally.then(rows("kept", row(2, colour="red")))
    tally.run()
    assert said(tally) == [("kept", "appeared", ("colour",))]


def test_names_of_masked_fields_are_nowhere(tally: Tally) -> None:
    tally.declare("{kept: {mask: true}}")
    tally.then(rows("kept", row(1), row(2)))
    tally.run()
    for number, name in enumerate(("ann@a.example", "bob@b.example")):
        tally.then(rows("kept", row(number, **{name: 1})))
        tally.run()
    assert said(tally) == [("kept", "appeared", ("extra",))]
    assert tally.query("SELECT field FROM leat.fields WHERE in_extra") == [("extra",)]


def test_declared_columns_that_change_are_no_drift(tally: Tally) -> None:
    tally.then(*listing(weight=1.0, maker="ann"))
    tally.run()
    more = 'replace(SCANNED, columns=(*COLUMNS, Column("maker", "string", "Who made it.")), schema_version=2)'
    tally.declare(version=f"(FED, {more}, LASTING)")
    tally.then(*listing(weight=1.0, maker="ann", colour="red"))
    assert tally.run().error is None
    assert said(tally) == []
    assert tally.query("SELECT field FROM leat.fields WHERE in_extra AND stream = 'scanned'") == [("colour",)]


def test_names_without_end_are_data(tally: Tally) -> None:
    tally.then(rows("kept", row(1)))
    tally.run()
    for number in (2, 3):
        tally.then(rows("kept", row(number, **{f"k{i:04}": 1 for i in range(800)}, **{"x" * 200: 1})))
        tally.run()
    with open_warehouse(tally.warehouse_url, tally.project.state).snapshot() as session:
        (change,) = changes_since(session, _LONG_AGO)
    assert isinstance(change, Change)
    assert change.words.endswith(" and 448 more")
    assert tally.query("SELECT count(*) FROM leat.fields") == [(500,)]


def test_a_run_and_the_status_say_it(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    then(leat, *listing(weight=1.0))
    assert leat.json("run")["drift"] == []
    then(leat, *listing(colour="[red]"))
    said = leat("run").stdout
    assert "! tally.scanned: new field: colour\n" in said
    assert "! tally.scanned: no values any longer in field: weight\n" in said
    status = leat("status").stdout
    assert "! tally.scanned: new field: colour (20" in status
    (new, old) = leat.json("status")["drift"]
    assert (new["kind"], new["fields"], old["kind"], old["fields"]) == (
        "fields_appeared", ["colour"], "fields_vanished", ["weight"],
    )  # fmt: skip
    assert leat.json("run")["drift"] == []
