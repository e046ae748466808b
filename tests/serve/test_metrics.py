"""What `/metrics` says of a project that is behind, and that the alert rules speak of metrics that are there."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from leat.control.action_tables import Action
from leat.control.engine import writing
from leat.control.store import Counts, Declared, end_run, register, start_run
from leat.runs.monitoring import how_far_behind
from leat.runs.workspace import Workspace, open_workspace
from leat.serve.health import Health
from leat.serve.metrics import Metrics
from leat.serve.saturation import Saturation
from leat.warehouse.connect import open_warehouse
from tests.kit.child import wait_until
from tests.kit.command import ROOT, tally_project

RULES = ROOT / "docs" / "monitoring" / "leat.rules.yml"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    leat = tally_project(tmp_path)
    path = leat.folder / "pipelines" / "tally.yaml"
    path.write_text(path.read_text() + 'schedule: "0 * * * *"\n')
    return open_workspace(leat.folder)


def test_what_is_late_is_measured_from_its_time(workspace: Workspace) -> None:
    now = datetime.now(UTC)
    began = now.replace(minute=30, second=0, microsecond=0) - timedelta(hours=3)
    late = how_far_behind(workspace, began, began + timedelta(hours=2))
    assert (late.due, late.lag, late.queues["runs"]) == ({"tally": 5400.0}, {"tally": 5400.0}, 1)
    early = how_far_behind(workspace, began, began + timedelta(minutes=20))
    assert (early.due, early.lag, early.queues["runs"]) == ({}, {"tally": 0.0}, 0)
    register(workspace.store, {"tally": Declared("tally", "", "script", "")})
    run = start_run(workspace.store, "tally", "cli", holds_lock=True)
    failed = how_far_behind(workspace, began, now + timedelta(hours=1))
    assert failed.lag["tally"] > failed.due.get("tally", 0)  # it has begun, and hasn't ended well
    end_run(workspace.store, run, "nothing_new", Counts())
    assert how_far_behind(workspace, began, datetime.now(UTC)).lag["tally"] < 60
    workspace.close()


def test_queues_are_counted(workspace: Workspace) -> None:
    now = datetime(2026, 11, 30, tzinfo=UTC)
    given: dict[str, Any] = {
        "verb": "note", "guarantee": "key", "money": False, "title": "", "target": "", "parameters": {}, "plan": {},
        "digest": "", "created_by": "ops", "attempts": 0, "receipt": None,
        **dict.fromkeys(("created_at", "updated_at", "expires_at", "next_at"), now),
    }  # fmt: skip
    for number, (name, state) in enumerate(
        [("tally", "approved"), ("@alerts", "approved"), ("@webhooks.a", "sending"), ("tally", "proposed")]
    ):
        with writing(workspace.store) as session:
            session.add(Action(id=str(number), dedupe_key=str(number), integration=name, state=state, **given))
    assert how_far_behind(workspace, now, now).queues == {"runs": 0, "actions": 1, "webhooks": 1, "alerts": 1}
    workspace.close()


def test_rules_speak_of_metrics_that_are_there(workspace: Workspace, postgres_url: str) -> None:
    metrics = _metrics(workspace)
    metrics += _metrics(Workspace(replace(workspace.project, warehouse_url=postgres_url)))
    there = set(re.findall(r"^(leat_\w+)", metrics, re.MULTILINE))
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    asked = {name for rule in rules for name in re.findall(r"leat_\w+", rule["expr"])}
    assert asked <= there, asked - there
    assert len(rules) == len({rule["alert"] for rule in rules})
    assert all({"alert", "expr", "for", "labels", "annotations"} == set(rule) for rule in rules)
    page = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    families = set(re.findall(r"^# TYPE (leat_\w+)", metrics, re.MULTILINE))
    assert sorted(name for name in families if f"`{name}`" not in page) == []


def test_writers_that_wait_are_counted(postgres_url: str, tmp_path: Path) -> None:
    first, second = open_warehouse(postgres_url, tmp_path), open_warehouse(postgres_url, tmp_path)

    def write() -> None:
        with second.transaction():
            pass

    with first.transaction():
        waiting = threading.Thread(target=write)
        waiting.start()
        wait_until(lambda: first.waiting_writers() == 1)
    waiting.join()
    assert first.waiting_writers() == 0
    first.close()
    second.close()


def _metrics(workspace: Workspace) -> str:
    async def measured() -> bytes:
        health = Health(workspace)
        health.saturation = Saturation().measured()
        metrics = Metrics(health.gauges)
        metrics.answered("app", 200, 0.01)
        metrics.appended("tally")
        metrics.refused("tally")
        return generate_latest(metrics.registry)

    text = asyncio.run(measured()).decode()
    workspace.close()
    return text
