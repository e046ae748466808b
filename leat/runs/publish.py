"""Whether readers get what was refreshed: published, withheld because of a check, or forced by somebody.

What becomes of a publication is recorded in the control store, so that ``leat status`` shows it after the process ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from leat.pipelines.load.results import CheckResult
from leat.pipelines.load.verdict import may_be_published
from leat.runs.refresh import Refreshed
from leat.sources.settings import redact
from leat.warehouse.publication import publish_version
from leat.warehouse.session import Warehouse

if TYPE_CHECKING:  # SQLAlchemy takes long to import
    import sqlalchemy

    from leat.control.publications import Publication

NEXT_STEP = "correct the data or the check and run again, or `leat publish --force --reason '…'`"
_DETAIL = 500  # characters of a reason


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a publication.

    Attributes:
        published: whether readers see something new.
        withheld: why, if the newest version is withheld.
    """

    published: bool
    withheld: Publication | None = None

    @property
    def explanation(self) -> str | None:
        """What is withheld, since when, why, and what to do next; None when nothing is."""
        return None if self.withheld is None else describe_withheld(self.withheld)


@dataclass(frozen=True, slots=True)
class Force:
    """Somebody wants what checks would withhold. Called with those checks, it records that before it is done.

    Attributes:
        store: the control store.
        reason: what they said.
    """

    store: sqlalchemy.Engine
    reason: str

    def __call__(self, checks: Iterable[CheckResult]) -> None:
        """Record that these checks failed and don't count."""
        from leat.control.publications import log_publication

        data = {"reasons": _reasons(check for check in checks if check.blocks), "reason": redact(self.reason)}
        log_publication(self.store, "publish_forced", data)


def publish(store: sqlalchemy.Engine, warehouse: Warehouse, refreshed: Refreshed | None) -> Published:
    """Publish, unless a check of severity error withholds the version; then why is recorded.

    What is published is what was judged: what another process has written since waits for the verdict on it.

    Args:
        store: the control store.
        warehouse: the warehouse; on Postgres the transaction of the models has decided already.
        refreshed: what was brought up to date; None when nothing had to be.

    Raises:
        Busy: another process writes the warehouse.
    """
    if refreshed is not None and refreshed.blocks:
        return Published(False, _withhold(store, [check for check in refreshed.checks if check.blocks]))
    published = publish_version(warehouse, may_be_published)
    if refreshed is not None and not refreshed.errors:
        _clear(store, warehouse)
    if published:
        from leat.control.audit_events import note_alone

        note_alone(store, "publish.published")
    return Published(published)


def describe_withheld(withheld: Publication) -> str:
    """Return in words what is withheld, since when, why, and what to do next."""
    since = datetime.fromisoformat(withheld.data["since"])
    reasons = "; ".join(_in_words(reason) for reason in withheld.data["reasons"])
    return f"readers stay on the old version since {since:%Y-%m-%d %H:%M:%S} UTC: {reasons}. Next: {NEXT_STEP}"


def describe_forced(forced: Publication) -> str:
    """Return in words what was forced, by whom, when and why."""
    said = f", who said: {forced.data['reason']}" if forced.data["reason"] else ", who gave no reason"
    reasons = "; ".join(_in_words(reason) for reason in forced.data["reasons"])
    return f"at {forced.at:%Y-%m-%d %H:%M:%S} UTC by {forced.by}{said}. Despite: {reasons}"


def _in_words(reason: Mapping[str, Any]) -> str:
    where = reason["subject"] if reason["subject"] == reason["check"] else f"{reason['subject']}: {reason['check']}"
    return f"{where} ({reason['detail']})"


def _reasons(failed: Iterable[CheckResult]) -> list[dict[str, Any]]:
    return [
        {"subject": c.subject, "check": c.check, "failing": c.failing, "detail": redact(c.detail)[:_DETAIL]}
        for c in failed
    ]


def _withhold(store: sqlalchemy.Engine, failed: Iterable[CheckResult]) -> Publication:
    """Record why a version is withheld, unless that is recorded already; returns the record."""
    from leat.control.publications import current_publications, log_publication

    current, reasons = current_publications(store).withheld, _reasons(failed)
    if current is not None and current.data["reasons"] == reasons:
        return current
    since = datetime.now(UTC).isoformat() if current is None else current.data["since"]
    return log_publication(store, "publish_withheld", {"reasons": reasons, "since": since})


def _clear(store: sqlalchemy.Engine, warehouse: Warehouse) -> None:
    """Record that what readers see is as it should be, if that is news."""
    from leat.control.publications import current_publications, log_publication

    current = current_publications(store)
    if current.withheld is None and not current.forced:
        return
    with warehouse.snapshot() as session:
        if not may_be_published(session):  # another process has written something else meanwhile
            return
        wrong = session.execute("SELECT 1 FROM leat.checks WHERE NOT ok AND severity = 'error' LIMIT 1")
    if not wrong:
        log_publication(store, "publish_clean", {})
    elif current.withheld is not None:  # what was forced is as it was
        log_publication(store, "publish_resumed", {})
