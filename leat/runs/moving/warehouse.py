r"""Moves a warehouse to another engine: one transaction there, which is committed only when all tables compare equal.

::

    old (nobody writes)  --batches--> parquet files --stage--> new (one transaction)
                         \--digest--\            /--digest--/   equal, then commit

So a move that is killed leaves the new warehouse as empty as it was, and can be repeated. The old one is only read.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leat.files import lock
from leat.runs.moving.digest import Digest, Digester
from leat.runs.moving.tables import MovedTable, finish_tables, is_empty, make_tables, read_tables
from leat.runs.workspace import Workspace
from leat.warehouse.session import Busy, Session, Warehouse, WarehouseError, quote

if TYPE_CHECKING:
    import pyarrow as pa

_FILE_BYTES = 64 << 20
_ROOM = 200 << 20
_WAIT = 5.0
_STAGED = "leat_moved"


@dataclass(frozen=True, slots=True)
class Moved:
    """A table that was moved: its name, its rows, and the checksum that both sides have."""

    table: str
    rows: int
    checksum: str


def move_warehouse(
    workspace: Workspace, target: Warehouse, observer: Callable[[Moved], None] = lambda _: None
) -> list[Moved]:
    """Copy the warehouse of a project to another one, and compare both; the old one isn't changed.

    Args:
        workspace: the project, with its old warehouse.
        target: the new one, without tables of leat.
        observer: called for each table that was copied and compared.

    Returns:
        What was moved. Models that are views and the catalog follow with the next refresh.

    Raises:
        Busy: `leat serve` or a run is going on.
        WarehouseError: there is nothing to move, the new one isn't empty, has no room, or differs.
    """
    with serve_ended(workspace):
        check_no_run(workspace)
        with workspace.warehouse.at_rest(_WAIT) as source:
            tables = read_tables(source)
            if not tables:
                msg = "the warehouse has no tables yet, so there is nothing to move. Next: set LEAT_WAREHOUSE and run"
                raise WarehouseError(msg)
            _check_room(source, target, workspace.project.state)
            with target.transaction() as session:
                return _copy_all(workspace, source, session, tables, observer)


@contextmanager
def serve_ended(workspace: Workspace) -> Iterator[None]:
    """Hold the lock of `leat serve`, which would store webhooks in the old warehouse."""
    try:
        with lock(workspace.project.state / "serve.lock", 0):
            yield
    except BlockingIOError as error:
        msg = "`leat serve` of this project is running; end it first, then move"
        raise Busy(msg) from error


def check_no_run(workspace: Workspace) -> None:
    """Refuse to move while an integration is being loaded.

    Raises:
        Busy: one is.
    """
    for name in workspace.declarations:
        with workspace.warehouse.exclusive(name):
            pass


def _check_room(source: Session, target: Warehouse, folder: Path) -> None:
    """Refuse a move for which the disk of the state folder has no room; that of a server is the server's affair."""
    size = int(source.execute(source.dialect.size)[0][0])
    copies = 0 if target.publication is None else 2  # the writer's file, and the published one
    problem = lacks_room(size=size, free=shutil.disk_usage(folder).free, copies=copies)
    if problem is not None:
        msg = f"{folder}: {problem}"
        raise WarehouseError(msg)


def lacks_room(*, size: int, free: int, copies: int) -> str | None:
    """Return what to do where a disk hasn't enough room for a warehouse of so many bytes; None if it has."""
    needed = _ROOM + copies * size
    if free >= needed:
        return None
    return f"{free >> 20} MB are free, and the move takes {needed >> 20} MB. Next: free disk space, then move"


def _copy_all(
    workspace: Workspace,
    source: Session,
    target: Session,
    tables: Sequence[MovedTable],
    observer: Callable[[Moved], None],
) -> list[Moved]:
    if not is_empty(target, list(dict.fromkeys(table.schema for table in tables))):
        moved = _moved_before(source, target, tables)
        if moved is not None:
            return moved
        msg = (
            "the new warehouse isn't empty, and leat overwrites nothing. Next: give an empty database, or move the old "
            "file away"
        )
        raise WarehouseError(msg)
    from leat.runs.server_number import live_folder

    make_tables(source, target, tables, live_folder(workspace))
    with tempfile.TemporaryDirectory(prefix="leat-move-", dir=target.scratch() or workspace.project.state) as folder:
        moved = [copy_table(source, target, table, Path(folder), observer) for table in tables]
    finish_tables(target, tables)
    return moved


def _moved_before(source: Session, target: Session, tables: Sequence[MovedTable]) -> list[Moved] | None:
    """Return what a move has copied that was killed after its commit; None where the new warehouse has other tables."""
    moved = []
    for table in tables:
        if target.columns(table.schema, table.name) != table.columns:
            return None
        before, after = _digest(source, table), _digest(target, table)
        if before != after:
            return None
        moved.append(Moved(f"{table.schema}.{table.name}", after.rows, after.checksum))
    return moved


def copy_table(
    source: Session, target: Session, table: MovedTable, folder: Path, observer: Callable[[Moved], None]
) -> Moved:
    """Copy the rows of a table, then compare what is there with what was read.

    Raises:
        WarehouseError: they differ.
    """
    schema = table.arrow_schema()
    read = Digester(table.columns)
    listed = ", ".join(map(quote, table.columns))
    for file in _files(source, table, schema, read, folder):
        target.stage(_STAGED, [file], schema)
        target.execute(f"INSERT INTO {table.quoted} ({listed}) SELECT {listed} FROM {quote(_STAGED)}")
        file.unlink()
    before, after = read.end(), _digest(target, table)
    if before != after:
        msg = (
            f"{table.schema}.{table.name} has {before.rows} rows with the checksum {before.checksum}, and in the new "
            f"warehouse {after.rows} with {after.checksum}. Nothing was moved. Next: report this"
        )
        raise WarehouseError(msg)
    moved = Moved(f"{table.schema}.{table.name}", after.rows, after.checksum)
    observer(moved)
    return moved


def _files(source: Session, table: MovedTable, schema: pa.Schema, read: Digester, folder: Path) -> Iterator[Path]:
    """Yield the rows as parquet files of bounded size; each may be removed when the next one is asked for."""
    from pyarrow import parquet

    writer = None
    path, size = Path(), 0
    for batch in source.batches(table.select, schema):
        read.add(batch)
        if writer is None:
            path, size = folder / f"{uuid.uuid4().hex}.parquet", 0
            writer = parquet.ParquetWriter(path, schema)
        writer.write_batch(batch)
        size += batch.nbytes
        if size >= _FILE_BYTES:
            writer.close()
            writer = None
            yield path
    if writer is not None:
        writer.close()
        yield path


def _digest(session: Session, table: MovedTable) -> Digest:
    digester = Digester(table.columns)
    for batch in session.batches(table.select, table.arrow_schema()):
        digester.add(batch)
    return digester.end()
