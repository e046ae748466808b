"""The events of a landed load other than rows, sorted by what they mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from leat.pipelines.load.event_log import SEQUENCE
from leat.pipelines.load.landing import Landed
from leat.pipelines.load.stream_failures import Failure


@dataclass(slots=True)
class LandedEvents:
    """The events of one load; lists are in order of arrival, and what is staged has its ``_seq``.

    Attributes:
        deletes: by stream and the columns that they name, the values of rows that the source reported as deleted.
        scans: by stream, what the complete listings were about: values by column, none for the whole stream.
        complete: by stream, what proved that its listing was complete.
        failed: the streams that the driver reported as failed.
        quarantined: by stream, records that could not become rows.
        logs: what the driver logged.
        cursor: where the next extraction goes on; None when the driver gave none.
    """

    deletes: dict[str, dict[tuple[str, ...], list[dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    scans: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    complete: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Failure] = field(default_factory=dict)
    quarantined: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    logs: list[dict[str, Any]] = field(default_factory=list)
    cursor: Mapping[str, Any] | None = None

    def without_deletes(self) -> LandedEvents:
        """Return the same events, but for those that can delete rows."""
        self.deletes.clear()
        self.scans.clear()
        self.complete.clear()
        return self

    def reasons(self, stream: str) -> list[str]:
        """Return why records of a stream were quarantined by its driver."""
        return [record["reason"] for record in self.quarantined[stream]]

    def has_identities(self, stream: str) -> bool:
        """Return whether each quarantined record of a stream names the row that it would have become."""
        return all(record["identity"] for record in self.quarantined[stream])


def read_events(integration: str, landed: Landed) -> LandedEvents:
    """Return the events of a load.

    Raises:
        IncompleteLanding: there are fewer rows than were written.
    """
    events = LandedEvents()
    for sequence, kind, stream, data in sorted(landed.events(), key=itemgetter(0)):
        if kind == "delete":
            events.deletes[stream][tuple(sorted(data))].append({SEQUENCE: sequence, **data})
        elif kind == "full_scan":
            events.scans[stream].append(data["where"])
            events.complete[stream] = data["because"]
        elif kind == "listed":
            events.complete[stream] = data["because"]
        elif kind == "failed":
            events.failed[stream] = Failure(**data).joined(events.failed.get(stream))
        elif kind == "quarantined":
            events.quarantined[stream].append({SEQUENCE: sequence, **data})
        elif kind == "log":
            events.logs.append(data)
        elif kind == "cursor":
            events.cursor = data
        elif kind == "end":
            landed.check_rows(integration, data["rows"])
    return events
