"""Drafts of declarations: in memory, because the first rows that a trial reads are nobody's to write down."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leat.pipelines.load.preview import Preview
from leat.sources.driver import SetupTest

_MOST = 100
_RETAINED = 4 * 3600
"""Seconds after the last look at it for which a draft is remembered."""


@dataclass(slots=True)
class Trial:
    """What trying a draft has shown so far.

    Attributes:
        tests: the setup tests, in the order in which they ended.
        previews: the first rows of each stream.
        doing: what is being done, in words.
        ended: whether that was all.
        changes: grows whenever something of it changes.
    """

    tests: list[SetupTest] = field(default_factory=list)
    previews: list[Preview] = field(default_factory=list)
    doing: str = ""
    ended: bool = False
    changes: int = 0

    @property
    def ok(self) -> bool:
        """Whether it has ended, and all tests passed."""
        return self.ended and bool(self.tests) and all(test.ok for test in self.tests)

    def show(self, doing: str) -> None:
        """Say what is being done; of a phrase that comes again nothing changes."""
        if doing != self.doing:
            self.doing = doing
            self.changes += 1


@dataclass(slots=True)
class Draft:
    """A declaration that isn't a file yet.

    Attributes:
        id: ``draft_…``.
        owner: id of the principal who writes it.
        name: of the integration.
        document: the declaration as data.
        form: what was typed, for whoever goes back.
        trial: what trying it has shown.
        seen: when it was last looked at, in seconds of a monotonic clock.
    """

    id: str
    owner: str
    name: str
    document: dict[str, Any]
    form: Mapping[str, str]
    trial: Trial = field(default_factory=Trial)
    seen: float = 0.0


class Drafts:
    """The drafts of this process."""

    def __init__(self) -> None:
        self._drafts: dict[str, Draft] = {}
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(3)

    def add(self, owner: str, name: str, document: dict[str, Any], form: Mapping[str, str]) -> Draft:
        """Return a new draft; what nobody has looked at for hours is forgotten, and then the oldest ones."""
        draft = Draft(f"draft_{secrets.token_hex(16)}", owner, name, document, form, seen=time.monotonic())
        with self._lock:
            by_age = sorted(self._drafts.values(), key=lambda each: each.seen)
            old = [each for each in by_age if each.seen < draft.seen - _RETAINED]
            for each in old or by_age[: max(0, len(by_age) - _MOST + 1)]:
                del self._drafts[each.id]
            self._drafts[draft.id] = draft
        return draft

    def find(self, draft_id: str, owner: str) -> Draft | None:
        """Return a draft of somebody; None if there is none, or it isn't theirs."""
        draft = self._drafts.get(draft_id)
        if draft is None or draft.owner != owner:
            return None
        draft.seen = time.monotonic()
        return draft

    def remove(self, draft: Draft) -> None:
        """Forget a draft."""
        self._drafts.pop(draft.id, None)

    def turn(self) -> threading.BoundedSemaphore:
        """Return what a trial holds while it is under way: there are three at most."""
        return self._turns
