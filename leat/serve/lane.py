"""A thread that runs integrations as they are asked for; what is asked for twice meanwhile runs once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping

log = logging.getLogger("leat.serve.worker")

Work = Callable[[Collection[str]], Collection[str]]
"""Runs integrations; returns those that another process was running, which have to be run again."""
_AGAIN = 1.0


class Lane:
    """One run at a time.

    Args:
        name: of the thread.
        work: runs integrations.
    """

    def __init__(self, name: str, work: Work) -> None:
        self._work = work
        self._wanted: dict[str, None] = {}
        self._change = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def want(self, names: Collection[str] | Mapping[str, object]) -> None:
        """Ask for a run of integrations that begins from now on."""
        with self._change:
            self._wanted |= dict.fromkeys(names)
            self._change.notify()

    def end(self, patience: float) -> bool:
        """Start nothing any more; return whether what was running has ended in time."""
        with self._change:
            self._ended = True
            self._change.notify()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._wanted or self._ended)
                if self._ended:
                    return
                names, self._wanted = list(self._wanted), {}
            try:
                busy = self._work(names)
            except Exception:
                log.exception("a run of %s failed", ", ".join(names))
                continue
            if busy:
                with self._change:
                    self._change.wait_for(lambda: self._ended, _AGAIN)
                self.want(busy)
