"""What a run found besides rows: why it quarantined records, and fields that came or went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import Any

from cli.lines import print_indented
from cli.output import say
from pipelines.drift import APPEARED, Change
from pipelines.quarantined import Choice, Reason, count_reasons
from pipelines.results import IntegrationResult
from warehouse.session import Session

_REASONS = 3
"""So many reasons of a stream are printed by a run; `leat quarantine` lists them all."""
_REASONS_IN_JSON = 10

Reasons = Mapping[tuple[str, str], Sequence[Reason]]
"""The reasons of what was quarantined, the most frequent first, by integration and stream."""


def reasons_of(session: Session, results: Sequence[IntegrationResult], since: datetime) -> Reasons:
    """Return the reasons of what a run that began at a time has quarantined."""
    return {
        (result.integration, stream.stream): count_reasons(
            session, Choice(result.integration, stream.stream, since=since)
        )
        for result in results
        for stream in result.streams
        if stream.quarantined
    }


def result_json(result: IntegrationResult, reasons: Reasons) -> dict[str, Any]:
    """Return the JSON form of a result; its checks are listed apart."""
    value = asdict(result)
    del value["checks"]
    for stream in value["streams"]:
        found = reasons.get((result.integration, stream["stream"]), ())[:_REASONS_IN_JSON]
        stream["reasons"] = [{"reason": each.reason, "records": each.records} for each in found]
    return value


def print_quarantined(reasons: Reasons) -> None:
    """Print how many records a run has quarantined and the most frequent reasons, of each stream."""
    for found in reasons.values():
        print_reasons(found, _REASONS)
    if any(reasons.values()):
        say("`leat quarantine NAME.STREAM` lists the records; their rows stay as they were")


def print_drift(changes: Sequence[Change], *, dated: bool = False) -> None:
    """Print the fields that came or went, a change a line."""
    for each in changes:
        when = f" ({each.at:%Y-%m-%d})" if dated else ""
        print_indented("! ", f"{each.integration}.{each.stream}: {each.words}{when}")
    if any(each.kind == APPEARED for each in changes):
        say("  values of new fields are in `extra`; declare a column to have one of their own")


def drift_json(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return the JSON form of changes of fields."""
    return [asdict(each) for each in changes]


def print_reasons(counted: Sequence[Reason], most: int | None = None) -> None:
    """Print the reasons of each stream with the number of their records; with ``most``, the first few."""
    for (integration, stream), found in groupby(counted, lambda each: (each.integration, each.stream)):
        reasons = list(found)
        total = sum(each.records for each in reasons)
        say(("!", "yellow"), f" {integration}.{stream}: {counted_records(total)} quarantined")
        for each in reasons[:most]:
            print_indented(f"{each.records:>5,} ", each.reason)
        left = reasons[most:] if most is not None else []
        if left:
            counts = f"for {len(left)} other reason{'' if len(left) == 1 else 's'}"
            print_indented(f"{sum(each.records for each in left):>5,} ", counts)


def counted_records(count: int) -> str:
    """Return a number of records in words."""
    return f"{count:,} record{'' if count == 1 else 's'}"
