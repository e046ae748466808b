"""Judge merges: whether their parents merge without a conflict when git merges them again (git-merge-tree(1)).

What a merge would write goes to a scratch folder, never into the mirror.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leat.sources.version_control.git.mirror import Mirror
from leat.sources.version_control.git.program import Git, GitFailed, git_version
from leat.sources.version_control.git.text import text

_CAN_JUDGE = (2, 39)
_AT_ONCE = 200
_FLAGS = ("--write-tree", "--no-messages", "--name-only", "--allow-unrelated-histories")
_NOBODY = {f"GIT_{who}_{what}": "leat" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a merge: its tree and how many paths are in conflict."""

    tree: str
    conflicts: int


def judge(mirror: Mirror, merges: Sequence[tuple[str, ...]]) -> Iterator[Verdict | None]:
    """Yield one verdict for each merge, given the parents of each; None where git can't decide."""
    if git_version() < _CAN_JUDGE:
        yield from (None for _ in merges)
        return
    with tempfile.TemporaryDirectory() as scratch:
        git = mirror.git.having(
            env={
                "GIT_OBJECT_DIRECTORY": scratch,
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(mirror.folder / "objects"),
                **_NOBODY,
            }
        )
        at = 0
        while at < len(merges):
            some = merges[at : at + _AT_ONCE]
            if len(some[0]) > 2:
                yield _octopus(git, some[0])
                at += 1
                continue
            pairs = some[: next((i for i, parents in enumerate(some) if len(parents) > 2), len(some))]
            verdicts = _pairs(git, pairs)
            yield from verdicts
            at += len(verdicts)


def _pairs(git: Git, pairs: Sequence[tuple[str, ...]]) -> list[Verdict | None]:
    """Return verdicts up to the first pair that git gave up on, which is judged None."""
    given = "".join(" ".join(pair) + "\n" for pair in pairs).encode()
    done = git.finish("merge-tree", "--stdin", *_FLAGS[1:], given=given)
    verdicts: list[Verdict | None] = []
    tokens = iter(done.stdout.split(b"\0"))
    for status in tokens:
        if status not in (b"0", b"1"):
            break
        tree = text(next(tokens))
        conflicts = sum(1 for _ in iter(lambda: next(tokens, b""), b""))
        verdicts.append(Verdict(tree, conflicts))
    return verdicts if len(verdicts) == len(pairs) else [*verdicts, None]


def _octopus(git: Git, parents: tuple[str, ...]) -> Verdict | None:
    """Merge one head after another, as the octopus strategy does; a conflict on the way decides."""
    so_far = parents[0]
    verdict = None
    try:
        for parent in parents[1:]:
            out = git.run("merge-tree", *_FLAGS, "-z", so_far, parent, ok=(0, 1)).split(b"\0")
            verdict = Verdict(text(out[0]), sum(1 for path in out[1:] if path))
            if verdict.conflicts:
                break
            commit = git.run("commit-tree", verdict.tree, "-p", so_far, "-p", parent, "-m", "octopus")
            so_far = text(commit).strip()
    except GitFailed:
        return None
    return verdict
