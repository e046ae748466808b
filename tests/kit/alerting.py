"""A project whose problems a test writes into its warehouse and control store, and whose alerts it looks at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from leat.actions import office as actions
from leat.control.runs import RunStatus
from leat.control.store import Counts, end_run, open_control, start_run
from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load import state
from leat.pipelines.load.system_tables import TABLES
from leat.quality.alerts.announce import Sent
from leat.runs.notify import announce
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import Session
from tests.kit.project import Tally

START = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
RULE = "charge_without_invoice"

RULES = {
    RULE: ("Every charge has an invoice", "Write the invoice."),
    "entries_balance": ("Journal entries balance", "Correct the entry."),
}


@dataclass
class Office:
    """The project.

    Attributes:
        folder: where it is.
        control_url: its control store.
        now: the time that passes are made at.
        made: whether it is there already.
    """

    folder: Path
    control_url: str
    now: datetime = START
    made: bool = False
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        self.tally = Tally(self.folder)
        if self.made:
            return
        self.tally.declare()
        (self.folder / "quality" / "rules").mkdir(parents=True)
        for rule in RULES:
            (self.folder / "quality" / "rules" / f"{rule}.sql").touch()
        with self.writing() as session:
            state.create_tables(session)
            for rule, (title, step) in RULES.items():
                row = (rule, title, "", step, "warn", "finance", json.dumps(["tally"]), "violated", "", 0, self.now)
                state.insert(session, "rules", [row])

    def prepare(self) -> None:
        """Let this process find the test sources; for a process that a test starts."""
        self.tally.prepare()

    def plain(self) -> Office:
        """Return this without what is open, so that it can be sent to another process."""
        return Office(self.folder, self.control_url, self.now, made=True)

    @property
    def project(self) -> Project:
        return Project(self.folder, self.folder / ".leat", None, self.control_url)

    def declare(self, text: str) -> None:
        """Write ``quality/alerts.yaml``."""
        (self.folder / "quality" / "alerts.yaml").write_text(text)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with open_warehouse(None, self.folder / ".leat").transaction() as session:
            yield session

    @cached_property
    def store(self) -> Engine:
        """The control store; it stays open, for opening it takes longer than a pass."""
        return open_control(self.control_url)

    def violate(self, *numbers: int, rule: str = RULE, severity: str = "warn", owner: str = "finance",
                flaps: int = 0, **evidence: Any) -> None:  # fmt: skip
        """Open violations, as the ledger would."""
        rows = []
        for number in numbers:
            selected = json.dumps({"order": f"ORD-{number}", "charged_amount": 4900 + number, **evidence})
            fields: dict[str, Any] = dict.fromkeys(TABLES["violations"].types)
            fields |= {"rule": rule, "violation_key": key_of(number, rule), "severity": severity, "owner": owner,
                       "evidence": selected, "first_seen_at": self.now, "opened_at": self.now, "last_seen_at": self.now,
                       "episodes": 1, "flaps": flaps}  # fmt: skip
            rows.append(tuple(fields.values()))
        self.resolve(*numbers, rule=rule, forget=True)
        with self.writing() as session:
            state.insert(session, "violations", rows)

    def resolve(self, *numbers: int, rule: str = RULE, forget: bool = False) -> None:
        """Resolve violations."""
        change = "DELETE FROM leat.violations" if forget else "UPDATE leat.violations SET resolved_at = ?"
        with self.writing() as session:
            for number in numbers:
                params = () if forget else (self.now,)
                session.execute(f"{change} WHERE violation_key = ?", (*params, key_of(number, rule)))

    def acknowledge(self, number: int, until: datetime | None, rule: str = RULE) -> None:
        with self.writing() as session:
            sql = "UPDATE leat.violations SET acknowledged_until = ? WHERE violation_key = ?"
            session.execute(sql, (until, key_of(number, rule)))

    def check(self, name: str, *, ok: bool, severity: str = "error", evidence: list[dict[str, Any]] | None = None,
              subject: str = "tally.fed") -> None:  # fmt: skip
        """Record the outcome of a check of a table."""
        row = (subject, name, severity, ok, 0 if ok else 2, "weight always has a value: 2 rows broke it",
               json.dumps(evidence or []), self.now, 0, None)  # fmt: skip
        with self.writing() as session:
            session.execute("DELETE FROM leat.checks WHERE subject = ? AND check_name = ?", (subject, name))
            state.insert(session, "checks", [row])

    def ran(self, status: RunStatus, error: tuple[str, str] | None = None) -> None:
        """Record a run that has ended."""
        from leat.runs.recorder import register

        register(self.store, load_declarations(self.project))
        run = start_run(self.store, "tally", "cli", holds_lock=True)
        end_run(self.store, run, status, Counts(), None, error)

    def hurry(self) -> None:
        """Let messages that wait for another attempt be due now."""
        with self.store.begin() as connection:
            connection.execute(text("UPDATE action SET next_at = created_at"))

    def pass_(self, **later: float) -> list[Sent]:
        """Let time go by, then make a pass."""
        self.now += timedelta(**later)
        warehouse = open_warehouse(None, self.folder / ".leat")
        return announce(actions.Office(self.store, self.project, load_declarations(self.project)), warehouse, self.now)


def key_of(number: int, rule: str = RULE) -> str:
    return f"{rule}-{number}"
