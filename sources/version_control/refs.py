"""Branches and tags: as they are, and how they moved since the last extraction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from sources.events import Delete, Event
from sources.version_control.mirror import Mirror, changed_refs, objects_at
from sources.version_control.program import git_version, text
from sources.version_control.rows import Table
from sources.version_control.streams import REF_UPDATES, REFS, TAGS
from sources.version_control.times import micros, recorded

_REF_FIELDS = ("refname", "objectname", "committerdate:unix", "*committerdate:unix")
_TAG_FIELDS = (
    "refname",
    "objecttype",
    "objectname",
    "taggername",
    "taggeremail:trim",
    "taggerdate:raw",
    "contents:signature",
    "contents",
)
_AHEAD_BEHIND = (2, 41)


def ref_rows(mirror: Mirror, name: str, head: str | None, default: str | None) -> Iterator[Event]:
    """Yield all refs of a repository; what isn't among them is gone.

    Raises:
        Damaged: the mirror is damaged.
    """
    table = Table(REFS)
    yield Delete(REFS.name, {"repository": name})
    counted = head is not None and git_version() >= _AHEAD_BEHIND
    fields = (*_REF_FIELDS, f"ahead-behind:{head}") if counted else _REF_FIELDS
    records = list(_records(mirror, fields, "refs/heads/", "refs/tags/"))
    commits = objects_at(mirror, [text(record[1]) for record in records], "^{commit}")
    for ref, target, at, peeled_at, *counts in ([text(part) for part in record] for record in records):
        kind = "branch" if ref.startswith("refs/heads/") else "tag"
        commit = commits.get(target)
        ahead, behind = _ahead_behind(mirror, head, commit, counts)
        merged = None if ahead is None else ahead == 0
        short = ref.split("/", 2)[2]
        when = micros(at or peeled_at)
        table.add((name, ref, short, kind, target, commit, ref == default, ahead, behind, merged, when))
        yield from table.full()
    yield from table.rest()


def _ahead_behind(
    mirror: Mirror, head: str | None, commit: str | None, counts: list[str]
) -> tuple[int | None, int | None]:
    if head is None or commit is None:
        return None, None
    if counts:
        pair = counts[0].split()
    else:
        pair = text(mirror.git.run("rev-list", "--left-right", "--count", f"{commit}...{head}")).split()
    return (int(pair[0]), int(pair[1])) if len(pair) == 2 else (None, None)


def tag_rows(mirror: Mirror, name: str) -> Iterator[Event]:
    """Yield all tags of a repository; what isn't among them is gone.

    Raises:
        Damaged: the mirror is damaged.
    """
    table = Table(TAGS)
    yield Delete(TAGS.name, {"repository": name})
    for record in _records(mirror, _TAG_FIELDS, "refs/tags/"):
        ref, kind, target, tagger, email, date, signature, message = (text(part) for part in record)
        annotated = kind == "tag"
        on, on_kind = _peeled(mirror, target) if annotated else (target, kind)
        when, offset = recorded(date)
        person = (tagger, email, when, offset) if annotated else (None, None, None, None)
        message = message.removesuffix(signature)
        words = (message, bool(signature)) if annotated else (None, False)
        table.add((name, ref.removeprefix("refs/tags/"), annotated, target, on, on_kind, *person, *words))
        yield from table.full()
    yield from table.rest()


def _peeled(mirror: Mirror, target: str) -> tuple[str, str]:
    oid = text(mirror.git.run("rev-parse", "--verify", f"{target}^{{}}")).strip()
    return oid, text(mirror.git.run("cat-file", "-t", oid)).strip()


def _records(mirror: Mirror, fields: tuple[str, ...], *prefixes: str) -> Iterator[list[bytes]]:
    """Yield the fields of each ref; messages hold line ends, so fields, not lines, are counted."""
    out = mirror.git.run("for-each-ref", "--format=" + "".join(f"%({field})%00" for field in fields), *prefixes)
    parts = out.split(b"\0")
    for at in range(0, len(parts) - 1, len(fields)):
        yield [parts[at].removeprefix(b"\n"), *parts[at + 1 : at + len(fields)]]


def update_rows(
    mirror: Mirror, name: str, old: Mapping[str, str], new: Mapping[str, str], seen_at: datetime
) -> Iterator[Event]:
    """Yield what became of each ref since the last extraction.

    Raises:
        Damaged: the mirror is damaged.
    """
    table = Table(REF_UPDATES)
    at = micros(seen_at)
    for ref in changed_refs(old, new):
        before, after = old.get(ref), new.get(ref)
        if before is None or after is None:
            kind = "created" if before is None else "deleted"
        else:
            kind = "updated" if _fast_forward(mirror, before, after) else "forced"
        table.add((name, ref, at, kind, before, after))
        yield from table.full()
    yield from table.rest()


def _fast_forward(mirror: Mirror, before: str, after: str) -> bool:
    """Return whether a ref moved forward: a mirror that has whole history has every ancestor of a tip."""
    return mirror.git.finish("merge-base", "--is-ancestor", before, after).returncode == 0


def ref_count(refs: Mapping[str, str], prefix: str) -> int:
    """Return how many refs have a prefix."""
    return sum(ref.startswith(prefix) for ref in refs)
