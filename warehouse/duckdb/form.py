"""The form of an embedded warehouse's files, which decides how they are opened: of DuckDB, or a catalog of DuckLake.

All else about an embedded warehouse is the same for both: one process at a time writes, a publication copies what it
has written next to it, and readers have the copy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from leat.warehouse.dialect import Dialect, Statements

if TYPE_CHECKING:
    import duckdb

BLOCK_SIZE = 65536
"""A quarter of DuckDB's block: each column of each table takes a block or more, and most tables of leat are small."""


class FileForm(Protocol):
    """The form of the files.

    Attributes:
        dialect: what is spoken to a connection that has such a file.
        written: the writer's file, from the state folder on.
        published: the file that readers open, likewise.
        log_suffix: what the name of the file gets in which a killed writer leaves what the next one takes over or back.
        before_reading: what lets several statements see one version of the published file.
        after_commit: what brings the writer's file up to date.
    """

    dialect: ClassVar[Dialect]
    written: ClassVar[str]
    published: ClassVar[str]
    log_suffix: ClassVar[str]
    before_reading: ClassVar[Statements]
    after_commit: ClassVar[Statements]

    def fits(self, path: Path) -> bool:
        """Return whether a file is in the form that is wanted; one that isn't there is."""

    def is_attached(self, path: Path) -> bool:
        """Return whether a file, or the one that will be there, can't be opened by itself, only attached."""

    def is_encrypted(self, path: Path) -> bool:
        """Return whether a file is encrypted by leat's key; one that isn't there isn't."""

    def attach(self, connection: duckdb.DuckDBPyConnection, path: Path, name: str, *, read_only: bool) -> None:
        """Attach a file to a connection.

        Raises:
            WarehouseError: it is encrypted and there is no key, or something isn't installed.
            duckdb.Error: it can't be opened for another reason.
        """

    def opened_by(self, path: Path) -> int | None:
        """Return which of the keys opens a file; None for none."""

    def folders(self, path: Path) -> tuple[Path, ...]:
        """Return the folders that whoever reads a file has to read too."""

    def client(self, path: Path) -> str:
        """Return the command that opens the published file without leat."""

    def rewrite(self, path: Path, memory: str) -> None:
        """Write the writer's files again, without what was deleted from their tables; its lock is held.

        Args:
            path: the writer's file.
            memory: DuckDB's memory limit.
        """

    def tidy(self, path: Path, memory: str, publish: Callable[[], None], *, at_once: bool) -> None:
        """Remove what nobody reads any longer, after a publication; the writer's lock is held.

        Args:
            path: the writer's file.
            memory: DuckDB's memory limit.
            publish: called when the writer's file has changed, before names of earlier versions are removed.
            at_once: whether to remove what readers of earlier versions may still read.
        """
