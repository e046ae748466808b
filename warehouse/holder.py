"""Which process holds something, in words that other processes can check, on other machines too."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

_ENDED = frozenset("ZX")
"""States of a process that has ended, whose parent hasn't asked for its exit code."""


def this_process() -> str:
    """Return what identifies this process: the machine since it was started, the name space of numbers, and itself."""
    return f"{socket.gethostname()[:100]} {_machine()} {os.getpid()} {_began(os.getpid())}"


def has_ended(holder: str) -> bool:
    """Return whether a holder is certainly a process of this machine that is no more: its lease needn't run out."""
    host, _, process = holder.partition(" ")
    machine, _, process = process.partition(" ")
    number, began = (*process.split(" "), "", "")[:2]
    if host != socket.gethostname()[:100] or machine != _machine() or not began:
        return False
    return _began(int(number)) != began


def _machine() -> str:
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    return "unknown"


def _began(process: int) -> str:
    """Return when a process began, in ticks since the machine was started; nothing for one that has ended."""
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in _ENDED else fields[19]
    return ""
