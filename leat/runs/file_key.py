"""The key of an encrypted DuckDB warehouse: where ``LEAT_WAREHOUSE_ENCRYPTION`` says that it is.

::

    keys                  the key tree of this project
    file:/etc/leat/key    a file
    env:LEAT_FILE_KEY     an environment variable
    decrypt:…             the same, and the next publication writes the files without encryption
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from leat.pipelines.declare.project import Project
from leat.sources.settings import remember_secret
from leat.warehouse.duckdb.encryption import PLAIN, FileEncryption
from leat.warehouse.session import WarehouseError

VARIABLE = "LEAT_WAREHOUSE_ENCRYPTION"
_KEY = re.compile("[0-9a-fA-F]{64}")
_DECRYPT = "decrypt:"


def file_encryption(project: Project) -> FileEncryption:
    """Return how the files of a project's DuckDB warehouse are encrypted; no key is read before a file is opened.

    Raises:
        WarehouseError: the variable says nothing that leat understands.
    """
    given = project.file_encryption
    if not given or given == "off":
        return PLAIN
    where = given.removeprefix(_DECRYPT)
    kind, _, name = where.partition(":")
    if where != "keys" and (kind not in ("file", "env") or not name):
        msg = f"{VARIABLE} is not understood. Next: write keys, file:PATH or env:NAME, or decrypt: before one of these"
        raise WarehouseError(msg)

    def keys() -> Sequence[str]:
        if where == "keys":
            from leat.runs.data_keys import file_keys

            texts = [key.secret.hex() for key in file_keys(project)]
        else:
            texts = [_read(project, kind, name)]
        for text in texts:
            remember_secret(text)
        return texts

    return FileEncryption(wanted=not given.startswith(_DECRYPT), keys=keys)


def _read(project: Project, kind: str, name: str) -> str:
    """Return a key in hexadecimal digits.

    Raises:
        WarehouseError: it isn't there, or is no such key.
    """
    if kind == "env":
        place, text = f"the variable {name}", os.environ.get(name)
    else:
        path = project.folder / name
        place = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"the key of the warehouse can't be read from {path}: {error}. Next: correct {VARIABLE}"
            raise WarehouseError(msg) from error
    if text is None or not _KEY.fullmatch(text.strip()):
        what = "is not set" if text is None else "doesn't hold 64 hexadecimal digits"
        msg = f"the key of the warehouse: {place} {what}. Next: `openssl rand -hex 32` makes a key"
        raise WarehouseError(msg)
    return text.strip().lower()
