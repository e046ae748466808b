"""What tells whether an answer has changed: validators (RFC 9110, 8.8) and digests, kept instead of the answers.

They are kept in a private file whose name the cursor holds, so that they can't be ahead of the rows that were loaded: a
run that was killed leaves a file that no cursor names. Without the file everything is read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from leat.sources.http.request import Ask

NOT_MODIFIED = 304


def if_changed(ask: Ask, etag: str | None) -> Ask:
    """Return the request so that an answer which hasn't changed is a 304 without a body."""
    if not etag:
        return ask
    headers = {**ask.headers, "If-None-Match": etag}
    return replace(ask, headers=headers, accept=ask.accept | {NOT_MODIFIED})


@dataclass(slots=True)
class Validators:
    """The validators of the last run, and those of this one, by a name that the caller gives.

    Attributes:
        known: digest and etag, as the last run saw them; an etag may be empty.
        seen: the same, as this run does.
    """

    folder: Path
    owner: str
    known: Mapping[str, list[str]]
    seen: dict[str, list[str]] = field(default_factory=dict)

    def etag(self, name: str) -> str | None:
        """Return the etag that was seen the last time."""
        return self.known[name][1] if name in self.known else None

    def keep(self, name: str) -> None:
        """Remember that nothing has changed."""
        self.seen[name] = self.known[name]

    def changed(self, name: str, digest: str, etag: str | None) -> bool:
        """Return whether a digest is another than the last time, and remember it."""
        self.seen[name] = [digest, etag or ""]
        return name not in self.known or self.known[name][0] != digest

    def save(self) -> str:
        """Write this run's validators and return the name that the cursor has to hold."""
        text = json.dumps(self.seen, sort_keys=True).encode()
        name = hashlib.sha256(text).hexdigest()[:32]
        path = _path(self.folder, self.owner, name)
        if not path.exists():
            fresh = path.with_name(f".{path.name}.{os.getpid()}")
            fresh.touch(mode=0o600)
            fresh.write_bytes(text)
            fresh.replace(path)
        return name


def open_validators(folder: Path, owner: str, name: str | None) -> Validators:
    """Return the validators that a cursor names, and remove those that it doesn't; none when the file is gone."""
    known: Mapping[str, list[str]] = {}
    for path in folder.glob(f"validators-{owner}-*"):
        if path != _path(folder, owner, name or ""):
            path.unlink(missing_ok=True)
    if name:
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(_path(folder, owner, name).read_bytes())
    return Validators(folder, owner, known)


def _path(folder: Path, owner: str, name: str) -> Path:
    return folder / f"validators-{owner}-{name}"
