"""What the models say about payments and books is what Stripe's library and Tryton's own database add up to."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import stripe
from dotenv import dotenv_values

from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import quote
from tests.company.conftest import Demo

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started

Rows = list[dict[str, Any]]
Sums = dict[tuple[Any, ...], int]


@dataclass(frozen=True)
class Models:
    """The published models, by name."""

    demo: Demo

    def __getitem__(self, name: str) -> Rows:
        with open_warehouse(None, self.demo.state).published() as session:
            columns = list(session.columns("analytics", name))
            rows = session.execute(f"SELECT * FROM {quote('analytics', name)}")
        assert rows, f"{name}: an empty model proves nothing"
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def sums(self, name: str, keys: Iterable[str], column: str) -> Sums:
        """Return the sum of a column by others, without what is nothing."""
        totals: Counter[tuple[Any, ...]] = Counter()
        for row in self[name]:
            totals[tuple(row[key] for key in keys)] += row[column]
        return {key: total for key, total in totals.items() if total}

    def loaded_at(self, integration: str) -> datetime:
        with open_warehouse(None, self.demo.state).published() as session:
            query = "SELECT max(applied_at) FROM leat.loads WHERE integration = ?"
            rows: datetime = session.execute(query, (integration,))[0][0]
        return rows.astimezone(UTC)

    def books_date(self) -> date:
        """Return the date of the last load of the books, where the company is."""
        return self.loaded_at("crm_accounting").astimezone(ZoneInfo("Europe/Paris")).date()


@pytest.fixture(scope="module")
def models(demo: Demo) -> Models:
    """Load what other tests may have changed in the servers."""
    said = demo.leat.json("run", "payments", "crm_accounting")
    assert {each["status"] for each in said["integrations"]} <= {"loaded", "nothing_new"}, said
    return Models(demo)


@pytest.fixture(scope="module")
def library(demo: Demo) -> Any:
    env = dotenv_values(demo.state / "demo" / "env")
    key, url = str(env["PAYMENTS_API_KEY"]), str(env["PAYMENTS_URL"])
    return stripe.StripeClient(key, base_addresses={"api": url}).v1


def listed(library: Any, name: str) -> list[Any]:
    return list(getattr(library, name).list({"limit": 100}).auto_paging_iter())


def day_of(each: Any) -> date:
    return datetime.fromtimestamp(each.created, UTC).date()


def month_of(each: Any) -> date:
    return day_of(each).replace(day=1)


def summed(pairs: Iterable[tuple[tuple[Any, ...], int]]) -> Sums:
    totals: Counter[tuple[Any, ...]] = Counter()
    for key, amount in pairs:
        totals[key] += amount
    return {key: total for key, total in totals.items() if total}


def paid(library: Any) -> list[Any]:
    return [charge for charge in listed(library, "charges") if charge.status == "succeeded"]


def test_every_day_nets_to_what_charges_refunds_and_disputes_say(models: Models, library: Any) -> None:
    """Not by the bookings, from which the model is made; only fees are in those alone."""

    def by_day(objects: Iterable[Any], amount: str = "amount") -> Sums:
        return summed(((day_of(each), each.currency.upper()), getattr(each, amount)) for each in objects)

    bookings = listed(library, "balance_transactions")
    refunds = [refund for refund in listed(library, "refunds") if refund.status == "succeeded"]
    expected = {
        "gross": by_day(paid(library)),
        "refunds": by_day(refunds),
        "disputes": by_day(listed(library, "disputes")),
        "fees": by_day(bookings, "fee"),
        "net": by_day((each for each in bookings if each.type != "payout"), "net"),
        "other": {},
        "unexplained": {},
    }
    columns = ("day", "currency")
    assert {name: models.sums("payments_daily", columns, name) for name in expected} == expected
    for row in models["payments_daily"]:
        assert row["gross"] - row["refunds"] - row["disputes"] - row["fees"] == row["net"]


def test_success_and_declines(models: Models, library: Any) -> None:
    charges = listed(library, "charges")
    for status in ("succeeded", "failed"):
        counted = Counter((day_of(each), each.currency.upper()) for each in charges if each.status == status)
        assert models.sums("payment_success", ("day", "currency"), status) == counted
    declined = Counter((month_of(each), each.failure_code) for each in charges if each.status == "failed")
    assert models.sums("decline_reasons", ("month", "reason"), "declines") == declined


def test_refunds_and_disputes(models: Models, library: Any) -> None:
    charges = {charge.id: charge for charge in paid(library)}
    refunds = [each for each in listed(library, "refunds") if each.status == "succeeded"]
    disputes = listed(library, "disputes")

    def by_month(objects: Iterable[Any]) -> Sums:
        of = ((charges[each.charge], each.amount) for each in objects)
        return summed(((month_of(charge), charge.currency.upper()), amount) for charge, amount in of)

    key = ("month", "currency")
    assert models.sums("refunds_and_disputes", key, "refunded") == by_month(refunds)
    assert models.sums("refunds_and_disputes", key, "disputed") == by_month(disputes)
    counts, back = Counter(), Counter()  # type: Counter[tuple[Any, ...]], Counter[tuple[Any, ...]]
    for charge in charges.values():
        counts[month_of(charge), charge.currency.upper()] += 1
        back[month_of(charge), charge.currency.upper()] += any(each.charge == charge.id for each in refunds)
    rates = {(row["month"], row["currency"]): row["refund_rate"] for row in models["refunds_and_disputes"]}
    assert rates == {month: pytest.approx(back[month] / count) for month, count in counts.items()}
    waited = [each.created - charges[each.charge].created for each in refunds]
    assert {row["span"] for row in models["refund_timing"]} == {"1_to_7"}
    assert all(1 <= seconds / 86_400 < 8 for seconds in waited)
    undecided = summed(((each.currency.upper(), each.status), each.amount) for each in disputes)
    assert models.sums("dispute_ageing", ("currency", "status"), "disputed") == undecided
    oldest = min(datetime.fromtimestamp(each.created, UTC) for each in disputes)
    days = (models.loaded_at("payments") - oldest).days
    spans = ((8, "0_to_7"), (31, "8_to_30"), (61, "31_to_60"), (91, "61_to_90"))
    age = next((name for limit, name in spans if days < limit), "over_90")
    assert age in {row["age"] for row in models["dispute_ageing"]}


def test_mix_and_retention(models: Models, library: Any) -> None:
    charges = paid(library)
    key = ("month", "currency", "method", "brand", "funding", "country")
    cards = [(each, each.payment_method_details.card) for each in charges]
    expected = summed(
        ((month_of(each), each.currency.upper(), "card", card.brand, card.funding, card.country), each.amount)
        for each, card in cards
    )
    assert models.sums("payment_method_mix", key, "charged") == expected
    months: dict[str, set[date]] = defaultdict(set)
    for charge in charges:
        months[charge.customer].add(month_of(charge))
    active = Counter((min(each), month) for each in months.values() for month in each)
    assert models.sums("customer_retention", ("cohort", "month"), "active") == active
    sizes = Counter(min(each) for each in months.values())
    assert {row["cohort"]: row["customers"] for row in models["customer_retention"]} == sizes


def test_recurring_revenue(models: Models, library: Any) -> None:
    now = models.loaded_at("payments")
    listed = library.subscriptions.list({"limit": 100, "status": "all"}).auto_paging_iter()
    amounts: Counter[str] = Counter()
    for each in listed:
        for item in each["items"].data:
            assert item.plan.interval == "month"
            ended = each.trial_end is None or each.trial_end < now.timestamp()
            amounts["mrr" if ended else "trialing"] += item.plan.amount * item.quantity
    last = max(row["month"] for row in models["monthly_recurring_revenue"])
    assert last == now.date().replace(day=1)
    for name in ("mrr", "trialing"):
        revenue = sum(row[name] for row in models["monthly_recurring_revenue"] if row["month"] == last)
        assert revenue == amounts[name]
    assert amounts["mrr"] + amounts["trialing"], "subscriptions of nothing prove nothing"


LINES = """
    SELECT strftime('%Y-%m-01', move.date) AS month, line.debit, line.credit, line.move, line.party,
        line.reconciliation, line.maturity_date AS due, line.second_currency, account.name AS account,
        type.revenue, type.expense, type.receivable, type.payable
    FROM account_move_line AS line
    JOIN account_move AS move ON move.id = line.move
    JOIN account_account AS account ON account.id = line.account
    JOIN account_account_type AS type ON type.id = account.type
    WHERE move.state = 'posted'
"""
CASH = "Cash and Cash Equivalents"


@dataclass(frozen=True)
class Line:
    """A posted line in Tryton's database: debit less credit in cents, and the kinds that its account has."""

    month: date
    amount: int
    move: int
    party: int | None
    account: str
    kinds: frozenset[str]
    due: date | None
    settled: bool
    foreign: bool


@pytest.fixture(scope="module")
def lines(demo: Demo) -> list[Line]:
    file = demo.state / "demo" / "tryton" / "leat.sqlite"
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute(LINES).fetchall()
    assert rows
    return [
        Line(
            month=date.fromisoformat(row["month"]),
            amount=int((Decimal(row["debit"].decode()) - Decimal(row["credit"].decode())) * 100),
            move=row["move"],
            party=row["party"],
            account=row["account"],
            kinds=frozenset(name for name in ("revenue", "expense", "receivable", "payable") if row[name]),
            due=None if row["due"] is None else date.fromisoformat(row["due"]),
            settled=row["reconciliation"] is not None,
            foreign=row["second_currency"] is not None,
        )
        for row in rows
    ]


def of(lines: Iterable[Line], *kinds: str) -> list[Line]:
    return [line for line in lines if line.kinds & set(kinds)]


def by_month(lines: Iterable[Line], sign: int = 1) -> Sums:
    return summed(((line.month,), sign * line.amount) for line in lines)


def test_profit_and_loss(models: Models, lines: list[Line]) -> None:
    assert models.sums("profit_and_loss", ("month",), "revenue") == by_month(of(lines, "revenue"), -1)
    assert models.sums("profit_and_loss", ("month",), "expenses") == by_month(of(lines, "expense"))
    assert models.sums("profit_and_loss", ("month",), "other_income") == {}
    results = by_month(of(lines, "revenue", "expense"), -1)
    assert models.sums("profit_and_loss", ("month",), "result") == results


def test_balance_sheet(models: Models, lines: list[Line]) -> None:
    sheets = models["balance_sheet"]
    first, last = min(line.month for line in lines), models.books_date()
    assert len(sheets) == (last.year - first.year) * 12 + last.month - first.month + 1
    for sheet in sheets:
        until = [line for line in lines if line.month <= sheet["month"]]
        assert sheet["cash"] == sum(line.amount for line in until if line.account == CASH)
        assert sheet["receivables"] == sum(line.amount for line in of(until, "receivable"))
        assert sheet["assets"] == sheet["cash"] + sheet["receivables"]
        assert sheet["liabilities"] == -sum(line.amount for line in of(until, "payable"))
        results = sheet["result_of_year"] + sheet["earlier_results"]
        assert results == -sum(line.amount for line in of(until, "revenue", "expense"))
        assert sheet["assets"] - sheet["liabilities"] - sheet["equity"] - results == 0
        assert (sheet["unclassified"], sheet["difference"]) == (0, 0)


def test_cash_flow(models: Models, lines: list[Line]) -> None:
    cash = [line for line in lines if line.account == CASH]
    assert models.sums("cash_flow", ("month",), "net_change") == by_month(cash)
    moves = {line.move for line in cash}
    moving = [line for line in lines if line.move in moves]
    customers, suppliers = of(moving, "receivable"), of(moving, "payable")
    assert models.sums("cash_flow", ("month",), "from_customers") == by_month(customers, -1)
    assert models.sums("cash_flow", ("month",), "to_suppliers") == by_month(suppliers, -1)
    for row in models["cash_flow"]:
        assert row["opening_cash"] + row["operating"] + row["investing"] + row["financing"] == row["closing_cash"]


@pytest.mark.parametrize(("model", "kind", "sign"), [("receivables_ageing", "receivable", 1),
                                                     ("payables_ageing", "payable", -1)])  # fmt: skip
def test_ageing(models: Models, lines: list[Line], model: str, kind: str, sign: int) -> None:
    left = [line for line in of(lines, kind) if not line.settled]
    assert not any(line.foreign for line in left), "the sums below are of euros"
    party = summed(((str(line.party), "EUR"), sign * line.amount) for line in left)
    assert models.sums(model, ("company_id", "currency"), "net") == party
    today = models.books_date()
    overdue: dict[tuple[Any, ...], int] = {}
    for line in left:
        if line.due is not None:
            key = (str(line.party),)
            overdue[key] = max(overdue.get(key, 0), (today - line.due).days)
    assert {(row["company_id"],): row["days_most_overdue"] for row in models[model]} == overdue
    late = {key: days for key, days in overdue.items() if 1 <= days <= 30}
    assert {key for key in models.sums(model, ("company_id",), "overdue_1_to_30")} == set(late)
