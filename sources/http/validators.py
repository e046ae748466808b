"""Whether an answer has changed: validators (RFC 9110, 8.8) and digests, in a file that the cursor names.

Without the file everything is read again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from leat.sources.http.request import HttpRequest
from leat.sources.sidecar import Sidecar, open_sidecar

NOT_MODIFIED = 304


def if_changed(ask: HttpRequest, etag: str | None) -> HttpRequest:
    """Return the request so that an answer which hasn't changed is a 304 without a body."""
    if not etag:
        return ask
    headers = {**ask.headers, "If-None-Match": etag}
    return replace(ask, headers=headers, accept=ask.accept | {NOT_MODIFIED})


@dataclass(slots=True)
class Validators:
    """The validators of the last run, and those of this one, by a name that the caller gives.

    Attributes:
        before: digest and etag of the last run; an etag may be empty.
        seen: the same, as this run does.
    """

    sidecar: Sidecar
    before: Mapping[str, list[str]]
    seen: dict[str, list[str]] = field(default_factory=dict)

    def etag(self, name: str) -> str | None:
        """Return the etag that was seen the last time."""
        return self.before[name][1] if name in self.before else None

    def carry_over(self, name: str) -> None:
        """Remember that nothing has changed."""
        self.seen[name] = self.before[name]

    def changed(self, name: str, digest: str, etag: str | None) -> bool:
        """Return whether a digest is another than the last time, and remember it."""
        self.seen[name] = [digest, etag or ""]
        return name not in self.before or self.before[name][0] != digest

    def save(self) -> str:
        """Write this run's validators and return the name that the cursor has to hold."""
        return self.sidecar.write(json.dumps(self.seen, sort_keys=True).encode())


def open_validators(folder: Path, owner: str, name: str | None) -> Validators:
    """Return the validators that a cursor names; none when their file is gone.

    Args:
        folder: the integration's.
        owner: whose they are among all of the integration.
        name: what :meth:`Validators.save` returned.
    """
    sidecar = open_sidecar(folder / "validators" / owner, [name])
    return Validators(sidecar, json.loads(sidecar.read(name) or b"{}"))
