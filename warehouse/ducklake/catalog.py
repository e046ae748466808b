"""A catalog of DuckLake in SQLite, as the form of a warehouse's files: it says which Parquet files are in which table.

::

    lake/catalog.sqlite --copy, rename--> lake.sqlite      lake/data/*.parquet, which never change

One process at a time writes the catalog. Readers have the copy that was published last, which nobody writes. So a
reader waits for nobody, and a publication copies no rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from leat.warehouse.dialect import Dialect, Statements
from leat.warehouse.duckdb.encryption import PLAIN
from leat.warehouse.duckdb.wheels import load_extension
from leat.warehouse.duckdb.writer import WriterFile
from leat.warehouse.ducklake.dialect import DUCKLAKE
from leat.warehouse.ducklake.tidying import linked, rewrite_lake, tidy_lake
from leat.warehouse.session import literal, quote

if TYPE_CHECKING:
    import duckdb

_FILE_OF_A_ROLE = ".duckdb"
EXTRA = "ducklake"


@dataclass(frozen=True, slots=True)
class LakeCatalog:
    """See :class:`leat.warehouse.duckdb.form.FileForm`.

    Attributes:
        state: the project's state folder.
        retain: how long files stay that the newest version doesn't have any longer.
    """

    state: Path
    retain: timedelta
    dialect: ClassVar[Dialect] = DUCKLAKE
    written: ClassVar[str] = "lake/catalog.sqlite"
    published: ClassVar[str] = "lake.sqlite"
    log_suffix: ClassVar[str] = "-journal"
    before_reading: ClassVar[Statements] = ()  # each version has a name of its own
    after_commit: ClassVar[Statements] = ()

    def fits(self, _path: Path) -> bool:
        """Return True: there is one form."""
        return True

    def is_attached(self, _path: Path) -> bool:
        """Return True: a catalog is attached to a connection without a file."""
        return True

    def is_encrypted(self, _path: Path) -> bool:
        """Return False: leat doesn't encrypt Parquet files."""
        return False

    def attach(self, connection: duckdb.DuckDBPyConnection, path: Path, name: str, *, read_only: bool) -> None:
        """Attach a catalog, or the file of a role, which is DuckDB's own.

        Raises:
            WarehouseError: a wheel isn't installed.
            duckdb.Error: it can't be opened.
        """
        if path.suffix == _FILE_OF_A_ROLE:
            PLAIN.attach(connection, path, name, read_only=read_only)
            return
        for extension in ("ducklake", "sqlite_scanner"):
            load_extension(connection, extension, EXTRA)
        data = self.state / "lake" / "data"
        if not read_only:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
        options = [f"DATA_PATH {literal(f'{data}/')}", "OVERRIDE_DATA_PATH true"]  # the state folder may have moved
        if read_only:
            path = linked(self.state, path)
        options += ["READ_ONLY"] if read_only else ["META_BUSY_TIMEOUT 5000"]
        connection.execute(f"ATTACH {literal(f'ducklake:sqlite:{path}')} AS {quote(name)} ({', '.join(options)})")

    def opened_by(self, _path: Path) -> None:
        """Return None: there is no key."""

    def folders(self, path: Path) -> tuple[Path, ...]:
        """Return that of the Parquet files; the file of a role has all in it."""
        return () if path.suffix == _FILE_OF_A_ROLE else (self.state / "lake" / "data",)

    def client(self, path: Path) -> str:
        """Return the command, which installs the extensions for whoever hasn't got them yet."""
        attached = f"ATTACH 'ducklake:sqlite:{path}' AS lake (READ_ONLY)"
        return f'duckdb -cmd "INSTALL ducklake; INSTALL sqlite; {attached}; USE lake"'

    def rewrite(self, path: Path, memory: str) -> None:
        """Write files again without what was deleted."""
        rewrite_lake(WriterFile(path, memory, self))

    def tidy(self, path: Path, memory: str, publish: Callable[[], None], *, at_once: bool) -> None:
        """Remove versions and files that are older than what is retained."""
        tidy_lake(WriterFile(path, memory, self), self.retain, publish, at_once=at_once)
