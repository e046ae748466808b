"""Plain text derived from HTML, in lines of at most 78 characters; links follow their words."""

from __future__ import annotations

import re
import textwrap
from html.parser import HTMLParser
from typing import Any

WIDTH = 78
_BLOCKS = {"p", "div", "table", "tr", "ul", "ol", "li", "h1", "h2", "h3", "h4", "section", "hr", "blockquote"}
_HIDDEN = {"script", "style", "title", "head"}
_UNSEEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_VOID = {"br", "img", "hr", "meta", "link", "input"}


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = [""]
        self._hidden: list[str] = []
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = {name: value or "" for name, value in attrs}
        if self._hidden or tag in _HIDDEN or _UNSEEN.search(given.get("style", "")):
            if tag not in _VOID:
                self._hidden.append(tag)
            return
        if tag == "br" or tag in _BLOCKS:
            self._break()
        if tag == "li":
            self.lines[-1] = "- "
        if tag in ("td", "th") and self.lines[-1].strip():
            self.lines[-1] += "  "
        if tag == "img" and given.get("alt"):
            self.lines[-1] += given["alt"]
        if tag == "a":
            self._links.append((given.get("href", ""), len(self.lines[-1])))

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
            return
        if tag == "a" and self._links:
            address, start = self._links.pop()
            address = address.removeprefix("mailto:")
            if address and not address.startswith("#") and address != self.lines[-1][start:].strip():
                self.lines[-1] += f" ({address})"
        if tag in _BLOCKS:
            self._break()
        if tag in ("p", "div", "table", "h1", "h2", "h3", "ul", "ol"):
            self.lines += ["", ""]

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            words = re.sub(r"\s+", " ", data)
            self.lines[-1] += words.lstrip() if not self.lines[-1] or self.lines[-1].endswith(" ") else words

    def _break(self) -> None:
        if self.lines[-1].strip():
            self.lines.append("")


def plain_of(html: str) -> str:
    """Return the text of a page, ending with a line break."""
    page = _Text()
    page.feed(html)
    page.close()
    lines: list[str] = []
    for line in page.lines:
        text = line.strip()
        if not text and (not lines or not lines[-1]):
            continue
        lines += textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False) if text else [""]
    return "\n".join(lines).strip() + "\n"
