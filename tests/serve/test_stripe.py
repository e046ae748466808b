"""A refund made at Stripe is in `payments.refunds` while `leat serve` runs: Stripe's webhook starts the load."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import psutil

from leat.demo.servers.process import running
from leat.demo.stripe.front import start_stripe_front
from leat.demo.stripe.localstripe import start_localstripe
from leat.demo.stripe.webhooks import register_webhooks
from tests.contract.payments_stripe import KEY, _Server
from tests.kit.child import wait_until
from tests.kit.command import Leat
from tests.kit.serving import served

SECRET = "whsec_of_stripe"


def test_a_refund_arrives_by_itself(tmp_path: Path) -> None:
    folder = tmp_path / "stripe"
    (tmp_path / "pipelines").mkdir()
    connection = json.dumps({"url": {"env": "URL"}, "api_key": {"env": "KEY"}})
    hooks = json.dumps({"scheme": "stripe", "secrets": {"env": "HOOK"}})
    declared = f"source: payments\ndriver: stripe\nconnection: {connection}\nhooks: {hooks}\n"
    (tmp_path / "pipelines" / "payments.yaml").write_text(declared)
    with (
        running(start_localstripe(folder)) as behind,
        running(start_stripe_front(folder, KEY, f"http://127.0.0.1:{behind.port}")) as front,
    ):
        stripe = _Server(f"http://127.0.0.1:{front.port}")
        stripe.seed()
        leat = Leat(tmp_path, {"URL": stripe.url, "KEY": KEY, "HOOK": SECRET})
        assert leat("run").returncode == 0

        def there(refund: str) -> bool:
            rows = leat.json("query", f"SELECT amount FROM payments.refunds WHERE id = '{refund}'")["rows"]
            return len(rows) == 1

        with served(leat) as one:
            register_webhooks(stripe.url, KEY, f"{one.url}/hooks/payments", SECRET)
            for _ in range(3):
                worker = psutil.Process(one.child("worker"))
                before = sum(worker.cpu_times()[:2])
                refund = stripe.post("refunds", charge=stripe.charge, amount="100")["id"]
                wait_until(lambda refund=refund: there(refund), 60)  # type: ignore[misc]
                spent = sum(worker.cpu_times()[:2]) - before
        stripe.post("refunds", charge=stripe.charge, amount="100")
        before = _of_ended_children()
        assert leat.start("run").wait(120) == 0
        assert 2 * spent < _of_ended_children() - before, (
            "processor seconds: all is in memory, a command imports it first"
        )


def _of_ended_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
