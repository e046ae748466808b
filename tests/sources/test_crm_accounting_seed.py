"""The demo company's CRM and books are those of its story, with what is planted in it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leat.demo.seed.crm_accounting import seed_crm_accounting
from leat.demo.servers.process import running
from leat.demo.story import write_story
from leat.demo.tryton.server import start_tryton
from tests.kit.tables import Tables


def test_books_of_the_demo_company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story = write_story(datetime.now(UTC))
    assert seed_crm_accounting(tmp_path / "server", story)
    assert not seed_crm_accounting(tmp_path / "server", story), "the second time there is nothing to do"
    monkeypatch.setenv("TRYTON_TEST_KEY", "a-key")
    with running(start_tryton(tmp_path / "server", ["a-key"])) as process:
        url = f"http://127.0.0.1:{process.port}/leat"
        tables = Tables("crm_accounting", "tryton", {"url": url, "key": {"env": "TRYTON_TEST_KEY"}}, tmp_path)
        tables.run()
    assert tables.quarantined() == []
    invoices = {row["reference"]: row for row in tables.table("invoices")}
    for order in story.orders:
        assert (str(order.number) in invoices) == order.invoiced
        if order.invoiced:
            row = invoices[str(order.number)]
            total = order.total if order.invoiced_total is None else order.invoiced_total
            assert (row["amount"], row["currency"]) == (total, order.currency), order.number
            assert row["status"] == ("paid" if order.booked else "posted"), order.number
            assert row["issued_on"] == story.at(order.days_ago).date()
            assert row["paid_on"] == (row["issued_on"] if order.booked else None)
    credited = Counter(row["reference"] for row in tables.table("credit_notes"))
    assert credited == {
        str(order.number): len(order.refunds) for order in story.orders if order.credited and order.refunds
    }
    mails = Counter(tables.column("contacts", "email"))
    for customer in story.customers:
        assert mails[customer.email] == customer.in_crm + customer.twice_in_crm
    leads = {row["name"]: row["lead_id"] for row in tables.table("leads")}
    for lead in story.leads:
        stages = [row for row in tables.table("lead_stages") if row["lead_id"] == leads[lead.name]]
        planned = [(stage, story.at(days)) for stage, days in lead.stages]
        assert [(r["stage"], r["entered_at"] - timedelta(microseconds=1)) for r in stages] == planned
    assert {row["debit"] == row["credit"] for row in tables.table("journal_entries")} == {True}
    empty = [name for name, rows in tables.rows.items() if not rows]
    assert empty == []
