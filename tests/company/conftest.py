"""A copy of this project in a repository of its own that nobody commits to, and its demo, started and loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.git_history import git
from tests.kit.command import ROOT, Leat

INTEGRATIONS = tuple(path.stem for path in sorted((ROOT / "pipelines").glob("*.yaml")))


@dataclass(frozen=True)
class Demo:
    """The project, and what its first ``leat demo`` said."""

    leat: Leat
    first: subprocess.CompletedProcess[str]

    @property
    def state(self) -> Path:
        return self.leat.folder / ".leat"


def copied_project(folder: Path) -> Path:
    """Copy what is declared, and commit it in two steps."""
    for name in ("pipelines", "assets/models", "quality/rules"):
        kinds = shutil.ignore_patterns("*.py", "__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=kinds)
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
        yield Demo(leat, leat("run"))
        return
    leat = Leat(copied_project(tmp_path_factory.mktemp("company") / "project"), patience=500)
    try:
        yield Demo(leat, leat("demo"))
    finally:
        leat("demo", "--stop")
