"""Refs that a server lists and can't deliver: the others are fetched without them.

A ref that leads to a damaged object ends the whole fetch, of every ref. Where the server answers otherwise, the refs
are fetched in halves until only those are left that it fails on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leat.limits import GIT_REFS as MAX_REFS
from leat.sources.errors import IntegrationError, Unavailable

MAX_LEFT_OUT = 10


def undeliverable(refs: Sequence[str], fetch: Callable[[Sequence[str]], object], error: IntegrationError) -> list[str]:
    """Return the refs that can't be fetched; the others were, each by itself or with others.

    Args:
        refs: what to fetch.
        fetch: fetches some refs.
        error: what fetching all of them raised; raised again when that isn't about single refs.
    """
    if not isinstance(error, Unavailable) or len(refs) > MAX_REFS or any("\\" in ref for ref in refs):
        raise error
    left_out: list[str] = []
    groups = [list(refs)]
    while groups:
        group = groups.pop()
        try:
            fetch(group)
        except Unavailable:
            if len(group) > 1:
                middle = len(group) // 2
                groups += [group[:middle], group[middle:]]
                continue
            left_out += group
            if len(left_out) > MAX_LEFT_OUT or len(left_out) == len(refs):
                raise error from None
    return sorted(left_out)
