"""The docs are followed to the letter: what they say to write and run works, and prints what they say."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from leat.demo.servers.datasette_server import start_datasette, token_of
from leat.demo.servers.process import running
from leat.warehouse.connect import open_warehouse
from tests.repository.docs_blocks import blocks, settled

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COMMIT = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "--allow-empty", "-m")
WEEKLY = "/* ---\ndescription: Commits.\n--- */\nSELECT COUNT(*) AS commits FROM code.commits\n"


def environment(**changes: str) -> dict[str, str]:
    """Return the variables of a user who has just installed leat."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LEAT_", "DAGSTER_", "GIT_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    return {**env, "PATH": path, "COLUMNS": "250", **changes}


def run(folder: Path, *argv: str, code: int = 0, **changes: str) -> str:
    done = subprocess.run(argv, cwd=folder, env=environment(**changes), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def follow(page: Path, section: str, folder: Path) -> None:
    """Write the files of a section, run its commands, and compare what they print with what it says."""
    printed: list[str] = []
    for block in blocks(page, section):
        if block.file is not None:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.kind == "sh":
            printed = settled(run(folder, "bash", "-eu", "-c", block.text))
        elif block.kind == "text":
            assert [line for line in settled(block.text) if line not in printed] == [], printed


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the project of the README, in a repository with two commits."""
    folder = tmp_path_factory.mktemp("project")
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, *COMMIT, "Begin")
    run(folder, *COMMIT, "Go on")
    follow(ROOT / "README.md", "## Your first table", folder)
    return folder


def test_the_readme_can_be_followed(project: Path) -> None:
    assert "Ada,2" in run(
        project, "leat", "query", "--format", "csv", "SELECT author_name, count(*) FROM code.commits GROUP BY 1"
    )


def queries() -> Iterator[str]:
    for page in (page for page in PAGES if page.name not in ("analysts.md", "tour.md")):  # those ask the demo
        yield from (block.text for block in blocks(page) if block.kind == "sql" and block.file is None)


def test_queries_of_the_docs_run_on_duckdb(project: Path) -> None:
    for sql in queries():
        with open_warehouse(None, project / ".leat").query(sql) as answer:
            assert answer.columns
            list(answer.rows)


def test_queries_of_the_docs_run_on_postgres(project: Path, tmp_path: Path, postgres_url: str) -> None:
    run(project, "leat", "run", LEAT_WAREHOUSE=postgres_url, LEAT_HOME=str(tmp_path / "state"))
    for sql in queries():
        with open_warehouse(postgres_url, tmp_path).query(sql) as answer:
            list(answer.rows)


def test_python_of_the_readme_runs(project: Path) -> None:
    code = [block.text for block in blocks(ROOT / "README.md") if block.kind == "python"]
    assert code
    for text in code:
        assert "Go on" in run(project, sys.executable, "-W", "error", "-c", text)


def test_json_is_as_documented(project: Path, tmp_path: Path) -> None:
    (project / "assets" / "models" / "weekly.sql").write_text(WEEKLY, encoding="utf-8")
    run(project, *COMMIT, "And on")
    (project / "templates").mkdir()
    (project / "templates" / "welcome.html").write_text("---\nsubject: Hello\n---\n<p>Hello</p>", encoding="utf-8")
    run(project, "leat", "suppressions", "add", "ann@example.com")
    printed = {
        "## leat run --json, leat reset --json, leat publish --json": run(project, "leat", "run", "--json"),
        "## leat preview --json": run(project, "leat", "preview", "code.merges", "--json"),
        "## leat quarantine --json": run(project, "leat", "quarantine", "--json"),
        "## leat violations --json": run(project, "leat", "violations", "--json"),
        "## leat status --json": run(project, "leat", "status", "--json"),
        "## leat runs --json": run(project, "leat", "runs", "--json"),
        "## leat logs --json": run(project, "leat", "logs", "--json"),
        "## leat query --json": run(project, "leat", "query", "--json", "SELECT count(*) AS commits FROM code.commits"),
        "## leat check --json": run(project, "leat", "check", "--json"),
        "## leat act --json, leat actions --json": run(project, "leat", "actions", "--json"),
        "## leat automations --json": run(project, "leat", "automations", "--json"),
        "## leat templates --json": run(project, "leat", "templates", "--json"),
        "## leat suppressions --json": run(project, "leat", "suppressions", "--json"),
        "## leat tokens --json": run(project, "leat", "tokens", "--json"),
        "## leat secret --json": run(project, "leat", "secret", "--json"),
        "## leat keys --json": run(project, "leat", "keys", "--json"),
        "## leat access explain --json": run(project, "leat", "access", "explain", "analyst", "code.commits", "--json"),
        "## leat audit --json": run(project, "leat", "audit", "list", "--event", "run", "--json"),
        "## leat doctor --json": run(project, "leat", "doctor", "--json"),
        "## leat init --json": run(tmp_path, "leat", "init", "--json"),
        "## Errors": run(project, "leat", "run", "shop", "--json", code=2),
    }
    page = ROOT / "docs" / "json.md"
    # leat ack needs a violation, alerts, webhooks and access plan a declaration, slots a calendar, subject a person;
    without = 9  # move has tests of its own; two serve
    assert sum(block.kind == "json" for block in blocks(page)) == len(printed) + without
    for section, output in printed.items():
        (documented,) = (json.loads(block.text) for block in blocks(page, section) if block.kind == "json")
        assert_alike(documented, json.loads(output), section)


def assert_alike(documented: Any, printed: Any, at: str) -> None:
    """Compare the keys of two JSON values; of lists, the first items."""
    if isinstance(documented, Mapping) and printed is not None:
        assert list(documented) == list(printed), at
        for key, value in documented.items():
            assert_alike(value, printed[key], f"{at}.{key}")
    elif isinstance(documented, list) and documented and printed:
        assert_alike(documented[0], printed[0], f"{at}[]")
    elif documented is not None and printed is not None:
        numbers = isinstance(documented, int | float) and isinstance(printed, int | float)
        assert numbers or type(documented) is type(printed), at


def test_a_source_is_added_as_contributing_says(tmp_path: Path) -> None:
    for section in ("## Add a source", "## Add a model", "## Add a rule"):
        follow(ROOT / "CONTRIBUTING.md", section, tmp_path)


def test_actions_on_a_rest_api_are_declared_as_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "server" / "support.db"
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as opened:
        columns = "number INTEGER PRIMARY KEY, subject TEXT, priority INTEGER, status TEXT, reference TEXT"
        opened.execute(f"CREATE TABLE tickets ({columns})")
    with running(start_datasette(database.parent, database, secret="secret")) as server:
        monkeypatch.setenv("SUPPORT_URL", f"http://127.0.0.1:{server.port}/")
        monkeypatch.setenv("SUPPORT_TOKEN", token_of("secret"))
        follow(ROOT / "docs" / "actions" / "rest_api.md", "## An example", tmp_path / "project")
    with closing(sqlite3.connect(database)) as opened:
        assert opened.execute("SELECT subject, priority, status FROM tickets").fetchall() == [
            ("The lamp flickers", 2, "open")
        ]
