"""Encryption of DuckDB's files by DuckDB itself: AES-256-GCM over the file, its log, and what is spilled to disk.

Writing needs OpenSSL's ciphers, which the extension httpfs brings: it is loaded from the wheel of that name, never from
the network, and the setting ``force_mbedtls_unsafe`` is never used. See https://duckdb.org/docs/stable/sql/statements/attach
("Database encryption"). A key goes to DuckDB as a bound value, so that it is in no text of a statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from leat.warehouse.dialect import Dialect, Statements
from leat.warehouse.duckdb.binding import without_pandas
from leat.warehouse.duckdb.dialect import DUCKDB
from leat.warehouse.duckdb.form import BLOCK_SIZE
from leat.warehouse.duckdb.rewrite import rewrite_file
from leat.warehouse.duckdb.wheels import load_extension
from leat.warehouse.duckdb.writer import in_memory
from leat.warehouse.session import WarehouseError, literal, quote

if TYPE_CHECKING:
    import duckdb

_FLAGS = 8 + 4 + 8
"""Where the flags of a file are: behind the checksum of its header, the word DUCK and the version."""
_ENCRYPTED = 1


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
    """DuckDB's own files: whether they are to be encrypted, and the keys that open those that are.

    See :class:`leat.warehouse.duckdb.form.FileForm`.

    Attributes:
        wanted: whether the files are to be encrypted; the next publication brings them into this form.
        keys: returns the keys, each as text, the current one first; called when a file is opened.
    """

    wanted: bool = False
    keys: Callable[[], Sequence[str]] = field(default=tuple, repr=False)
    dialect: ClassVar[Dialect] = DUCKDB
    written: ClassVar[str] = "writer/warehouse.duckdb"
    published: ClassVar[str] = "warehouse.duckdb"
    log_suffix: ClassVar[str] = ".wal"
    before_reading: ClassVar[Statements] = ()  # an open file stays the same one
    after_commit: ClassVar[Statements] = ("CHECKPOINT",)

    def fits(self, path: Path) -> bool:
        """Return whether a file is in the form that is wanted, by the current key; one that isn't there is."""
        if not path.exists():
            return True
        if is_encrypted(path) != self.wanted:
            return False
        return not self.wanted or len(self.keys()) == 1 or self.opened_by(path) == 0

    def is_attached(self, path: Path) -> bool:
        """Return whether a file is encrypted, or will be because it isn't there yet."""
        return is_encrypted(path) if path.exists() else self.wanted

    def attach(self, connection: duckdb.DuckDBPyConnection, path: Path, name: str, *, read_only: bool) -> None:
        """Attach a file to a connection, encrypted or not.

        Raises:
            WarehouseError: it is encrypted and there is no key, or another one, or the extension is missing.
            duckdb.Error: it can't be opened for another reason.
        """
        if not self.is_attached(path):
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
        for number, key in enumerate(self.keys()):
            with in_memory() as connection:
                load_ciphers(connection)
                if self._try(connection, path, "warehouse", key, read_only=True):
                    return number
        return None

    def is_encrypted(self, path: Path) -> bool:
        """Return whether a file is encrypted, as its header says."""
        return is_encrypted(path)

    def folders(self, _path: Path) -> tuple[Path, ...]:
        """Return none: all is in the file."""
        return ()

    def client(self, path: Path) -> str:
        """Return the command; an encrypted file is attached there, with its key."""
        return "duckdb" if is_encrypted(path) else f"duckdb -readonly {path}"

    def rewrite(self, path: Path, memory: str) -> None:
        """Write the file again."""
        rewrite_file(path, memory, self)

    def tidy(self, _path: Path, _memory: str, _publish: Callable[[], None], *, at_once: bool) -> None:
        """Do nothing: the file is replaced as a whole."""


PLAIN = FileEncryption()
"""Files as DuckDB writes them without a key."""


def load_ciphers(connection: duckdb.DuckDBPyConnection) -> None:
    """Load OpenSSL's ciphers, and let what is spilled to disk be encrypted.

    Raises:
        WarehouseError: the wheel isn't installed.
    """
    load_extension(connection, "httpfs", "encryption")
    connection.execute("SET temp_file_encryption = true")
