"""What a run did: rows that changed, streams that failed, records that were quarantined, fields that came or went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from leat.cli.lines import print_indented
from leat.cli.output import Part, counted, say
from leat.cli.tables import print_table
from leat.pipelines.load.drift import APPEARED, Change
from leat.pipelines.load.quarantined import Reason
from leat.pipelines.load.results import IntegrationResult, Status
from leat.runs.result import Reasons

_REASONS = 3
"""So many reasons of a stream are printed by a run; `leat quarantine` lists them all."""
_REASONS_IN_JSON = 10


def result_json(result: IntegrationResult, reasons: Reasons) -> dict[str, Any]:
    """Return the JSON form of a result; its checks are listed apart."""
    value = asdict(result)
    del value["checks"]
    for stream in value["streams"]:
        first = reasons.get((result.integration, stream["stream"]), ())[:_REASONS_IN_JSON]
        stream["reasons"] = [{"reason": each.reason, "records": each.records} for each in first]
    return value


def print_results(results: Sequence[IntegrationResult], *, again: bool = False) -> None:
    """Print what a run did: a row for each stream that changed, a line for each integration.

    ``again`` says that it was to read what had been loaded before.
    """
    print_changes(results)
    for result in results:
        print_ending(result, again=again)


def print_ending(result: IntegrationResult, *, again: bool = False) -> None:
    """Print how the run of an integration ended, with a line for each stream that failed: why, and what to do next."""
    failed = [stream for stream in result.streams if stream.error]
    words = _words(result, again=again).removeprefix(f"{result.integration}: ")
    if failed:
        words = words.partition(". ")[0]
    say(_MARKS[result.status], f" {result.integration}: {words}")
    for stream in failed:
        why, *steps = (stream.error or "").removeprefix(f"{result.integration}: ").split(". Next: ")
        print_indented(f"  {stream.stream}: ", why)
        for step in steps:
            print_indented("    Next: ", step)


def print_would(result: IntegrationResult) -> None:
    """Print what a dry run would have done to an integration."""
    if result.error:
        print_ending(result)
        return
    counts = {
        "insert": sum(stream.inserted for stream in result.streams),
        "update": sum(stream.updated for stream in result.streams),
        "delete": sum(stream.deleted for stream in result.streams),
        "quarantine": sum(stream.quarantined for stream in result.streams),
    }
    would = ", ".join(f"{what} {count:,}" for what, count in counts.items() if count)
    say(("✓", "green"), f" {result.integration}: {f'would {would}' if would else 'nothing new'}")


def print_changes(results: Sequence[IntegrationResult]) -> None:
    """Print a row for each stream that changed."""
    rows = [
        (f"{result.integration}.{s.stream}", s.inserted, s.updated, s.deleted, s.quarantined, s.total)
        for result in results
        for s in result.streams
        if s.changed or s.quarantined
    ]
    if rows:
        print_table(("stream", "inserted", "updated", "deleted", "quarantined", "total"), rows)


_MARKS: dict[Status, Part] = {
    "loaded": ("✓", "green"),
    "nothing_new": ("✓", "green"),
    "failed": ("✗", "red"),
    "blocked": ("✗", "red"),
    "busy": ("…", "yellow"),
}


def _words(result: IntegrationResult, *, again: bool) -> str:
    if result.error:
        return result.error
    total = sum(s.total for s in result.streams)
    if result.status == "nothing_new":
        what = "read again, and no row differs" if again else "nothing new"
        return f"{what} ({counted(total, 'row')}, {result.seconds:.1f} s)"
    return f"loaded in {result.seconds:.1f} s ({counted(total, 'row')}, load {result.load_id})"


def print_quarantined(reasons: Reasons) -> None:
    """Print how many records a run has quarantined and the most frequent reasons, of each stream."""
    for of_stream in reasons.values():
        print_reasons(of_stream, _REASONS)
    if any(reasons.values()):
        say("`leat quarantine NAME.STREAM` lists the records; their rows stay as they were")


def print_drift(changes: Sequence[Change], *, dated: bool = False) -> None:
    """Print the fields that came or went, a change a line."""
    for each in changes:
        when = f" ({each.at:%Y-%m-%d})" if dated else ""
        print_indented("! ", f"{each.integration}.{each.stream}: {each.words}{when}")
    if any(each.kind == APPEARED for each in changes):
        say("  values of new fields are in the column `extra`")


def drift_json(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return the JSON form of changes of fields."""
    return [asdict(each) for each in changes]


def print_reasons(counted: Sequence[Reason], most: int | None = None) -> None:
    """Print the reasons of each stream with the number of their records; with ``most``, the first few."""
    for (integration, stream), group in groupby(counted, lambda each: (each.integration, each.stream)):
        reasons = list(group)
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
