"""Who acts: the person of a request, or the user account of the process."""

from __future__ import annotations

import contextlib
import getpass
import os
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that acts.

    Attributes:
        id: identity that never changes: ``local:ada``, ``person_…``, ``tok_…``, ``system:automation/NAME``.
        name: what rows such as those of actions record.
    """

    id: str
    name: str


_current: ContextVar[Actor | None] = ContextVar("leat_actor", default=None)


def current_actor() -> Actor:
    """Return who acts: whom :func:`acting_as` names in this thread or task, or else the user of the process."""
    return _current.get() or local_actor()


def local_actor() -> Actor:
    """Return who runs this process: ``LEAT_USER``, or else the user account."""
    name = os.environ.get("LEAT_USER") or _account()
    return Actor(f"local:{name}", name)


def actor_of(name: str) -> Actor:
    """Return the actor that a row names: the current one, an automation, leat itself, or a user account."""
    current = current_actor()
    if name == current.name:
        return current
    kind = "system" if name == "leat" or name.startswith("automation/") else "local"
    return Actor(f"{kind}:{name}", name)


@contextlib.contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Let somebody act in this thread or task until the end of the block; threads started in it don't inherit that."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in many containers
        return "leat"
