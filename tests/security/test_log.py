"""The log of a project: times in UTC, one line for each message, whatever a value holds, and no secrets."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from leat.runs.workspace import open_workspace
from leat.sources.settings import remember_secret

FORGED = "x\n2030-01-01T00:00:00.000Z INFO leat all is well\r\n\x1b[2J\u2028end"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    (tmp_path / "pipelines").mkdir()
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    workspace = open_workspace(tmp_path, may_be_empty=True)
    yield workspace.project.state / "logs" / "leat.log"
    workspace.close()
    logging.getLogger().handlers = handlers
    logging.getLogger().setLevel(level)


def test_a_value_forges_no_line(log: Path) -> None:
    logging.getLogger("leat.test").warning("the name is %s", FORGED)
    (line,) = log.read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING leat\.test the name is x\\n2030.*end", line)
    assert "\x1b" not in line


def test_an_error_has_its_trace_and_no_secret(log: Path) -> None:
    remember_secret("planted-Secret-4711")
    try:
        raise ValueError("planted-Secret-4711")  # noqa: EM101, TRY301 - its text is what is tested
    except ValueError:
        logging.getLogger("leat.test").exception("it failed with planted-Secret-4711")
    text = log.read_text(encoding="utf-8")
    assert "planted-Secret-4711" not in text
    assert "ValueError" in text
