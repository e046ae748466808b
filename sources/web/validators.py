"""What tells whether an answer has changed: the validators of RFC 9110, 8.8, kept instead of the answers.

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
from urllib.parse import urlencode

from sources.web.ask import Answer, Ask

NOT_MODIFIED = 304
_PREFIX = "validators-"


@dataclass(slots=True)
class Validators:
    """The validators of the last run, and those of this one.

    Attributes:
        known: validator by request, as the last run saw them.
        seen: the same, as this run does.
    """

    known: Mapping[str, str]
    seen: dict[str, str] = field(default_factory=dict)

    def conditional(self, ask: Ask) -> Ask:
        """Return the request so that an answer which hasn't changed is a 304 without a body."""
        told = self.known.get(_name(ask))
        if told is None:
            return ask
        header = "If-Modified-Since" if told.startswith("date ") else "If-None-Match"
        headers = {**ask.headers, header: told.partition(" ")[2]}
        return replace(ask, headers=headers, accept=ask.accept | {NOT_MODIFIED})

    def changed(self, ask: Ask, answer: Answer) -> bool:
        """Return whether an answer is another than the last time, and remember its validator."""
        name = _name(ask)
        if answer.status == NOT_MODIFIED:
            self.seen[name] = self.known[name]
            return False
        etag, date = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
        if etag:
            self.seen[name] = f"etag {etag}"
        elif date:
            self.seen[name] = f"date {date}"
        return True

    def save(self, folder: Path) -> str:
        """Write this run's validators and return the name that the cursor has to hold; empty when there are none."""
        if not self.seen:
            return ""
        text = json.dumps(self.seen, sort_keys=True).encode()
        name = hashlib.sha256(text).hexdigest()[:32]
        path = folder / f"{_PREFIX}{name}"
        if not path.exists():
            fresh = folder / f".{name}.{os.getpid()}"
            fresh.touch(mode=0o600)
            fresh.write_bytes(text)
            fresh.replace(path)
        return name


def open_validators(folder: Path, name: str | None) -> Validators:
    """Return the validators that a cursor names, and remove those that none does; none when the file is gone."""
    known: Mapping[str, str] = {}
    for path in folder.glob(f"{_PREFIX}*"):
        if path.name != f"{_PREFIX}{name}":
            path.unlink(missing_ok=True)
    if name:
        with contextlib.suppress(OSError, ValueError):
            known = json.loads((folder / f"{_PREFIX}{name}").read_bytes())
    return Validators(known)


def _name(ask: Ask) -> str:
    return hashlib.sha256(f"{ask.method} {ask.path} {urlencode(ask.pairs())}".encode()).hexdigest()[:32]
