"""A process that ends with the one that started it, also when that one is killed."""

from __future__ import annotations

import os
import signal
import threading


def end_with_parent(descriptor: int) -> None:
    """Send this process SIGTERM when the other end of a pipe is closed, by the death of whoever has it."""
    threading.Thread(target=_wait, args=(descriptor,), daemon=True).start()


def _wait(descriptor: int) -> None:
    os.read(descriptor, 1)  # nobody writes to it
    os.kill(os.getpid(), signal.SIGTERM)
