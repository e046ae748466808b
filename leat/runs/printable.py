"""Text that comes from data made fit for a terminal: what would command it is shown as an escape instead."""

from __future__ import annotations

import re

_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, and among them ESC and CSI, which begin a command
    "\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, or of direction
    "\ud800-\udfff\U000e0000-\U000e007f]"  # halves of characters, which can't be written; invisible tags
)


def printable(text: str) -> str:
    """Return text of several lines in which nothing commands the terminal, changes the direction or is invisible."""
    return _COMMANDS.sub(_escape, text)


def in_one_line(text: str) -> str:
    """Return the same in one line, for a cell of a table."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
