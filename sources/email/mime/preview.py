"""The beginning of a message, as lists of messages show it."""

from __future__ import annotations

from contextlib import suppress
from html.parser import HTMLParser
from typing import Any


class _Words(HTMLParser):
    """Collects the words of a page, without those of scripts and styles, until there are enough."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, _attrs: Any) -> None:
        self._hidden += tag in ("script", "style", "title")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style", "title") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data.split()


def preview(plain: str, html: str, length: int = 200) -> str | None:
    """Return the beginning of a message's text on one line, of its HTML where it has no plain text."""
    text = " ".join(plain[: length * 10].split(None, length // 2 + 1)[: length // 2 + 1])
    if not text and html:
        page = _Words()
        with suppress(AssertionError, ValueError):  # HTMLParser gives up on some declarations
            page.feed(html[: 64 * 1024])
        text = " ".join(page.words)
    return text[:length] or None
