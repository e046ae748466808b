"""A process that sends what is approved, and ends or stops itself at a point on the way."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from leat.actions.deliver import deliver
from leat.actions.office import Office
from leat.control.outbox import read_actions
from leat.sources.retry import RetryPolicy
from tests.kit.child import CONTEXT

POINTS = ("claiming", "claimed", "sending", "sent", "recording", "looking", "confirming")
"""Where a sender may be killed: what it does next has not begun, as with ``claiming`` the commit of the intent."""


class Sending(Protocol):
    """A project that can be opened in a process of its own."""

    integration: str
    environment: Mapping[str, str]

    def office(self) -> AbstractContextManager[Office]:
        """Open it."""


def start_sender(
    acting: Sending,
    point: str = "",
    *,
    at: str = "",
    signalled: int = signal.SIGKILL,
    lasts: float = 0,
    full: bool = False,
) -> Any:
    """Start a process that sends all that is approved, and stays as long as there is something to do.

    Args:
        acting: the project.
        point: one of :data:`POINTS`, at which it signals itself; nothing for none.
        at: the action at which it does; nothing for the first.
        signalled: the signal.
        lasts: seconds that a lease lasts; 0 for what is usual.
        full: whether it can write no byte more to any file.
    """
    process = CONTEXT.Process(target=_send, args=(acting, point, at, signalled, lasts, full), daemon=True)
    process.start()
    return process


def _send(acting: Sending, point: str, at: str, signalled: int, lasts: float, full: bool) -> None:
    os.environ.update(acting.environment)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if point:

        def hook(name: str, args: tuple[Any, ...]) -> None:
            if name == "leat.action" and args[0] == point and at in ("", args[1]):
                os.kill(os.getpid(), signalled)

        sys.addaudithook(hook)
    be_impatient()
    if lasts:
        import leat.actions.deliver as delivering
        from leat.actions import steps

        delivering.LASTS, steps.LONGEST_REQUEST = lasts, lasts / 2  # type: ignore[attr-defined]
    with acting.office() as office:
        if full:
            read_actions(office.store)  # what SQLite needs is open
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        deliver(office, acting.integration, patience=20, wait=20)


def be_impatient() -> None:
    """Let this process try again soon and often: what a test does to an action in a second takes others a week."""
    from leat.actions import steps

    steps.RETRY, steps.ATTEMPTS = RetryPolicy((0.05,), longest=5, endless=True), 10_000
