"""What is new at the end of the segments, for a process that follows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from leat.hooks.event import Event, from_line
from leat.hooks.segments import segments


@dataclass(slots=True)
class Tail:
    """A place in the segments; each call of :meth:`read` goes on from there.

    Attributes:
        folder: of the segments.
        after: the number of the last event that was read.
    """

    folder: Path
    after: int = 0
    _segment: Path | None = None
    _offset: int = 0

    def read(self) -> list[Event]:
        """Return the events since the last call; looking costs one listing of the folder when there are none."""
        result: list[Event] = []
        for segment in segments(self.folder):
            if self._segment is not None and segment < self._segment:
                continue
            if segment != self._segment:
                self._segment, self._offset = segment, 0
            result += self._rest(segment)
        return result

    def _rest(self, segment: Path) -> list[Event]:
        size = segment.stat().st_size
        if size < self._offset:  # what could not be stored was cut off
            self._offset = 0
        if size == self._offset:
            return []
        with segment.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = []
        for line in whole.splitlines():
            try:
                event = from_line(line)
            except msgspec.MsgspecError:
                continue
            if event.seq > self.after:
                events.append(event)
                self.after = event.seq
        return events
