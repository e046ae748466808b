"""The demo company's payments, in localstripe and before it: seeded once, loaded as declared, faults reported."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from leat.demo.seed.stripe import seed_payments
from leat.demo.servers.process import Process, stop
from leat.demo.story import write_story
from leat.demo.story.trade import PAYOUT_SHORT
from leat.demo.stripe.front import start_stripe_front
from leat.demo.stripe.localstripe import start_localstripe
from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.results import IntegrationResult
from leat.pipelines.load.run import run_integration
from leat.quality.audit import audit
from leat.warehouse.connect import open_warehouse

KEY = "sk_test_planted-Stripe-7263"
STORY = write_story(datetime.now(UTC))
ROOT = Path(__file__).parents[2]


@dataclass
class Shop:
    """The servers, and a project that has this repository's declaration."""

    folder: Path
    servers: list[Process]
    result: IntegrationResult | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.servers[1].port}"

    def start(self, *ports: int | None) -> None:
        behind = start_localstripe(self.folder / "servers", ports[0])
        front = start_stripe_front(self.folder / "servers", KEY, f"http://127.0.0.1:{behind.port}", ports[1])
        self.servers = [behind, front]

    def stop(self) -> None:
        for server in self.servers:
            stop(server.pid)

    def project(self) -> Project:
        state = self.folder / ".leat"
        return Project(self.folder, state, None, f"sqlite:///{state / 'control.db'}")

    def engine(self) -> Engine:
        project = self.project()
        warehouse, declarations = open_warehouse(None, project.state), load_declarations(project)
        return Engine(project, warehouse, declarations, audit=partial(audit, declarations=declarations))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine().warehouse.snapshot() as session:
            return list(session.execute(sql))

    def listed(self, name: str) -> list[Any]:
        headers = {"Authorization": f"Bearer {KEY}"}
        return list(requests.get(f"{self.url}/v1/{name}?limit=1000", headers=headers, timeout=30).json()["data"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("shop"), [])
    (made.folder / "pipelines").mkdir()
    (made.folder / ".leat").mkdir(mode=0o700)
    shutil.copy(ROOT / "pipelines" / "payments.yaml", made.folder / "pipelines")
    made.start(None, None)
    seed_payments(made.url, KEY, STORY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYMENTS_URL", made.url)
        patch.setenv("PAYMENTS_API_KEY", KEY)
        made.result = run_integration(made.engine(), "payments", Request())
        assert made.result.status == "loaded", made.result
        yield made
    made.stop()


def test_only_what_is_planted_breaks_a_check(shop: Shop) -> None:
    """Pain: double refunds, and payouts that don't reconcile: both are detected by the declaration's own checks."""
    assert shop.result is not None
    broken = {check.check: check for check in shop.result.checks if not check.ok}
    assert set(broken) == {"range_amount_left", "accepted_values_reason"}
    assert [check.failing for check in broken.values()] == [1, 1]
    over = "SELECT description, amount_left, currency FROM payments.charges WHERE amount_left < 0"
    assert shop.query(over) == [("Order 1004", -2000, "EUR")]
    short = "SELECT currency, net FROM payments.payout_items WHERE label = 'residual' AND net <> 0"
    assert shop.query(short) == [("EUR", -PAYOUT_SHORT)]


def test_every_charge_of_the_story_is_there_in_minor_units(shop: Shop) -> None:
    paid = shop.query("SELECT description, amount, currency FROM payments.charges WHERE status = 'succeeded'")
    charged = [order for order in STORY.orders for _ in range(order.charged + order.charged_twice)]
    planned = [(f"Order {order.number}", order.total, order.currency) for order in charged]
    assert sorted(paid) == sorted(planned)
    assert {currency for _, _, currency in paid} == {"EUR", "USD", "JPY", "KWD"}


def test_refunds_and_disputes_lead_to_their_order(shop: Shop) -> None:
    linked = (
        "SELECT c.description, r.amount FROM payments.refunds AS r JOIN payments.charges AS c ON c.id = r.charge_id "
        "JOIN payments.balance_transactions AS b ON b.id = r.balance_transaction_id AND b.net = -r.amount "
        "JOIN payments.payment_intents AS p ON p.id = r.payment_intent_id"
    )
    planned = [(f"Order {order.number}", amount) for order in STORY.orders for amount in order.refunds]
    assert sorted(shop.query(linked)) == sorted(planned)
    disputed = "SELECT c.description FROM payments.disputes AS d JOIN payments.charges AS c ON c.id = d.charge_id"
    assert shop.query(disputed) == [("Order 1017",)]


def test_seeding_again_and_a_restart_change_nothing(shop: Shop) -> None:
    before = {name: shop.listed(name) for name in ("charges", "customers", "events", "payouts")}
    seed_payments(shop.url, KEY, STORY)
    ports = [server.port for server in shop.servers]
    shop.stop()
    shop.start(*ports)
    seed_payments(shop.url, KEY, STORY)
    assert {name: shop.listed(name) for name in before} == before
    assert run_integration(shop.engine(), "payments", Request()).status == "nothing_new"
