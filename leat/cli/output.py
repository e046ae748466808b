"""What the command line prints: tables for people, one JSON object per call for programs.

The JSON shape is versioned: every object has ``"leat": 1``. Fields may be added within a version, never changed.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from leat.pipelines.load.cells import placeholder
from leat.pipelines.load.results import CheckResult, Severity
from leat.runs.printable import in_one_line, printable

SHAPE = 1
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]
Part = str | tuple[str, str]
"""A piece of a line: text, or text and its style."""


class ReaderGone(BaseException):
    """Whoever read our output has closed it, as ``| head`` does; of a kind that no library catches."""


class Stream(io.TextIOWrapper):
    """Standard output or error of the process, which raises :class:`ReaderGone` for a broken pipe."""

    def write(self, text: str) -> int:
        """Write text.

        Raises:
            ReaderGone: nobody reads any more.
        """
        try:
            return super().write(text)
        except BrokenPipeError:
            raise ReaderGone from None

    def flush(self) -> None:
        """Write what is buffered.

        Raises:
            ReaderGone: nobody reads any more.
        """
        try:
            super().flush()
        except BrokenPipeError:
            raise ReaderGone from None


_PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
out = Console(width=None if sys.stdout.isatty() else 100_000, **_PLAIN)
err = Console(stderr=True, soft_wrap=True, **_PLAIN)


def say(*parts: Part, style: str = "", whole: bool = False) -> None:
    """Print a line to stdout, made of pieces that may have a style; nothing in them is markup or a command.

    ``whole`` leaves it to the terminal to break the line, so that what is copied from it has no breaks.
    """
    out.print(styled(*parts, style=style), soft_wrap=whole)


def styled(*parts: Part, style: str = "") -> Text:
    """Return pieces as one text; nothing in them is markup or a command to the terminal."""
    pieces = [printable(p) if isinstance(p, str) else (printable(p[0]), p[1]) for p in parts]
    return Text.assemble(*pieces, style=style)


def print_json(**fields: Any) -> None:
    """Print one JSON object with the version of its shape."""
    sys.stdout.write(json.dumps({"leat": SHAPE, **fields}, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def cell_text(cell: Any) -> str:
    """Return a value in one line: times to the second and in UTC, true and false, everything else as it is."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M:%S}" if cell.tzinfo is None else f"{cell.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return in_one_line(plain_text(cell))


def minute(at: datetime | None) -> str:
    """Return a time to the minute, UTC; nothing for none."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def plain_text(value: Any) -> str:
    """Return the text of a value as both engines write it: JSON for what has parts, hexadecimal for bytes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return f"\\x{bytes(value).hex()}" if isinstance(value, bytes | bytearray | memoryview) else str(value)


def print_checks(checks: Sequence[CheckResult]) -> None:
    """Print how many checks held, and each of a table that did not, with its first evidence.

    Of rules, whose subject is their name, only the reason for skipping is shown: their violations are in the ledger.
    """
    failed = [check for check in checks if not check.ok]
    skipped = [check for check in checks if check.skipped]
    if checks:
        held = len(checks) - len(failed) - len(skipped)
        say(f"{held} of {len(checks)} checks hold" + (f", {len(skipped)} skipped" if skipped else ""))
    for check in skipped:
        say(f"- {check.subject}: {check.detail}", style="dim")
    colours: dict[Severity, str] = {"error": "red", "warn": "yellow"}
    for check in failed:
        if "." not in check.subject and check.failing:
            continue
        rows = f" ({counted(check.failing, 'row')})" if check.failing else ""
        said = f" {check.subject}: {check.check}{rows}: {check.detail}"
        say((check.severity, colours[check.severity]), said)
        for row in check.evidence[:3]:
            say("      " + placeholder(evidence_text(row)), style="dim")


def evidence_text(evidence: Mapping[str, Any]) -> str:
    """Return evidence in one line; what is null is left out."""
    return in_one_line(", ".join(f"{name}={plain_text(v)}" for name, v in evidence.items() if v is not None))


def mark_of(ok: bool) -> tuple[str, str]:
    """Return the mark before a line that says whether something is right."""
    return ("✓", "green") if ok else ("✗", "red")


def counted(number: int, what: str) -> str:
    """Return a number with what it counts."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
