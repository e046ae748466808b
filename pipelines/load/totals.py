"""What the loads of one run of an integration have done so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from leat.pipelines.load.results import CheckResult, StreamResult
from leat.pipelines.load.stream_failures import CHECK, Failure


@dataclass(slots=True)
class RunTotals:
    """The sums over the loads of one run.

    Attributes:
        load_id: the last load that was applied.
        streams: what happened to each stream.
        checks: the last results of the checks.
        failures: the streams that failed in the last attempt.
        retention_enforced: whether a load has removed what is older than ``retain:`` allows.
    """

    load_id: str | None = None
    streams: dict[str, StreamResult] = field(default_factory=dict)
    checks: tuple[CheckResult, ...] = ()
    failures: dict[str, Failure] = field(default_factory=dict)
    retention_enforced: bool = False

    def add(self, load_id: str, results: Sequence[StreamResult]) -> None:
        """Add what a load did."""
        for new in results:
            old = self.streams.get(new.stream)
            self.streams[new.stream] = new if old is None else replace(
                new,
                inserted=old.inserted + new.inserted,
                updated=old.updated + new.updated,
                deleted=old.deleted + new.deleted,
                quarantined=old.quarantined + new.quarantined,
                drifted=old.drifted + new.drifted,
                purged=old.purged + new.purged,
            )  # fmt: skip
        if results:
            self.load_id = load_id

    def fail(self, failures: Mapping[str, Failure]) -> None:
        """Take note of streams that failed."""
        for stream, failure in failures.items():
            self.failures[stream] = failure
            old = self.streams.get(stream, StreamResult(stream, 0, 0, 0, 0, 0, 0))
            self.streams[stream] = replace(old, error=failure.message)

    def is_blocked(self) -> bool:
        """Return whether checks blocked everything."""
        changed = any(result.changed for result in self.streams.values())
        return not changed and all(failure.kind == CHECK for failure in self.failures.values())

    def has_news(self) -> bool:
        """Return whether a row was changed, or a record quarantined."""
        return any(result.changed or result.quarantined for result in self.streams.values())
