"""Data keys in memory, for tests without a key tree."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from leat.pipelines.load.cells import DataKey
from leat.sources.identity import Identity


@dataclass
class Ring:
    """Data keys in memory.

    Attributes:
        kids: the ids of those that are there, the current one last.
    """

    kids: list[str] = field(default_factory=lambda: ["k1"])

    def current(self) -> DataKey:
        return key_named(self.kids[-1])

    def hold(self) -> contextlib.AbstractContextManager[DataKey]:
        return contextlib.nullcontext(self.current())

    def find(self, kid: str) -> DataKey | None:
        return key_named(kid) if kid in self.kids else None

    def of_people(self, people: Sequence[Identity], *, make: bool) -> Mapping[Identity, DataKey]:
        msg = f"no test encrypts columns of people with keys in memory: {people}, {make}"
        raise NotImplementedError(msg)


def key_named(kid: str, secret: str = "") -> DataKey:
    return DataKey(kid, (secret or kid).encode().ljust(32, b"."))
