"""Read ``git log``: a streaming parser of its NUL-separated output, in memory bounded by the largest single commit.

One command gives commits and changed files (git-log(1): ``-z --raw --numstat``). For a commit it prints the fields of
the format below, each ended by NUL, an empty field, then the entries: all of ``--raw``, then all of ``--numstat``, in
the same order. Merges are compared with their first parent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from leat.sources.version_control.git.program import Damaged, Git

_FIELDS = ("H", "T", "P", "aN", "aE", "an", "ae", "at", "ad", "cN", "cE", "cn", "ce", "ct", "cd", "s", "b", "e")
_FORMAT = "tformat:%x01" + "".join(f"%{field}%x00" for field in _FIELDS)
_DIFF = ("--raw", "--numstat", "-M", "--no-abbrev", "--diff-merges=first-parent", "--no-ext-diff", "--no-textconv")


Change = tuple[bytes, ...]
"""One changed file: its line of ``--raw``, its path, lines added, lines deleted, and the old path of a rename."""


class Entry(NamedTuple):
    """One commit: its fields in the order of the format, and the files it changed."""

    fields: Sequence[bytes]
    changes: Sequence[Change]


def read_log(git: Git, new: Sequence[str], old: Sequence[str], files: bool) -> Iterator[Entry]:
    """Yield the commits that are reachable from ``new`` and not from ``old``.

    Raises:
        Damaged: objects are missing or the output breaks off.
    """
    if not new:  # without a revision git would take HEAD
        return
    revisions = "".join([*(f"{oid}\n" for oid in new), *(f"^{oid}\n" for oid in old)]).encode()
    diff = _DIFF if files else ("--no-patch",)
    command = ("log", "--stdin", "-z", "--date=raw", "--no-color", "--no-decorate", *diff, f"--format={_FORMAT}")
    yield from parse_log(split_at_nul(git.stream(*command, given=revisions)))


def parse_log(tokens: Iterator[bytes]) -> Iterator[Entry]:
    """Yield the commits of a log that has been split at NUL."""
    fields: list[bytes] | None = None
    raws: list[tuple[bytes, ...]] = []
    changes: list[Change] = []
    for token in tokens:
        start = token[:1]
        if start == b"\x01":
            if fields is not None:
                yield Entry(fields, changes)
            fields = [token[1:], *islice(tokens, len(_FIELDS) - 1)]
            raws, changes = [], []
        elif start in (b":", b"\n"):
            first = next(tokens)
            renamed = token[token.rindex(b" ") + 1 :][:1] in (b"R", b"C")
            raws.append((token.lstrip(b"\n"), next(tokens), first) if renamed else (token.lstrip(b"\n"), first))
        elif token:
            changes.append(_counted(token, tokens, raws[len(changes)]))
    if fields is not None:
        yield Entry(fields, changes)


def _counted(token: bytes, tokens: Iterator[bytes], raw: tuple[bytes, ...]) -> Change:
    """Return a change with its lines: ``added TAB deleted TAB path``; a rename has two paths in fields of their own."""
    added, deleted, path = token.split(b"\t", 2)
    if not path:
        next(tokens)
        path = next(tokens)
    if path != raw[1]:
        msg = "--raw and --numstat of git log name different files"
        raise Damaged(msg)
    return (raw[0], path, added, deleted, *raw[2:])


def split_at_nul(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what lies between the NULs of a stream of bytes."""
    rest: list[bytes] = []
    for piece in pieces:
        head, *tokens = piece.split(b"\0")
        rest.append(head)
        if tokens:
            yield b"".join(rest)
            rest = [tokens.pop()]
            yield from tokens
    if any(rest):
        msg = "the output of git log broke off"
        raise Damaged(msg)
