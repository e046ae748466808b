"""What the types can't say of how an endpoint is asked for what is new: values that are no times, open bounds."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import available_timezones

from leat.sources.rest_api.declaration.endpoint import Endpoint, Incremental
from leat.sources.rest_api.diagnostics.parents import used_by
from leat.sources.rest_api.reading.watermark import typed

Diagnostics = Iterator[tuple[tuple[str | int, ...], str]]
_ORDERED = frozenset({"timestamp", "datetime", "date", "integer", "string"})


def delta_diagnostics(endpoint: Endpoint) -> Diagnostics:
    """Yield where a mistake is in ``delta``, and what is wrong."""
    delta = endpoint.delta
    if delta is None:
        return
    if endpoint.incremental is not None:
        yield ("delta",), "incremental is another way to request what is new; declare one of the two"
    if delta.removed_is is not None and delta.removed is None:
        yield ("delta", "removed_is"), "name the field that has this value, as removed"
    for name in endpoint.key if delta.removed else ():
        if name in endpoint.columns and endpoint.columns[name].type not in ("string", "integer"):
            yield ("delta", "removed"), f"{name} is {endpoint.columns[name].type}; such a key can't be deleted"


def incremental_diagnostics(endpoint: Endpoint, incremental: Incremental) -> Diagnostics:
    """Yield where a mistake is in ``incremental``, and what is wrong."""
    column = endpoint.columns.get(incremental.column)
    if column is None:
        yield ("incremental", "column"), f"unknown column {incremental.column!r}"
        return
    if column.type not in _ORDERED or column.parent:
        yield ("incremental", "column"), f"{incremental.column} is {column.type}; it has to grow with each change"
        return
    times = column.type in ("timestamp", "datetime", "date")
    if incremental.overlap and column.type not in ("timestamp", "datetime"):
        yield ("incremental", "overlap"), f"{incremental.column} is {column.type}; only a time overlaps"
    for name in ("step", "until_param", "format", "zone"):
        if getattr(incremental, name) is not None and not times:
            yield ("incremental", name), f"{incremental.column} is {column.type}, which is no time"
    used = used_by(endpoint)
    if (incremental.param is None) == ("since" not in used):
        yield ("incremental", "param"), "name the parameter, or write {since} into path, params, headers or body"
    if "since" in used and incremental.start is None:
        yield ("incremental", "start"), "the first run has to fill {since}; declare its first value"
    if incremental.step is not None and incremental.start is None:
        yield ("incremental", "step"), "windows begin at a first value; declare start"
    if incremental.step is not None and incremental.until_param is None and "until" not in used:
        yield ("incremental", "step"), "name until_param, or write {until} where the upper bound goes"
    yield from _values(incremental, column.type)


def _values(incremental: Incremental, kind: str) -> Diagnostics:
    """Yield what can't be read of the values of ``incremental``."""
    if incremental.start is not None:
        try:
            typed(kind, str(incremental.start))
        except ValueError:
            yield ("incremental", "start"), f"it is no {kind}; write a time as 2026-01-31T00:00:00Z"
    if incremental.step is not None and incremental.step.total_seconds() < 60:
        yield ("incremental", "step"), "it has to be a minute at least, for example P1D"
    if incremental.zone is not None and incremental.zone not in available_timezones():
        yield ("incremental", "zone"), f"unknown time zone {incremental.zone!r}; write one such as Europe/Paris"
