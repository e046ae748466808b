"""Who may see Dagster's UI, and who may change something in it."""

from __future__ import annotations

from leat.runs.access import Principal, Resource, integrations
from leat.runs.dagster_process import May
from leat.runs.workspace import Workspace

UI = Resource("dagster", tags=frozenset({"personal"}))
"""The UI shows rows that failed a check, so a rule about personal data is one about it, too."""


def needed(workspace: Workspace) -> list[Resource]:
    """Return what one must be allowed to run to change something there: a run of Dagster's may load everything."""
    return [UI, *integrations(workspace.declarations)]


def rights_of(workspace: Workspace, principal: Principal) -> May | None:
    """Return what somebody may do in Dagster's UI; None if they may not even see it."""
    decide = workspace.gate.decide
    if not decide(principal, UI, "read").allowed:
        return None
    return "run" if all(decide(principal, each, "run").allowed for each in needed(workspace)) else "read"
