"""A complete listing of a bucket, in shards: prefixes that are listed at the same time, each page after page.

A prefix is listed flat first: what fits a page takes one request. One with more is split by its folders while there are
fewer shards than requests may be in flight, or when its first page lies in one folder: then the folders are large. A
folder of many small ones is split by the letters that their names begin with, so that requests stay few.
No server's order is relied upon: :mod:`sorted_lines` sorts what comes. A prefix is at its end when the server says so,
not when it says nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from leat.sources.cloud_storage.s3.pages import Page, encode_key
from leat.sources.cloud_storage.sorted_lines import Listing, Piece, Pieces, key_of, merge_pieces

Fetch = Callable[[Mapping[str, str]], Page]
"""Asks for a page: prefix, delimiter, and where to go on."""

_MOST = 100
"""Shards that one prefix is split into, at most."""
_EMPTY = 1_000
"""Pages without anything on them that may follow each other: a server leaves out what was deleted."""


class Looping(ValueError):
    """The server says to go on where the listing has been before."""


@dataclass(slots=True)
class _Work:
    fetch: Fetch
    folder: Path
    in_flight: int
    waiting: int = 0
    shards: int = 0
    pages: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)


def list_bucket(
    fetch: Fetch, folder: Path, target: Path, in_flight: int, progress: Callable[[int], None] = lambda _count: None
) -> Listing:
    """List everything into one sorted file.

    Args:
        fetch: asks for a page; called from several threads.
        folder: of the pieces until they are joined.
        target: the file.
        in_flight: how many requests are under way at a time.
        progress: called with how many entries were listed since the last call.

    Raises:
        ValueError: the listing isn't complete.
    """
    work = _Work(fetch, folder, in_flight)
    pieces: list[Piece] = []
    with ThreadPoolExecutor(in_flight) as pool:
        pending: set[Future[tuple[list[Piece], list[str]]]] = {pool.submit(_list_shard, work, "", 0)}
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    listed, shards = future.result()
                    pieces += listed
                    progress(sum(piece.count for piece in listed))
                    for prefix in shards:
                        work.shards += 1
                        pending.add(pool.submit(_list_shard, work, prefix, work.shards))
                work.waiting = len(pending)
        except BaseException:
            work.stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    because = f"IsTruncated false at the end of each of {work.shards + 1} prefixes"
    if not work.shards:
        because = f"IsTruncated false on page {work.pages}"
    return replace(merge_pieces(pieces, target), because=because)


def _list_shard(work: _Work, prefix: str, number: int) -> tuple[list[Piece], list[str]]:
    """List a prefix, or split it; returns what was listed, and the shards that remain."""
    out = Pieces(work.folder, f"piece-{number}")
    page = _fetch(work, {"prefix": prefix})
    if page.after and _is_worth_a_split(work, prefix, page):
        level = _fetch(work, {"prefix": prefix, "delimiter": "/"})
        shards = [] if level.after else _shards(level.prefixes, work.in_flight)
        if len(shards) > 1 or (shards and shards[0] != prefix):
            covered = tuple(encode_key(_bytes(shard)) for shard in shards)
            out.add(line for line in level.lines if not line.startswith(covered))
            out.flush()
            return out.done, shards
    for following in _pages(work, prefix, page):
        out.add(following.lines)
    out.flush()
    return out.done, []


def _fetch(work: _Work, params: Mapping[str, str]) -> Page:
    page = work.fetch(params)
    if not page.after and not page.ended:
        msg = "the server doesn't say whether a page is the last: IsTruncated is missing"
        raise ValueError(msg)
    work.pages += 1
    return page


def _pages(work: _Work, prefix: str, page: Page) -> Iterator[Page]:
    places: set[tuple[tuple[str, str], ...]] = set()
    contents: set[bytes] = set()
    empty = 0
    while True:
        content = sha256(b"\n".join(page.lines)).digest()
        empty = 0 if page.lines else empty + 1
        if (page.lines and content in contents) or empty > _EMPTY:
            msg = (
                "the listing goes round in circles: a page came twice"
                if page.lines
                else f"{empty} empty pages in a row"
            )
            raise Looping(msg)
        contents.add(content)
        yield page
        if not page.after or work.stopped.is_set():
            return
        place = tuple(sorted(page.after.items()))
        if place in places:
            msg = "the listing goes round in circles: the server says to go on where it has been before"
            raise Looping(msg)
        places.add(place)
        page = _fetch(work, {"prefix": prefix, **page.after})


def _bytes(prefix: str) -> bytes:
    return prefix.encode("utf-8", "surrogateescape")


def _is_worth_a_split(work: _Work, prefix: str, page: Page) -> bool:
    start = len(encode_key(_bytes(prefix)))
    folders = {key[: key.index(b"/", start)] for line in page.lines if b"/" in (key := key_of(line))[start:]}
    return bool(folders) and (len(folders) == 1 or work.waiting < 2 * work.in_flight)


def _shards(folders: list[str], in_flight: int) -> list[str]:
    """Return prefixes that cover all the folders: themselves, or where they are many, what they begin with."""
    if len(folders) <= 4 * in_flight:
        return folders
    common = 0
    while len({folder[: common + 1] for folder in folders}) == 1:
        common += 1
    letters = sorted({folder[: common + 1] for folder in folders})
    return letters if len(letters) <= _MOST else []
