"""How far commits are ahead of and behind HEAD: of one commit by a command, of many by one walk over the history.

git 2.41 counts by itself (``%(ahead-behind:…)`` of git-for-each-ref(1)). Before, a command for each ref would take as
long as the history is, once for each: here git lists the history once, children first, and every commit hands down to
its parents which of the tips lead to it, as the bits of one number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leat.sources.version_control.git.mirror import Mirror
from leat.sources.version_control.git.text import text

FEW = 4
"""Up to as many commits are counted by a command each: they are mostly near HEAD, where a command is quick."""


def ahead_and_behind(mirror: Mirror, head: str, commits: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return, for each commit, how many commits HEAD's history lacks, and how many of HEAD's history it lacks.

    Raises:
        Damaged: the mirror is damaged.
    """
    wanted = sorted(set(commits))
    if len(wanted) <= FEW:
        return {commit: _by_command(mirror, head, commit) for commit in wanted}
    return _by_walk(_history(mirror, [head, *wanted]), head, wanted)


def _by_command(mirror: Mirror, head: str, commit: str) -> tuple[int, int]:
    if commit == head:
        return 0, 0
    out = mirror.git.run("rev-list", "--left-right", "--count", f"{commit}...{head}")
    ahead, behind = text(out).split()
    return int(ahead), int(behind)


def _history(mirror: Mirror, tips: Sequence[str]) -> Iterator[list[str]]:
    """Yield every commit with its parents, children first."""
    rest = b""
    given = "".join(f"{tip}\n" for tip in tips).encode()
    for piece in mirror.git.stream("rev-list", "--topo-order", "--parents", "--stdin", given=given):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode().split(" ") for line in lines)


def _by_walk(history: Iterator[list[str]], head: str, wanted: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return ahead and behind of each wanted commit.

    Memory holds a number for each commit whose parents were not listed yet, and the counters.
    """
    at_head = 1 << len(wanted)
    everybody = at_head - 1
    leads_to = {commit: 1 << place for place, commit in enumerate(wanted)}
    leads_to[head] = leads_to.get(head, 0) | at_head
    ahead, behind = _Counters(), _Counters()
    for commit, *parents in history:
        tips = leads_to.pop(commit, 0)
        for parent in parents:
            leads_to[parent] = leads_to.get(parent, 0) | tips
        if tips & at_head:
            behind.add(~tips & everybody)
        else:
            ahead.add(tips)
    return {commit: (ahead.of(place), behind.of(place)) for place, commit in enumerate(wanted)}


class _Counters:
    """Many counters at once: the n-th bits of all of them in one number, so that adding takes a few operations."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def add(self, ones: int) -> None:
        """Add 1 to each counter whose place is set."""
        place = 0
        while ones:
            if place == len(self._bits):
                self._bits.append(0)
            self._bits[place], ones = self._bits[place] ^ ones, self._bits[place] & ones
            place += 1

    def of(self, place: int) -> int:
        """Return a counter."""
        return sum((bits >> place & 1) << power for power, bits in enumerate(self._bits))
