"""The contents of attachments in a folder, each once, under its hash."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from leat.files import atomic_write, to_disk
from leat.sources.errors import NotConfigured

_AT_ONCE = 10_000
"""So many names are remembered at most; to bring a file to the disk with others takes a quarter of the time."""


@dataclass(frozen=True, slots=True)
class Attachments:
    """The folder that contents are stored in.

    Attributes:
        folder: where they are: ``ab/abcd…`` by the SHA-256 of the content.
        integration: whose they are, for messages.
    """

    folder: Path
    integration: str
    _stored: set[str] = field(default_factory=set)
    _made: set[Path] = field(default_factory=set)

    def store(self, content: bytes) -> str:
        """Store a content, and return its path below the folder. It survives a power failure after :meth:`secure`.

        Raises:
            NotConfigured: the folder can't be written.
        """
        digest = sha256(content).hexdigest()
        name = f"{digest[:2]}/{digest}"
        path = self.folder / name
        with self._explained():
            if not path.exists():
                self._make(path.parent)
                atomic_write(path, content)  # not durable: a mailbox has many, and each would cost 30 ms
        self._stored.add(name)
        if len(self._stored) >= _AT_ONCE:
            self.secure()
        return name

    def secure(self) -> None:
        """Bring everything that was stored to the disk, before a row that names it is applied.

        Raises:
            NotConfigured: it can't be written.
        """
        paths = [self.folder / name for name in self._stored]
        with self._explained():
            for path in paths:
                to_disk(path)
            for folder in {path.parent for path in paths} | self._made:
                to_disk(folder)
        self._stored.clear()

    def _make(self, folder: Path) -> None:
        self._made.update(each.parent for each in (folder, *folder.parents) if not each.exists())
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            got = error.strerror or type(error).__name__
            next_step = "make room in the folder of connection.attachments, or let leat write there"
            raise NotConfigured(self.integration, "storing an attachment", got, next_step) from error
