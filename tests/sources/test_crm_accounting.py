"""What people change in Tryton is in the tables after the next run, and nothing else changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from leat.sources.crm_accounting.tryton import driver as tryton
from leat.sources.crm_accounting.tryton.invoicing import _is_settled, _paid_on
from leat.sources.driver import Sync, load_driver
from leat.sources.events import Cursor, FullScan, Rows
from tests.sources.tryton_office import decimal
from tests.sources.tryton_site import Site, tryton_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with tryton_site(tmp_path_factory.mktemp("tryton")) as site:
        site.tables.run()
        yield site


def test_a_person_is_a_contact_of_the_party_that_names_them(site: Site) -> None:
    party = str(site.office.party("Acorn", "Ada", "Ada@Acorn.example"))
    moved = site.changes()
    contact = site.row("contacts", name="Ada")
    assert moved == {"companies": {party}, "contacts": {contact["contact_id"]},
                     "associations": {(contact["contact_id"], party)}}  # fmt: skip
    assert (contact["email"], contact["company_id"], contact["is_office"]) == ("ada@acorn.example", party, False)
    phone = site.office.make(
        "party.contact_mechanism", party=int(party), type="phone", value="+33123456789", name="Ada"
    )
    assert set(site.changes()) == {"contacts"}, "a second mechanism of the same name is the same person"
    assert site.row("contacts", name="Ada")["phone"] == "+33123456789"
    site.office.delete("party.contact_mechanism", phone)
    assert site.changes() == {"contacts": {contact["contact_id"]}}
    assert site.row("contacts", name="Ada")["phone"] is None


def test_archived_records_are_read_and_marked(site: Site) -> None:
    party = site.office.party("Put Aside", "Olga", "olga@aside.example")
    site.office.change("party.party", party, active=False)
    product = site.office.product("Old lamp", "3.00", "OLD")
    site.changes()
    assert site.row("companies", company_id=str(party))["archived"] is True
    assert site.row("contacts", email="olga@aside.example")["archived"] is True
    site.office.change("product.product", product, active=False)
    assert site.changes() == {"products": {str(product)}}
    assert site.row("products", product_id=str(product))["archived"] is True
    site.office.change("party.party", party, active=True)
    assert set(site.changes()) == {"companies", "contacts"}
    assert site.row("companies", company_id=str(party))["archived"] is False


def test_hard_deletes_are_seen(site: Site) -> None:
    party = site.office.party("Gone soon", "Gil", "gil@gone.example")
    note = site.office.make("ir.note", resource=f"party.party,{party}", message="To be deleted")
    tax = site.office.make("account.tax", name="Odd", description="Odd", type="none", company=1)
    site.changes()
    site.office.delete("ir.note", note)
    assert site.changes() == {"activities": {str(note)}}
    site.office.delete("account.tax", tax)
    assert site.changes() == {"taxes": {str(tax)}}
    site.office.delete("party.party", party)
    assert set(site.changes()) == {"companies", "contacts", "associations"}
    assert (str(party),) not in site.tables.rows["companies"]


def test_a_record_deleted_and_another_made_at_once(site: Site) -> None:
    first = site.office.party("One out")
    site.changes()
    site.office.delete("party.party", first)
    second = site.office.party("One in")
    assert site.changes() == {"companies": {str(first), str(second)}}


@pytest.mark.parametrize(
    ("currency", "price", "minor"), [("EUR", "12.34", 1234), ("JPY", "1600", 1600), ("KWD", "45.505", 45505)]
)
def test_currency_exponents(site: Site, currency: str, price: str, minor: int) -> None:
    party = site.office.party(f"Pays in {currency}")
    invoice = site.office.invoice(party, price, currency=currency)
    lead = site.office.lead(f"In {currency}", party, price, currency=currency)
    site.office.post(invoice)
    site.changes()
    row = site.row("invoices", invoice_id=str(invoice))
    assert (row["amount"], row["untaxed_amount"], row["open_amount"], row["currency"]) == (minor,) * 3 + (currency,)
    assert site.row("invoice_lines", document_id=str(invoice))["amount"] == minor
    assert site.row("leads", lead_id=str(lead))["amount"] == minor
    if currency != "EUR":
        lines = [r for r in site.tables.table("journal_lines") if r["entry_id"] == row["entry_id"]]
        assert {r["foreign_currency"] for r in lines} == {currency}
        assert sorted(r["foreign_amount"] for r in lines) == [-minor, minor]


def test_an_amount_in_an_unknown_currency_is_quarantined_alone(site: Site) -> None:
    points = site.office.make("currency.currency", name="Points", code="PTS", symbol="P", rounding=decimal("0.01"))
    site.office.make("currency.currency.rate", currency=points, rate=decimal(1))
    broken = site.office.lead("Paid in points", currency="PTS")
    good = site.office.lead("Paid in euros")
    assert set(site.changes()) == {"leads", "lead_stages"}
    (actual,) = site.tables.quarantined()
    assert actual.key == f"sale.opportunity,{broken}"
    assert actual.reason == "field amount: the currency is no currency of ISO 4217"
    assert json.loads(actual.record)["description"] == "Paid in points"
    assert site.row("leads", lead_id=str(good))["currency"] == "EUR"
    site.office.change("sale.opportunity", good, currency=points)
    assert site.changes() == {}
    assert site.row("leads", lead_id=str(good))["currency"] == "EUR", "its last good row stays"
    site.office.change("sale.opportunity", broken, currency=site.office.currency("KWD"))
    assert site.changes()["leads"] == {str(broken)}
    assert site.row("leads", lead_id=str(broken))["amount"] == 10000


def test_stages_of_a_lead_come_from_history(site: Site) -> None:
    party = site.office.party("Big one")
    seller = site.office.make("company.employee", party=site.office.party("Sally"), company=1)
    lead = site.office.lead("Big", party, employee=seller)
    site.office.change("sale.opportunity", lead, comment="no stage")
    site.office.press("sale.opportunity", lead, "opportunity")
    site.office.press("sale.opportunity", lead, "convert")
    site.changes()
    stages = [r for r in site.tables.table("lead_stages") if r["lead_id"] == str(lead)]
    assert [r["stage"] for r in stages] == ["lead", "opportunity", "converted"], "all of it, at the first look"
    assert [r["left_at"] for r in stages] == [*(r["entered_at"] for r in stages[1:]), None]
    assert {r["changed_by"] for r in stages} == {"Administrator"}
    assert site.row("deals", lead_id=str(lead))["company_id"] == str(party)
    assert site.row("leads", lead_id=str(lead))["owner"] == "Sally"
    other = site.office.lead("Small", party, employee=seller)
    site.changes()
    site.office.press("sale.opportunity", other, "lost")
    moved = site.changes()
    assert moved["leads"] == {str(other)}
    assert moved["lead_stages"] == {(str(other), 0), (str(other), 1)}


def test_an_invoice_from_draft_to_paid_and_credited(site: Site) -> None:
    party = site.office.party("Pays", "Paula", "paula@pays.example")
    site.changes()
    invoice = site.office.invoice(party, "100.00", "20.00", reference="1001")
    assert set(site.changes()) == {"invoices", "invoice_lines", "customers"}
    line = site.office.ids("account.invoice.line", [["invoice", "=", invoice]])[0]
    site.office.change("account.invoice.line", line, description="Desk lamp")
    assert site.changes() == {"invoice_lines": {str(line)}}, "a line that is changed by itself"
    site.office.delete("account.invoice.line", line)
    assert site.changes() == {"invoice_lines": {str(line), *_others(site, invoice)}, "invoices": {str(invoice)}}
    site.office.post(invoice)
    assert set(site.changes()) >= {"invoices", "journal_entries", "journal_lines"}
    row = site.row("invoices", invoice_id=str(invoice))
    entry = site.row("journal_entries", entry_id=row["entry_id"])
    assert (entry["status"], entry["debit"], entry["credit"], entry["source_id"]) == (
        "posted",
        2000,
        2000,
        str(invoice),
    )
    paid = site.office.pay(invoice, "15.00")
    site.changes()
    payment = site.row("payments", document_id=str(invoice))
    assert (payment["payment_id"], payment["amount"], payment["currency"]) == (str(paid), 1500, "EUR")
    assert site.row("invoices", invoice_id=str(invoice))["open_amount"] == 500
    origin = {
        "origin": f"account.invoice.line,{site.office.ids('account.invoice.line', [['invoice', '=', invoice]])[0]}"
    }
    credit = site.office.invoice(party, "-5.00", line=origin)
    site.changes()
    note = site.row("credit_notes", credit_note_id=str(credit))
    assert (note["amount"], note["kind"], json.loads(note["credits"])) == (500, "customer", [str(invoice)])
    assert site.row("invoice_lines", document_id=str(credit))["amount"] == 500
    site.office.delete("account.invoice", credit)
    assert set(site.changes()) == {"credit_notes", "invoice_lines"}


def test_a_cancelled_invoice_was_not_paid(site: Site) -> None:
    site.office.change("company.company", 1, cancel_invoice_out=True)
    party = site.office.party("Never Pays")
    invoice = site.office.invoice(party, "40.00")
    site.office.post(invoice)
    site.office.press("account.invoice", invoice, "cancel")
    site.changes()
    row = site.row("invoices", invoice_id=str(invoice))
    assert (row["status"], row["paid_on"], row["open_amount"]) == ("cancelled", None, 0)
    reconciled = site.office.find("account.invoice", [["id", "=", invoice]], "reconciled")[0]["reconciled"]
    assert reconciled is not None, "Tryton matches it with the entry that cancels it"


INVOICE = {"origin": "account.invoice,1", "journal": {"type": "revenue"}}
MONEY = {"origin": None, "journal": {"type": "cash"}}
CLEARING = {"origin": "account.payment,4", "journal": {"type": "general"}}
CANCELS = {"origin": "account.move,7", "journal": {"type": "revenue"}}
CREDIT = {"origin": "account.invoice,2", "journal": {"type": "revenue"}}
WRITTEN_OFF = {"origin": None, "journal": {"type": "write-off"}}


@pytest.mark.parametrize(
    ("state", "matched", "paid"),
    [
        ("paid", [INVOICE, MONEY], True),
        ("posted", [INVOICE, CLEARING], True),
        ("paid", [INVOICE, MONEY, WRITTEN_OFF], True),
        ("paid", [INVOICE, CREDIT, MONEY], True),
        ("paid", [INVOICE, CREDIT], False),
        ("paid", [INVOICE, WRITTEN_OFF], False),
        ("cancelled", [INVOICE, CANCELS], False),
        ("cancelled", [INVOICE, MONEY], False),
    ],
)
def test_only_money_pays_an_invoice(state: str, matched: list[Any], paid: bool) -> None:
    day = date(2026, 5, 12)
    reconciliation = {"id": 9, "lines": [{"id": n, "move": move} for n, move in enumerate(matched)]}
    record = {
        "state": state,
        "reconciled": {"__class__": "date", "year": 2026, "month": 5, "day": 12},
        "lines_to_pay": [{"id": 1, "maturity_date": None, "reconciliation": reconciliation}],
    }
    assert _paid_on(record) == (day if paid else None)
    assert _paid_on({**record, "reconciled": None}) is None


def test_a_payment_that_was_cancelled_is_not_settled() -> None:
    line = {"move": {"id": 7}, "reconciliation": {"lines": [{"move": MONEY}, {"move": INVOICE}]}}
    assert _is_settled(line)
    assert not _is_settled({**line, "reconciliation": {"lines": [{"move": MONEY}, {"move": CANCELS}]}})
    assert not _is_settled({**line, "reconciliation": None})


def _others(site: Site, invoice: int) -> set[str]:
    return {str(n) for n in site.office.ids("account.invoice.line", [["invoice", "=", invoice]])}


def test_a_bill_makes_a_vendor(site: Site) -> None:
    party = site.office.party("Wires")
    bill = site.office.invoice(party, "50.00", kind="in", reference="B-1")
    moved = site.changes()
    assert (moved["bills"], moved["vendors"]) == ({str(bill)}, {str(party)})
    assert not moved.keys() & {"invoices", "customers"}
    site.office.post(bill)
    site.office.pay(bill, "20.00")
    site.changes()
    assert site.row("payments", document_id=str(bill))["amount"] == 2000
    assert site.row("bills", bill_id=str(bill))["open_amount"] == 3000


def test_a_draft_entry_is_changed_and_deleted(site: Site) -> None:
    cash, other = site.office.cash(), site.office.account("revenue")
    entry = site.office.draft_entry({"account": cash, "debit": decimal("7.00")}, description="Odd")
    assert set(site.changes()) == {"journal_entries", "journal_lines"}
    assert site.row("journal_entries", entry_id=str(entry))["credit"] == 0, "a draft need not balance"
    line = site.office.make("account.move.line", move=entry, account=other, credit=decimal("7.00"), debit=decimal(0))
    moved = site.changes()
    assert str(line) in moved["journal_lines"]
    site.office.delete("account.move", entry)
    assert set(site.changes()) == {"journal_entries", "journal_lines"}
    assert not [r for r in site.tables.table("journal_lines") if r["entry_id"] == str(entry)]


def test_names_that_rows_borrow(site: Site) -> None:
    kind = site.office.find("account.account", [["code", "=", "1.1.1"]], "type")[0]["type"]
    site.office.change("account.account.type", kind, name="Money")
    moved = site.changes()
    assert set(moved) == {"accounts"}
    assert site.row("accounts", code="1.1.1")["type"].endswith("Money")
    site.office.change("company.company", 1, timezone="Asia/Tokyo")
    assert site.changes() == {"company": {"1"}}
    account = site.office.ids("account.account", [["code", "=", "1.1.1"]])[0]
    site.office.change("account.account", account, name="Till")
    assert site.changes() == {"accounts": {str(account)}}


def test_products_with_more_decimals_than_their_currency(site: Site) -> None:
    product = str(site.office.product("Screw", "0.0125", "SCREW"))
    assert site.changes() == {"products": {product}}
    row = site.row("products", product_id=product)
    assert (row["price"], row["price_exact"], row["currency"]) == (None, "0.0125", "EUR")
    template = site.office.find("product.product", [["id", "=", int(product)]], "template")[0]["template"]
    site.office.change("product.template", template, list_price=decimal("2.50"))
    assert site.changes() == {"products": {product}}
    assert site.row("products", product_id=product)["price"] == 250


def test_without_its_file_everything_is_read_again_and_is_the_same(site: Site) -> None:
    site.tables.run()
    shutil.rmtree(site.tables.folder / "change_marks")
    assert site.changes() == {}
    assert site.tables.events, "it was read"
    assert site.tables.run() == []


def test_what_has_changed_from_a_date_on_can_be_read_again(site: Site) -> None:
    site.changes()
    moment = datetime.now(UTC)
    party = site.office.party("Made since", "Sam", "sam@since.example")
    driver = load_driver("crm_accounting", "tryton")
    connection = driver.Connection.model_validate({"url": f"{site.front.url}/leat/", "key": {"env": "TRYTON_TEST_KEY"}})
    names = tryton.since_streams(connection)
    sync = Sync("crm", names, None, site.folder, site.folder, moment, since=moment - timedelta(seconds=1))
    events = list(driver.extract(connection, sync))
    actual = [
        row
        for event in events
        if isinstance(event, Rows) and event.stream == "companies"
        for row in event.table.to_pylist()
    ]
    assert [row["company_id"] for row in actual] == [str(party)]
    assert not [event for event in events if isinstance(event, FullScan | Cursor)]
    site.changes()
