"""What a problem is, wherever it comes from: what alerts route, remember and send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leat.pipelines.load.results import Severity
from leat.quality.alerts.declaration import Kind

EVIDENCE_ROWS = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong now.

    Attributes:
        key: its name for good, at most 255 characters.
        kind: what kind of problem.
        subject: what messages group by: the rule, the table, the integration.
        title: what is wrong, or which rule is broken, in a few words.
        severity: error or warn.
        next_step: what the person who reads it does.
        command: the command that shows more.
        integrations: which it concerns.
        owner: whose it is; empty when nobody is named.
        since: when it began, if state has that; else it began when alerts noticed it.
        evidence: its first rows, if it comes with them; those of violations are read when a message is written.
        acknowledged_until: until when somebody wants to hear nothing of it.
        flaps: how many times in a row it came back within a day, if state has that.
    """

    key: str
    kind: Kind
    subject: str
    title: str
    severity: Severity
    next_step: str
    command: str
    integrations: tuple[str, ...] = ()
    owner: str = ""
    since: datetime | None = None
    evidence: tuple[Mapping[str, Any], ...] = ()
    acknowledged_until: datetime | None = None
    flaps: int = 0
