"""The end of a run: send the alerts that are due. Dagster's sensors do the same between runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leat.quality.alerts.file import alerts_path
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.quality.alerts.announce import Sent


def notify(workspace: Workspace) -> list[Sent]:
    """Send the alerts that are due; returns the messages, none when no alerts are declared.

    Raises:
        DeclarationError: ``quality/alerts.yaml`` or a declaration has mistakes.
    """
    if not alerts_path(workspace.project).exists():
        return []
    from leat.quality.alerts.announce import announce  # Apprise takes long to import

    now = datetime.now(UTC)
    return announce(workspace.project, workspace.store, workspace.warehouse, workspace.declarations, now)
