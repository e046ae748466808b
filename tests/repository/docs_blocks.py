"""Fenced blocks of Markdown pages, and what the command line prints, in a form that can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^(?:`(?P<file>[\w./-]+)`:\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_CHANGING = ((r"\d+\.\d+ s\b", "# s"), (r"\b\d{8}T\d{12}\b", "#"), (r"[ \t]+", " "))


@dataclass(frozen=True)
class Block:
    """A fenced block; ``file`` is the path that the line before names."""

    kind: str
    text: str
    file: str | None


def blocks(page: Path, section: str = "") -> Iterator[Block]:
    """Yield the blocks of a page, or of what follows one of its headings up to the next of its level."""
    text = page.read_text(encoding="utf-8")
    if section:
        level = section.split(" ", maxsplit=1)[0]
        plain = _BLOCK.sub(lambda match: "\n" * len(match[0]), text)  # a comment in code is no heading
        start = plain.index(f"\n{section}\n") + 1 + len(section)
        end = re.compile(rf"^#{{1,{len(level)}}} ", re.MULTILINE).search(plain, start)
        text = text[start : end.start() if end else None]
    for match in _BLOCK.finditer(text):
        yield Block(match["kind"], match["text"], match["file"])


def settled(output: str) -> list[str]:
    """Return the lines of an output without what differs from run to run: seconds, ids of loads, widths of columns."""
    for pattern, text in _CHANGING:
        output = re.sub(pattern, text, output)
    return [line.strip() for line in output.splitlines() if line.strip()]
