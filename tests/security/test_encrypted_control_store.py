"""A control store that SQLCipher encrypts: nothing of it is in clear on disk, and all works as without."""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path

import pytest
from sqlalchemy import text

from leat.control.audit_events import note_alone
from leat.control.changes import StoreChanges
from leat.control.engine import writing
from leat.control.moving import copy_control
from leat.control.store import open_control
from leat.sources.errors import NotConfigured
from leat.sources.platform.sql.store import TABLES, snapshot
from leat.sqlcipher import is_encrypted
from leat.warehouse.session import WarehouseError
from tests.contract.evidence import written
from tests.kit.child import CONTEXT, begin
from tests.kit.command import tally_project, then
from tests.kit.personal_values import PLANTED, places
from tests.kit.project import row, rows


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "control.key"
    file.write_text(secrets.token_hex(32) + "\n")
    return file


def url_of(folder: Path, key: Path | None = None) -> str:
    return f"sqlite:///{folder / 'control.db'}" + ("" if key is None else f"?encryption=file:{key}")


def _write_and_die(url: str) -> None:
    """Commit values, spill others of a transaction into the log, sort more than memory has, and die."""
    store = open_control(url)
    values = [{"value": f"{value} {number}"} for value in PLANTED["label"] for number in range(200)]
    with writing(store) as session:
        session.execute(text("CREATE TABLE planted (value TEXT)"))
        session.execute(text("INSERT INTO planted VALUES (:value)"), values)
    with writing(store) as session:
        session.execute(text("PRAGMA cache_size = 10"))
        session.execute(text("CREATE TABLE sorted AS SELECT value FROM planted ORDER BY value || value"))
        session.execute(text("INSERT INTO planted SELECT value || '!' FROM planted"))
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_leaves_nothing_in_clear(tmp_path: Path, key: Path) -> None:
    found = []
    for name, encrypted in (("clear", None), ("encrypted", key)):
        process = CONTEXT.Process(target=_write_and_die, args=(url_of(tmp_path / name, encrypted),))
        begin(process)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        files = sorted(path.name for path in (tmp_path / name).iterdir())
        assert "control.db-wal" in files
        found.append(places(written(tmp_path / name)))
    assert found[0], "the search finds them where nothing is encrypted"
    assert found[1] == []
    store = open_control(url_of(tmp_path / "encrypted", key))
    with store.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM planted")).scalar()
        assert count == 200 * len(PLANTED["label"])
    store.dispose()


def test_all_works_as_without(tmp_path: Path, key: Path) -> None:
    leat = tally_project(tmp_path / "project")
    (tmp_path / "store").mkdir()
    leat.variables["LEAT_CONTROL"] = url_of(tmp_path / "store", key)  # type: ignore[index]
    then(leat, rows("fed", row(1, "a")))
    for args in (("run",), ("runs",), ("status",), ("keys", "status"), ("audit", "verify"), ("query", "SELECT 1")):
        done = leat(*args)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
    assert leat("secret", "set", "planted", given="the planted secret").returncode == 0
    assert "planted" in leat("secret", "list").stdout
    assert "encrypted" in next(line for line in leat("doctor").stdout.splitlines() if "control store" in line)
    assert not (leat.folder / ".leat" / "control.db").exists()
    content = b"".join(path.read_bytes() for path in (tmp_path / "store").glob("control.db*"))
    assert not any(word in content for word in (b"SQLite format", b"CREATE TABLE", b"tally", b"planted"))
    key.write_text(secrets.token_hex(32))
    done = leat("runs")
    assert done.returncode != 0
    assert "?encryption= in its URL has to name the key" in done.stderr


def test_what_is_wrong_is_said(tmp_path: Path, key: Path) -> None:
    url = url_of(tmp_path, key)
    open_control(url).dispose()
    other = tmp_path / "other.key"
    other.write_text(secrets.token_hex(32))
    short = tmp_path / "short.key"
    short.write_text("abc")
    plain = tmp_path / "plain"
    open_control(url_of(plain)).dispose()
    mistakes = {
        url_of(tmp_path, other): "file is not a database; .*has to name the key that the file was encrypted with",
        url_of(tmp_path): "be left out if it isn't encrypted",
        url_of(plain, key): "be left out if it isn't encrypted",
        url_of(tmp_path, short): "doesn't hold 64 hexadecimal digits. Next: `openssl rand",
        url_of(tmp_path, tmp_path / "nowhere"): "can't be read from .*nowhere",
        f"{url_of(tmp_path)}?encryption=file:here.key": "write file:/absolute/path or env:NAME",
        f"{url_of(tmp_path)}?encryption=env:LEAT_NOT_SET": "the variable LEAT_NOT_SET is not set",
    }
    for wrong, message in mistakes.items():
        with pytest.raises(WarehouseError, match=message) as error:
            open_control(wrong)
        assert key.read_text().strip() not in str(error.value)
    with pytest.raises(NotConfigured, match="hexadecimal"), snapshot("leat", url_of(tmp_path, short)):
        pass
    open_control(url).dispose()


def test_it_moves_there_and_back(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAT_TEST_KEY", key.read_text().strip())
    source, there = url_of(tmp_path / "old"), f"{url_of(tmp_path / 'new')}?encryption=env:LEAT_TEST_KEY"
    old = open_control(source)
    note_alone(old, "publish.published")
    old.dispose()
    moved = copy_control(source, there)
    assert sum(each.rows for each in moved) > 0
    assert copy_control(there, url_of(tmp_path / "back")) == moved
    with snapshot("leat", there) as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {TABLES['runs']}")).scalar() == 0


def test_changes_are_seen(tmp_path: Path, key: Path) -> None:
    store, other = open_control(url_of(tmp_path, key)), open_control(url_of(tmp_path, key))
    assert is_encrypted(store)
    changes = StoreChanges(store)
    first = changes.version()
    assert changes.version() == first
    note_alone(other, "publish.published")
    assert changes.version() != first
    changes.close()
    store.dispose()
    other.dispose()
