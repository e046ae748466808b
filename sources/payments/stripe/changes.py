"""What changed at Stripe since the cursor: by its events, and by looking again at what changes without one in time.

``/v1/events`` says for 30 days which objects changed; each of them is read again, once, for an event's snapshot is
of its own moment and events of one second have no order. Bookings on the balance have no events, and some servers
have none of refunds: so the newest refunds, disputes and bookings are looked at on every run.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from leat.sources.batch import to_json
from leat.sources.events import Event, Listed
from leat.sources.http.client import Client
from leat.sources.payments.stripe.api import ended, pages, retrieve, stream_of
from leat.sources.payments.stripe.rows import Outgoing

OVERLAP = 60
"""Events are listed again from this many seconds before the newest one: they may become visible out of order."""

HEADS = ("refunds", "disputes", "balance_transactions")
UNSEEN: Mapping[str, Any] = {"newest": 0, "digest": ""}
"""What the cursor has for the newest objects of a list that was never read."""


@dataclass
class Seen:
    """The newest events that were seen: when the newest was made, and the ids of those of the last seconds before it.

    Attributes:
        newest: seconds since 1970; 0 when none was seen.
        ids: events made within :data:`OVERLAP` before, with the time of each.
    """

    newest: int = 0
    ids: dict[str, int] = field(default_factory=dict)

    def add(self, key: str, created: int) -> None:
        """Take up an event."""
        self.newest = max(self.newest, created)
        if created >= self.newest - OVERLAP:
            self.ids[key] = created
        if len(self.ids) > 10_000:
            self._forget()

    def _forget(self) -> None:
        self.ids = {key: created for key, created in self.ids.items() if created >= self.newest - OVERLAP}

    def state(self) -> dict[str, Any]:
        """Return what goes into the cursor."""
        self._forget()
        return {"newest": self.newest, "ids": dict(sorted(self.ids.items()))}


def read_events(client: Client, seen: Seen, out: Outgoing) -> Generator[Event, None, list[tuple[str, str]]]:
    """Yield the events that aren't seen yet and put them there.

    Returns stream and id of the objects that they are about, each once.
    """
    before = dict(seen.ids)
    since = [("created[gte]", seen.newest - OVERLAP)] if seen.newest else []
    changed: dict[tuple[str, str], None] = {}
    count, is_new = 0, False
    for page in pages(client, "/v1/events", since):
        count += 1
        for event in page:
            key, created, subject = _parts(event)
            if key in before:
                continue
            is_new = True
            if key is not None and created is not None:
                seen.add(key, created)
            stream = stream_of(subject.get("object"))
            if stream is not None and isinstance(subject.get("id"), str):
                changed[stream, subject["id"]] = None
            yield from out.add("events", event)
        if not since and not out.wants("events") and min(_times(page), default=0) < seen.newest - OVERLAP:
            break  # the first time, only the newest are needed to go on from
    if is_new and out.selects("events"):
        yield Listed("events", ended(count))
    return list(changed)


def _parts(event: Any) -> tuple[str | None, int | None, Mapping[str, Any]]:
    """Return id, time and object of an event, as far as it has them."""
    if not isinstance(event, Mapping):
        return None, None, {}
    key, created, data = event.get("id"), event.get("created"), event.get("data")
    subject = data.get("object") if isinstance(data, Mapping) else None
    return (
        key if isinstance(key, str) else None,
        created if isinstance(created, int) else None,
        subject if isinstance(subject, Mapping) else {},
    )


def read_again(client: Client, changed: list[tuple[str, str]], out: Outgoing, but: Collection[str]) -> Iterator[Event]:
    """Yield the objects as they are now, but those of some streams."""
    by_stream: dict[str, list[tuple[str, str]]] = {}
    for stream, key in changed:
        if out.wants(stream) and stream not in but:
            by_stream.setdefault(stream, []).append((stream, key))
    for stream, wanted in by_stream.items():
        yield from out.alone(stream, _read_again(client, wanted, out))


def _read_again(client: Client, wanted: list[tuple[str, str]], out: Outgoing) -> Generator[Event, None, None]:
    for stream, key, value in retrieve(client, wanted):
        detached = stream == "payment_methods" and value is not None and value.get("customer") is None
        if value is None or detached:
            yield from out.delete(stream, key)
        else:
            yield from out.add(stream, value)


def look_at(client: Client, stream: str) -> Generator[Event, None, dict[str, Any]]:
    """Return the cursor's part about the newest objects of a list: when the newest was made, and a digest of all."""
    yield from ()
    return _state(next(pages(client, f"/v1/{stream}")), 0)


def read_head(
    client: Client, stream: str, before: Mapping[str, Any], out: Outgoing
) -> Generator[Event, None, tuple[dict[str, Any], int | None]]:
    """Yield the newest objects of a list if they aren't as they were.

    Reads at least one page, and everything newer than the last run. Returns the cursor's part about it, and
    when the oldest of those objects was made; None when none was read.
    """
    state, oldest = dict(before), None
    for number, page in enumerate(pages(client, f"/v1/{stream}")):
        if number == 0:
            state = _state(page, before["newest"])
            if state == before:
                return state, None
        for each in page:
            yield from out.add(stream, each)
        oldest = min([*_times(page), *([oldest] if oldest is not None else [])], default=None)
        if oldest is None or oldest < before["newest"]:
            break
    return state, oldest


def _state(page: list[Any], newest: int) -> dict[str, Any]:
    return {"newest": max([newest, *_times(page)]), "digest": sha256(to_json(page).encode()).hexdigest()[:16]}


def _times(page: list[Any]) -> list[int]:
    return [each["created"] for each in page if isinstance(each, Mapping) and isinstance(each.get("created"), int)]
