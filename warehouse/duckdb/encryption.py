"""Encryption of DuckDB's files by DuckDB itself: AES-256-GCM over the file, its log, and what is spilled to disk.

Writing needs OpenSSL's ciphers, which the extension httpfs brings: it is loaded from the wheel of that name, never from
the network, and the setting ``force_mbedtls_unsafe`` is never used. See https://duckdb.org/docs/stable/sql/statements/attach
("Database encryption"). A key goes to DuckDB as a bound value, so that it is in no text of a statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from leat.warehouse.duckdb.binding import without_pandas
from leat.warehouse.session import WarehouseError, literal, quote

if TYPE_CHECKING:
    import duckdb

_FLAGS = 8 + 4 + 8
"""Where the flags of a file are: behind the checksum of its header, the word DUCK and the version."""
_ENCRYPTED = 1
BLOCK_SIZE = 65536
"""A quarter of DuckDB's block: each column of each table takes a block or more, and most tables of leat are small."""


def is_encrypted(path: Path) -> bool:
    """Return whether a DuckDB file is encrypted, as its header says; one that isn't there isn't."""
    try:
        with path.open("rb") as file:
            head = file.read(_FLAGS + 1)
    except FileNotFoundError:
        return False
    return len(head) > _FLAGS and head[8:12] == b"DUCK" and bool(head[_FLAGS] & _ENCRYPTED)


@dataclass(frozen=True, slots=True)
class FileEncryption:
    """Whether a warehouse's files are to be encrypted, and the keys that open those that are.

    Attributes:
        wanted: whether the files are to be encrypted; the next publication brings them into this form.
        keys: returns the keys, each as text, the current one first; called when a file is opened.
    """

    wanted: bool = False
    keys: Callable[[], Sequence[str]] = field(default=tuple, repr=False)

    def fits(self, path: Path) -> bool:
        """Return whether a file is in the form that is wanted, by the current key; one that isn't there is."""
        if not path.exists():
            return True
        if is_encrypted(path) != self.wanted:
            return False
        return not self.wanted or len(self.keys()) == 1 or self.opened_by(path) == 0

    def applies(self, path: Path) -> bool:
        """Return whether a file is encrypted, or will be because it isn't there yet."""
        return is_encrypted(path) if path.exists() else self.wanted

    def attach(self, connection: duckdb.DuckDBPyConnection, path: Path, name: str, *, read_only: bool) -> None:
        """Attach a file to a connection, encrypted or not.

        Raises:
            WarehouseError: it is encrypted and there is no key, or another one, or the extension is missing.
            duckdb.Error: it can't be opened for another reason.
        """
        if not self.applies(path):
            options = "(READ_ONLY)" if read_only else f"(BLOCK_SIZE {BLOCK_SIZE})"
            connection.execute(f"ATTACH {literal(str(path))} AS {quote(name)} {options}")
            return
        keys = self.keys()
        if not keys:
            msg = f"{path} is encrypted. Next: set LEAT_WAREHOUSE_ENCRYPTION to where its key is; see docs/security"
            raise WarehouseError(msg)
        load_ciphers(connection)
        for key in keys:
            if self._try(connection, path, name, key, read_only=read_only):
                return
        msg = (
            f"{path} is encrypted with another key than LEAT_WAREHOUSE_ENCRYPTION gives. Next: bring back the key that "
            "it was encrypted with. Nobody can read the file without it: remove that and the folder writer, then load"
        )
        raise WarehouseError(msg)

    def _try(self, connection: duckdb.DuckDBPyConnection, path: Path, name: str, key: str, *, read_only: bool) -> bool:
        import duckdb

        options = "READ_ONLY" if read_only else f"BLOCK_SIZE {BLOCK_SIZE}"
        statement = f"ATTACH {literal(str(path))} AS {quote(name)} ({options}, ENCRYPTION_KEY ?)"
        try:
            with without_pandas():
                connection.execute(statement, [key])
        except duckdb.InvalidInputException as error:
            if "Wrong encryption key" not in str(error):
                raise
            return False
        return True

    def opened_by(self, path: Path) -> int | None:
        """Return which of the keys opens a file; None for none."""
        import duckdb

        for number, key in enumerate(self.keys()):
            with duckdb.connect(":memory:") as connection:
                load_ciphers(connection)
                if self._try(connection, path, "warehouse", key, read_only=True):
                    return number
        return None


PLAIN = FileEncryption()
"""Files as DuckDB writes them without a key."""


def load_ciphers(connection: duckdb.DuckDBPyConnection) -> None:
    """Load OpenSSL's ciphers, and let what is spilled to disk be encrypted.

    Raises:
        WarehouseError: the wheel isn't installed.
    """
    import duckdb

    path = extension_path()
    try:
        connection.execute(f"LOAD {literal(str(path))}")
    except duckdb.Error as error:
        msg = f"DuckDB can't load {path}: {error}. Next: install the extra leat[encryption] again"
        raise WarehouseError(msg) from error
    connection.execute("SET temp_file_encryption = true")


def extension_path() -> Path:
    """Return the file of the extension httpfs in its wheel, for the DuckDB that is installed.

    Raises:
        WarehouseError: it isn't installed.
    """
    import importlib.util

    import duckdb

    spec = importlib.util.find_spec("duckdb_extension_httpfs")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        path = Path(folder) / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
        if path.is_file():
            return path
    msg = (
        f"an encrypted warehouse needs the wheel duckdb-extension-httpfs=={duckdb.__version__}, which isn't installed. "
        "Next: install the extra, for example by `uv pip install 'leat[encryption]'`"
    )
    raise WarehouseError(msg)
