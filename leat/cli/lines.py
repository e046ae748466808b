"""Text from outside on a terminal: wrapped at its width, and without what a terminal would take for a command."""

from __future__ import annotations

import textwrap

from leat.cli import output
from leat.cli.output import say
from leat.runs.printable import in_one_line

_WIDEST = 10_000
_NARROWEST = 20


def print_indented(indent: str, text: str) -> None:
    """Print text behind an indentation that its further lines have as well; on a terminal it wraps at its width."""
    width = max(min(output.out.width, _WIDEST) - len(indent), _NARROWEST)
    lines = textwrap.wrap(in_one_line(text), width, break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        say((indent if number == 0 else " " * len(indent)) + line, whole=True)


def print_text(text: str) -> None:
    """Print text line by line as it is, except for control characters."""
    for line in text.splitlines() or [""]:
        say(line, whole=True)
