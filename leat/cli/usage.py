"""How a command ends: its exit codes, and the error of a command that was called with something that isn't there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from leat.pipelines.declare.diagnostics import meant

if TYPE_CHECKING:
    from leat.runs.result import Outcome

FAILED, USAGE, BLOCKED, BUSY, INTERRUPTED = 1, 2, 3, 75, 130
EXIT_CODES: Mapping[Outcome, int] = {"ok": 0, "failed": FAILED, "blocked": BLOCKED, "busy": BUSY}
"""With which a run ends."""


_LISTED = 12  # names in a message


class UsageMistake(Exception):
    """The command was called with something that isn't there; the text says what is."""


def not_there(what: str, name: str, choices: Collection[str], heading: str) -> str:
    """Return a message that says what isn't there, what was probably meant, and what there is."""
    listed = ", ".join(list(choices)[:_LISTED]) or "none"
    if len(choices) > _LISTED:
        listed += f", … ({len(choices)} in all)"
    close = meant(name, choices)
    return f"{what}{close} {heading.capitalize()}: {listed}" if close else f"{what}; {heading}: {listed}"
