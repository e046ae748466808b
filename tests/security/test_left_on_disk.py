"""What a run, a crash, a backup and logs leave on disk has no secret and no personal value in clear."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from leat.warehouse.connect import open_warehouse
from tests.contract.evidence import stored_values, written
from tests.kit.command import LEAT, Leat, tally_project, then
from tests.kit.personal_values import EVERY, PLANTED, needles, places, planted_rows
from tests.kit.planted import leaks
from tests.kit.project import row, rows

SECRET = "planted-secret-Qm7/x+9zT"
MASKED = ("label", "tags")
STREAMS = (
    f"{{fed: {{history: true, encrypt: [{EVERY}], max_quarantine_share: 1}}, scanned: {{mask: [{', '.join(MASKED)}]}}}}"
)
RULE = """/* ---
title: Nothing is heavy
description: Something weighs much.
next_step: Look at it.
key: [id]
--- */
SELECT id, label, shelf FROM tally.fed WHERE _deleted_at IS NULL
"""
ABORT = "import os; held = 'a core has this'; os.abort()"


@pytest.fixture
def leat(tmp_path: Path) -> Leat:
    """Give a project that has been loaded twice, with broken records and violations, and a stored secret."""
    leat = tally_project(tmp_path, STREAMS, TMPDIR=str(tmp_path))
    (tmp_path / "quality" / "rules").mkdir(parents=True)
    (tmp_path / "quality" / "rules" / "heavy.sql").write_text(RULE)
    assert leat("secret", "set", "planted", given=SECRET).returncode == 0
    odd = [{"do": "quarantine", "stream": "fed", "key": value, "reason": f"odd: {value!r}", "record": value}
           for value in PLANTED["label"]]  # fmt: skip
    masked = [{**row(i, "x"), **{name: each[name] for name in MASKED}} for i, each in enumerate(planted_rows())]
    for start in (0, 1000):
        then(leat, rows("fed", *planted_rows(start)), rows("scanned", *masked), *odd)
        done = leat("run")
        assert done.returncode == 0, done.stdout + done.stderr
    return leat


def crashed(leat: Leat, program: list[str]) -> list[Path]:
    """Run a program that crashes, with permission to leave a core; return the cores in its folder."""
    assert allowed(leat, program).returncode < 0, "a signal has ended it"
    return sorted(leat.folder.glob("core*"))


def allowed(leat: Leat, program: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program that may leave a core as large as the account may leave any."""
    shell = ["sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$0" "$@"', *program]
    return subprocess.run(shell, cwd=leat.folder, env=leat.env(), capture_output=True, text=True, check=False)


def test_no_value_and_no_secret_is_left_anywhere(leat: Leat) -> None:
    assert len(needles()) >= 200
    loaded = (leat.folder / "script.jsonl").read_text()
    then(leat, rows("fed", *planted_rows(2000)), {"do": "abort"})
    assert crashed(leat, [LEAT, "run"]) == []
    backup = leat.folder / "backup"
    backup.mkdir()
    with closing(sqlite3.connect(leat.folder / ".leat" / "control.db")) as store, \
            closing(sqlite3.connect(backup / "control.db")) as copy:  # fmt: skip
        store.backup(copy)
    shutil.copy(leat.folder / ".leat" / "warehouse.duckdb", backup)
    (leat.folder / "script.jsonl").rename(leat.folder / "the system")
    assert places(everywhere(leat)) == []
    assert leaks(leat.folder, [SECRET]) == []
    (leat.folder / "script.jsonl").write_text(loaded)
    assert leat("run").returncode == 0
    shown = "".join(leat("query", "--format", "csv", f"SELECT {EVERY} FROM tally.fed").stdout)
    assert len({place for place in places([("", shown.encode())])}) > 150, "whoever may sees them"


def everywhere(leat: Leat) -> Iterator[tuple[str, bytes]]:
    """Yield every file but the script, and the rows of the warehouse and of the copied control store."""
    yield from written(leat.folder, [leat.folder / "the system"])
    with open_warehouse(None, leat.folder / ".leat").published() as session:
        yield from stored_values(session)
    with closing(sqlite3.connect(leat.folder / "backup" / "control.db")) as store:
        yield "the backup", "\n".join(store.iterdump()).encode()


def test_a_program_that_does_not_say_so_leaves_a_core(tmp_path: Path) -> None:
    """Else the test above would find none whatever leat did; where cores go elsewhere, the limit itself is read."""
    leat = tally_project(tmp_path)
    cores = crashed(leat, [sys.executable, "-c", ABORT])
    assert [path for path in cores if b"a core has this" not in path.read_bytes()] == []
    read = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    opened = "from pathlib import Path; from leat.runs.workspace import open_workspace; open_workspace(Path('.'))"
    done = allowed(leat, [sys.executable, "-c", f"{opened}; {read}"])
    assert int(done.stdout) in (0, 1)
