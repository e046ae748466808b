"""``leat demo``: a second start finds everything as it was, and the end is the end of its servers alone."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from leat.demo.company import start_company, stop_company
from leat.demo.servers.process import free_port, is_listening, is_running, running, start
from tests.company.conftest import INTEGRATIONS, Demo, copied_project

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started

KEPT = ("repositories", "radicale", "datasette", "stripe")
"""Data of servers that keep each thing in a file of its own, and write nothing while they are only read."""


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what tells whether the servers' data were written again; logs, locks and the name of HEAD may be."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".log")
    kept = [path for path in found if ".Radicale" not in str(path) and path.name != "HEAD"]
    assert kept
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in kept}


def company(state: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((state / "demo" / "company.json").read_text())
    return value


def test_the_first_start_loads_everything_and_says_what_to_do_next(demo: Demo) -> None:
    assert demo.first.returncode == 0, demo.first.stdout + demo.first.stderr
    for name in INTEGRATIONS:
        assert f"✓ {name}: loaded in" in demo.first.stdout
    assert demo.first.stdout.count("Next:") >= 1
    said = demo.leat.json("query", "SELECT * FROM analytics.commit_activity ORDER BY week DESC LIMIT 5")
    assert len(said["rows"]) == 5, "the query that the demo proposes has an answer"
    for name in ("company.json", "env"):
        assert stat.S_IMODE((demo.state / "demo" / name).stat().st_mode) == 0o600
    assert company(demo.state)["password"] not in demo.first.stdout + demo.first.stderr


def test_a_second_start_seeds_and_loads_nothing(demo: Demo) -> None:
    assert demo.leat("run").returncode == 0  # others share the control store: what their runs left there is news once
    before = (company(demo.state), [written(demo.state / "demo" / name) for name in KEPT])
    published = (demo.state / "warehouse.duckdb").stat()
    again = demo.leat("demo")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.count(": nothing new (") == len(INTEGRATIONS), again.stdout
    after = (company(demo.state), [written(demo.state / "demo" / name) for name in KEPT])
    assert after[0] == before[0], "the servers are those of before"
    assert after[1] == before[1]
    now = (demo.state / "warehouse.duckdb").stat()
    assert (now.st_ino, now.st_mtime_ns) == (published.st_ino, published.st_mtime_ns)


def test_everything_is_as_it_is_told(demo: Demo) -> None:
    assert demo.leat.json("check")["ok"]
    assert demo.leat.json("doctor")["ok"]
    for _ in range(2):  # others share the control store: what their runs left there is news once
        assert demo.leat("run").returncode == 0
    shown = demo.leat.json("status")["integrations"]
    assert [each["integration"] for each in shown] == list(INTEGRATIONS)
    assert {each["last_status"] for each in shown} == {"nothing_new"}
    assert {each["error"] for each in shown} == {None}


def test_the_end_is_that_of_its_own_servers_and_a_new_start_is_at_the_same_address(tmp_path: Path) -> None:
    checkout, folder = copied_project(tmp_path / "project"), tmp_path / "demo"
    port = free_port()
    argv = ["python", "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with running(start("other", argv, tmp_path / "other", port)) as other:
        start_company(folder, checkout, [], lambda _what: None)
        began = json.loads((folder / "company.json").read_text())
        assert all(is_running(pid) for pid in began["pids"].values())
        assert sorted(stop_company(folder)) == sorted(began["pids"])
        assert not [pid for pid in began["pids"].values() if is_running(pid)]
        assert not [at for at in began["ports"].values() if is_listening(at)]
        assert is_running(other.pid)
        assert list(stop_company(folder)) == []
    start_company(folder, checkout, [], lambda _what: None)
    again = json.loads((folder / "company.json").read_text())
    assert sorted(stop_company(folder)) == sorted(again["pids"])
    assert {**again, "pids": None} == {**began, "pids": None}
