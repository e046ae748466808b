"""How long things are retained: what goes, what stays, what doesn't come back, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.declare.project import load_declaration
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.plan import RESET
from leat.pipelines.load.retention import DIGEST, enforce_retention, is_due
from leat.sources.events import Cursor, Delete, FullScan, Quarantined
from leat.warehouse.connect import warehouse_files
from leat.warehouse.session import literal
from tests.engine.test_apply import alive, opened, rows, thing, versions
from tests.kit.engines import is_server
from tests.kit.loads import START, Loads, declaration, planned
from tests.kit.project import Tally, row
from tests.kit.project import rows as script_rows

WEEK = timedelta(days=7)
BY_TIME = {"rows": "P7D", "by": "seen_at"}


@pytest.fixture
def loads(warehouse_url: str | None, tmp_path: Path) -> Iterator[Loads]:
    with opened(warehouse_url) as session:
        yield Loads(session, tmp_path, declaration({}))


def retain(loads: Loads, stream: str, retain: dict[str, Any], *, history: bool = True) -> None:
    loads.declaration = declaration({stream: {"history": history, "retain": retain}})


def seen(id_: int, ago: timedelta, label: str = "x") -> dict[str, Any]:
    return thing(id_, label, seen_at=START - ago)


def numbers(loads: Loads, table: str) -> list[int]:
    return [number for (number,) in loads.read(f"SELECT id FROM tally.{table} ORDER BY id, label")]


def events(loads: Loads) -> list[Any]:
    import json

    actual = loads.read("SELECT event_data FROM leat.log WHERE event_type = 'retention_enforced' ORDER BY created_at")
    return [json.loads(data) if isinstance(data, str) else data for (data,) in actual]


def test_rows_stay_by_their_own_time(loads: Loads) -> None:
    retain(loads, "kept", {"rows": "P7D", "by": "seen_at"})
    loads.load(rows("kept", seen(1, timedelta(days=5)), seen(2, timedelta(days=1)), thing(3)))
    loads.at += timedelta(days=3)
    done = loads.load(rows("kept", seen(4, timedelta(0))))
    assert done is not None
    assert numbers(loads, "kept") == [2, 3, 4], "what has no time is kept"
    assert numbers(loads, "kept_history") == [2, 3, 4]
    assert (done["kept"].purged, done["kept"].total) == (2, 3)
    assert events(loads) == [{"stream": "kept", "rows": 1, "versions": 1}]
    assert loads.read("SELECT purged FROM leat.load_streams WHERE purged > 0") == [(2,)]


@pytest.mark.parametrize("stream", ["kept", "scanned", "fed"])
def test_what_is_read_again_does_not_come_back(loads: Loads, stream: str) -> None:
    retain(loads, stream, BY_TIME)
    everything = rows(stream, seen(1, timedelta(days=5), "a"), seen(2, timedelta(days=1), "b"))
    loads.load(everything)
    loads.at += timedelta(days=3)
    loads.load(everything)
    assert numbers(loads, stream) == [2]
    assert loads.load(everything) is None, "nothing is new"
    reset = planned(RESET, frozenset({stream}), rebuild=True, any_share=True)
    done = loads.load(everything, plan=reset)
    assert done is None or not any(result.changed for result in done.values())
    assert numbers(loads, stream) == [2]


def test_a_complete_listing_names_what_is_too_old(loads: Loads) -> None:
    retain(loads, "scanned", BY_TIME)
    old = [seen(i, timedelta(days=5)) for i in range(20)]
    loads.load(rows("scanned", *old), FullScan("scanned", {}))
    loads.at += timedelta(days=3)
    done = loads.load(rows("scanned", *old), FullScan("scanned", {}))
    assert done is not None
    assert (done["scanned"].deleted, done["scanned"].purged, done["scanned"].total) == (0, 40, 0)
    assert loads.load(rows("scanned", *old), FullScan("scanned", {})) is None


def test_a_row_that_becomes_too_old_goes(loads: Loads) -> None:
    retain(loads, "fed", BY_TIME)
    loads.load(rows("fed", seen(1, timedelta(days=1))))
    loads.load(rows("fed", seen(1, timedelta(days=30), "corrected")))
    assert numbers(loads, "fed") == []
    assert versions(loads, "fed") == [("a", 1, "x", 1, 2)], "its earlier version has a time that is kept"


def test_rows_that_are_gone_stay_for_a_while(loads: Loads) -> None:
    retain(loads, "fed", {"deleted": "P7D"})
    loads.load(rows("fed", thing(1), thing(2), thing(3)))
    loads.load(Delete("fed", {"shelf": "a", "id": 1}))
    loads.at += timedelta(days=4)
    loads.load(Delete("fed", {"shelf": "a", "id": 2}))
    loads.at += timedelta(days=4)
    done = loads.load(rows("fed", thing(4)))
    assert done is not None
    assert numbers(loads, "fed") == [2, 3, 4]
    assert done["fed"].purged == 1
    assert events(loads) == [{"stream": "fed", "deleted": 1}]
    loads.load(rows("fed", thing(1, "back")))
    assert alive(loads, "fed")["a", 1] == "back", "it exists again"


def test_versions_stay_for_a_while_and_the_past_says_so(loads: Loads) -> None:
    retain(loads, "fed", {"history": "P7D"})
    loads.load(rows("fed", thing(1, "one"), thing(2)))
    first = loads.at
    loads.load(rows("fed", thing(1, "two")))
    loads.at += timedelta(days=8)
    loads.load(rows("fed", thing(3)))
    assert [version[1:3] for version in versions(loads, "fed")] == [(1, "two"), (2, "x"), (3, "x")]
    begins = loads.at - WEEK
    assert loads.read("SELECT complete_from FROM leat.histories") == [(begins,)]
    assert loads.read(f"SELECT id, label FROM tally.fed_as_of({literal(begins)}) ORDER BY id") == [(1, "two"), (2, "x")]
    with pytest.raises(Exception, match=r"tally.fed has history from"):
        loads.read(f"SELECT * FROM tally.fed_as_of({literal(first)})")


def test_of_a_broken_record_a_digest_stays(loads: Loads) -> None:
    retain(loads, "fed", {"quarantine": "P7D"})
    broken = Quarantined("fed", "a 1", "no number", "the record")
    loads.load(rows("fed", thing(1)), broken)
    loads.at += timedelta(days=8)
    loads.load(rows("fed", thing(2)))
    ((record,),) = loads.read("SELECT record FROM leat.quarantine")
    assert record.startswith(DIGEST)
    assert "the record" not in record
    assert events(loads) == [{"stream": "fed", "records": 1}]
    assert loads.load(broken) is None, "it is known again"
    changed = loads.load(Quarantined("fed", "a 1", "no number", "another record"))
    assert changed is not None
    assert changed["fed"].quarantined == 1


@pytest.mark.parametrize("name", ["a 1", "a/1"])
def test_a_corrected_record_leaves_the_quarantine(loads: Loads, name: str) -> None:
    bad = [Quarantined("fed", key, "no number", "{}") for key in (name, "a 2")]
    loads.load(rows("fed", thing(3)), *bad)
    loads.load(rows("fed", thing(1)))
    assert loads.read("SELECT record_key FROM leat.quarantine") == [("a 2",)]


def test_without_a_load_it_is_enforced_once_a_day(loads: Loads) -> None:
    retain(loads, "kept", BY_TIME)
    loads.load(rows("kept", seen(1, timedelta(days=5)), seen(2, timedelta(days=1))), Cursor({"at": 1}))
    assert is_due(loads.state(), loads.declaration, loads.at)  # the engine notes that a load has done it
    loads.at += timedelta(days=3)
    (result,) = enforce_retention(loads.session, loads.declaration, loads.state(), "20260104T000000000000", loads.at)
    assert (result.stream, result.purged, result.total) == ("kept", 2, 1)
    assert loads.read("SELECT kind FROM leat.loads ORDER BY load_id") == [("sync",), ("retention",)]
    assert not is_due(loads.state(), loads.declaration, loads.at + timedelta(hours=23))
    assert is_due(loads.state(), loads.declaration, loads.at + timedelta(hours=25))
    assert enforce_retention(loads.session, loads.declaration, loads.state(), "20260104T000000000001", loads.at) == []
    assert len(loads.read("SELECT * FROM leat.loads")) == 2, "nothing to remove leaves no trace"
    retain(loads, "kept", {"rows": "P1D", "by": "seen_at"})
    assert is_due(loads.state(), loads.declaration, loads.at), "what is declared has changed"


def test_a_run_that_finds_nothing_new_enforces_it(tally: Tally) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    tally.declare("{kept: {history: true}}")
    tally.then(script_rows("kept", row(1, "secret", seen_at=long_ago), row(2)))
    assert tally.run().status == "loaded"
    tally.declare("{kept: {history: true, retain: {rows: P7D, by: seen_at}}}")
    done = tally.run()
    assert (done.status, done.error) == ("loaded", None)
    assert [(s.stream, s.purged) for s in done.streams if s.purged] == [("kept", 2)]
    assert tally.query("SELECT id FROM tally.kept") == [(2,)]
    assert tally.run().status == "nothing_new"
    if not is_server(tally.warehouse_url):
        written = [file for path in warehouse_files(tally.project.state) for file in (path, *path.rglob("*"))]
        assert not [file for file in written if file.is_file() and b"secret" in file.read_bytes()]


def test_mistakes_say_where_and_what(tmp_path: Path) -> None:
    path = tmp_path / "calendar.yaml"
    head = "source: calendar\ndriver: caldav\nconnection: {url: http://localhost/, username: a, password: {env: P}}\n"

    def mistake(retain: str) -> str:
        path.write_text(f"{head}streams:\n  events:\n    retain: {retain}\n")
        with pytest.raises(DeclarationError) as caught:
            load_declaration(path, "calendar.yaml")
        (message,) = caught.value.diagnostics
        return message

    where = "calendar.yaml:6: streams.events.retain"
    assert mistake("{rows: P7D, by: start}").startswith(f"{where}.by: unknown column 'start'")
    assert mistake("{rows: P7D, by: summary}") == (
        f"{where}.by: summary is string; only a timestamp, datetime or date shows how old a row is"
    )
    assert mistake("{rows: P7D}") == f"{where}: rows and by belong together: how long, and from which column's time on"
    assert mistake("{rows: P0D, by: starts_at}").startswith(f"{where}: rows: a row that is retained for no time")
    assert "say how long to retain something" in mistake("{}")
    assert mistake("{history: P7D}") == "calendar.yaml:5: streams.events: retain.history needs history: true"
