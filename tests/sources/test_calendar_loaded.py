"""Calendars through the whole engine, on both warehouses: odd files, and one that fails while another works."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.results import IntegrationResult
from leat.pipelines.load.run import run_integration
from leat.warehouse.connect import open_warehouse
from leat.warehouse.publication import publish_version
from tests.sources.calendar_corpus import LOADED, QUARANTINED
from tests.sources.calendar_faults import Faulty, Reply, faulty
from tests.sources.calendar_server import HOME, Calendars
from tests.sources.calendar_tables import ics, simple

A, B = HOME + "a/", HOME + "b/"


@dataclass
class Company:
    """A project with one calendar integration and the server that it reads."""

    folder: Path
    url: str | None
    calendars: Calendars

    def run(self) -> IntegrationResult:
        project = Project(
            self.folder, self.folder / ".leat", self.url, f"sqlite:///{self.folder / '.leat' / 'control.db'}"
        )
        warehouse = open_warehouse(self.url, project.state)
        engine = Engine(project, warehouse, load_declarations(project), attempts=1)
        result = run_integration(engine, "calendar", Request())
        publish_version(warehouse)
        return result

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.url, self.folder / ".leat").published() as session:
            return session.execute(sql)


@pytest.fixture
def company(tmp_path: Path, warehouse_url: str | None) -> Iterator[Company]:
    with faulty() as server:
        calendars = server.fault = Calendars({A: {"1.ics": simple("a1")}, B: {"1.ics": simple("b1")}})
        write(tmp_path, server)
        yield Company(tmp_path, warehouse_url, calendars)


def write(folder: Path, server: Faulty) -> None:
    path = folder / "pipelines" / "calendar.yaml"
    path.parent.mkdir()
    names = ("events", "occurrences", "alarms", "attachments")
    streams = "{" + ", ".join(f"{name}: {{max_quarantine_share: 1}}" for name in names) + "}"
    path.write_text(f"source: calendar\ndriver: caldav\nconnection: {{url: '{server.url}'}}\nstreams: {streams}\n")


def test_odd_files_are_loaded_or_in_the_quarantine(company: Company) -> None:
    small = {name: content for name, (content, rows) in LOADED.items() if len(content) < 50_000 and rows < 100}
    odd = small | QUARANTINED
    company.calendars.files[A] |= {f"{number}.odd": content for number, content in enumerate(odd.values())}
    result = company.run()
    assert (result.status, result.error) == ("loaded", None)
    (healthy,) = company.query("SELECT count(*) FROM calendar.events WHERE uid IN ('a1', 'b1')")
    assert healthy == (2,)
    (loaded,) = company.query(f"SELECT count(*) FROM calendar.events WHERE calendar = '{A}'")
    assert loaded[0] > sum(LOADED[name][1] for name in small)
    (held,) = company.query("SELECT count(*) FROM leat.quarantine")
    assert held[0] >= len(QUARANTINED)
    assert company.run().status == "nothing_new"


def test_a_calendar_that_fails_leaves_its_rows_and_the_run_says_so(company: Company) -> None:
    assert company.run().status == "loaded"
    proofs = dict(company.query("SELECT stream, complete FROM leat.load_streams"))
    assert "sync-collection" in str(proofs["events"])
    assert "every listing names the folder" in str(proofs["calendars"])
    for path in (A, B):
        company.calendars.put(path, "1.ics", ics("UID:new", "DTSTART:20260312T100000Z"))
    lie: Reply = (403, {}, b"")
    company.calendars.lie = lambda method, path, _: lie if path == A and method == "REPORT" else None
    result = company.run()
    assert result.status == "failed"
    assert A in str(result.error)
    assert "let the account read this calendar" in str(result.error)
    assert company.query("SELECT calendar, uid FROM calendar.events WHERE _deleted_at IS NULL ORDER BY 1, 2") == [
        (A, "a1"),
        (B, "new"),
    ]
    company.calendars.lie = lambda *_: None
    assert company.run().status == "loaded"
    assert company.query("SELECT uid FROM calendar.events WHERE _deleted_at IS NULL") == [("new",), ("new",)]
