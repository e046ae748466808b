"""A copy of this project in a repository of its own that nobody commits to, and its demo, started and loaded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from leat.control.keys.kek_places import FILE
from leat.demo.project import shipped_automations, write_project
from leat.demo.seed.git_history import git
from leat.demo.servers.process import Process
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import Warehouse
from tests.kit.command import ROOT, Leat
from tests.kit.engines import EMBEDDED_URL
from tests.servers.postgres import postgres_url

INTEGRATIONS = tuple(path.stem for path in sorted((ROOT / "pipelines").glob("*.yaml")))


@dataclass(frozen=True)
class Demo:
    """The project, and what its first ``leat demo`` said."""

    leat: Leat
    first: subprocess.CompletedProcess[str]

    @property
    def state(self) -> Path:
        return self.leat.folder / ".leat"


@dataclass(frozen=True)
class Both:
    """The warehouse of the demo, and another one that was loaded from the same servers.

    It is on Postgres, or a lake if ``LEAT_TEST_ENGINES`` says so.

    Attributes:
        demo: the demo.
        leat: the command for the other one: a project of its own on the same control store.
        duckdb: the demo's warehouse.
        other: the other one.
        said: what its first run printed with ``--json``.
    """

    demo: Demo
    leat: Leat
    duckdb: Warehouse
    other: Warehouse
    said: Mapping[str, Any]


def company(state: Path) -> dict[str, Any]:
    """Return what the demo has written down of its servers: their ports, their processes, the password."""
    value: dict[str, Any] = json.loads((state / "demo" / "company.json").read_text())
    return value


def copied_project(folder: Path) -> Path:
    """Copy what is declared, and commit it in two steps."""
    write_project(folder)
    git(folder, "init", "-q", "-b", "main")
    (folder / ".gitignore").write_text(".leat/\n")
    git(folder, "config", "user.name", "Alice Martin")
    git(folder, "config", "user.email", "alice.martin@demo.example")
    git(folder, "add", ".gitignore")
    git(folder, "commit", "-q", "-m", "Begin")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Declare everything")
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Start the demo; its servers run until the end of the session.

    With ``LEAT_TEST_DEMO``, the folder of a project whose demo runs and is loaded, that one is used: for whoever writes
    a test.
    """
    if given := os.environ.get("LEAT_TEST_DEMO"):
        leat = Leat(Path(given), patience=500)
        yield _without_proposals(Demo(leat, leat("run")))
        return
    leat = Leat(copied_project(tmp_path_factory.mktemp("company") / "project"), patience=500)
    try:
        yield _without_proposals(Demo(leat, leat("demo", "--no-dashboard")))  # its worker would load between tests
    finally:
        leat("demo", "--stop")


def _without_proposals(demo: Demo) -> Demo:
    """Disable the automations: two warehouses would propose for the same systems, and what tests break as well."""
    for name in sorted(shipped_automations()):
        demo.leat("automations", "disable", name)
    return demo


@pytest.fixture(scope="session")
def both(demo: Demo, postgres_server: Process, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """Load into another warehouse what the demo has loaded into DuckDB."""
    given = {name: str(value) for name, value in dotenv_values(demo.state / "demo" / "env").items()}
    given["LEAT_CONTROL"] = f"sqlite:///{demo.state / 'control.db'}"
    home = tmp_path_factory.mktemp("parity")
    url = EMBEDDED_URL or postgres_url(postgres_server)
    shutil.copy(demo.state / FILE, home)  # both use one control store, whose keys this one opens
    leat = Leat(demo.leat.folder, {**given, "LEAT_HOME": str(home), "LEAT_WAREHOUSE": url}, patience=500)
    said = leat.json("run")
    ended = {each["integration"]: each["status"] for each in said["integrations"]}
    assert ended == dict.fromkeys(INTEGRATIONS, "loaded"), said
    return Both(demo, leat, open_warehouse(None, demo.state), open_warehouse(url, home), said)
