"""Housekeeping of a lake: small files become large ones, old versions go, and so do files that no version has.

Only what a publication no longer names is removed, and only after it has been replaced for as long as is retained: a
reader may still be at an earlier one. What is removed has to be gone from the catalog too, so it is published again.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from leat.warehouse.duckdb.rewrite import FROM_SCRATCH
from leat.warehouse.duckdb.session import DuckDBSession
from leat.warehouse.duckdb.writer import WriterFile
from leat.warehouse.ducklake.guard import TIDIED
from leat.warehouse.session import Session, execute_all, literal

if TYPE_CHECKING:
    from leat.warehouse.postgres.warehouse import PostgresWarehouse

_READERS = "readers"
_REMOVED = ("cleanup_old_files", "delete_orphaned_files")
_OFTEN = 24
"""So many times within the time that is retained."""
_A_QUARTER = 0.25
"""Of a file's rows: when so many are deleted, it is written again."""


def linked(state: Path, catalog: Path) -> Path:
    """Return another name of a published catalog, by which it can be opened when the next one has taken its place.

    DuckLake opens the catalog by its name in each transaction, and fails if it has become another version.
    """
    status = catalog.stat()
    link = state / "lake" / _READERS / f"{status.st_ino}-{status.st_mtime_ns}.sqlite"
    link.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        link.hardlink_to(catalog)
    return link


def rewrite_lake(writer: WriterFile) -> None:
    """Write all files again that have deleted rows, and let all earlier versions go; the files are still there."""
    _run(writer, (*_compact(0), _expire(datetime.now(UTC))))
    writer.path.with_name(FROM_SCRATCH).touch(mode=0o600)


def tidy_lake(writer: WriterFile, retain: timedelta, publish: Callable[[], None], *, at_once: bool) -> None:
    """Do what is due, once a version is published that has no other files than the newest.

    Args:
        writer: whose lock is held.
        retain: how long earlier versions stay, and files that no version has any longer.
        publish: called when the catalog was written: whoever opens the newest version meanwhile doesn't lose it.
        at_once: whether to remove these files whenever they were replaced, because of what was in them.
    """
    mark = writer.path.with_name("tidied")
    if not at_once and not _is_due(mark, retain):
        return
    now = datetime.now(UTC)
    before = now if at_once else now - retain
    compacted = () if at_once else (*_compact(_A_QUARTER), _expire(before))
    _run(writer, (*compacted, *(_call(function, before) for function in _REMOVED)))
    with contextlib.closing(sqlite3.connect(writer.path)) as catalog:
        catalog.execute("VACUUM")  # SQLite doesn't erase what it frees, and small loads are rows of the catalog
    publish()
    for link in (writer.path.parent / _READERS).glob("*.sqlite"):
        if link.stat().st_mtime < before.timestamp():
            link.unlink()
    mark.touch(mode=0o600)


def is_due(server: PostgresWarehouse, retain: timedelta) -> bool:
    """Return whether a shared lake is to be tidied by this process; for the others it then isn't due any longer."""
    often = retain.total_seconds() / _OFTEN
    with server.connected() as connection:
        due = connection.exec_driver_sql(
            f"UPDATE {TIDIED} SET at = now() WHERE at < now() - make_interval(secs => {often})"
        )
        connection.commit()
        return due.rowcount == 1


def tidy_shared(session: Session, retain: timedelta) -> None:
    """Do what :func:`tidy_lake` does; nobody else writes meanwhile.

    Args:
        session: of a connection without an open transaction.
        retain: how long earlier versions stay, and files that no version has any longer.
    """
    before = datetime.now(UTC) - retain
    execute_all(session, (*_compact(_A_QUARTER), _expire(before), *(_call(each, before) for each in _REMOVED)))


def forget(session: Session) -> None:
    """Write all files again that have deleted rows, and remove the old ones and all earlier versions at once."""
    execute_all(session, _compact(0))
    *earlier, _ = sorted(
        number for (number,) in session.execute("SELECT snapshot_id FROM ducklake_snapshots('warehouse')")
    )
    if earlier:
        session.execute(f"CALL ducklake_expire_snapshots('warehouse', versions => {earlier})")
    execute_all(session, (f"CALL ducklake_{each}('warehouse', cleanup_all => true)" for each in _REMOVED))


def _is_due(mark: Path, retain: timedelta) -> bool:
    try:
        age = time.time() - mark.stat().st_mtime
    except FileNotFoundError:
        mark.touch(mode=0o600)  # nothing is old yet
        return False
    return age < 0 or age >= retain.total_seconds() / _OFTEN


def _compact(deleted: float) -> tuple[str, ...]:
    return (
        "CALL ducklake_flush_inlined_data('warehouse')",
        f"CALL ducklake_rewrite_data_files('warehouse', delete_threshold => {deleted})",
        "CALL ducklake_merge_adjacent_files('warehouse')",
    )


def _expire(before: datetime) -> str:
    return _call("expire_snapshots", before)


def _call(function: str, before: datetime) -> str:
    return f"CALL ducklake_{function}('warehouse', older_than => {literal(before)})"


def _run(writer: WriterFile, statements: tuple[str, ...]) -> None:
    connection = writer.connect()
    try:
        execute_all(DuckDBSession(connection, writer.form.dialect), statements)
    finally:
        connection.close()
