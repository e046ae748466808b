"""What the engine should do, said again in plain Python: each event happens to a dictionary, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leat.pipelines.load.deletes import GUARD_FROM
from leat.pipelines.load.results import StreamResult
from leat.sources.events import Delete, Event, FullScan, Rows
from leat.sources.stream import Stream

Key = tuple[Any, ...]
Values = dict[str, Any]


class Refused(Exception):
    """The guard stops the load."""


@dataclass
class Row:
    values: Values
    load: int
    deleted: bool = False


@dataclass
class Model:
    """One stream's table and its history.

    Attributes:
        history: key, values, the load that opened the version, the load that closed it.
    """

    stream: Stream
    share: float = 0.5
    table: dict[Key, Row] = field(default_factory=dict)
    history: list[tuple[Key, Values, int, int | None]] = field(default_factory=list)

    def load(self, number: int, events: Sequence[Event]) -> StreamResult:
        """Let the events of one load happen; returns what the engine should count."""
        before = {key: row.values for key, row in self.table.items() if not row.deleted}
        now, named = dict(before), set[Key]()
        for event in events:
            if isinstance(event, Rows) and event.stream == self.stream.name:
                for values in event.table.to_pylist():
                    key = tuple(values[name] for name in self.stream.key)
                    named.add(key)
                    if not self._older(values, now.get(key)):
                        now[key] = values
            elif isinstance(event, Delete) and event.stream == self.stream.name:
                for key in [key for key, values in now.items() if _matches(values, event.where)]:
                    del now[key]
                    named.discard(key)
        scans = [e.where for e in events if isinstance(e, FullScan) and e.stream == self.stream.name]
        for where in scans:
            self._scan(before, now, named, where)
        return self._settle(number, before, now)

    def _older(self, values: Values, current: Values | None) -> bool:
        version = self.stream.version
        return version is not None and current is not None and values[version] < current[version]

    def _scan(self, before: Mapping[Key, Values], now: dict[Key, Values], named: set[Key], where: Any) -> None:
        scope = [key for key, values in before.items() if key in now and _matches(values, where)]
        gone = [key for key in scope if key not in named]
        if len(scope) >= GUARD_FROM and len(gone) > self.share * len(scope):
            raise Refused
        for key in gone:
            del now[key]

    def _settle(self, number: int, before: Mapping[Key, Values], now: Mapping[Key, Values]) -> StreamResult:
        inserted = updated = deleted = 0
        for key in {**before, **now}:
            old, new = before.get(key), now.get(key)
            if old == new:
                continue
            if new is None:
                deleted += 1
                self.table[key] = Row(self.table[key].values, number, deleted=True)
            else:
                inserted, updated = (inserted, updated + 1) if key in self.table else (inserted + 1, updated)
                self.table[key] = Row(new, number)
                self.history.append((key, new, number, None))
            self.history = [
                (k, v, start, number if k == key and end is None and start != number else end)
                for k, v, start, end in self.history
            ]
        drifted = sum(row.load == number and not row.deleted and row.values["extra"] is not None
                      for row in self.table.values())  # fmt: skip
        return StreamResult(self.stream.name, inserted, updated, deleted, 0, drifted, len(now))


def _matches(values: Values, where: Mapping[str, Any]) -> bool:
    return all(values[name] == value for name, value in where.items())
