"""Private files are whole or not there, at whichever line their writer is killed."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import leat.files
from leat.files import atomic_write, draft_of, lock, make_private, write_once
from tests.kit.killed_lines import killed_at_each_line


@pytest.mark.parametrize("durable", [True, False])
def test_a_killed_writer_leaves_the_old_content_or_the_new(tmp_path: Path, durable: bool) -> None:
    file = tmp_path / "file"
    seen = []
    for ended in killed_at_each_line(lambda: atomic_write(file, "new" * 9_999, durable=durable), leat.files):
        content = file.read_text() if file.exists() else ""
        assert content in ({"new" * 9_999} if ended else {"", "old", "new" * 9_999})
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
        seen.append(content)
        file.unlink(missing_ok=True)
        if len(seen) % 2:  # every second time there is none to replace
            atomic_write(file, "old")
    assert len(set(seen)) == 3, "it was killed before and after the change"


def test_a_file_that_is_made_once_is_whole_when_its_maker_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "key"
    for _ in killed_at_each_line(lambda: write_once(file, b"a" * 64), leat.files):
        assert not file.exists() or file.read_bytes() == b"a" * 64
        assert write_once(file, b"b" * 64) in (b"a" * 64, b"b" * 64)
        file.unlink()


def test_of_many_makers_one_wins(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        contents = set(pool.map(lambda n: write_once(tmp_path / "made" / "key", str(n).encode()), range(40)))
    assert len(contents) == 1
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["key"]
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o700


def test_a_draft_that_fails_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    atomic_write(file, b"old")
    with pytest.raises(ZeroDivisionError), draft_of(file) as draft:
        draft.write_text("half")
        raise ZeroDivisionError
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_file_is_private_whatever_the_umask_and_the_file_before(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("open to all")
    file.chmod(0o644)
    before = os.umask(0)
    try:
        atomic_write(file, "secret")
        make_private(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")} == {0o700}


def test_one_holds_a_lock_and_others_wait_or_go(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with ThreadPoolExecutor(1) as pool:
        with lock(file) as descriptor:
            os.pwrite(descriptor, b"held", 0)
            waiting = pool.submit(lambda: hold(file))
            with pytest.raises(BlockingIOError), lock(file, wait=0.05):
                pass
            assert not waiting.done()
            os.pwrite(descriptor, b"free", 0)
        assert waiting.result(timeout=60) == b"free"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def hold(file: Path) -> bytes:
    """Return what a file has in it when the lock is free."""
    with lock(file) as descriptor:
        return os.pread(descriptor, 99, 0)
