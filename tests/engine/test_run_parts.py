"""Runs of single streams, from a date on, and dry ones: what they change, and what they leave as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leat.control.store import open_control
from leat.pipelines.load.engine import Request
from tests.kit.command import differs, documented_json, tally_project, then
from tests.kit.project import Tally, delete, full_scan, labels, row, rows

ONE = Request(only={"tally": frozenset({"fed"})})
MAY = datetime(2026, 5, 1, tzinfo=UTC)


def seen(id_: int, month: int, label: str | None = None) -> dict[str, Any]:
    return row(id_, label, seen_at=f"2026-{month:02d}-01T00:00:00+00:00")


def cursor(tally: Tally) -> list[tuple[Any, ...]]:
    return (
        tally.query("SELECT load_id, cursor FROM leat.cursors")
        if tally.query("SELECT 1 FROM information_schema.tables WHERE table_name = 'cursors'")
        else []
    )


def test_one_stream_is_loaded_and_the_others_wait(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "a")), rows("kept", row(1, "a")), rows("scanned", row(1)))
    tally.run()
    before = cursor(tally)
    tally.then(rows("fed", row(1, "b")), rows("kept", row(2, "b")), delete("fed", id=9))
    (result,) = tally.run(ONE).streams
    assert (result.stream, result.updated) == ("fed", 1)
    assert (labels(tally, "fed"), labels(tally, "kept")) == ({("a", 1): "b"}, {("a", 1): "a"})
    assert cursor(tally) == before
    again = {each.stream: each for each in tally.run().streams}
    assert (again["fed"].changed, again["kept"].inserted) == (False, 1)
    assert tally.query("SELECT kind FROM leat.loads ORDER BY load_id") == [("reset",), ("sync",), ("sync",)]


def test_one_stream_can_be_the_first(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "a")), rows("kept", row(1, "a")))
    assert [each.stream for each in tally.run(ONE).streams] == ["fed"]
    assert labels(tally, "fed") == {("a", 1): "a"}
    assert cursor(tally) == []
    tally.run()
    assert (labels(tally, "fed"), labels(tally, "kept")) == ({("a", 1): "a"},) * 2


def test_one_stream_that_has_nothing_new_leaves_the_cursor(tally: Tally) -> None:
    tally.then(rows("fed", row(1)))
    tally.run()
    before = cursor(tally)
    tally.then(rows("kept", row(1, "a")))
    assert tally.run(ONE).status == "nothing_new"
    assert cursor(tally) == before
    tally.run()
    assert labels(tally, "kept") == {("a", 1): "a"}


def test_a_backfill_brings_rows_and_deletes_nothing(tally: Tally) -> None:
    tally.then(rows("fed", seen(1, 3), seen(2, 6, "old")), rows("scanned", seen(1, 3), seen(3, 7)))
    tally.run()
    with tally.engine().warehouse.transaction() as session:  # rows that were lost, and one that was changed
        session.execute("DELETE FROM tally.fed")
        session.execute("UPDATE tally.scanned SET label = 'wrong'")
    before = cursor(tally)
    tally.then(delete("scanned", id=3), full_scan("scanned"), rows("fed", seen(4, 8, "new")))
    result = tally.run(Request(only={"tally": frozenset({"fed", "scanned"})}, since=MAY))
    counts = {each.stream: (each.inserted, each.updated, each.deleted) for each in result.streams}
    assert (result.error, counts) == (None, {"fed": (2, 0, 0), "scanned": (0, 1, 0)})
    assert labels(tally, "fed") == {("a", 2): "old", ("a", 4): "new"}
    assert labels(tally, "scanned") == {("a", 1): "wrong", ("a", 3): None}
    assert cursor(tally) == before
    assert tally.query("SELECT kind FROM leat.loads ORDER BY load_id DESC LIMIT 1") == [("backfill",)]
    assert {each.stream: each.deleted for each in tally.run().streams}["scanned"] == 2


def everything(tally: Tally) -> list[Any]:
    tables = ("tally.fed", "tally.scanned", "leat.loads", "leat.load_streams", "leat.cursors", "leat.log")
    return [sorted(map(repr, tally.query(f"SELECT * FROM {table}"))) for table in (*tables, "leat.quarantine")]


@pytest.mark.parametrize(
    "request_", [Request(dry=True), Request(dry=True, reset=frozenset({"fed", "scanned", "kept"}))]
)
def test_a_dry_run_says_what_would_change_and_leaves_everything(tally: Tally, request_: Request) -> None:
    tally.then(rows("fed", row(1), row(2)), rows("scanned", *(row(i) for i in range(3))))
    tally.run()
    before = everything(tally)
    tally.declare("{fed: {exclude: [tags]}}")  # a change of a table is taken back as well
    bad = {"do": "quarantine", "stream": "fed", "key": "k", "reason": "column weight is odd", "record": "{}"}
    tally.then(
        rows("fed", row(2, "b"), row(3)), delete("fed", id=1), bad, rows("scanned", row(0)), full_scan("scanned")
    )
    columns = tally.query("SELECT column_name FROM information_schema.columns WHERE table_schema = 'tally'")
    result = tally.run(request_)
    counts = {each.stream: (each.inserted, each.updated, each.deleted, each.quarantined) for each in result.streams}
    assert result.error is None
    assert counts["fed"] == ((1, 1, 1, 1) if request_.reset is None else (2, 0, 0, 1)), "a table is built anew"
    assert everything(tally) == before
    assert columns == tally.query("SELECT column_name FROM information_schema.columns WHERE table_schema = 'tally'")
    assert [path for path in (tally.folder / ".leat" / "landing").rglob("*") if path.is_file()] == [
        path for path in (tally.folder / ".leat" / "landing").glob("*.lock")
    ]
    real = {each.stream: each for each in tally.run().streams}["fed"]
    assert (real.inserted, real.updated, real.deleted, real.quarantined) == (1, 1, 1, 1)


def test_the_command_runs_parts(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    then(leat, rows("fed", seen(1, 3), seen(2, 6)), rows("scanned", seen(1, 3)), rows("kept", seen(1, 3)))
    dry = leat("run", "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert "✓ tally: would insert 4\n" in dry.stdout
    assert dry.stdout.endswith("dry run: nothing was written\n")
    assert leat("query", "SELECT 1").returncode == 1, "nothing has been published"
    assert leat.json("status")["integrations"][0]["last_run"] is None
    one = leat.json("run", "tally.kept")
    assert [each["stream"] for each in one["integrations"][0]["streams"]] == ["kept"]
    assert leat.json("query", "SELECT count(*) AS n FROM tally.kept")["rows"] == [{"n": 1}]
    assert leat.json("status")["integrations"][0]["last_run"] is None, "it says nothing of the other streams"
    store = open_control(f"sqlite:///{tmp_path / '.leat' / 'control.db'}")
    with store.connect() as connection:
        logged = connection.exec_driver_sql("SELECT event_type, event_data FROM integration_log").all()
    store.dispose()
    assert [(kind, '"kept"' in str(data)) for kind, data in logged] == [("run_part", True)]
    filled = leat("run", "tally", "--from", "2026-05-01")
    assert "tally: left out, because they can't be read from a date on: kept" in filled.stdout
    assert leat.json("query", "SELECT id FROM tally.fed")["rows"] == [{"id": 2}]
    said = leat.json("run", "--dry-run")
    assert differs(said, documented_json()["run"]) == []
    assert (said["dry_run"], said["integrations"][0]["load_id"]) == (True, None)
    for arguments, message in (
        (("tally.kept", "--from", "2026-05-01"), "`leat reset tally --stream kept` loads it from the start"),
        (("--from", "May"), "write 2026-01-31"),
        (("--from", "2999-01-01"), "is in the future"),
        (("tally.fd",), 'did you mean "fed"'),
    ):
        done = leat("run", *arguments)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
