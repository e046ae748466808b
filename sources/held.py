"""Holds back what is read of one part of a system, so that a part that fails in the middle leaves nothing behind.

A part is one calendar of an account, or one of several repositories. When more has been read of it than memory should
hold, it is passed on, and a failure after that is one of the whole run, and nothing is applied.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from leat.sources.errors import IntegrationError, Transient, Unauthenticated
from leat.sources.events import Event, Quarantined, Rows

MAX_BYTES = 64 * 2**20
OF_ALL = (Transient, Unauthenticated)
"""Errors that a server gives for every part of it alike: it is down, or doesn't take the credentials."""
_SMALL = 500
_Result = TypeVar("_Result")


class PartFailed(Exception):
    """A part can't be read, the others may be.

    Attributes:
        error: why.
    """

    def __init__(self, error: IntegrationError) -> None:
        super().__init__(str(error))
        self.error = error


def held(
    events: Generator[Event, None, _Result], of_all: tuple[type[IntegrationError], ...] = OF_ALL
) -> Generator[Event, None, _Result]:
    """Yield the events of one part once all are there, or are too many; returns what they return.

    Args:
        events: what is read of the part.
        of_all: errors that are not about the part alone.

    Raises:
        PartFailed: the part failed by itself and nothing of it was yielded.
        IntegrationError: an error that is not about the part alone, or the part failed after some of it was yielded.
    """
    waiting: list[Event] | None = []
    size = 0
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            yield from waiting or ()
            return end.value  # type: ignore[no-any-return]
        except IntegrationError as error:
            if waiting is None or isinstance(error, of_all):
                raise
            raise PartFailed(error) from error
        if waiting is None:
            yield event
            continue
        waiting.append(event)
        size += _size(event)
        if size > MAX_BYTES:
            yield from waiting
            waiting = None


def _size(event: Event) -> int:
    if isinstance(event, Rows):
        return event.table.nbytes
    return _SMALL + (len(event.record) if isinstance(event, Quarantined) else 0)
