"""A control store in Postgres with a password; written as leat writes it, read back by plain SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import sqlalchemy

from leat.control.action_history import Decision, note_decision
from leat.control.action_moves import move
from leat.control.action_tables import ActionAttempt
from leat.control.automations import RunRow, record_automation_run
from leat.control.engine import writing
from leat.control.mail_tables import TrackingEvent
from leat.control.outbox import NewAction, add_actions
from leat.control.store import (
    Declared,
    end_run,
    log_events,
    open_control,
    record_calls,
    register,
    set_override,
    start_run,
)
from tests.contract.proxy import POSTGRES, proxied
from tests.contract.world import MAIL, PERSON, REFUSED, SECRET, Keys, Step, World

TABLES = ("integration_system", "integration", "integration_config", "integration_log", "run", "api_call",
          "action", "action_attempt", "action_approval", "action_event", "tracking_event",
          "automation_run")  # fmt: skip
_SHOP = {"shop": Declared("payments", "Charges.", "stripe", "Our shop")}
_BOTH = {**_SHOP, "crm": Declared("crm", "Contacts.", "tryton", "Our customers")}


@dataclass(frozen=True)
class _Store:
    url: str
    engine: sqlalchemy.Engine

    @property
    def role(self) -> str:
        """Who reads it; roles are of the whole server, on which there may be several stores."""
        return f"reader_of_{urlsplit(self.url).path[1:]}"

    def seed(self) -> None:
        register(self.engine, _SHOP)
        set_override(self.engine, "shop", "connection.account", f"{PERSON} <{MAIL}>")
        set_override(self.engine, "shop", "enabled", "true")
        log_events(self.engine, "shop", [("declared", {"by": "hand"})])
        self.run("loaded")
        self.act("first")
        with psycopg2.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {self.role} LOGIN PASSWORD '{SECRET}'")
            cursor.execute(f"GRANT SELECT ON {', '.join(TABLES)} TO {self.role}")

    def run(self, status: str) -> str:
        run_id = start_run(self.engine, "shop", "cli", holds_lock=True)
        asked = {"called_at": datetime.now(UTC), "host": "shop.example", "method": "GET", "path": f"/people/{MAIL}"}
        record_calls(
            self.engine, run_id, [{**asked, "status": 200, "attempt": 1, "milliseconds": 1.5, "received_bytes": 7}]
        )
        end_run(self.engine, run_id, status)  # type: ignore[arg-type]
        return run_id

    def act(self, key: str) -> str:
        """Plan an action, approve it and begin to send it; an automation plans, too."""
        now = datetime.now(UTC)
        action = NewAction(
            dedupe_key=key, integration="shop", verb="refund", guarantee="guarded", money=True,
            title=f"refund 1.00 EUR to {PERSON}", target=f"people/{MAIL}", parameters={"payer": MAIL}, plan={},
            digest="0" * 64, created_by="cleo", expires_at=now + timedelta(days=1),
        )  # fmt: skip
        add_actions(self.engine, [action], now)
        with writing(self.engine) as session:
            move(session, action.id, {"planned"}, "approved", now, "dana")
            note_decision(session, action.id, Decision(action.digest, "approved", "dana", now, "agreed"))
            sent = {"action_id": action.id, "number": 1, "fence": 1, "sent_at": now, "ended_at": now}
            session.execute(sqlalchemy.insert(ActionAttempt), [{**sent, "outcome": "done"}])
            click = {"action_id": action.id, "kind": "click", "link": 0, "happened_at": now}
            session.execute(sqlalchemy.insert(TrackingEvent), [{**click, "judged": "machine", "because": "said so"}])
        run = RunRow("tidy", "0" * 64, "enabled", None, now, targets=1, planned=1, verdicts=[f"held: {PERSON}"])
        record_automation_run(self.engine, run)
        return action.id

    def keys(self) -> dict[str, Keys]:
        result = {}
        with psycopg2.connect(self.url) as connection, connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"SELECT id FROM {table}")
                result[f"{table}s"] = Keys(("id",), frozenset(cursor.fetchall()))
        return result

    def add(self) -> Step:
        register(self.engine, _BOTH)
        run_id = self.run("failed")
        log_events(self.engine, "crm", [("run_failed", {"why": "tried"})])
        action = self.act("second")
        touched = {
            "integration_systems": lambda row: row["name"] == "crm",
            "integrations": lambda row: row["name"] == "crm",
            "runs": lambda row: row["id"] == run_id,
            "api_calls": lambda row: row["run_id"] == run_id,
            "integration_logs": lambda row: row["event_type"] == "run_failed",
            "actions": lambda row: row["id"] == action,
            "automation_runs": lambda row: row["id"] == 2,
            **dict.fromkeys(
                ("action_attempts", "action_approvals", "action_events", "tracking_events"),
                lambda row: row["action_id"] == action,
            ),
        }
        seen = [("integrations", {"name": "crm", "integration_system": "crm"}), ("runs", {"status": "failed"})]
        seen.append(("actions", {"id": action, "state": "approved", "integration": "shop"}))
        seen.append(("automation_runs", {"id": 2, "automation": "tidy", "planned": 1}))
        seen.append(("action_approvals", {"action_id": action, "decided_by": "dana"}))
        seen.append(("api_calls", {"run_id": run_id, "integration": "shop", "status": 200}))
        return Step(touched, seen)

    def change(self) -> Step:
        set_override(self.engine, "shop", "enabled", "false")
        touched = {"integration_configs": lambda row: row["key"] == "enabled"}
        return Step(touched, [("integration_configs", {"key": "enabled", "integration": "shop"})])

    def delete(self) -> Step:
        set_override(self.engine, "shop", "enabled", None)
        gone = [("integration_configs", {"key": "enabled"})]
        return Step({"integration_configs": lambda row: row["key"] == "enabled"}, gone=gone)


@contextmanager
def open_world(folder: Path, database: Callable[[], str]) -> Iterator[World]:
    """Make a control store in a database of its own, behind a proxy that counts who signs in."""
    url = database()
    store = _Store(url, open_control(url))
    store.seed()
    parts = urlsplit(url)
    with proxied(int(parts.port or 0), POSTGRES) as proxy:
        address = f"127.0.0.1:{proxy.port}{parts.path}"
        yield World(
            connection={"url": {"env": "CONTRACT_STORE_URL"}},
            environment={"CONTRACT_STORE_URL": f"postgresql://{store.role}:{SECRET}@{address}"},
            refused={"CONTRACT_STORE_URL": f"postgresql://{store.role}:{REFUSED}@{address}"},
            keys=store.keys,
            add=store.add,
            change=store.change,
            delete=store.delete,
            stop=proxy.close,
            start=proxy.open,
            requests=lambda: proxy.seen,
        )
    store.engine.dispose()
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {store.role}; DROP ROLE {store.role}")
