"""The order of a run and its error rules: what is refreshed, published and sent when something in it failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from leat.cli.usage import EXIT_CODES
from leat.control.publications import Publication
from leat.control.store import recent_runs
from leat.pipelines.load.engine import Request
from leat.pipelines.load.results import IntegrationResult, StreamResult
from leat.runs.load import Observer, load_step
from leat.runs.publish import Published
from leat.runs.result import Outcome, RunResult, needs_refresh
from leat.runs.run import refresh_and_publish, run
from leat.runs.workspace import Workspace
from leat.warehouse.session import WarehouseError
from tests.engine.test_publication import LABELS
from tests.kit.project import Tally, row, rows

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
FED = StreamResult("fed", 1, 0, 0, 0, 0, 1)
WITHHELD = Published(published=False, withheld=Publication("publish_withheld", NOW, "ann", {}))


def result(status: Any, *streams: StreamResult) -> IntegrationResult:
    return IntegrationResult("tally", status, streams=streams, error="it failed" if status == "failed" else None)


def outcome(*statuses: Any, publication: Published = WITHHELD) -> str:
    return RunResult(NOW, 1.0, [result(status) for status in statuses], publication=publication).outcome


def test_a_run_ends_by_the_worst_that_happened() -> None:
    published = Published(published=True)
    assert outcome("loaded", "nothing_new", publication=published) == "ok"
    assert outcome("loaded", "busy", publication=published) == "busy"
    assert outcome("blocked", "busy", publication=published) == "blocked"
    assert outcome("loaded", "busy") == "blocked", "readers don't get the newest version"
    assert outcome("failed", "blocked", "busy") == "failed"
    assert outcome(publication=published) == "ok"
    assert {name: EXIT_CODES[name] for name in get_args(Outcome)} == {"ok": 0, "failed": 1, "blocked": 3, "busy": 75}


@pytest.mark.parametrize(
    ("loaded", "later", "needed"),
    [
        (result("loaded", FED), True, False),
        (result("loaded", FED), False, True),
        (result("nothing_new"), False, True),  # what a killed run has applied is refreshed
        (result("failed", FED), True, True),  # the later step isn't run
        (result("failed", replace(FED, inserted=0)), True, False),
        (result("failed"), False, False),
    ],
)
def test_what_a_step_has_applied_is_refreshed_once(loaded: IntegrationResult, later: bool, needed: bool) -> None:
    assert needs_refresh(loaded, later=later) is needed


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    tally = Tally(tmp_path)
    tally.declare()
    model = tmp_path / "assets" / "models" / "labels.sql"
    model.parent.mkdir(parents=True)
    model.write_text(LABELS)
    tally.then(rows("fed", row(1, "one", weight=1.0)), rows("kept", row(1)))
    opened = Workspace(replace(tally.project, control_url=f"sqlite:///{tmp_path / 'control.db'}"))
    yield opened
    opened.close()


def tally_of(workspace: Workspace) -> Tally:
    return Tally(workspace.project.folder)


def labels(workspace: Workspace) -> list[tuple[Any, ...]]:
    return tally_of(workspace).query("SELECT id, label FROM analytics.labels ORDER BY id")


def test_a_run_loads_refreshes_and_publishes_in_this_order(workspace: Workspace) -> None:
    seen: list[str] = []
    observer = Observer(
        phase=lambda _name, phase: seen.append(phase),
        progress=lambda _name, _what, _count: seen.append("progress"),
        result=lambda each: seen.append(each.status),
        refreshing=lambda: seen.append("refreshing"),
    )
    done = run(workspace, ["tally"], Request(), observer)
    assert (done.outcome, done.changed, done.publication.published) == ("ok", True, True)
    assert [each for each in seen if each in ("started", "applied", "loaded", "refreshing")] == [
        "started",
        "applied",
        "loaded",
        "refreshing",
    ]
    assert labels(workspace) == [(1, "one")]
    assert [check.subject for check in done.checks][-1] == "analytics.labels"
    again = run(workspace, ["tally"], Request())
    assert (again.outcome, again.changed, again.refreshed) == ("ok", False, None)


def test_what_is_applied_is_published_although_a_stream_failed(workspace: Workspace) -> None:
    run(workspace, ["tally"], Request())
    tally_of(workspace).then(rows("fed", row(2, "two")), {"do": "failed", "stream": "kept"})
    done = run(workspace, ["tally"], Request())
    assert (done.outcome, done.integrations[0].status) == ("failed", "failed")
    assert done.publication.published
    assert labels(workspace) == [(1, "one"), (2, "two")]


def test_a_check_withholds_models_and_the_next_run_says_so_too(workspace: Workspace) -> None:
    run(workspace, ["tally"], Request())
    tally_of(workspace).then(rows("fed", row(2, "two", weight=99.0)))
    done = run(workspace, ["tally"], Request())
    assert (done.outcome, done.integrations[0].status, done.publication.published) == ("blocked", "loaded", False)
    assert labels(workspace) == [(1, "one")]
    assert run(workspace, [], Request()).outcome == "blocked"
    forced = run(workspace, [], Request(forced=True), reason="the fair is today")
    assert (forced.outcome, forced.publication.published) == ("ok", True)
    assert labels(workspace) == [(1, "one"), (2, "two")]


def test_a_run_fails_for_no_alert(workspace: Workspace) -> None:
    (workspace.project.folder / "quality").mkdir()
    (workspace.project.folder / "quality" / "alerts.yaml").write_text("channels: [")
    done = run(workspace, ["tally"], Request())
    assert (done.outcome, done.sent) == ("ok", [])
    assert "quality/alerts.yaml" in str(done.not_sent)
    assert labels(workspace) == [(1, "one")]


def test_a_dry_run_records_and_publishes_nothing(workspace: Workspace) -> None:
    done = run(workspace, ["tally"], Request(dry=True))
    assert (done.outcome, done.refreshed, done.publication.published) == ("ok", None, False)
    assert {each.stream: each.inserted for each in done.integrations[0].streams}["fed"] == 1
    assert done.integrations[0].load_id is None
    assert recent_runs(workspace.store) == []


def test_the_parts_of_a_run_can_be_steps(workspace: Workspace) -> None:
    loaded = load_step(workspace, "tally", Request())
    assert loaded.status == "loaded"
    assert [run.trigger for run in recent_runs(workspace.store)] == ["dagster"]
    refreshed, publication = refresh_and_publish(workspace)
    assert refreshed is not None
    assert publication.published
    assert labels(workspace) == [(1, "one")]


def test_overrides_are_read_without_making_a_store(workspace: Workspace) -> None:
    path = workspace.project.folder / "control.db"
    assert workspace.declarations["tally"].enabled
    assert not path.exists()
    path.write_text("this is no SQLite file, and long enough to be read as one that is damaged")
    with pytest.raises(WarehouseError, match="control store can't be read: file is not a database"):
        _ = Workspace(workspace.project).declarations
