"""Reads the pages of a static site, and follows every link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_SHAPES = frozenset({"path", "rect"})  # of SVG: closed by themselves
_LOADS = {"src", "href", "srcset", "data", "action", "poster"}


@dataclass
class Page(HTMLParser):
    """One page.

    Attributes:
        ids: of its elements.
        links: where ``a`` leads.
        loaded: what the page loads by itself.
        mistakes: tags that are never closed, or closed without having been opened; ids that come twice.
        tags: its elements by name.
    """

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        text = self.path.read_text(encoding="utf-8")
        self.feed(text)
        self.close()
        self.mistakes += [f"<{tag}> isn't closed" for tag in self._open]
        self.loaded += re.findall(r"url\(([^)]*)\)|@import", text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value is not None:
                if value in self.ids:
                    self.mistakes.append(f"id {value} comes twice")
                self.ids.add(value)
            elif name in _LOADS and value is not None:
                (self.links if tag == "a" else self.loaded).append(value)
        if tag not in _VOID | _SHAPES:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SHAPES:
            return
        if not self._open or self._open.pop() != tag:
            self.mistakes.append(f"</{tag}> closes something else")


def pages_of(folder: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(folder.rglob("*.html"))}


def broken_links(pages: dict[Path, Page]) -> Iterator[str]:
    """Yield every link and every loaded file that isn't there."""
    for path, page in pages.items():
        for link in [*page.links, *page.loaded]:
            address, anchor = urldefrag(link)
            target = (path.parent / unquote(address)).resolve() if address else path
            if link == "data:,":
                continue
            exists = target in pages or (target.is_file() and not anchor)
            if not exists or (anchor and unquote(anchor) not in pages[target].ids):
                yield f"{path.name}: {link}"
