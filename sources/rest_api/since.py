"""What was read last of a list that grows: from when on to ask, and what that will give if nothing is new."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sources import json_raw as raw
from sources.rest_api.declared import Endpoint, Incremental
from sources.rest_api.fit import compute

_FEW = 2**18
"""Bytes of records that are compared without Arrow, whose import takes longer than that."""


def is_again(before: Mapping[str, Any], pages: Iterable[bytes], size: int) -> bool:
    """Return whether what was asked for again is what the last time has left, and nothing else.

    False means no more than that one has to look closer.

    Args:
        before: the state of the last time.
        pages: arrays of records, JSON.
        size: their bytes.
    """
    if "again" not in before or size > _FEW:
        return False
    count = total = 0
    try:
        for page in pages:
            for text in raw.items(page):
                total += int(hashlib.md5(raw.compact(text), usedforsecurity=False).hexdigest(), 16)
                count += 1
    except ValueError:
        return False
    return bool(_summed(count, total) == before["again"])


def _summed(count: int, total: int) -> str:
    return f"{count} {total % (1 << 128):032x}"


@dataclass(slots=True)
class Seen:
    """Collects the newest records of a list, as digests by their value of the growing column.

    Records of equal value are told apart by their digests, so that one that comes late with a value that was seen is
    new. Only what the next request will give again is kept: values from ``newest - overlap`` on.
    """

    endpoint: Endpoint
    incremental: Incremental
    newest: Any = None
    _by_value: dict[Any, list[int]] = field(default_factory=dict)

    def add(self, table: Any, digests: Sequence[str]) -> None:
        """Add the records of a table."""
        pc = compute()
        values = table.column(self.incremental.column)
        top = pc.max(values).as_py()
        if top is None:
            return
        self.newest = top if self.newest is None else max(top, self.newest)
        floor = self._floor()
        for row in pc.indices_nonzero(pc.greater_equal(values, floor)).to_pylist():
            value, digest = values[row].as_py(), digests[row]
            found = self._by_value.setdefault(value, [0, 0])
            found[0] += 1
            found[1] = (found[1] + int(digest, 16)) % (1 << 128)
        self._by_value = {value: found for value, found in self._by_value.items() if value >= floor}

    def _floor(self) -> Any:
        return self.newest - self.incremental.overlap if self.incremental.overlap else self.newest

    def state(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the cursor keeps: where to go on, and the digest of what is there; as before when all is old."""
        if self.newest is None:
            return {name: before[name] for name in ("since", "seen", "again") if name in before}
        since = self._written(self._floor())
        listed = sorted((self._written(value), *found) for value, found in self._by_value.items())
        seen = hashlib.sha256(repr(listed).encode()).hexdigest()[:32]
        count, total = (sum(found[i] for found in self._by_value.values()) for i in (0, 1))
        return {"since": since, "seen": seen, "again": _summed(count, total)}

    def _written(self, value: Any) -> str:
        """Return a value in the form in which the API takes it."""
        unix = self.endpoint.columns[self.incremental.column].unix
        if unix is not None:
            seconds = value.timestamp()
            return str(int(seconds) if unix == "s" else int(seconds * 1000))
        if isinstance(value, datetime):
            text = (value.astimezone(UTC) if value.tzinfo else value).isoformat()
            return text.replace("+00:00", "Z")
        return value.isoformat() if isinstance(value, date) else str(value)
