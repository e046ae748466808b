"""SQLite files that are encrypted as a whole, by SQLCipher: the control store, where ``LEAT_CONTROL`` asks for it.

``sqlite:////path/control.db?encryption=file:/etc/leat/control.key`` names such a file and its key; ``env:NAME`` instead
of ``file:PATH`` names a variable. SQLCipher encrypts each page by AES-256 with an HMAC, in the file and in its log. The
key is a raw one of 32 bytes, so that opening a file needs no derivation from a password.

A process may open a file with SQLCipher or with Python's own SQLite, never with both: when one closes it, POSIX ends
the locks of the other (https://sqlite.org/howtocorrupt.html, section 2.2). So everything opens it by
:func:`create_sqlite`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

PARAMETER = "encryption"
WRONG_KEY = "file is not a database"
"""What SQLite says of a file that has another key, or is encrypted and opened without one, or the other way round."""
NEXT_STEP = (
    f"?{PARAMETER}= in its URL has to name the key that the file was encrypted with, and be left out if it isn't "
    "encrypted"
)
_KEY = re.compile("[0-9a-fA-F]{64}")


class CantEncrypt(OSError):
    """A file can't be opened by SQLCipher: the key or the package isn't there; the text says what to do."""


def create_sqlite(url: URL, **options: Any) -> Engine:
    """Return an engine for a SQLite file, encrypted if its URL says so; the engine's own URL doesn't say it any more.

    Args:
        url: of the file, perhaps with :data:`PARAMETER`.
        options: of :func:`sqlalchemy.create_engine`.

    Raises:
        CantEncrypt: the key or the package isn't there.
    """
    from sqlalchemy import create_engine, event

    plain = url.difference_update_query([PARAMETER])
    if PARAMETER not in url.query:
        return create_engine(plain, **options)
    try:
        from sqlcipher3 import dbapi2  # type: ignore[import-untyped]
    except ImportError as error:
        msg = "SQLCipher isn't installed. Next: `uv pip install 'leat[sqlcipher]'`"
        raise CantEncrypt(msg) from error
    key = _read_key(str(url.query[PARAMETER]))
    engine = create_engine(plain, module=dbapi2, **options)

    def unlock(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA cipher_log_level = none")  # else a wrong key writes lines to stderr
        connection.execute(f"PRAGMA key = \"x'{key}'\"")
        connection.execute("PRAGMA temp_store = memory")  # temporary files wouldn't be encrypted

    event.listen(engine, "connect", unlock)
    return engine


def is_encrypted(engine: Engine) -> bool:
    """Return whether an engine's file is opened by SQLCipher."""
    return str(engine.dialect.loaded_dbapi.__name__).startswith("sqlcipher3")


def _read_key(where: str) -> str:
    kind, _, name = where.partition(":")
    if kind not in ("file", "env") or not name or (kind == "file" and not Path(name).is_absolute()):
        msg = f"{PARAMETER} in its URL isn't understood. Next: write file:/absolute/path or env:NAME"
        raise CantEncrypt(msg)
    place = name if kind == "file" else f"the variable {name}"
    try:
        text = Path(name).read_text(encoding="ascii") if kind == "file" else os.environ.get(name)
    except (OSError, UnicodeDecodeError) as error:
        msg = f"its key can't be read from {place}: {error}. Next: correct {PARAMETER} in its URL"
        raise CantEncrypt(msg) from error
    if text is None or not _KEY.fullmatch(text.strip()):
        what = "is not set" if text is None else "doesn't hold 64 hexadecimal digits"
        msg = f"its key: {place} {what}. Next: `openssl rand -hex 32` makes a key"
        raise CantEncrypt(msg)
    return text.strip().lower()
