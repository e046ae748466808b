"""A reader's query on DuckDB: on the published file, without other files, settings or extensions, within limits."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from leat.warehouse.answer import Answer, Limits
from leat.warehouse.query import FETCHED, Watch, explained, first_word, refuse, refuse_empty, several
from leat.warehouse.session import WarehouseError, literal

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")
_EFFECTS = re.compile(
    r"\b((?:en|dis)able_\w+|(?:force_)?checkpoint|truncate_duckdb_logs|write_log|read_duckdb|(?:arrow|pandas)_scan\w*)"
    r'"?\s*\(',
    re.IGNORECASE,
)
"""Functions that change this process or read what isn't in the warehouse; files and settings are locked as well."""


@contextlib.contextmanager
def answered(
    connection: duckdb.DuckDBPyConnection, folder: Path, sql: str, limits: Limits, readable: Sequence[Path | str]
) -> Iterator[Answer]:
    """Run one query on a connection of its own.

    Args:
        connection: has nothing but the published file, read-only.
        folder: where what doesn't fit into memory is put, in a private folder that is removed.
        sql: the query.
        limits: what it may take.
        readable: the folders that views and tables read.

    Raises:
        WarehouseError: it does anything else than read, or the database refused it.
    """
    import duckdb

    refuse_empty(sql)
    watch = Watch(limits, connection.interrupt)
    with _spill(folder) as spill:
        _lock(connection, spill, readable, limits)
        try:
            cursor = _explaining(duckdb.Error, lambda: watch.run(lambda: connection.execute(_checked(connection, sql))))
            names = [column[0] for column in cursor.description or ()]
            rows = watch.rows(lambda: _explaining(duckdb.Error, lambda: cursor.fetchmany(FETCHED)))
            yield Answer(names, rows)
        finally:
            watch.close()
            connection.close()  # before its files are removed


def _checked(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return the query if DuckDB's own parser says that it is one that reads."""
    import duckdb

    kind = duckdb.StatementType
    statements = connection.extract_statements(sql)
    if (
        statements and statements[-1].type == kind.SELECT and all(not each.query for each in statements)
    ):  # PIVOT is made of two
        statements = statements[-1:]
    if len(statements) != 1:
        raise several(len(statements))
    word, inner = first_word(sql), statements
    if statements[0].type == kind.EXPLAIN:
        inner = connection.extract_statements(explained(sql))
    if word in ("PRAGMA", "CALL") or any(each.type != kind.SELECT for each in inner):
        refuse(f"{word} isn't a SELECT")
    effect = _EFFECTS.search(sql)
    if effect is not None:
        refuse(f"{effect[1].lower()}() does more than read")
    return sql


def _lock(connection: duckdb.DuckDBPyConnection, spill: Path, readable: Sequence[Path | str], limits: Limits) -> None:
    allowed = ", ".join(literal(f"{folder}/") for folder in readable)
    for setting, value in (
        ("memory_limit", f"'{limits.memory // 1000}KB'"),
        ("temp_directory", literal(str(spill))),
        ("max_temp_directory_size", f"'{limits.disk // 1000}KB'"),
        ("autoinstall_known_extensions", "false"),
        ("autoload_known_extensions", "false"),
        ("python_enable_replacements", "false"),  # else a variable of this program could be read
        ("allowed_directories", f"[{allowed}]"),
        ("enable_external_access", "false"),
        ("lock_configuration", "true"),
    ):
        connection.execute(f"SET {setting} = {value}")


def _explaining(errors: type[Exception], work: Callable[[], T]) -> T:
    import duckdb

    try:
        return work()
    except duckdb.OutOfMemoryException as error:
        msg = f"{error}\nNext: select less, or give the query more with `--memory 4GB` or `--disk 50GB`"
        raise WarehouseError(msg) from error
    except errors as error:
        msg = f'{str(error).strip()}\nNext: `leat status` lists the tables; `leat query "DESCRIBE SCHEMA.TABLE"` '
        raise WarehouseError(msg + "the columns of one") from error
    except (ValueError, OverflowError) as error:  # Python has no year 10,000
        msg = f"a value can't be shown: {error}. Next: CAST the column to VARCHAR"
        raise WarehouseError(msg) from error


@contextlib.contextmanager
def _spill(folder: Path) -> Iterator[Path]:
    """Make a private folder, and remove those of processes that were killed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in folder.iterdir():
        if not _runs(old.name.split("-")[0]):
            shutil.rmtree(old, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _runs(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError, OverflowError):  # somebody else's
        return True
    return True
