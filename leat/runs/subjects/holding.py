"""``leat subject hold`` and ``release``: data that has to stay, whatever else is declared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from leat.control.holds import HoldRow, place_hold, read_holds, release_hold
from leat.runs.subjects.declared_holds import follow_declared
from leat.runs.subjects.identities import Person
from leat.runs.subjects.opened import asked, may
from leat.runs.workspace import Workspace
from leat.sources.identity import Identity


def hold(
    workspace: Workspace,
    given: Identity,
    reason: str,
    also: Sequence[Identity] = (),
    *,
    follow: bool = True,
    now: datetime | None = None,
) -> tuple[str, Person]:
    """Put a person's data on hold; returns the id of the hold, and the person with all identities.

    Raises:
        Forbidden: who runs this process may not do that.
    """
    may(workspace, "administer")
    with asked(workspace, given, also, follow=follow) as (who, _, _):
        person = who.person
    return place_hold(workspace.store, given, person.listed, reason, now or datetime.now(UTC)), person


def release(workspace: Workspace, given: Identity, now: datetime | None = None) -> tuple[int, list[HoldRow]]:
    """End the holds of a person; returns how many there were, and those that files declare, which go on.

    Raises:
        Forbidden: who runs this process may not do that.
    """
    may(workspace, "administer")
    now = now or datetime.now(UTC)
    follow_declared(workspace, now)
    released = release_hold(workspace.store, given, now)
    return released, [hold for hold in read_holds(workspace.store) if given in hold.identities]


def list_holds(workspace: Workspace, now: datetime | None = None) -> list[HoldRow]:
    """Return the holds that aren't released.

    Raises:
        Forbidden: who runs this process may not see them.
    """
    may(workspace, "read")
    follow_declared(workspace, now or datetime.now(UTC))
    return read_holds(workspace.store)
