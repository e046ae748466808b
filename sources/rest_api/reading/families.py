"""Reading endpoints in the order in which one gives the rows for which another is asked, each failing alone.

An endpoint that can't be read fails its own stream, those nested in it and those asked for its rows; all others are
read. What refuses the credentials or can't be reached at all stops everything. A list that is asked for what is new
doesn't move on while one below it fails, for the rows that were new would never be asked for again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace

from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError, NotConfigured, RateLimited, TimedOut, Unauthenticated, Unavailable
from leat.sources.events import Event, Failed
from leat.sources.http.calls import ApiCall
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.reading.children import read_children
from leat.sources.rest_api.reading.convert import Converter
from leat.sources.rest_api.reading.endpoint import read_list
from leat.sources.rest_api.reading.listed import Reading, State

Named = tuple[str, State]
"""The state of an endpoint for the cursor."""


@dataclass(slots=True)
class Reach:
    """Counts which requests were answered, whatever the answer."""

    answered: int = 0
    unanswered: int = 0

    def watch(self, sync: Sync) -> Sync:
        """Return the extraction so that its calls are counted."""

        def called(call: ApiCall) -> None:
            if call.status is None:
                self.unanswered += 1
            else:
                self.answered += 1
            sync.called(call)

        return replace(sync, called=called)


@dataclass(slots=True)
class Families:
    """The endpoints of a connection.

    Attributes:
        endpoints: all of them.
        reading: what reading needs.
        states: their states in the cursor.
        reach: which requests were answered.
    """

    endpoints: Mapping[str, Endpoint]
    reading: Reading
    states: Mapping[str, State]
    reach: Reach
    _lost: IntegrationError | None = None
    _lost_at: int = 0
    _failed: set[str] = field(default_factory=set)

    def read(self) -> Iterator[Event | Named]:
        """Yield the events of all, and their states.

        Raises:
            IntegrationError: the credentials are refused, the rate is used up, or the server can't be reached.
        """
        for name, endpoint in self.endpoints.items():
            if endpoint.nested_in is None and endpoint.parent is None and self._is_needed(name):
                yield from self._list(name)
            elif endpoint.parent is not None and endpoint.parent.endpoint is None and self._is_needed(name):
                yield from self._children(name, None)
        if self._lost is not None and not self.reach.answered:
            raise self._lost

    def _is_needed(self, name: str) -> bool:
        return name in self.reading.sync.streams or bool(self._nested(name)) or bool(self._below(name))

    def _nested(self, name: str) -> dict[str, Endpoint]:
        wanted = self.reading.sync.streams
        return {n: e for n, e in self.endpoints.items() if e.nested_in == name and n in wanted}

    def _below(self, name: str) -> list[str]:
        """Return the endpoints that are asked for each row of one, as far as they are needed."""
        of = [n for n, e in self.endpoints.items() if e.parent is not None and e.parent.endpoint == name]
        return [each for each in of if self._is_needed(each)]

    def _converter(self, name: str) -> Converter:
        remembered: set[str] = set()
        for child in self._below(name):
            endpoint = self.endpoints[child]
            each = endpoint.parent.each if endpoint.parent else {}
            remembered |= set(endpoint.parent.values.values()) if endpoint.parent else set()
            remembered |= {o.parent for o in endpoint.columns.values() if o.parent and o.parent not in each}
        wanted = name in self.reading.sync.streams
        made = Converter(name, self.endpoints[name], self._nested(name), wanted, tuple(sorted(remembered)))
        made.hidden = self._hidden(name)
        return made

    def _hidden(self, name: str) -> frozenset[str]:
        """Return the columns of the parent that are masked there, or here."""
        parent, masked = self.endpoints[name].parent, self.reading.sync.masked
        if parent is None:
            return frozenset()
        columns = self.endpoints[name].columns
        here = frozenset(str(columns[column].parent) for column in masked.get(name, ()) if column in columns)
        return here | masked.get(parent.endpoint or "", frozenset())

    def _covered(self, name: str) -> list[str]:
        """Return the streams that move with an endpoint: what is new is read for them or never."""
        names = {name, *self._nested(name)} & self.reading.sync.streams
        if self.endpoints[name].moves_on():
            names |= {each for child in self._below(name) for each in self._covered_below(child)}
        return sorted(names)

    def _covered_below(self, name: str) -> set[str]:
        below = {each for child in self._below(name) for each in self._covered_below(child)}
        return ({name, *self._nested(name)} & self.reading.sync.streams) | below

    def _before(self, name: str, streams: list[str]) -> State:
        """Return the state to go on from; none where it doesn't cover every stream that is read now."""
        state = self.states.get(name, {})
        covers = name in self.reading.sync.streams and set(state.get("streams", ())) >= set(streams)
        return dict(state) if covers else {}

    def _list(self, name: str) -> Iterator[Event | Named]:
        converter, streams = self._converter(name), self._covered(name)
        events = read_list(self.reading, converter, self._before(name, streams))
        yield from self._whole_family(name, converter, streams, events)

    def _children(self, name: str, parent: Converter | None) -> Iterator[Event | Named]:
        converter, streams = self._converter(name), self._covered(name)
        events = read_children(self.reading, converter, parent, self._before(name, streams))
        yield from self._whole_family(name, converter, streams, events)

    def _whole_family(
        self, name: str, converter: Converter, streams: list[str], events: Iterator[Event | State]
    ) -> Iterator[Event | Named]:
        """Yield the events of an endpoint and of all below it, and their states unless they fail."""
        state: State | None = yield from self._alone(name, events)
        if state is None:
            return
        for child in self._below(name):
            yield from self._children(child, converter)
        moves = self.endpoints[name].moves_on()
        if converter.wanted and not (moves and self._failed & self._covered_below(name)):
            yield name, {**state, "streams": streams}

    def _alone(self, name: str, events: Iterator[Event | State]) -> Generator[Event | Named, None, State | None]:
        """Yield the events of an endpoint and return its state; where it fails, that alone."""
        state: State = {}
        try:
            for event in events:
                if isinstance(event, dict):
                    state = event
                else:
                    yield event
        except (Unauthenticated, NotConfigured, RateLimited):
            raise
        except IntegrationError as error:
            self._check_reach(error)
            names = sorted(self._covered_below(name))
            self._failed |= {*names}
            for each in names:
                yield Failed(each, error)
            return None
        return state

    def _check_reach(self, error: IntegrationError) -> None:
        """Raise an error that is of the whole server: the second in a row that no answer at all was got for."""
        if not isinstance(error, Unavailable | TimedOut) or not self.reach.unanswered:
            return
        self.reach.unanswered = 0
        if self._lost is not None and self.reach.answered == self._lost_at:
            raise error
        self._lost, self._lost_at = error, self.reach.answered
