"""The versions for which changes were tried, on the disk before each request: what was tried and what never was.

An action whose sender died may have been sent or not, and its effect may have been undone by a person since. Only the
version of what it changes decides: if it is still the one for which the request was made, neither has happened. If
nothing is noted, no request was made.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from leat.files import atomic_write, make_private

_LASTS = 90 * 86_400.0
"""Seconds for which a note lasts: far longer than an action may still be sent."""


@dataclass(frozen=True, slots=True)
class TriedVersions:
    """Notes in a folder: for each action a file with the version of each account and group that it was to change."""

    folder: Path

    def read(self, action: str, key: str) -> str | None:
        """Return the version for which an action tried last to change something; None if it never tried."""
        version = self._of(action).get(key)
        return version if isinstance(version, str) else None

    def note(self, action: str, key: str, version: str) -> None:
        """Note that an action is about to change something that has this version."""
        make_private(self.folder)
        noted = {**self._of(action), key: version}
        atomic_write(self.folder / f"{action}.json", json.dumps(noted), durable=True)

    def forget(self) -> None:
        """Remove old notes."""
        for path in self.folder.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _LASTS:
                    path.unlink()

    def _of(self, action: str) -> dict[str, object]:
        with contextlib.suppress(FileNotFoundError):
            return dict(json.loads((self.folder / f"{action}.json").read_bytes()))
        return {}
