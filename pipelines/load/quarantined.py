"""What is in the quarantine: records that could not become rows, and how many of them each reason has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leat.pipelines.load.state import SCHEMA
from leat.warehouse.session import Session

_TABLE = "quarantine"


@dataclass(frozen=True, slots=True)
class Reason:
    """How many records of a stream have one reason."""

    integration: str
    stream: str
    reason: str
    records: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """One record; ``record`` is its text as it came, as far as it is retained."""

    integration: str
    stream: str
    key: str
    reason: str
    first_seen_at: datetime
    last_seen_at: datetime
    load_id: str
    record: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Which records are wanted: of an integration, of one stream, with one key, seen from a time on; None for any."""

    integration: str | None = None
    stream: str | None = None
    key: str | None = None
    since: datetime | None = None

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition, and what is bound to it."""
        conditions = {
            "integration = ?": self.integration,
            "stream = ?": self.stream,
            "record_key = ?": self.key,
            "last_seen_at >= ?": self.since,
        }
        given = {condition: value for condition, value in conditions.items() if value is not None}
        return " AND ".join(given or ["1 = 1"]), list(given.values())


def count_reasons(session: Session, choice: Choice) -> list[Reason]:
    """Return the reasons with the number of their records, by stream, the most frequent first."""
    if not session.columns(SCHEMA, _TABLE):
        return []
    where, values = choice.where()
    rows = session.execute(
        "SELECT integration, stream, reason, count(*), min(first_seen_at), max(last_seen_at) FROM leat.quarantine "
        f"WHERE {where} GROUP BY integration, stream, reason ORDER BY integration, stream, count(*) DESC, reason",
        values,
    )
    return [Reason(row[0], row[1], row[2], int(row[3]), row[4], row[5]) for row in rows]


def list_records(session: Session, choice: Choice, limit: int) -> list[Record]:
    """Return records, those that came last first."""
    if not session.columns(SCHEMA, _TABLE):
        return []
    where, values = choice.where()
    rows = session.execute(
        "SELECT integration, stream, record_key, reason, first_seen_at, last_seen_at, load_id, record "
        f"FROM leat.quarantine WHERE {where} ORDER BY last_seen_at DESC, integration, stream, record_key LIMIT {limit}",
        values,
    )
    return [Record(*row) for row in rows]


def streams_in_quarantine(session: Session) -> Mapping[str, set[str]]:
    """Return the streams that have records in the quarantine, by integration."""
    result: dict[str, set[str]] = {}
    if session.columns(SCHEMA, _TABLE):
        for integration, stream in session.execute("SELECT DISTINCT integration, stream FROM leat.quarantine"):
            result.setdefault(integration, set()).add(stream)
    return result
