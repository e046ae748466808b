"""A signal that arrives while a process is in the middle of something, such as a line of its log."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
import uvloop

from leat.serve.drain import Drain
from leat.serve.web import _Server

HANDLED = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Give the test's process its own handlers back."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Interrupted(logging.Handler):
    """Gets a signal within each line that it writes; it remembers lines that began within another."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.within = 0
        self.nested: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if self.within:
            self.nested.append(record.getMessage())
        self.within += 1
        if record.getMessage() == "a request":
            os.kill(os.getpid(), signal.SIGTERM)
        self.lines.append(record.getMessage())
        self.within -= 1


@pytest.mark.usefixtures("handlers")
def test_a_signal_within_a_line_of_the_log_waits_for_its_end() -> None:
    written = Interrupted()
    log = logging.getLogger("leat.serve")
    level = log.level
    log.addHandler(written)
    log.setLevel(logging.INFO)
    state: Any = SimpleNamespace(draining=False)
    ended = asyncio.Event()

    async def serve() -> None:
        server = _Server(uvicorn.Config("none:app"), 0, ended, Drain(state, state, 0.05))
        with server.capture_signals():
            log.info("a request")
            assert not state.draining
            await asyncio.wait_for(ended.wait(), 10)
            assert server.should_exit

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())
    finally:
        log.removeHandler(written)
        log.setLevel(level)
    assert written.nested == []
    assert written.lines[0] == "a request"
    assert written.lines[1].startswith("draining")
