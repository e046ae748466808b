"""Which documents of money belong together, and how sure that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.engines import ENGINES
from tests.kit.loaded import warehouse_of
from tests.models.money_results import Results, open_shop
from tests.models.money_shop import SHOP, Shop


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def results_of(
    shop: Shop, engine: str, tmp_path: Path, request: pytest.FixtureRequest, without: tuple[str, ...] = ()
) -> Results:
    with warehouse_of(engine, tmp_path, request).transaction() as session:
        return open_shop(session, shop, without)


def small_shop() -> tuple[Shop, dict[str, str]]:
    """Return orders whose documents name each other in different ways, and the documents by a name for each."""
    shop = Shop()
    for customer in ("ada", "bo", "cy", "di", "ed"):
        shop.customer(customer)
    shop.add("email", "mailboxes", account=SHOP, mailbox="Sent", role="sent")
    made = {
        "charge by amount": shop.charge(None, 500, days=10, receipt_email="ada@buyer.example"),
        "invoice by amount": shop.invoice("PO 77", 500, days=7, customer_id="ada"),
        "charge too early": shop.charge(None, 501, days=19, receipt_email="ada@buyer.example"),
        "invoice too late": shop.invoice("PO 78", 501, days=10, customer_id="ada"),
        "charge of another order": shop.charge("4001", 600, receipt_email="bo@buyer.example"),
        "invoice of another order": shop.invoice("4002", 600, customer_id="bo"),
        "first of two charges": shop.charge(None, 700, receipt_email="cy@buyer.example"),
        "second of two charges": shop.charge(None, 700, receipt_email="cy@buyer.example"),
        "first of two invoices": shop.invoice(None, 700, customer_id="cy"),
        "second of two invoices": shop.invoice(None, 700, customer_id="cy"),
        "charge that names the invoice": shop.charge(None, 800, metadata={"invoice": "N-9"}, receipt_email=None),
        "invoice that is named": shop.invoice("PO-9x", 801, number="n-9", customer_id="di"),
        "charge that says it in words": shop.charge(None, 900, description="3 lamps, Order no. SO-4100, thanks"),
        "invoice in small letters": shop.invoice("so-4100", 900, customer_id="ed"),
        "charge with a nameless receipt": shop.charge("4005", 950, receipt_email="ed@buyer.example"),
    }
    made["nameless receipt"] = shop.receipt("Your receipt from the lamp shop", days=9, to="Ed+x@buyer.example".lower())
    made["receipt of a stranger"] = shop.receipt("Your receipt from the lamp shop", to="zoe@far.example")
    shop.file("2026/facture N-9.pdf")
    return shop, made


def assert_each_in_one_order(shop: Shop, made: dict[str, str], results: Results) -> None:
    documents = [(row["document"], row["document_id"]) for row in results.tables["money_links"]]
    assert len(documents) == len(set(documents)) == len(made) + 1
    orders = results.tables["orders"]
    assert len(orders) == len({row["order_key"] for row in results.tables["money_links"]})
    charges, invoices = shop.tables["payments"]["charges"], shop.tables["crm_accounting"]["invoices"]
    assert sum(row["charged_amount"] for row in orders) == sum(row["amount"] for row in charges)
    assert sum(row["invoiced_amount"] for row in orders) == sum(row["amount"] for row in invoices)
    assert results.order("4001")["lacks"] == "invoice, booking, receipt, file"
    assert results.order("4002")["agreement"] == "no_charge"


def test_each_document_is_linked_by_the_best_that_it_has(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shop, made = small_shop()
    results = results_of(shop, engine, tmp_path, request)
    links = {row["document_id"]: row for row in results.tables["money_links"]}

    def how(name: str) -> tuple[str, float]:
        return links[made[name]]["matched_by"], links[made[name]]["confidence"]

    def key(name: str) -> str:
        return str(links[made[name]]["order_key"])

    assert key("invoice by amount") == key("charge by amount")
    assert how("invoice by amount") == ("amount", 0.6)
    assert key("invoice too late") == "po 78"
    assert links[made["charge too early"]]["order_number"] is None
    assert (how("charge too early"), links[made["charge too early"]]["others"]) == (("nothing", 0), 0)
    assert (key("charge of another order"), key("invoice of another order")) == ("4001", "4002")
    pairs = {key(name) for name in made if "of two" in name}
    assert len(pairs) == 2
    assert {key("first of two charges"), key("second of two charges")} == pairs
    assert key("charge that names the invoice") == key("invoice that is named") == "po-9x"
    assert links["office/2026/facture N-9.pdf"]["order_key"] == "po-9x"
    assert links["office/2026/facture N-9.pdf"]["matched_by"] == "number"
    assert key("charge that says it in words") == key("invoice in small letters") == "so-4100"
    assert how("charge that says it in words") == ("description", 0.9)
    assert (key("nameless receipt"), how("nameless receipt")) == ("4005", ("address", 0.5))
    assert how("receipt of a stranger") == ("nothing", 0)
    assert_each_in_one_order(shop, made, results)


def test_links_do_without_what_is_not_loaded(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shop, _ = small_shop()
    results = results_of(shop, engine, tmp_path, request, without=("email", "cloud_storage", "sso"))
    assert {row["document"] for row in results.tables["money_links"]} == {"charge", "invoice"}
    assert results.order("so-4100")["lacks"] == "booking, receipt, file"
