"""The proof of "once" at a real system: senders are killed around the request, and what the server has is counted.

Nothing here counts: each system's test asks its server. One sender after the other is killed, each at an action of its
own; the one after it is the dispatcher that was started again, and finds what the one before has left.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping

from leat.actions.decide import approve
from leat.control.outbox import ActionRow
from tests.kit.acting import Acting
from tests.kit.offices import Desk
from tests.kit.proxy import Proxy
from tests.kit.sender import start_sender

POINTS = ("claiming", "claimed", "sending", "unsent", "unanswered", "sent", "confirming", "recording")
"""Where a sender is killed: before and after the commit of the intent, before the request, while the request is under
way and the server hasn't got it, or has executed it; after the answer, before it is confirmed, before it is stored."""


class Killing:
    """Kills the senders of a desk.

    Args:
        desk: what acts, by way of ``proxy``.
        proxy: in front of the server.
        writes: how the first request begins that changes something.
        environment: variables that the desk needs.
    """

    def __init__(self, desk: Desk, proxy: Proxy, writes: bytes, environment: Mapping[str, str]) -> None:
        self.desk = desk
        self.proxy = proxy
        self.writes = re.compile(writes)
        project = desk.office.project
        self.acting = Acting(project.folder, project.control_url, desk.integration, environment)
        self.rows: list[ActionRow] = []

    def at(self, point: str, row: ActionRow) -> None:
        """Approve an action, and kill its sender at a point of :data:`POINTS`."""
        self.rows.append(row)
        approve(self.desk.office.store, row, "bob")
        held = point in ("unsent", "unanswered")
        if held:
            self.proxy.held.clear()
            self.proxy.unsent, self.proxy.holds = point == "unsent", self.writes
        sender = start_sender(self.acting, "" if held else point, at=row.id)
        if held:
            assert self.proxy.held.wait(60), (row.verb, point)
            sender.kill()
        sender.join(60)
        assert sender.exitcode == -signal.SIGKILL, (row.verb, point, self.desk.now(row))

    def finish(self) -> list[ActionRow]:
        """Kill one more sender, while it looks for what the last one did; let the next one go on; return all."""
        for point, ended in (("looking", -signal.SIGKILL), ("", 0)):
            sender = start_sender(self.acting, point)
            sender.join(60)
            assert sender.exitcode == ended
        return [self.desk.now(row) for row in self.rows]
