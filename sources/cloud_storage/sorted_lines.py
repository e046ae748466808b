"""Sorted files of lines: written piece by piece in any order, merged into one, and compared, in little memory.

Servers list their keys in order, most of the time: pieces then follow each other and are put together as they are.
Where they overlap they are merged.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import IO

PIECE = 8_000
"""Lines that are held and sorted at a time."""


@dataclass(slots=True)
class Piece:
    """A sorted file: where it is, its first and its last line, and the lines in it."""

    path: Path
    first: bytes
    last: bytes
    count: int


@dataclass(slots=True)
class Pieces:
    """Takes lines in any order; they go to files whose names begin with ``name``, one while they come in order."""

    folder: Path
    name: str
    done: list[Piece] = field(default_factory=list)
    _held: list[bytes] = field(default_factory=list)

    def add(self, lines: Iterable[bytes]) -> None:
        """Take lines, without line ends."""
        self._held += lines
        if len(self._held) >= PIECE:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if not self._held:
            return
        lines = sorted(set(self._held))
        self._held = []
        if not self.done or lines[0] <= self.done[-1].last:
            path = self.folder / f"{self.name}.{len(self.done)}"
            path.unlink(missing_ok=True)
            self.done.append(Piece(path, lines[0], b"", 0))
        piece = self.done[-1]
        with piece.path.open("ab") as file:
            file.write(b"\n".join(lines) + b"\n")
        piece.last = lines[-1]
        piece.count += len(lines)


@dataclass(frozen=True, slots=True)
class Listing:
    """A complete listing: a sorted file, how many lines it has, a digest of them, and what proved that it is all."""

    path: Path
    count: int
    digest: str
    because: str = ""


def merge_pieces(pieces: Iterable[Piece], path: Path) -> Listing:
    """Put pieces together into one sorted file, and remove them."""
    digest, count = hashlib.sha256(), 0
    ordered = sorted(pieces, key=lambda piece: piece.first)
    follow = all(one.last < other.first for one, other in pairwise(ordered))
    with path.open("wb") as out:
        if follow:
            for piece in ordered:
                count += piece.count
                for block in _blocks(piece.path):
                    digest.update(block)
                    out.write(block)
        else:
            last = b""
            for line in heapq.merge(*(_chained(chain) for chain in _chains(ordered))):
                if line != last:
                    digest.update(line)
                    out.write(line)
                    count += 1
                last = line
    for piece in ordered:
        piece.path.unlink()
    return Listing(path, count, digest.hexdigest()[:32])


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(2**20):
            yield block


def _chains(ordered: list[Piece]) -> list[list[Piece]]:
    """Return the pieces in as few rows as can be in which each begins after the one before has ended."""
    ends: list[tuple[bytes, int]] = []
    chains: list[list[Piece]] = []
    for piece in ordered:
        if ends and ends[0][0] < piece.first:
            _, number = heapq.heappop(ends)
            chains[number].append(piece)
        else:
            number = len(chains)
            chains.append([piece])
        heapq.heappush(ends, (piece.last, number))
    return chains


def _chained(chain: list[Piece]) -> Iterator[bytes]:
    for piece in chain:
        with piece.path.open("rb") as file:
            yield from file


def key_of(line: bytes) -> bytes:
    """Return the first field of a line."""
    return line[: line.index(b"\t")]


def differences(old: Path, new: Path) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Yield the lines of each key whose lines differ: as they were, as they are; either may be empty."""
    with old.open("rb") as before, new.open("rb") as after:
        olds, news = _by_key(before), _by_key(after)
        was, now = next(olds, None), next(news, None)
        while was is not None or now is not None:
            if now is None or (was is not None and was[0] < now[0]):
                yield (was or now or (b"", []))[1], []
                was = next(olds, None)
            elif was is None or now[0] < was[0]:
                yield [], now[1]
                now = next(news, None)
            else:
                if was[1] != now[1]:
                    yield was[1], now[1]
                was, now = next(olds, None), next(news, None)


def _by_key(file: IO[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    for key, lines in groupby(file, key_of):
        yield key, [line[:-1] for line in lines]


def line_batches(path: Path, size: int) -> Iterator[list[bytes]]:
    """Yield the lines of a file, so many at a time."""
    batch: list[bytes] = []
    with path.open("rb") as file:
        for line in file:
            batch.append(line[:-1])
            if len(batch) >= size:
                yield batch
                batch = []
    if batch:
        yield batch
