"""Pages on disk: where they wait until it is known whether anything is new, and where DuckDB reads them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sources.rest_api.page import Page
from sources.web.ask import Ask

_PREFIX = "pages-"


@dataclass(slots=True)
class Spooled:
    """A page in a file, how large it is, and what was asked for it."""

    file: Path
    ask: Ask
    size: int


@dataclass(slots=True)
class Spool:
    """The pages of one list.

    Attributes:
        folder: a private folder that lives as long as the extraction.
        pages: those that are in files now.
        digest: of all records so far.
    """

    folder: Path
    pages: list[Spooled] = field(default_factory=list)
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _number: int = 0

    def add(self, page: Page) -> None:
        """Write the records of a page; empty ones are only counted in the digest."""
        self._digest.update(hashlib.sha256(page.records).digest())
        if page.is_empty:
            return
        self._number += 1
        file = self.folder / f"{self._number}.json"
        file.write_bytes(page.records)
        self.pages.append(Spooled(file, page.ask, len(page.records)))

    def restart(self) -> None:
        """Begin anew; what waits is dropped."""
        self.remove()
        self._digest = hashlib.sha256()

    def remove(self) -> None:
        """Remove what waits."""
        for page in self.take():
            page.file.unlink()

    def take(self) -> list[Spooled]:
        """Return the pages that are in files, to be read and removed by the caller."""
        taken, self.pages = self.pages, []
        return taken

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return sum(spooled.size for spooled in self.pages)

    @property
    def digest(self) -> str:
        """What tells this list from another."""
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
