"""The end of a run: send the alerts that are due. Dagster's sensors do the same between runs.

A pass writes messages, and the outbox sends them, so that a message is written once and sent as often as its channel
needs it (docs/decisions/0026-alerts-by-the-outbox.md).
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leat.quality.alerts.file import alerts_path, load_alerts
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.actions.office import Office
    from leat.control.outbox import ActionRow
    from leat.quality.alerts.announce import Sent
    from leat.quality.alerts.declaration import Alerts
    from leat.warehouse.session import Warehouse

log = logging.getLogger("leat.alerts")

_WAIT = 60.0  # seconds for another process that sends


def notify(workspace: Workspace) -> list[Sent]:
    """Send the alerts that are due; returns the messages, none when no alerts are declared.

    Raises:
        DeclarationError: ``quality/alerts.yaml`` or a declaration has mistakes.
    """
    if not alerts_path(workspace.project).exists():
        return []
    from leat.actions.office import Office

    office = Office(workspace.store, workspace.project, workspace.declarations)
    return announce(office, workspace.warehouse, datetime.now(UTC))


def announce(office: Office, warehouse: Warehouse, now: datetime) -> list[Sent]:
    """Write the messages that are due, send them, and send again those that weren't delivered yet.

    Args:
        office: the control store, which remembers who was notified of what, and the project.
        warehouse: where violations and checks are.
        now: the time, UTC.

    Returns:
        the messages that were sent in this pass.

    Raises:
        DeclarationError: ``quality/alerts.yaml`` has mistakes.
    """
    from leat.control.alert_messages import open_messages, settle
    from leat.quality.alerts.announce import write_messages

    alerts = load_alerts(office.project, office.declarations)
    if alerts is None:
        return []
    write_messages(office.project, office.store, warehouse, office.declarations, alerts, now)
    if not open_messages(office.store):
        return []
    sys.audit("leat.alert", "written")
    sent = _deliver(office, alerts)
    sys.audit("leat.alert", "settling")
    settle(office.store, now)
    return sent


def _deliver(office: Office, alerts: Alerts) -> list[Sent]:
    from leat.actions.deliver import deliver
    from leat.control.outbox import ALERTS
    from leat.quality.alerts.channels import alert_actor, remember_secrets
    from leat.warehouse.lease import Fenced
    from leat.warehouse.session import Busy

    remember_secrets(alerts, office.project)
    acting = replace(office, own={ALERTS: alert_actor(alerts, office.project, office.declarations)})
    with contextlib.suppress(Busy, Fenced):  # the other process sends what there is
        return [_sent(row) for row in deliver(acting, ALERTS, wait=_WAIT).actions]
    return []


def _sent(row: ActionRow) -> Sent:
    from leat.control.outbox import EFFECTIVE
    from leat.quality.alerts.announce import Sent

    if row.state in EFFECTIVE:
        refused = (row.receipt or {}).get("refused")
        log.info("alert sent to %s: %s%s", row.target, row.title, f" ({refused})" if refused else "")
        return Sent(row.target, row.title, None)
    error = (row.reason or "it wasn't sent").removeprefix(f"{row.target}: ")
    log.warning("channel %s, attempt %d: %s", row.target, row.attempts, error)
    return Sent(row.target, row.title, error)


def try_channels(workspace: Workspace, alerts: Alerts, names: Iterable[str]) -> list[Sent]:
    """Send a test message to each of these channels; returns the messages, with why a channel didn't take one.

    What a channel didn't take before is reported again by the next pass, if the channel works now.
    """
    from leat.control.alert_messages import forget_failed
    from leat.quality.alerts.announce import Sent
    from leat.quality.alerts.trial import try_channel

    sent = []
    for name in names:
        title, error = try_channel(name, alerts, workspace.project, workspace.declarations, datetime.now(UTC))
        sent.append(Sent(name, title, error))
        if error is None:
            forget_failed(workspace.store, name)
    return sent
