"""Lets DuckDB bind a value without importing pandas, which it would do to compare the value with pandas' own nulls.

The import takes a third of a second, a quarter of a run with nothing new, and no value of leat's is pandas' own.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator


class _Refusal(threading.local):
    """A finder of modules that refuses pandas to the thread that binds a value, and to no other."""

    binding = False

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        if self.binding and name == "pandas":
            raise ModuleNotFoundError(name=name)


_refusal = _Refusal()


@contextlib.contextmanager
def without_pandas() -> Iterator[None]:
    """Stop this thread from importing pandas inside the block; once anybody has imported it, do nothing."""
    if "pandas" in sys.modules:
        yield
        return
    if _refusal not in sys.meta_path:
        sys.meta_path.insert(0, _refusal)
    _refusal.binding = True
    try:
        yield
    finally:
        _refusal.binding = False
