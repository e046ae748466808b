"""One rate budget per credential: how many requests everybody who uses it may send, in all threads and processes.

The budget is a small file that is locked while it is read and written, in ``sources/.budgets`` of the state folder.
With a control store on Postgres it is a row there, which all machines share, and its clock is that of the server. Its
name is a keyed hash of the credential and the host; neither is in it. It holds when the next request may be sent,
what the server said is left of its own limit less what was sent since, and until when it wants to hear nothing.

A server can ask to wait for years, by mistake or not. What is written is at most an hour; then one request looks
whether the server is well again, before others follow.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from leat.files import lock, write_once
from leat.sources.http.headers import LONGEST_WAIT, Quota
from leat.sources.http.request import Limits

_PROBE = 5.0
"""Seconds for which the others wait while one request looks whether a server is well again."""
_CLOCK_MOVED = 5.0
"""If a file was written this many seconds after now, the clock was set back and its times mean nothing."""


class Shared(Protocol):
    """Where budgets are that several machines share."""

    def key(self) -> bytes:
        """Return the key of the names."""

    def exists(self, name: str) -> bool:
        """Return whether there is a budget."""

    def locked(self, name: str) -> AbstractContextManager[tuple[bytes, float, dict[str, Any]]]:
        """Give what a budget holds, the time, and what is written back at the end of the block."""


_shared: dict[Path, Callable[[], Shared]] = {}
"""What opens the budgets of a folder, where they are shared."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer to a request for a turn: seconds to wait before the request is sent, and whose limit says so."""

    wait: float
    because: str


@dataclass(frozen=True, slots=True)
class Budget:
    """The budget of one credential on one host.

    Attributes:
        path: the file; it is created when there is something to store. Its name is also that of the shared one.
        limits: the declared rate, and the share of the server's limit that is left to others.
        shared: where it is instead of the file.
    """

    path: Path
    limits: Limits
    shared: Shared | None = None

    def take(self, patience: float) -> Turn:
        """Reserve the next turn, unless it is further away than ``patience`` seconds: then nothing is reserved."""
        if self.limits.rate is None and not self._exists():
            return Turn(0, "")
        with self._state() as (state, now):
            turn = max(_paced(state, self.limits, now), _left(state, now), key=lambda t: t.wait)
            if turn.wait <= patience:
                at = now + turn.wait
                if self.limits.rate:
                    state["arrival"] = max(float(state.get("arrival", 0)), at) + 1 / self.limits.rate
                if "left" in state:
                    state["left"] -= 1
                    state["under_way"] = [t for t in state["under_way"] if t > now] + [at + self.limits.total]
            return turn

    def answered(self, quota: Quota, blocked: float | None) -> None:
        """Store what an answer says: the server's limit, and for how many seconds it wants no requests."""
        reported = quota.remaining is not None and quota.reset_at is not None
        if not reported and blocked is None and not self._exists():
            return
        with self._state() as (state, now):
            under_way = [t for t in state.get("under_way", ()) if t > now][1:]
            state["under_way"] = under_way
            if state.pop("probing", False):
                state["blocked"], state["probe"] = now, False
            if blocked is not None:
                state["blocked"] = max(float(state.get("blocked", 0)), now + min(blocked, LONGEST_WAIT))
                state["probe"] = state.get("probe", False) or blocked >= LONGEST_WAIT
            if reported and quota.remaining is not None and quota.reset_at is not None:
                _apply_quota(state, quota, quota.remaining, quota.reset_at.timestamp(), self.limits.reserve, now)

    def _exists(self) -> bool:
        return self.path.exists() if self.shared is None else self.shared.exists(self.path.name)

    @contextlib.contextmanager
    def _state(self) -> Iterator[tuple[dict[str, Any], float]]:
        """Give what it holds and the time, and write it back; nobody else has it meanwhile."""
        if self.shared is not None:
            with self.shared.locked(self.path.name) as (stored, now, written):
                state = _parsed(stored, now)
                yield state, now
                written |= {**state, "written": now}
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock(self.path) as file:
            state = _parsed(os.pread(file, 65536, 0), time.time())
            yield state, time.time()
            text = json.dumps({**state, "written": time.time()}).encode()
            os.pwrite(file, text, 0)
            os.ftruncate(file, len(text))


def _apply_quota(state: dict[str, Any], quota: Quota, remaining: int, reset: float, reserve: float, now: float) -> None:
    """Store in the state what a server says about its own limit."""
    limit = quota.limit
    for_others = int((limit or 0) * reserve)
    left = remaining - for_others - len(state["under_way"])  # the server may not have counted those yet
    same_window = abs(reset - float(state.get("told", 0))) < 1.5
    state["left"] = min(left, state.get("left", left)) if same_window else left
    state["told"], state["far"] = reset, reset > now + LONGEST_WAIT
    state["reset"] = min(reset, now + LONGEST_WAIT)
    state["whole"] = None if limit is None else max(1, limit - for_others)
    state["window"] = min(LONGEST_WAIT, max(1.0, reset - now, float(state.get("window", 1))))


def _parsed(text: bytes, now: float) -> dict[str, Any]:
    """Return the state; an empty one where the file is new, was cut by a full disk, or holds what can't be."""
    try:
        state = json.loads(text)
        latest = now + LONGEST_WAIT
        if float(state.get("written", 0)) >= now + _CLOCK_MOVED:
            return {}
        state |= {name: min(float(state[name]), latest) for name in ("blocked", "reset") if name in state}
        state |= {name: float(state[name]) for name in ("arrival", "window", "left", "told") if name in state}
        state["under_way"] = [float(at) for at in state.get("under_way", ())]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return dict(state)


def _paced(state: dict[str, Any], limits: Limits, now: float) -> Turn:
    """Return when the declared rate allows the next request: the generic cell rate algorithm (ITU-T I.371)."""
    if not limits.rate:
        return Turn(0, "")
    earliest = float(state.get("arrival", 0)) - (limits.burst - 1) / limits.rate
    return Turn(max(0.0, earliest - now), f"limits.rate is {limits.rate:g} a second")


def _left(state: dict[str, Any], now: float) -> Turn:
    """Return when the server's own limit allows the next request; begins its next window when that is due."""
    blocked = float(state.get("blocked", 0)) - now
    if blocked > 0:
        return Turn(blocked, "the server asked to wait")
    if state.get("probe"):
        state["blocked"], state["probing"] = now + _PROBE, True
    if "left" not in state or "reset" not in state:
        state.pop("left", None)
        return Turn(0, "")
    if now >= state["reset"]:
        if state.get("whole") is None or (state.get("far") and state["left"] > 0):
            del state["left"]
            return Turn(0, "")
        one = state.get("far", False)  # the window may go on, and then this request is refused
        state["left"], state["reset"] = (1, now + _PROBE) if one else (state["whole"], now + state["window"])
    if state["left"] > 0:
        return Turn(0, "")
    return Turn(
        float(state["reset"]) - now, "the server's limit of requests is used up, but for what is left to others"
    )


def open_budget(folder: Path, identity: str, host: str, limits: Limits) -> Budget:
    """Return the budget of a credential on a host.

    Args:
        folder: of the budgets; private.
        identity: what distinguishes the credential; only a keyed hash of it is stored.
        host: host and port.
        limits: the declared rate.
    """
    opened = _shared.get(folder.resolve())
    shared = None if opened is None else opened()
    key = _key(folder) if shared is None else shared.key()
    digest = hmac.new(key, f"{identity}\n{host}".encode(), hashlib.sha256).hexdigest()
    return Budget(folder / digest, limits, shared)


def share_budgets(folder: Path, opened: Callable[[], Shared]) -> None:
    """Let the budgets of a folder be where ``opened`` gives; it is called when one is needed."""
    _shared[folder.resolve()] = opened


def _key(folder: Path) -> bytes:
    """Return the key of the names, made at first use: a short password can't be guessed from a file's name."""
    return write_once(folder / "key", secrets.token_bytes(32))
