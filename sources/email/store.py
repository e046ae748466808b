"""The contents of attachments in a folder, each once, under its hash."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from leat.files import atomic_write
from leat.sources.errors import NotConfigured


def store_in(folder: Path, integration: str) -> Callable[[bytes], str]:
    """Return a function that keeps content in a folder under its hash, and returns its path below the folder.

    It raises :class:`leat.sources.errors.NotConfigured` when the folder can't be written.
    """

    def store(content: bytes) -> str:
        try:
            return _store(folder, content)
        except OSError as error:
            got = error.strerror or type(error).__name__
            next_step = "make room in the folder of connection.attachments, or let leat write there"
            raise NotConfigured(integration, "storing an attachment", got, next_step) from error

    return store


def _store(folder: Path, content: bytes) -> str:
    digest = sha256(content).hexdigest()
    path = folder / digest[:2] / digest
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_write(path, content)  # not durable: a mailbox has many, and each would cost 30 ms
    return f"{digest[:2]}/{digest}"
