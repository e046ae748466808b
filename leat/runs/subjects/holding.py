"""``leat subject hold`` and ``release``: data that has to stay, whatever else is declared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from leat.control.subjects import HoldRow, place_hold, read_holds, release_hold
from leat.runs.subjects.identities import Identity, Person
from leat.runs.subjects.opened import asked, may
from leat.runs.workspace import Workspace


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


def release(workspace: Workspace, given: Identity, now: datetime | None = None) -> int:
    """End the holds of a person; returns how many there were.

    Raises:
        Forbidden: who runs this process may not do that.
    """
    may(workspace, "administer")
    return release_hold(workspace.store, given, now or datetime.now(UTC))


def list_holds(workspace: Workspace) -> list[HoldRow]:
    """Return the holds that aren't released.

    Raises:
        Forbidden: who runs this process may not see them.
    """
    may(workspace, "read")
    return read_holds(workspace.store)
