"""SHA-256 of objects, read in pieces, and remembered on the disk while a long action goes on."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from leat.sources.cloud_storage.s3.api import Bucket, checked
from leat.sources.errors import UnexpectedShape

_PIECE = 16 * 2**20


def sha256_of(bucket: Bucket, key: str, etag: str, size: int) -> str:
    """Return the SHA-256 of an object, read piece by piece.

    Raises:
        Outdated: it changed while it was read.
        UnexpectedShape: it has another length than the server says.
        IntegrationError: the server refuses.
    """
    digest, length = hashlib.sha256(), 0
    for start in range(0, size, _PIECE):
        headers = {"Accept-Encoding": "identity", "If-Match": f'"{etag}"'}
        if size > _PIECE:
            headers["Range"] = f"bytes={start}-{min(start + _PIECE, size) - 1}"
        answer = bucket.client.send(replace(bucket.ask({}, key), headers=headers))
        piece = checked(bucket.client, answer, bucket.name, "s3:GetObject") or b""
        digest.update(piece)
        length += len(piece)
    if length != size:
        asked, got = f"reading {key} (bucket {bucket.name})", f"{length} bytes instead of {size}"
        raise UnexpectedShape(bucket.client.integration, asked, got, "look at what is between here and the server")
    return digest.hexdigest()


class Progress:
    """What an action has done so far, by key; it may be lost, and is then done again.

    Args:
        folder: private folder of the integration.
        action: id of the action.
    """

    def __init__(self, folder: Path, action: str) -> None:
        self._path = folder / f"{action}.progress"
        self._lock = threading.Lock()
        self._done = dict(self._read())

    def get(self, key: str) -> dict[str, str] | None:
        """Return what is noted of a key."""
        return self._done.get(key)

    def note(self, key: str, value: dict[str, str]) -> None:
        """Note what was done with a key."""
        with self._lock:
            self._done[key] = value
            with open(self._path, "a", encoding="utf-8", opener=_private) as file:
                file.write(json.dumps([key, value]) + "\n")

    def forget(self) -> None:
        """Remove the notes; the action is done."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> Iterator[tuple[str, dict[str, str]]]:
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                key, value = json.loads(line)
            except ValueError:  # the last line, if it was killed while it wrote
                continue
            yield key, value


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
