"""What was read a moment ago, for everybody who asks within a second: opening the published file takes longer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Recent:
    """Values that are made at most once a second; while one is made, others wait for it.

    Attributes:
        seconds: how long a value is given again.
    """

    seconds: float = 1.0
    _values: dict[str, tuple[float, Hashable, Any]] = field(default_factory=dict)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)

    def get(self, name: str, make: Callable[[], T], version: Hashable = None) -> T:
        """Return the value of a name, made now if there is none of late.

        Args:
            name: of the value.
            make: makes it.
            version: if there is one, of what the value depends on: then the value is made for each version once.
        """
        with self._locks.setdefault(name, threading.Lock()):
            made, of_version, value = self._values.get(name, (-self.seconds, None, None))
            late = time.monotonic() - made >= self.seconds if version is None else version != of_version
            if late:
                value = make()
                self._values[name] = time.monotonic(), version, value
            result: T = value
            return result

    def forget(self, name: str) -> None:
        """Let the next one who asks see what has just changed."""
        self._values.pop(name, None)
