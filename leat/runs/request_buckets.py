"""Buckets of requests that several servers take from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from leat.control.overrides_file import is_file
from leat.runs.workspace import Workspace


def common_buckets(workspace: Workspace) -> Callable[[float, float, Mapping[str, int]], dict[str, float]] | None:
    """Return what takes numbers out of buckets of a size and a rate; None if there can be no other server."""
    if is_file(workspace.project.control_url):
        return None
    key = b""

    def take(size: float, rate: float, numbers: Mapping[str, int]) -> dict[str, float]:
        from leat.control import request_buckets
        from leat.control.budgets import SharedBudgets

        nonlocal key
        key = key or SharedBudgets(workspace.store).key()
        return request_buckets.take(workspace.store, key, size, rate, numbers)

    return take


def remove_old(workspace: Workspace) -> None:
    """Remove buckets that are full."""
    if not is_file(workspace.project.control_url):
        from leat.control import request_buckets

        request_buckets.remove_old(workspace.store)
