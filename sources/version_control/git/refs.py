"""Branches and tags: as they are, and how they moved since the last extraction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from leat.sources.events import Delete, Event
from leat.sources.version_control.git.ahead import ahead_and_behind
from leat.sources.version_control.git.mirror import Mirror, changed_refs, objects_at
from leat.sources.version_control.git.program import git_version
from leat.sources.version_control.git.rows import Table
from leat.sources.version_control.git.text import text
from leat.sources.version_control.git.times import micros, recorded
from leat.sources.version_control.streams import REF_UPDATES, REFS, TAGS

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
_MANY = 200
"""Refs that are named to git one by one; beyond, it lists all."""


def ref_rows(
    mirror: Mirror, name: str, head: str | None, default: str | None, changed: Collection[str] | None
) -> Iterator[Event]:
    """Yield branches and tags as they are now.

    Args:
        mirror: the mirror.
        name: the repository.
        head: commit at HEAD; None when there is none.
        default: the default branch.
        changed: names of the refs to write, which may be gone; None for all, and what isn't among them is gone.

    Raises:
        Damaged: the mirror is damaged.
    """
    table = Table(REFS)
    yield from _gone(REFS.name, name, "ref", changed)
    counted = head is not None and git_version() >= _AHEAD_BEHIND
    fields = (*_REF_FIELDS, f"ahead-behind:{head}") if counted else _REF_FIELDS
    records = list(_records(mirror, fields, changed, "refs/heads/", "refs/tags/"))
    commits = objects_at(mirror, [text(record[1]) for record in records], "^{commit}")
    counts = ahead_and_behind(mirror, head, list(commits.values())) if head is not None and not counted else {}
    for ref, target, at, peeled_at, *pair in ([text(part) for part in record] for record in records):
        kind = "branch" if ref.startswith("refs/heads/") else "tag"
        commit = commits.get(target)
        ahead, behind = _pair(pair) if counted and commit else counts.get(commit or "", (None, None))
        merged = None if ahead is None else ahead == 0
        short = ref.split("/", 2)[2]
        when = micros(at or peeled_at)
        table.add((name, ref, short, kind, target, commit, ref == default, ahead, behind, merged, when))
        yield from table.full()
    yield from table.rest()


def _pair(parts: list[str]) -> tuple[int | None, int | None]:
    ahead, _, behind = parts[0].partition(" ")
    return (int(ahead), int(behind)) if ahead and behind else (None, None)


def _gone(stream: str, name: str, column: str, changed: Collection[str] | None) -> Iterator[Delete]:
    """Yield the deletes that come before what is written again."""
    if changed is None:
        yield Delete(stream, {"repository": name})
    for ref in sorted(changed or ()):
        value = ref if column == "ref" else ref.removeprefix("refs/tags/")
        yield Delete(stream, {"repository": name, column: value})


def tag_rows(mirror: Mirror, name: str, changed: Collection[str] | None) -> Iterator[Event]:
    """Yield tags as they are now.

    Args:
        mirror: the mirror.
        name: the repository.
        changed: full names of the tags to write, which may be gone; None for all, and what isn't among them is gone.

    Raises:
        Damaged: the mirror is damaged.
    """
    table = Table(TAGS)
    yield from _gone(TAGS.name, name, "name", changed)
    records = list(_records(mirror, _TAG_FIELDS, changed, "refs/tags/"))
    annotated = [text(record[2]) for record in records if record[1] == b"tag"]
    peeled = objects_at(mirror, annotated, "^{}", "%(objectname) %(objecttype)")
    for ref, kind, target, tagger, email, date, signature, message in ([text(p) for p in r] for r in records):
        on, _, on_kind = peeled[target].partition(" ") if target in peeled else (target, "", kind)
        when, offset = recorded(date)
        own = kind == "tag"
        person = (tagger, email, when, offset) if own else (None, None, None, None)
        words = (message.removesuffix(signature), bool(signature)) if own else (None, False)
        table.add((name, ref.removeprefix("refs/tags/"), own, target, on, on_kind, *person, *words))
        yield from table.full()
    yield from table.rest()


def _records(
    mirror: Mirror, fields: tuple[str, ...], only: Collection[str] | None, *prefixes: str
) -> Iterator[list[bytes]]:
    """Yield the fields of each ref; messages hold line ends, so fields, not lines, are counted."""
    if only is not None and not only:
        return
    exact = only is not None and len(only) <= _MANY and not any("\\" in ref for ref in only)  # \\xNN isn't the name
    patterns = [ref for ref in sorted(only or ()) if ref.startswith(prefixes)] if exact else list(prefixes)
    if not patterns:
        return
    form = "".join(f"%({field})%00" for field in fields)
    parts = mirror.git.run("for-each-ref", "--format=" + form, *patterns).split(b"\0")
    for at in range(0, len(parts) - 1, len(fields)):
        record = [parts[at].removeprefix(b"\n"), *parts[at + 1 : at + len(fields)]]
        if only is None or text(record[0]) in only:
            yield record


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
