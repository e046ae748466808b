"""What the command line prints: tables for people, one JSON object per call for programs.

The JSON shape is versioned: every object has ``"leat": 1``. Fields may be added within a version, never changed.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines.results import CheckResult, IntegrationResult, Severity

SHAPE = 1
out = Console(highlight=False, width=None if sys.stdout.isatty() else 100_000)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(**fields: Any) -> None:
    """Print one JSON object with the version of its shape."""
    sys.stdout.write(json.dumps({"leat": SHAPE, **fields}, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print a table to stdout; numbers are aligned right, null is shown as a dim dash."""
    listed = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        numeric = any(isinstance(row[i], int | float) for row in listed)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*("[dim]-[/dim]" if cell is None else escaped(cell) for cell in row))
    out.print(table)


def escaped(cell: Any) -> str:
    """Return the text of a cell, in which brackets are no markup."""
    text = f"{cell:%Y-%m-%d %H:%M:%S}" if isinstance(cell, datetime) else str(cell)
    return text.replace("[", r"\[")


def print_rows(columns: list[str], rows: Iterator[tuple[Any, ...]], form: str) -> None:
    """Print the result of a query as ``table``, ``csv`` or ``json``."""
    if form == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(rows)
    elif form == "json":
        print_json(command="query", columns=columns, rows=[dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)


def print_results(results: Sequence[IntegrationResult]) -> None:
    """Print what a run did: a row per stream that changed, a line per integration that did not."""
    rows = [
        (f"{result.integration}.{s.stream}", s.inserted, s.updated, s.deleted, s.quarantined, s.total)
        for result in results
        for s in result.streams
        if s.changed or s.quarantined
    ]
    if rows:
        print_table(("stream", "inserted", "updated", "deleted", "quarantined", "total"), rows)
    for result in results:
        out.print(f"{_MARKS[result.status]} {result.integration}: {_words(result)}", markup=True)


_MARKS = {
    "loaded": "[green]✓[/green]",
    "nothing_new": "[green]✓[/green]",
    "failed": "[red]✗[/red]",
    "blocked": "[red]✗[/red]",
    "busy": "[yellow]…[/yellow]",
}


def _words(result: IntegrationResult) -> str:
    if result.error:
        return escaped(result.error)
    total = sum(s.total for s in result.streams)
    if result.status == "nothing_new":
        return f"nothing new ({total:,} rows, {result.seconds:.1f} s)"
    return f"loaded in {result.seconds:.1f} s ({total:,} rows, load {result.load_id})"


def print_checks(checks: Sequence[CheckResult]) -> None:
    """Print how many checks held, and each of a table that did not, with its first evidence.

    Of rules, whose subject is their name, only why one was skipped is told: what they found is in the ledger.
    """
    failed = [check for check in checks if not check.ok]
    skipped = [check for check in checks if check.skipped]
    if checks:
        held = len(checks) - len(failed) - len(skipped)
        out.print(f"{held} of {len(checks)} checks hold" + (f", {len(skipped)} skipped" if skipped else ""))
    for check in skipped:
        out.print(f"[dim]- {check.subject}: {escaped(check.detail)}[/dim]")
    colours: dict[Severity, str] = {"error": "red", "warn": "yellow"}
    for check in failed:
        if "." not in check.subject and check.failing:
            continue
        colour = colours[check.severity]
        counted = f" ({check.failing} rows)" if check.failing else ""
        out.print(
            f"[{colour}]{check.severity}[/{colour}] {check.subject}: {check.check}{counted}: {escaped(check.detail)}"
        )
        for row in check.evidence[:3]:
            out.print("      " + escaped(", ".join(f"{k}={v}" for k, v in row.items() if v is not None)), style="dim")
