"""Planning actions for the API, as ``leat act`` does: the system is read, and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from leat.actions.office import UnknownAction
from leat.actions.propose import Wish, draft
from leat.actions.propose import add as add_to_outbox
from leat.runs.acting import ActionRow, NewAction, office_of
from leat.runs.workspace import Workspace
from leat.sources.actions import actor_of

__all__ = ["UnknownAction"]

_OF_A_VERB = ("name", "description", "guarantee", "needs", "undo", "money")


def verbs(workspace: Workspace) -> Iterator[Mapping[str, Any]]:
    """Yield what leat can do on the declared systems, each verb with the JSON Schema of its parameters."""
    for name, declared in workspace.declarations.items():
        actor = actor_of(declared.source, declared.driver, declared.connection)
        for verb, _ in (actor.actions if actor else {}).values():
            fields = {each: getattr(verb, each) for each in _OF_A_VERB}
            yield {"integration": name, **fields, "parameters": verb.parameters.model_json_schema()}


def moves_money(workspace: Workspace, integration: str, verb: str) -> bool:
    """Return whether a verb moves money; False if there is no such verb."""
    try:
        return office_of(workspace).verb(integration, verb)[0].money
    except UnknownAction:
        return False


def plan(
    workspace: Workspace,
    integration: str,
    verb: str,
    parameters: Mapping[str, Any],
    by: str,
    not_before: datetime | None = None,
) -> NewAction:
    """Plan an action without adding it to the outbox.

    Raises:
        UnknownAction: nobody can do this, or a parameter is wrong.
        Refused: it can't be done, for a reason that the system gives.
        IntegrationError: the system can't be read.
    """
    return draft(office_of(workspace), Wish(integration, verb, parameters, by, not_before=not_before))


def add(workspace: Workspace, planned: NewAction) -> ActionRow:
    """Add a planned action to the outbox, where it waits for its approval."""
    return add_to_outbox(office_of(workspace), planned)
