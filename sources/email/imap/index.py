"""What was loaded, on disk: UID, flags and thread of every message, so that memory doesn't grow with the mailboxes.

The cursor names the file; a run that changes anything works on a copy of it. Ids are stored as hashes only.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leat.sources.sidecar import Sidecar, open_sidecar

_TABLES = """
CREATE TABLE message (
    account TEXT, mailbox TEXT, uid INTEGER, uidvalidity INTEGER, flags TEXT, own TEXT, thread TEXT, at INTEGER,
    PRIMARY KEY (account, mailbox, uid)
) WITHOUT ROWID;
CREATE INDEX by_thread ON message (account, thread);
CREATE TABLE parent (account TEXT, child TEXT, parent TEXT, PRIMARY KEY (account, child)) WITHOUT ROWID;
"""
_TOUCHED = """
CREATE TEMP TABLE touched (account TEXT, thread TEXT, PRIMARY KEY (account, thread)) WITHOUT ROWID;
CREATE TEMP TABLE again (account TEXT, mailbox TEXT, uid INTEGER, PRIMARY KEY (account, mailbox, uid)) WITHOUT ROWID;
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Index:
    """The index of one run; ``open_index`` makes it."""

    def __init__(self, sidecar: Sidecar, before: Path | None) -> None:
        self._sidecar = sidecar
        self._before = before
        self._draft: Path | None = None
        self._database = sqlite3.connect(f"file:{before}?mode=ro", uri=True) if before else None

    @property
    def is_new(self) -> bool:
        """Whether nothing was loaded before."""
        return self._before is None

    @property
    def is_changed(self) -> bool:
        """Whether anything was written in this run."""
        return self._draft is not None

    def close(self) -> None:
        """Close it; what was written and not saved is lost."""
        if self._database is not None:
            self._database.close()
        if self._draft is not None:
            self._draft.unlink(missing_ok=True)

    def save(self) -> str | None:
        """Save what was written under a new name and return that; None when nothing was."""
        if self._draft is None or self._database is None:
            return None
        self._database.commit()
        self._database.close()
        self._database = None
        name = self._draft.name
        self._sidecar.add(self._draft, name)
        self._draft = None
        return name

    def read(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query."""
        if self._database is not None:
            yield from self._database.execute(sql, values)

    def first(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """Return the first row of a query; None when there is none."""
        rows = None if self._database is None else self._database.execute(sql, values).fetchone()
        return None if rows is None else tuple(rows)

    def write(self, sql: str, *values: Any) -> None:
        """Change something; the first time, on a copy."""
        self._writable().execute(sql, values)

    def write_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Change something for each row."""
        self._writable().executemany(sql, rows)

    def _writable(self) -> sqlite3.Connection:
        if self._draft is None or self._database is None:
            self._draft = self._sidecar.drafts / secrets.token_hex(8)
            self._draft.touch(mode=0o600)
            if self._before is not None and self._database is not None:
                self._database.close()
                shutil.copyfile(self._before, self._draft)
            self._database = sqlite3.connect(self._draft)
            self._database.execute("PRAGMA synchronous = OFF")  # it is brought to the disk once, when it is finished
            self._database.execute("PRAGMA journal_mode = OFF")
            if self._before is None:
                self._database.executescript(_TABLES)
            self._database.executescript(_TOUCHED)
        return self._database


@contextmanager
def open_index(folder: Path, name: str | None) -> Iterator[Index]:
    """Open the index that a cursor names, or an empty one where there is none.

    Args:
        folder: the integration's.
        name: what :meth:`Index.save` returned.
    """
    sidecar = open_sidecar(folder / "index", [name])
    before = sidecar.find(name)
    index = Index(sidecar, before if before is not None and _is_whole(before) else None)
    try:
        yield index
    finally:
        index.close()


def _is_whole(path: Path) -> bool:
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            rows = database.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()
            return bool(rows == (2,))
        finally:
            database.close()
    except sqlite3.Error:
        return False


def microseconds(moment: datetime | None) -> int | None:
    """Return a time as microseconds since 1970."""
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(stored: int | None) -> datetime | None:
    """Return the time that :func:`microseconds` was given."""
    return None if stored is None else _EPOCH + timedelta(microseconds=stored)
