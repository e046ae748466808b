"""Times at which several people are free, asked of a calendar system live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from leat.runs.acting import office_of
from leat.runs.workspace import Workspace
from leat.sources.calendar.availability import Period, find_slots
from leat.sources.calendar.people import Person, availability_of

__all__ = ["Person", "Search", "calendar_integrations", "find", "zone_of"]

SOURCE = "calendar"
_STEP, _MOST = timedelta(minutes=30), 20
"""What slots begin at multiples of, and how many are returned at most."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched.

    Attributes:
        names: who has to be free: people of the declaration, or calendars.
        start: from when on, with a zone.
        end: until when, with a zone.
        length: how long.
        others: when those work whom the declaration doesn't name; their calendar is the one of their name.
    """

    names: Sequence[str]
    start: datetime
    end: datetime
    length: timedelta
    others: Person


def calendar_integrations(workspace: Workspace) -> list[str]:
    """Return the names of the declared calendar systems."""
    return [name for name, each in workspace.declarations.items() if each.source == SOURCE]


def zone_of(workspace: Workspace, integration: str, name: str) -> str:
    """Return the time zone of a person; UTC for whom the declaration doesn't name."""
    person = _declared(workspace, integration).get(name)
    return person.zone if person is not None else "UTC"


def _declared(workspace: Workspace, integration: str) -> Mapping[str, Person]:
    people: Mapping[str, Person] = getattr(workspace.declarations[integration].connection, "people", {})
    return people


def find(workspace: Workspace, integration: str, search: Search) -> tuple[list[Period], Mapping[str, Person]]:
    """Return the slots, the earliest first, in UTC; and who was searched, by name.

    Raises:
        Refused: a calendar isn't there, or an event of it can't be read.
        ValueError: nobody knows the public holidays of a person's place.
        IntegrationError: the server can't be read.
    """
    declared = _declared(workspace, integration)
    people = {name: declared.get(name, search.others) for name in search.names}
    people = {name: each.model_copy(update={"calendars": each.calendars or (name,)}) for name, each in people.items()}
    available = []
    with office_of(workspace).connected(integration) as system:
        for person in people.values():
            busy = [
                period
                for calendar in person.calendars
                for period in system.busy(calendar, search.start, search.end, person.zone)
            ]
            available.append(availability_of(person, busy, search.start.date(), search.end.date()))
    slots = find_slots(available, search.start, search.end, search.length, step=_STEP, limit=_MOST)
    return slots, people
