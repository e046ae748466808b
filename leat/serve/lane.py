"""Threads that run integrations as they are asked for; what is asked for twice meanwhile runs once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from leat.pipelines.load.error_message import log_error, text_of
from leat.serve.unavailable import ERRORS

log = logging.getLogger("leat.serve.worker")

Work = Callable[[Collection[str]], Collection[str]]
"""Runs integrations; returns those that another process was running, which have to be run again. While a database
doesn't answer, all of them are asked for again, so that no webhook waits for the next one."""
_AGAIN = 1.0


_NAMED = 3


def _named(names: Collection[str]) -> str:
    first, more = ", ".join(list(names)[:_NAMED]), len(names) - _NAMED
    return f"{first} and {more} more" if more > 0 else first


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
            except ERRORS as error:
                log.warning("%s: %s", _named(names), text_of(error))
                busy = names
            except Exception as error:
                log_error(log, error, "a run of %s failed", _named(names))
                continue
            if busy:
                with self._change:
                    self._change.wait_for(lambda: self._ended, _AGAIN)
                self.want(busy)


class SideBySide:
    """A run for each integration, so that one that takes long doesn't delay the others.

    Args:
        name: of the threads.
        work: runs integrations.
        at_once: so many run at a time.
    """

    def __init__(self, name: str, work: Work, at_once: int) -> None:
        self._work = work
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=name)
        self._begun: dict[str, Future[None]] = {}
        self._again: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def want(self, names: Collection[str] | Mapping[str, object]) -> None:
        """Ask for a run of integrations that begins from now on."""
        with self._lock:
            if self._ended.is_set():
                return
            for name in names:
                if name in self._begun:
                    self._again.add(name)
                else:
                    self._begun[name] = self._threads.submit(self._run, name)

    def end(self, patience: float) -> bool:
        """Start nothing any more; return whether what was running has ended in time."""
        with self._lock:
            self._ended.set()
            begun = list(self._begun.values())
        self._threads.shutdown(wait=False, cancel_futures=True)
        return not wait([each for each in begun if not each.cancelled()], patience).not_done

    def _run(self, name: str) -> None:
        while not self._ended.is_set():
            with self._lock:
                self._again.discard(name)
            try:
                busy = self._work([name])
            except ERRORS as error:
                log.warning("%s: %s", name, text_of(error))
                busy = [name]
            except Exception as error:
                log_error(log, error, "a run of %s failed", name)
                busy = ()
            if busy:
                self._ended.wait(_AGAIN)
                continue
            with self._lock:
                if name not in self._again:
                    del self._begun[name]
                    return
