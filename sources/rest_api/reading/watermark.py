"""What was read last of a list that grows: from when on to ask, and what that will give if nothing is new."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from leat.sources import json_raw as raw
from leat.sources.rest_api.declaration.column import ColumnOptions
from leat.sources.rest_api.declaration.endpoint import Endpoint, Incremental
from leat.sources.rest_api.rows.fit import compute

_FEW = 2**18
"""Bytes of records that are compared without Arrow, whose import takes longer than that."""
SKEW = timedelta(minutes=15)
"""How far a server's clock may be ahead; a record of a later time says nothing of what was read."""
_ZONES = timedelta(hours=14)
_CLOCK_BACK = timedelta(hours=1)
"""How far local time goes back once a year: what is written without a zone is read again by as much."""
_JOINT = timedelta(seconds=1)
"""By how much a window begins before the end of the one before: the API may exclude both bounds."""


def is_again(before: Mapping[str, Any], pages: Iterable[bytes], size: int) -> bool:
    """Return whether what was asked for again is what the last time has left, and nothing else.

    False means no more than that one has to look closer.

    Args:
        before: the state of the last time.
        pages: arrays of records, JSON.
        size: their bytes.
    """
    if "again" not in before or size > _FEW:
        return False
    digests = set()
    try:
        for page in pages:
            for text in raw.items(page):
                digests.add(hashlib.md5(raw.compact(text), usedforsecurity=False).hexdigest())
    except ValueError:
        return False
    return bool(_summed(digests) == before["again"])


def _summed(digests: Iterable[str]) -> str:
    return hashlib.md5("".join(sorted(digests)).encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class Seen:
    """Collects the newest records of a list, as digests by their value of the growing column.

    Digests distinguish records of equal value, so that one that comes late with a value that was seen is
    new. Only what the next request returns again is stored: values from ``newest - overlap`` on. A value far after now
    is a mistake in the record: it isn't the newest.

    Attributes:
        endpoint: the declaration.
        incremental: how it grows.
        now: the time of the run.
        newest: the newest value so far.
        ahead: how many records have a value far after now.
    """

    endpoint: Endpoint
    incremental: Incremental
    now: datetime
    newest: Any = None
    ahead: int = 0
    _by_value: dict[Any, set[str]] = field(default_factory=dict)

    def add(self, table: Any, digests: Sequence[str]) -> None:
        """Add the records of a table."""
        pc = compute()
        values = table.column(self.incremental.column)
        latest = self._latest()
        if latest is not None:
            late = pc.greater(values, latest)
            self.ahead += pc.sum(late).as_py() or 0
            top = pc.max(pc.if_else(late, None, values)).as_py()
        else:
            top = pc.max(values).as_py()
        if top is None and self.newest is None:
            return
        self.newest = top if self.newest is None else self.newest if top is None else max(top, self.newest)
        floor = self._floor()
        for row in pc.indices_nonzero(pc.greater_equal(values, floor)).to_pylist():
            self._by_value.setdefault(values[row].as_py(), set()).add(digests[row])
        self._by_value = {value: of_value for value, of_value in self._by_value.items() if value >= floor}

    def _latest(self) -> Any:
        """Return the latest value that a record can rightly have; None where values are no times."""
        kind = self.endpoint.columns[self.incremental.column].type
        if kind == "timestamp":
            return self.now + SKEW
        local = self.now.replace(tzinfo=None) + _ZONES + SKEW
        return {"datetime": local, "date": local.date()}.get(kind)

    def _floor(self) -> Any:
        overlap = self.incremental.overlap
        column = self.endpoint.columns[self.incremental.column]
        if column.type == "datetime" or column.zone:
            overlap = max(overlap, _CLOCK_BACK)
        return self.newest - overlap if overlap else self.newest

    def state(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return the cursor: where to continue, and the digest of what is there; as before when all is old."""
        if self.newest is None:
            return {name: before[name] for name in ("since", "seen", "again") if name in before}
        listed = sorted((_text(value), *sorted(digests)) for value, digests in self._by_value.items())
        seen = hashlib.sha256(repr(listed).encode()).hexdigest()[:32]
        again = _summed(digest for digests in self._by_value.values() for digest in digests)
        return {"since": _text(self._floor()), "seen": seen, "again": again}


def takes_dates(endpoint: Endpoint) -> bool:
    """Return whether an endpoint can be asked for what has changed from a date on."""
    incremental = endpoint.incremental
    column = endpoint.columns.get(incremental.column) if incremental else None
    return column is not None and column.type in ("timestamp", "datetime", "date")


def state_from(endpoint: Endpoint, moment: datetime, now: datetime) -> dict[str, Any]:
    """Return a state from which on an endpoint that takes dates reads what has changed since a time."""
    kind = endpoint.columns[endpoint.incremental.column].type if endpoint.incremental else "timestamp"
    return {"since": _text(typed(kind, moment.astimezone(UTC).isoformat())), "scanned_at": now.isoformat()}


def spans_of(endpoint: Endpoint, since: str | None, now: datetime) -> list[dict[str, str]]:
    """Return the values of ``since`` and ``until`` of each request that together ask for everything since a value.

    Args:
        endpoint: the declaration.
        since: where to go on, as :meth:`Seen.state` gives it; None for the declared start.
        now: the time of the run.
    """
    incremental = endpoint.incremental
    if incremental is None:
        return [{}]
    since = since if since is not None else None if incremental.start is None else str(incremental.start)
    kind = endpoint.columns[incremental.column].type
    end = _end(incremental, kind, now)
    until = {} if end is None else {"until": written(endpoint, end)}
    if since is None:
        return [until]
    start = typed(kind, since)
    if end is None or incremental.step is None:
        return [{"since": written(endpoint, start), **until}]
    return [
        {"since": written(endpoint, first), "until": written(endpoint, last)}
        for first, last in _windows(start, end, incremental.step)
    ]


def _windows(start: Any, end: Any, step: timedelta) -> Iterator[tuple[Any, Any]]:
    """Yield bounds of windows; each begins a little before the previous one ends."""
    joint = max(_JOINT, timedelta(days=1)) if type(start) is date else _JOINT
    first = start
    while True:
        last = min(first + step, end) if first < end else end
        yield (first if first == start else first - joint), last
        if last >= end:
            return
        first = last


def _end(incremental: Incremental, kind: str, now: datetime) -> Any:
    """Return the upper bound of what is asked for: a day later where a bound is a whole day, which may be excluded."""
    form = incremental.format or ""
    days = form == "date" or ("%" in form and not any(part in form for part in ("%H", "%I", "%s", "%T", "%X", "%c")))
    later = now + timedelta(days=1) if days else now
    local = later.replace(tzinfo=None) + _ZONES
    return {"timestamp": later, "datetime": local, "date": local.date() + timedelta(days=1)}.get(kind)


def typed(kind: str, text: str) -> Any:
    """Return a value of a column from the text that a cursor or a declaration has."""
    if kind == "timestamp":
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if kind == "datetime":
        return datetime.fromisoformat(text).replace(tzinfo=None)
    return date.fromisoformat(text[:10]) if kind == "date" else int(text) if kind == "integer" else text


def _text(value: Any) -> str:
    """Return a value in the form that a cursor holds."""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else str(value)


def _form(column: ColumnOptions) -> str:
    """Return the form in which an API takes values of a column unless declared otherwise: that of its records."""
    return column.unix or column.format or ("%Y-%m-%dT%H:%M:%S" if column.zone else "iso")


def written(endpoint: Endpoint, value: Any) -> str:
    """Return a value in the form in which the API takes it."""
    incremental = endpoint.incremental
    column = endpoint.columns[incremental.column] if incremental else None
    form = (incremental.format if incremental else None) or (_form(column) if column else "iso")
    if not isinstance(value, date) or form == "iso":
        return _text(value)
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
    if form in ("s", "ms"):
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return str(int(seconds) if form == "s" else int(seconds * 1000))
    zone = (incremental.zone if incremental else None) or (column.zone if column else None)
    if zone and isinstance(value, datetime) and value.tzinfo:
        moment = value.astimezone(ZoneInfo(zone))
    return moment.strftime("%Y-%m-%d" if form == "date" else form)
