"""What a run did, as plain data: the command line prints it, Dagster shows it, the control store stores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["warn", "error"]
Status = Literal["loaded", "nothing_new", "failed", "blocked", "busy"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check.

    Attributes:
        check: name of the check, unique for its subject, for example ``not_null_email``.
        subject: what was checked: ``integration.stream``, ``analytics.model`` or the name of a rule.
        severity: an ``error`` blocks the publication of the load; a ``warn`` is only reported.
        ok: whether it held.
        failing: how many rows broke it; 0 for checks that do not count rows.
        detail: what was seen, in words.
        evidence: the first rows that broke it.
        skipped: whether it couldn't be tried yet, for what it needs isn't there; then it counts as ok.
    """

    check: str
    subject: str
    severity: Severity
    ok: bool
    failing: int
    detail: str
    evidence: tuple[Mapping[str, Any], ...] = ()
    skipped: bool = False

    @property
    def blocks(self) -> bool:
        """Whether this result blocks the publication of a load."""
        return not self.ok and self.severity == "error"


@dataclass(frozen=True, slots=True)
class RebuiltRows:
    """The rows of a model that were built by its grain, all others being as they were.

    Attributes:
        table: a temporary table of the rows that were built: all that the model now has with a touched value.
        grain: the columns of the grain.
        before: the fingerprint of the model as it was.
        total: how many rows the model now has.
    """

    table: str
    grain: tuple[str, ...]
    before: str
    total: int


@dataclass(frozen=True, slots=True)
class StreamResult:
    """Rows of one stream that a load touched; ``total`` counts those that exist in the source now.

    ``purged`` are rows and versions that retention removed. ``complete`` is what
    proved that the listing was complete; None when no whole listing was made. ``error`` is why the stream failed and
    its rows stay as they were; None when it didn't.
    """

    stream: str
    inserted: int
    updated: int
    deleted: int
    quarantined: int
    drifted: int
    total: int
    purged: int = 0
    complete: str | None = None
    error: str | None = None

    @property
    def changed(self) -> bool:
        """Whether the load changed the table."""
        return bool(self.inserted or self.updated or self.deleted or self.purged)


@dataclass(frozen=True, slots=True)
class IntegrationResult:
    """What a run did for one integration.

    Attributes:
        integration: its name.
        status: ``loaded``, ``nothing_new``, ``failed`` (also when single streams failed and the others were applied:
            ``streams`` says which), ``blocked`` (a check of severity error failed, so nothing was applied; readers have
            the old rows) or ``busy`` (another process runs it).
        load_id: the last load that was applied, if any.
        streams: one result per stream that was loaded.
        checks: the results of the checks.
        seconds: wall-clock seconds.
        error: the message for the user, without secrets, when it failed.
        error_type: class of the error, for example ``Unauthenticated``.
        transient: whether trying again may help.
        retry_after: seconds that the system asked to wait, if it did.
    """

    integration: str
    status: Status
    load_id: str | None = None
    streams: tuple[StreamResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    seconds: float = 0.0
    error: str | None = None
    error_type: str | None = None
    transient: bool = False
    retry_after: float | None = None
