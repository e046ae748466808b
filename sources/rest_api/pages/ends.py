"""How a list ends: why it is complete, or what leaves that open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leat.sources.json_path import parse_path, value_at
from leat.sources.rest_api.answers.marks import flag_of
from leat.sources.rest_api.answers.page import Page
from leat.sources.rest_api.declaration.paging_styles import Paged

ABSENT = object()


class Unproven(ValueError):
    """A list can't be proven complete; ``advice`` is what to declare."""

    def __init__(self, got: str, advice: str) -> None:
        super().__init__(got)
        self.advice = advice


class Miscounted(ValueError):
    """A list has another number of records than its answers say: it changed, or they count something else."""


@dataclass(frozen=True, slots=True)
class End:
    """The list is complete, and why; weak when only the absence of something says so."""

    because: str
    weak: bool = False


@dataclass(slots=True)
class Memory:
    """What the answers of an endpoint had in this run: whether one had what leads to a next page, and a flag for it."""

    seen: bool = False
    flagged: bool = False


def said(page: Page, name: str) -> Any:
    """Return what a field of an answer says, or else the header of that name; :data:`ABSENT` when there is neither."""
    value = value_at(page.rest, parse_path(name), ABSENT)
    return page.headers.get(name, ABSENT) if value is ABSENT else value


def more_of(page: Page, paging: Paged) -> bool | None:
    """Return whether the answer says that there are more pages; None when no field says it.

    Raises:
        Unproven: it says neither.
    """
    for name, sense in ((paging.more, True), (paging.last, False)):
        if name is not None:
            value = said(page, name)
            if value is ABSENT or value is None:
                return None
            flag = flag_of(value)
            if flag is None:
                msg = f"{name} is neither true nor false"
                raise Unproven(msg, "correct paging.more or paging.last")
            return flag is sense
    return None
