"""What a run did, as data, and what that means: ok, failed, blocked or busy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from leat.pipelines.load.drift import Change
from leat.pipelines.load.quarantined import Reason
from leat.pipelines.load.results import CheckResult, IntegrationResult
from leat.quality.violation_report import Entry
from leat.runs.publish import Published
from leat.runs.refresh import Refreshed

if TYPE_CHECKING:
    from leat.control.automations import RunRow
    from leat.control.outbox import ActionRow
    from leat.quality.alerts.announce import Sent
    from leat.runs.acting import Acted

Outcome = Literal["ok", "failed", "blocked", "busy"]
Reasons = Mapping[tuple[str, str], Sequence[Reason]]
"""The reasons of what was quarantined, the most frequent first, by integration and stream."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did.

    Attributes:
        started_at: when it began, UTC.
        seconds: wall-clock seconds, alerts included.
        integrations: what was loaded, in the order asked for.
        refreshed: what became of models and rules; None when they were up to date, or in a dry run.
        publication: whether readers see something new; if not, why.
        quarantined: the reasons of the records that this run has quarantined.
        drift: the fields that came or went in this run.
        violations: the ledger as the run left it; empty in a dry run.
        sent: the alerts that were sent, or not taken.
        not_sent: why no alerts could be sent; None when they could.
        planned: what automations planned.
        acted: what became of approved actions; None when there was nothing to send.
        waiting: how many actions wait for approval, whenever they were planned.
    """

    started_at: datetime
    seconds: float
    integrations: Sequence[IntegrationResult]
    refreshed: Refreshed | None = None
    publication: Published = Published(published=False)  # noqa: RUF009 - it is frozen
    quarantined: Reasons = field(default_factory=dict)
    drift: Sequence[Change] = ()
    violations: Sequence[Entry] = ()
    sent: Sequence[Sent] = ()
    not_sent: str | None = None
    planned: Sequence[RunRow] = ()
    acted: Acted | None = None
    waiting: int = 0

    @property
    def checks(self) -> list[CheckResult]:
        """The checks of streams, then those of models, and the rules."""
        own = [check for result in self.integrations for check in result.checks]
        return [*own, *(self.refreshed.checks if self.refreshed else ())]

    @property
    def changed(self) -> bool:
        """Whether anything was loaded or refreshed."""
        return self.refreshed is not None or any(result.status == "loaded" for result in self.integrations)

    @property
    def failed_actions(self) -> list[ActionRow]:
        """The actions that this run sent or followed up on and that need a person now."""
        rows = () if self.acted is None else self.acted.actions
        return [row for row in rows if row.state in ("failed", "diverged", "asking")]

    @property
    def outcome(self) -> Outcome:
        """How the run ended, by the worst that happened in it.

        ``failed``: an integration or a model failed, or an action that the run sent: the system refused it, shows
        something else, or nobody knows whether it happened. ``blocked``: checks withhold a load or the newest version
        from readers. ``busy``: another process ran one of the integrations. An alert that couldn't be sent fails
        nothing.
        """
        statuses = {result.status for result in self.integrations}
        if "failed" in statuses or (self.refreshed is not None and self.refreshed.errors):
            return "failed"
        if self.failed_actions:
            return "failed"
        if "blocked" in statuses or self.publication.withheld is not None:
            return "blocked"
        return "busy" if "busy" in statuses else "ok"


def needs_refresh(result: IntegrationResult, *, later: bool) -> bool:
    """Return whether models must be refreshed and published right after an integration that was loaded by itself.

    What a load has applied is refreshed and published, also when some of its streams failed. Where ``later`` says that
    a step after this one does it for all integrations, that is left to it; but after a load that failed that
    step isn't run.
    """
    if result.error is None:
        return not later
    return any(stream.changed for stream in result.streams)
