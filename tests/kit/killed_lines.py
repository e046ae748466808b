"""Kills a function at each line that it runs in some modules, in a forked process each time."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType
from typing import Any


def killed_at_each_line(do: Callable[[], object], *modules: ModuleType) -> Iterator[bool]:
    """Run ``do`` killed before its first line in the modules, then its second, and so on until it comes to its end.

    Yields, after each, whether it came to its end; what it left behind is for the caller to look at and to take away.
    """
    files = {module.__file__ for module in modules}
    line, ended = 1, False
    while not ended:
        child = os.fork()
        if child == 0:
            _run(do, files, line)
        _, status = os.waitpid(child, 0)
        ended = os.waitstatus_to_exitcode(status) == 0
        assert ended or os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "it failed on its own"
        yield ended
        line += 1


def _run(do: Callable[[], object], files: set[str | None], nth: int) -> None:
    """Run in the child, which never returns."""
    left = nth

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    code = 1
    try:
        sys.settrace(trace)
        do()
        code = 0
    finally:
        os._exit(code)
