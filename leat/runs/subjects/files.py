"""Erases a person from the files of the state folder that aren't the warehouse: logs, segments, caches, databases."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from leat.runs.subjects.searching import Searcher

Done = Literal["overwritten", "rewritten", "removed", "remains"]
_LINES = frozenset({".log", ".ndjson", ".jsonl", ".out", ".err"})
_SQLITE = b"SQLite format 3\0"
_MADE_AGAIN = ("cache", "query", "docs", "answers")
"""Folders whose files leat makes again when it needs them."""
_APART = frozenset({"demo"})
"""The servers of the demo: systems of their own."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that named a person, and what became of it."""

    path: str
    done: Done


def naming_files(state: Path, searcher: Searcher, apart: Sequence[Path] = ()) -> list[Path]:
    """Return the files of a state folder that name a person, without those that are handled apart."""
    return [path for path in _files(state, apart) if searcher.finds_in(path)]


def erase_files(state: Path, searcher: Searcher, apart: Sequence[Path] = ()) -> list[NamedFile]:
    """Erase a person from the files of a state folder; return those that named them, and what was done.

    A log or a segment that another process may have open is overwritten in place, with as many bytes: its lines and
    their places stay as they are.
    """
    return [NamedFile(str(path.relative_to(state)), _erase(state, path, searcher))
            for path in naming_files(state, searcher, apart)]  # fmt: skip


def forget_memory(state: Path, integrations: Sequence[str], searcher: Searcher) -> list[str]:
    """Remove what was landed of integrations, and what their drivers remember where it names a person.

    What was landed is extracted again, and a driver that has lost its memory reads everything from the start. The
    caller holds the right to run them. Returns the folders that were removed.
    """
    landings = [state / "landing" / f"{name}{end}" for name in integrations for end in ("", ".dry")]
    memories = [state / "sources" / f"{name}{end}" for name in integrations for end in ("", ".from")]
    removed = [folder for folder in landings if folder.is_dir() and any(folder.iterdir())]
    removed += [folder for folder in memories if any(searcher.finds_in(path) for path in _files_below(folder))]
    for folder in removed:
        for plan in folder.glob("*/plan.json"):  # a landing without its plan isn't applied
            plan.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    return [str(folder.relative_to(state)) for folder in removed]


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _files(state: Path, apart: Sequence[Path]) -> Iterator[Path]:
    skipped = {path.resolve() for path in apart}
    for path in sorted(state.rglob("*")):
        inside = path.relative_to(state).parts
        if inside[0] in _APART or path.is_symlink() or not path.is_file():
            continue
        if path.resolve() not in skipped and not skipped & {parent.resolve() for parent in path.parents}:
            yield path


def _erase(state: Path, path: Path, searcher: Searcher) -> Done:
    if path.relative_to(state).parts[0] in _MADE_AGAIN:
        path.unlink(missing_ok=True)
        return "removed"
    with path.open("rb") as file:
        head = file.read(len(_SQLITE))
    if head == _SQLITE:
        return _rewrite_database(path, searcher)
    if path.suffix in _LINES or ".log." in path.name:
        _overwrite(path, searcher)
    return "remains" if searcher.finds_in(path) else "overwritten"


def _overwrite(path: Path, searcher: Searcher) -> None:
    """Overwrite each value in a file with as many letters x."""
    content = path.read_bytes()
    with path.open("r+b") as file:
        for start, end in searcher.legible(content):
            file.seek(start)
            file.write(b"x" * (end - start))


def _rewrite_database(path: Path, searcher: Searcher) -> Done:
    """Overwrite the values in all texts of a SQLite database, and let its file have nothing else of them."""
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as database:
        database.create_function("leat_without", 1, lambda value: _without(value, searcher), deterministic=True)
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        try:
            for table in tables:
                for column in [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]:
                    name = '"' + column.replace('"', '""') + '"'
                    database.execute(
                        f'UPDATE "{table}" SET {name} = leat_without({name}) WHERE leat_without({name}) IS NOT {name}'
                    )
            database.commit()
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error:
            return "remains"
    return "remains" if searcher.finds_in(path) else "rewritten"


def _without(value: Any, searcher: Searcher) -> Any:
    if isinstance(value, str):
        return searcher.without(value.encode()).decode()
    return searcher.without(value) if isinstance(value, bytes) else value
