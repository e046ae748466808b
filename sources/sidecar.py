"""Private files that a cursor names: what a driver remembers between runs and is too large for the cursor itself.

A driver writes what it remembers to a new file and gives its name to the cursor. So a file is believed from the moment
when the cursor with its name is applied, together with the rows: a run that is killed before leaves a file that no
cursor names, and the one of the run before is still there, unchanged. The next run removes what isn't named.

A name belongs to one content. A file that is gone, with a state folder that was deleted or on another machine, is
nothing to worry about: the driver reads everything from the start.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from leat.files import make_private, move


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The files of one kind; :func:`open_sidecar` gives it.

    Attributes:
        folder: where they are, by name; nothing else is in it but ``drafts``.
    """

    folder: Path

    @property
    def drafts(self) -> Path:
        """The folder for what this run writes; the next run empties it."""
        return self.folder / "drafts"

    def find(self, name: str | None) -> Path | None:
        """Return the file that a cursor names, which is not to be changed; None when it is gone."""
        path = self.folder / name if name else None
        return path if path is not None and path.is_file() else None

    def read(self, name: str | None) -> bytes | None:
        """Return the content that :meth:`write` named so; None when it is gone or is another."""
        path = self.find(name)
        content = path.read_bytes() if path else None
        return content if content is not None and _digest(content) == name else None

    def add(self, draft: Path, name: str) -> Path:
        """Give a finished draft the name that the cursor will hold; returns where it is now, safely on the disk."""
        path = self.folder / name
        move(draft, path, durable=True)
        return path

    def write(self, content: bytes) -> str:
        """Write a file and return its name for the cursor."""
        name = _digest(content)
        if self.read(name) is None:
            draft = self.drafts / name
            draft.touch(mode=0o600)
            draft.write_bytes(content)
            move(draft, self.folder / name)  # what a power failure cuts, ``read`` doesn't believe
        return name


def open_sidecar(folder: Path, named: Collection[str | None]) -> Sidecar:
    """Return the files in a folder, and remove what runs that were killed have left there.

    Args:
        folder: a folder for these files alone, below the integration's.
        named: the names that the cursor holds. Without any, only drafts are removed: a new stream is read without the
            cursor of the others, which names files all the same.
    """
    sidecar = Sidecar(folder)
    shutil.rmtree(sidecar.drafts, ignore_errors=True)
    make_private(sidecar.drafts)
    if any(named):
        for path in folder.iterdir():
            if path.name not in named and path != sidecar.drafts:
                path.unlink()
    return sidecar


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
