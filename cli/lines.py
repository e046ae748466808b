"""Text from outside on a terminal: wrapped at its width, and without what a terminal would take for a command."""

from __future__ import annotations

import re
import textwrap

from cli.output import out

_WIDEST = 10_000
_NARROWEST = 20
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def print_indented(indent: str, text: str) -> None:
    """Print text behind an indentation that its further lines have as well; on a terminal it wraps at its width."""
    width = max(min(out.width, _WIDEST) - len(indent), _NARROWEST)
    lines = textwrap.wrap(printable(text), width, break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        out.print((indent if number == 0 else " " * len(indent)) + line, markup=False, soft_wrap=True)


def print_text(text: str) -> None:
    """Print text line by line as it is, except for control characters."""
    for line in text.splitlines() or [""]:
        out.print(printable(line), markup=False, soft_wrap=True)


def printable(text: str) -> str:
    """Return text in which control characters, and marks that turn the direction of writing, are escaped."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)
