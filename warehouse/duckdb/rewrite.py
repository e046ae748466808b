"""Writes the writer's DuckDB file again: DuckDB doesn't erase the content of blocks that it frees."""

from __future__ import annotations

from pathlib import Path

from leat.warehouse.duckdb.form import FileForm
from leat.warehouse.duckdb.session import DuckDBSession
from leat.warehouse.duckdb.writer import confine, connect

FROM_SCRATCH = "clearance.scratch"
"""Name of a file next to the writer's that says that the files of roles have to be made from scratch."""


def rewrite_file(path: Path, memory: str, form: FileForm) -> None:
    """Copy all tables into a new file, in the form that is wanted, which takes the place of the old one."""
    fresh = path.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    # as the catalog warehouse, like the file it replaces; attaching an encrypted one may load its ciphers
    connection = connect(fresh, memory, form, confined=False)
    try:
        session = DuckDBSession(connection)
        form.attach(connection, path, "old", read_only=True)
        confine(connection, fresh.parent / "tmp")
        session.execute("COPY FROM DATABASE old TO warehouse")
    finally:
        connection.close()
    fresh.chmod(0o600)
    path.with_name(FROM_SCRATCH).touch(mode=0o600)
    fresh.replace(path)
