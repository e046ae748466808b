"""``leat demo``: the first start loads everything, a second one finds everything as it was."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.company.conftest import INTEGRATIONS, Demo, company

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started

FOLDERS = ("repositories", "radicale", "datasette", "stripe")
"""Data of servers that store each thing in a file of its own, and write nothing while they are only read."""


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what shows whether the servers' data were written again; logs, locks and the name of HEAD may be."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".log")
    compared = [path for path in paths if ".Radicale" not in str(path) and path.name != "HEAD"]
    assert compared
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in compared}


def test_the_first_start_loads_everything_and_says_what_to_do_next(demo: Demo) -> None:
    assert demo.first.returncode == 0, demo.first.stdout + demo.first.stderr
    for name in INTEGRATIONS:
        assert f"✓ {name}: loaded in" in demo.first.stdout
    assert demo.first.stdout.count("Next:") >= 1
    proposed = demo.first.stdout.partition("leat sends nothing before you approve it:")[2].partition("Next:")[0]
    for verb in ("email.send", "payments.refund", "sso.end_session", "sso.remove_from_group"):
        assert f"  {verb}: " in proposed, proposed
    assert "actions approve --all" in proposed
    said = demo.leat.json("query", "SELECT * FROM analytics.commit_activity ORDER BY week DESC LIMIT 5")
    assert len(said["rows"]) == 5, "the query that the demo proposes has an answer"
    for name in ("company.json", "env"):
        assert stat.S_IMODE((demo.state / "demo" / name).stat().st_mode) == 0o600
    assert company(demo.state)["password"] not in demo.first.stdout + demo.first.stderr
    assert "Dashboard:" not in demo.first.stdout
    assert "dashboard" not in company(demo.state)["pids"]


def test_a_second_start_seeds_and_loads_nothing(demo: Demo) -> None:
    assert demo.leat("run").returncode == 0  # others share the control store: what their runs left there is news once
    before = (company(demo.state), [written(demo.state / "demo" / name) for name in FOLDERS])
    published = (demo.state / "warehouse.duckdb").stat()
    again = demo.leat("demo", "--no-dashboard")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.count(": nothing new (") == len(INTEGRATIONS), again.stdout
    after = (company(demo.state), [written(demo.state / "demo" / name) for name in FOLDERS])
    assert after[0] == before[0], "the servers are those of before"
    assert after[1] == before[1]
    now = (demo.state / "warehouse.duckdb").stat()
    assert (now.st_ino, now.st_mtime_ns) == (published.st_ino, published.st_mtime_ns)


def test_everything_is_as_documented(demo: Demo) -> None:
    assert demo.leat.json("check")["ok"]
    assert demo.leat.json("doctor")["ok"]
    for _ in range(2):  # others share the control store: what their runs left there is news once
        assert demo.leat("run").returncode == 0
    shown = demo.leat.json("status")["integrations"]
    assert [each["integration"] for each in shown] == list(INTEGRATIONS)
    assert {each["last_status"] for each in shown} == {"nothing_new"}
    assert {each["error"] for each in shown} == {None}
