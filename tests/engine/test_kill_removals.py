"""Runs that remove what has expired, and publications that are forced, are killed wherever that can hurt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leat.control.publications import current_publications
from leat.control.store import open_control
from leat.warehouse.connect import warehouse_files
from tests.engine.test_publication import LABELS, Desk
from tests.kit.child import CONTEXT, HALF_A_COPY, Point, Reader, _arm, run_to_end
from tests.kit.engines import is_server
from tests.kit.project import Tally, row, rows

LEFT = "SELECT count(*), min(id) FROM tally.kept UNION ALL SELECT count(*), min(id) FROM tally.kept_history"
PURGING = [
    Point("observe", "purging"),
    Point("sql", 'DELETE FROM "tally"."kept" WHERE'),
    Point("sql", 'DELETE FROM "tally"."kept_history" WHERE'),
    Point("sql", 'INSERT INTO "leat"."retention"'),
    Point("sql", 'INSERT INTO "leat"."loads"'),
    Point("observe", "committing"),
    Point("observe", "publishing"),
]
OF_THE_FILE = [
    Point("sql", "COPY FROM DATABASE"),
    Point("audit", "os.rename .fresh"),
    Point("audit", "os.remove /forget"),
    Point("audit", "os.rename .draft"),
]


@pytest.mark.parametrize("point", PURGING, ids=str)
def test_killed_while_rows_are_removed(tally: Tally, point: Point) -> None:
    removed_at_last(tally, point)


@pytest.mark.parametrize("point", OF_THE_FILE, ids=str)
def test_killed_while_the_file_is_rewritten(tmp_path: Path, point: Point) -> None:
    removed_at_last(Tally(tmp_path), point)


def removed_at_last(tally: Tally, point: Point) -> None:
    tally.declare("{kept: {history: true}}")
    old = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    tally.then(rows("kept", row(1, "secret", seen_at=old), row(2, "known")))
    assert run_to_end(tally) is not None
    tally.declare("{kept: {history: true, retain: {rows: P7D, by: seen_at}}}")
    with Reader(tally, LEFT) as reader:
        assert run_to_end(tally, point) is None, "the point was never reached"
        result = run_to_end(tally)
        assert result is not None
        assert result["error"] is None
    assert reader.seen.errors == []
    assert reader.seen.answers == [[(2, 1), (2, 1)], [(1, 2), (1, 2)]], "all at once"
    assert tally.query("SELECT sum(purged) FROM leat.load_streams") == [(2,)], "and once"
    if not is_server(tally.warehouse_url):
        written = [file for path in warehouse_files(tally.project.state) for file in (path, *path.rglob("*"))]
        assert not [file for file in written if file.is_file() and b"secret" in file.read_bytes()]


FORCING = [
    Point("sql", 'INSERT INTO "leat"."models"'),
    Point("sql", 'INSERT INTO "leat"."checks"'),
    Point("sql", 'INSERT INTO "leat"."rules"'),
    Point("sql", "DELETE FROM leat.refreshed"),
    Point("sql", 'INSERT INTO "leat"."refreshed"'),
]
OF_THE_PUBLICATION = [HALF_A_COPY, Point("audit", "os.rename .draft")]


@pytest.mark.parametrize("point", FORCING, ids=str)
def test_killed_while_forcing(tally: Tally, point: Point) -> None:
    forced_at_last(tally, point)


@pytest.mark.parametrize("point", OF_THE_PUBLICATION, ids=str)
def test_killed_while_a_forced_file_is_published(tmp_path: Path, point: Point) -> None:
    tally = Tally(tmp_path)
    tally.declare()
    forced_at_last(tally, point)


def forced_at_last(tally: Tally, point: Point) -> None:
    """Nobody sees a version that was forced before it is in the log that it was, and by whom."""
    desk = desk_of(tally)
    desk.file("assets/models", "labels", LABELS)
    desk.load(rows("fed", row(1, "one", weight=1.0)))
    desk.publish()
    desk.load(rows("fed", row(1, "one", weight=99.0)))
    process = CONTEXT.Process(target=_force, args=(tally, point), daemon=True)
    process.start()
    process.join()
    assert process.exitcode == -9, "the point was never reached"
    logged = bool(current_publications(desk.store).forced)
    assert desk.labels() == [(1, "one", 1.0)] or logged
    desk.publish("again")
    assert desk.labels() == [(1, "one", 99.0)]
    assert current_publications(desk.store).forced


def desk_of(tally: Tally) -> Desk:
    return Desk(tally, open_control(f"sqlite:///{tally.folder / 'control.db'}"))


def _force(tally: Tally, point: Point) -> None:
    tally.prepare()
    _arm(point)
    desk_of(tally).publish("killed")
