"""What a driver remembers is never ahead of its cursor, and never lost, at whichever line a run is killed."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import leat.files
import leat.sources.sidecar
from leat.sources.sidecar import open_sidecar
from tests.kit.examples import examples
from tests.kit.killed_lines import killed_at_each_line


def remember(folder: Path, cursor: str | None, content: bytes) -> str:
    """Do what a driver does in a run: open what its cursor names, and write what the next cursor names."""
    return open_sidecar(folder, [cursor]).write(content)


def test_a_killed_run_leaves_what_the_cursor_names(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    cursor = remember(folder, None, b"one")
    modules = (leat.files, leat.sources.sidecar)
    for ended in killed_at_each_line(lambda: remember(folder, cursor, b"two"), *modules):
        sidecar = open_sidecar(folder, [cursor])
        assert sidecar.read(cursor) == b"one"
        assert [path.name for path in folder.iterdir() if path.is_file()] == [cursor], "the rest is removed"
        assert ended or not list(sidecar.drafts.iterdir())
    after = remember(folder, cursor, b"two")
    assert open_sidecar(folder, [after]).read(after) == b"two"


@examples(0.3)
@given(runs=st.lists(st.tuples(st.binary(max_size=3), st.sampled_from(["applied", "killed", "new stream"]))))
def test_the_applied_cursor_always_finds_its_file(tmp_path_factory: Any, runs: list[tuple[bytes, str]]) -> None:
    folder = tmp_path_factory.mktemp("sidecar") / "files"
    cursor: str | None = None
    applied: Mapping[str | None, bytes | None] = {None: None}
    for content, how in runs:
        written = remember(folder, None if how == "new stream" else cursor, content)
        if how == "applied":
            cursor, applied = written, {written: content}
        assert open_sidecar(folder, []).read(cursor) == applied[cursor]


def test_drafts_get_a_name_when_they_are_finished(tmp_path: Path) -> None:
    sidecar = open_sidecar(tmp_path / "files", [])
    draft = sidecar.drafts / "piece"
    draft.write_text("content")
    path = sidecar.add(draft, "first")
    assert (path, path.read_text()) == (sidecar.find("first"), "content")
    (sidecar.drafts / "left").write_text("by a killed run")
    assert not list(open_sidecar(tmp_path / "files", ["first"]).drafts.iterdir())


def test_a_file_that_is_gone_or_was_changed_is_not_believed(tmp_path: Path) -> None:
    sidecar = open_sidecar(tmp_path / "files", [])
    name = sidecar.write(b"content")
    path = sidecar.find(name)
    assert path is not None
    assert {stat.S_IMODE(each.stat().st_mode) for each in (path, sidecar.folder)} == {0o600, 0o700}
    path.write_bytes(b"conten")
    assert sidecar.read(name) is None
    assert sidecar.write(b"content") == name
    assert sidecar.read(name) == b"content", "it is written again"
    path.unlink()
    assert (sidecar.find(name), sidecar.read(name), sidecar.read(None)) == (None, None, None)
