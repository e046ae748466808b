"""Commits to rows: the commit, its parents, the files it changed, its people, and whether a merge was clean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from leat.sources.events import Event, Logged
from leat.sources.version_control.git.log import Entry, read_log
from leat.sources.version_control.git.merges import judge
from leat.sources.version_control.git.mirror import Mirror
from leat.sources.version_control.git.program import Conversation, Damaged
from leat.sources.version_control.git.rows import Table
from leat.sources.version_control.git.text import text, texts
from leat.sources.version_control.git.times import micros
from leat.sources.version_control.git.tree import NOTHING, SUBMODULE
from leat.sources.version_control.streams import AUTHORS, COMMIT_FILES, COMMIT_PARENTS, COMMITS, MERGES

MERGES_JUDGED = 10_000
"""Merges that one extraction of a repository judges, the newest; each takes git about 2 ms."""

_SIGNATURE = re.compile(rb"^gpgsig(?:-sha256)? -----BEGIN ([A-Z ]+)-----", re.MULTILINE)
_SIGNATURES = {b"PGP SIGNATURE": "pgp", b"SSH SIGNATURE": "ssh", b"SIGNED MESSAGE": "x509"}
_PARENT = re.compile(rb"^parent ([0-9a-f]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of a repository's history.

    Attributes:
        mirror: where from.
        name: the repository.
        wanted: names of the streams that are wanted.
        progress: called with a phrase and a number of commits.
        people: identities that were seen.
        merges: merge commits with their parents, newest first.
    """

    mirror: Mirror
    name: str
    wanted: frozenset[str]
    progress: Callable[[str, int], None]
    people: set[tuple[bytes, ...]] = field(default_factory=set)
    merges: list[tuple[str, ...]] = field(default_factory=list)


def history_rows(reading: Reading, new: Sequence[str], old: Sequence[str]) -> Iterator[Event]:
    """Yield everything about the commits reachable from ``new`` and not from ``old``.

    Raises:
        Damaged: the mirror is damaged.
    """
    if not new:
        return
    if reading.wanted & {COMMITS.name, COMMIT_PARENTS.name, COMMIT_FILES.name, MERGES.name, AUTHORS.name}:
        yield from _commit_rows(reading, new, old)
    yield from _author_rows(reading)
    if MERGES.name in reading.wanted:
        yield from _merge_rows(reading)


def mapped_rows(reading: Reading, tips: Sequence[str]) -> Iterator[Event]:
    """Yield commits that were read before once more, and their authors, because ``.mailmap`` has changed.

    Raises:
        Damaged: the mirror is damaged.
    """
    again = Reading(reading.mirror, reading.name, reading.wanted & {COMMITS.name, AUTHORS.name}, reading.progress)
    if again.wanted:
        yield from history_rows(again, tips, ())


def _commit_rows(reading: Reading, new: Sequence[str], old: Sequence[str]) -> Iterator[Event]:
    tables = {stream.name: Table(stream, stream.name in reading.wanted) for stream in _STREAMS}
    boundary = reading.mirror.shallow()
    group: list[Entry] = []
    with ExitStack() as stack:
        raw = None
        if COMMITS.name in reading.wanted or boundary:
            raw = stack.enter_context(reading.mirror.git.conversation("cat-file", "--batch"))
        for commit in read_log(reading.mirror.git, new, old, COMMIT_FILES.name in reading.wanted):
            group.append(commit)
            if len(group) == Conversation.AT_ONCE or len(commit.changes) > 1000:
                yield from _group_rows(reading, group, raw, boundary, tables)
                group = []
        yield from _group_rows(reading, group, raw, boundary, tables)
    for table in tables.values():
        yield from table.rest()


_STREAMS = (COMMITS, COMMIT_PARENTS, COMMIT_FILES)


def _group_rows(
    reading: Reading,
    group: Sequence[Entry],
    raw: Conversation | None,
    boundary: frozenset[str],
    tables: Mapping[str, Table],
) -> Iterator[Event]:
    commits, parents_of, files = (tables[stream.name] for stream in _STREAMS)
    headers = _headers(raw, [text(commit.fields[0]) for commit in group]) if raw else [b""] * len(group)
    for commit, header in zip(group, headers, strict=True):
        oid = text(commit.fields[0])
        cut = oid in boundary
        parents = [text(p) for p in (_PARENT.findall(header) if cut else commit.fields[2].split())]
        _add_commit(commits, reading.name, commit.fields, len(parents), header)
        for position, parent in enumerate(parents, 1):
            parents_of.add((reading.name, oid, position, parent))
        if not cut:
            for change in commit.changes:
                files.add(_file_row(reading.name, oid, change, len(parents) > 1))
        _, _, _, author, author_at, author_raw, author_raw_at, _, _, committer, committer_at, raw_c, raw_c_at, *_ = (
            commit.fields
        )
        reading.people.add((author_raw_at, author_raw, author_at, author))
        reading.people.add((raw_c_at, raw_c, committer_at, committer))
        if len(parents) > 1:
            reading.merges.append((oid, *parents))
    reading.progress(f"commits of {reading.name}", len(group))
    for table in tables.values():
        yield from table.full()


def _headers(raw: Conversation, oids: Sequence[str]) -> list[bytes]:
    """Return the commits' headers as they are stored."""
    raw.ask(oids)
    headers = []
    for oid in oids:
        answer = raw.line().split(b" ")
        if len(answer) != 3:
            msg = f"commit {oid} is missing"
            raise Damaged(msg)
        headers.append(raw.read(int(answer[2]) + 1).partition(b"\n\n")[0])
    return headers


def _add_commit(table: Table, name: str, fields: Sequence[bytes], parents: int, header: bytes) -> None:
    if not table.wanted:
        return
    extra: dict[str, Any] = {}
    words = texts(fields)
    authored = _time("author", words[7], words[8], header, extra)
    committed = _time("committer", words[13], words[14], header, extra)
    match = _SIGNATURE.search(header)
    signature = _SIGNATURES.get(match[1], "unknown") if match else None
    table.add(
        (
            *(name, words[0], words[1], parents),
            *(*words[3:7], *authored),
            *(*words[9:13], *committed),
            *(words[15], words[16], words[17] or None, signature),
        ),
        weight=sum(map(len, fields)),
        extra=extra,
    )


def _time(role: str, seconds: str, date: str, header: bytes, extra: dict[str, Any]) -> tuple[int | None, str | None]:
    """Return time and offset; an impossible time goes to ``extra`` as it was recorded, with the reason."""
    offset = date.partition(" ")[2] or None
    when = micros(seconds)
    if when is None:
        line = re.search(rb"^%s (.*)$" % role.encode(), header, re.MULTILINE)
        extra[f"{role}_time"] = {
            "recorded": text(line[1].rpartition(b">")[2].strip()) if line else seconds,
            "reason": "not a number of seconds in the years 1 to 9999",
        }
    return when, offset


def _file_row(name: str, commit: str, change: Sequence[bytes], is_merge: bool) -> tuple[Any, ...]:
    raw, path, added, deleted, *old_path = texts(change)
    old_mode, mode, old_blob, blob, status = raw.split(" ")
    old_mode = old_mode[1:]
    binary = added == "-"
    return (
        name,
        commit,
        path,
        old_path[0] if old_path else None,
        status[0],
        int(status[1:]) if len(status) > 1 else None,
        None if binary else int(added),
        None if binary else int(deleted),
        binary,
        SUBMODULE in (old_mode, mode),
        mode,
        blob if mode != NOTHING else None,
        old_blob if old_mode != NOTHING else None,
        is_merge,
    )


def _author_rows(reading: Reading) -> Iterator[Event]:
    table = Table(AUTHORS, AUTHORS.name in reading.wanted)
    for person in sorted(reading.people):
        table.add((reading.name, *map(text, person)))
        yield from table.full()
    yield from table.rest()


def _merge_rows(reading: Reading) -> Iterator[Event]:
    judged, rest = reading.merges[:MERGES_JUDGED], reading.merges[MERGES_JUDGED:]
    if rest:
        yield Logged("merges_not_judged", {"repository": reading.name, "count": len(rest)})
    table = Table(MERGES)
    verdicts = judge(reading.mirror, [merge[1:] for merge in judged])
    for merge, verdict in zip(judged, verdicts, strict=True):
        conflicts = verdict.conflicts if verdict else None
        outcome = None if conflicts is None else "conflicting" if conflicts else "clean"
        table.add((reading.name, merge[0], len(merge) - 1, outcome, conflicts))
        yield from table.full()
        reading.progress(f"merges of {reading.name}", 1)
    for merge in rest:
        table.add((reading.name, merge[0], len(merge) - 1, None, None))
        yield from table.full()
    yield from table.rest()
