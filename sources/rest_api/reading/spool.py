"""Pages that wait until leat decides whether anything is new: in memory, and where they are many, in encrypted files.

The key of the files lives in memory alone, so that what is masked in the warehouse is on no disk in clear, whenever the
process is killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leat.sources.http.request import HttpRequest
from leat.sources.rest_api.answers.page import Page

_PREFIX = "pages-"
_IN_MEMORY = 16 * 2**20
_NONCE = bytes(12)


@dataclass(slots=True)
class Spooled:
    """The records of a page, what was asked for it, and the row of the parent for which that was.

    Attributes:
        ask: what was asked.
        size: bytes of its records.
        parent: the row of the parent; empty where there is none.
    """

    ask: HttpRequest
    size: int
    parent: Mapping[str, Any]
    _records: bytes | None = field(repr=False)
    _file: Path | None = None
    _key: bytes = field(default=b"", repr=False)

    def read(self) -> bytes:
        """Return the records, a JSON array."""
        if self._file is None:
            return self._records or b"[]"
        records: bytes = _cipher(self._key).decrypt(_NONCE, self._file.read_bytes(), None)
        return records

    @property
    def is_in_memory(self) -> bool:
        """Whether the records are in no file."""
        return self._file is None

    def write(self, file: Path) -> None:
        """Move the records to a file, which only this process can read: each has a key of its own."""
        self._key = os.urandom(32)
        file.write_bytes(_cipher(self._key).encrypt(_NONCE, self.read(), None))
        self._file, self._records = file, None

    def remove(self) -> None:
        """Forget the records."""
        self._records = None
        if self._file is not None:
            self._file.unlink()


def _cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


@dataclass(slots=True)
class Spool:
    """The pages of one list.

    Attributes:
        folder: a private folder that lives as long as the extraction.
        parent: the row of the parent for which the list is asked; empty where there is none.
        pages: those that wait now.
        digest: of all records so far.
    """

    folder: Path
    parent: Mapping[str, Any] = field(default_factory=dict)
    pages: list[Spooled] = field(default_factory=list)
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _number: int = 0

    def add(self, page: Page) -> None:
        """Let a page wait; an empty one is only counted in the digest."""
        self._digest.update(page.digest)
        if page.is_empty:
            return
        spooled = Spooled(page.ask, len(page.records), self.parent, page.records)
        if self._memory() + spooled.size > _IN_MEMORY:
            self._number += 1
            spooled.write(self.folder / f"{self._number}.page")
        self.pages.append(spooled)

    def _memory(self) -> int:
        return sum(page.size for page in self.pages if page.is_in_memory)

    def restart(self) -> None:
        """Start again; drop what waits."""
        self.remove()
        self._digest = hashlib.sha256()

    def remove(self) -> None:
        """Remove what waits."""
        for page in self.take():
            page.remove()

    def take(self) -> list[Spooled]:
        """Return the pages that wait, to be read and removed by the caller."""
        taken, self.pages = self.pages, []
        return taken

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return sum(spooled.size for spooled in self.pages)

    @property
    def digest(self) -> str:
        """The identity of this list."""
        return str(self._digest.hexdigest()[:32])


@contextlib.contextmanager
def spool_folder(folder: Path) -> Iterator[Path]:
    """Give a private folder, and remove it at the end; what a killed run left is removed as well."""
    for old in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(old, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
