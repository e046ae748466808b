"""The actions on a real Tryton: contacts, leads, and invoices from draft to payment; once, and never over a person."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leat.actions.decide import undo
from leat.actions.deliver import deliver
from leat.actions.office import UnknownAction
from leat.actions.propose import order_of
from leat.demo.servers.process import running
from leat.demo.tryton.server import start_tryton
from leat.sources.actions import Refused
from leat.sources.crm_accounting.tryton.actions import ACTIONS
from leat.sources.crm_accounting.tryton.actions.database import reason_of
from leat.sources.errors import Forbidden, Outdated, Rejected, Unauthenticated, Unavailable
from tests.kit.offices import Desk, desk_of
from tests.kit.once import POINTS, Killing
from tests.kit.proxy import proxy
from tests.sources.tryton_office import Office

KEY = "planted-key-of-a-user-application"
LINES = [{"description": "Lamp", "unit_price": 4900, "quantity": 2}, {"description": "Bulb", "unit_price": 250}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    folder = tmp_path_factory.mktemp("tryton")
    with running(start_tryton(folder, [KEY])) as process:
        yield folder, process.port


@pytest.fixture(scope="module")
def office(server: tuple[Path, int]) -> Office:
    return Office(f"http://127.0.0.1:{server[1]}/leat/", KEY)


@pytest.fixture
def desk(tmp_path: Path, server: tuple[Path, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk_at(tmp_path / "project", server[1], monkeypatch) as desk:
        yield desk


def desk_at(folder: Path, port: int, monkeypatch: pytest.MonkeyPatch, key: str = KEY) -> Any:
    monkeypatch.setenv("CRM_KEY", key)
    connection = {"url": f"http://127.0.0.1:{port}/leat/", "key": {"env": "CRM_KEY"}, "timeout": 10}
    declared = {"source": "crm_accounting", "driver": "tryton", "connection": connection}
    return desk_of(folder, "crm", declared)


def wired(desk: Desk, row: Any) -> Any:
    """Return how an action is done, its order, and a connection to do it by hand."""
    verb, action = desk.office.verb("crm", row.verb)
    return action, order_of(desk.office.store, verb, row), desk.office.connected("crm")


def receipt(row: Any) -> dict[str, Any]:
    assert row.state == "confirmed", (row.state, row.reason)
    return dict(row.receipt)


def made(desk: Desk, verb: str, **parameters: Any) -> dict[str, Any]:
    return receipt(desk.act(verb, **parameters))


def invoice_of(office: Office, number: int, *fields: str) -> Any:
    return office.find("account.invoice", [["id", "=", number]], *fields)[0]


def test_a_contact_is_added_changed_and_archived(desk: Desk, office: Office) -> None:
    row = desk.plan("create_contact", name="Acme", person="Ann", email="ann@acme.example", city="Lyon")
    assert (row.title, row.plan["people"]) == (f"add Acme as leat-{row.id}", ["ann@acme.example"])
    assert office.ids("party.party", [["code", "=", f"leat-{row.id}"]]) == []
    [row] = desk.send(row)
    company = receipt(row)["company"]
    [party] = office.find("party.party", [["id", "=", company]], "name", "code", "addresses.city",
                          "contact_mechanisms.value", "contact_mechanisms.name")  # fmt: skip
    assert (party["name"], party["code"], party["addresses"][0]["city"]) == ("Acme", f"leat-{row.id}", "Lyon")
    assert [(each["value"], each["name"]) for each in party["contact_mechanisms"]] == [("ann@acme.example", "Ann")]
    changed = desk.act("update_contact", company=company, name="Acme Ltd", email="bob@acme.example")
    assert changed.plan["changes"][0] == ["name", "Acme", "Acme Ltd"]
    receipt(changed)
    with pytest.raises(Refused, match="already so"):
        desk.plan("update_contact", company=company, name="Acme Ltd")
    with pytest.raises(Refused, match=f"number: company {company} already has the number leat-{row.id}"):
        desk.plan("create_contact", name="Other", number=f"leat-{row.id}")
    receipt(desk.undo(changed))
    [party] = office.find("party.party", [["id", "=", company]], "name", "contact_mechanisms.value")
    assert (party["name"], len(party["contact_mechanisms"])) == ("Acme", 1)
    assert party["contact_mechanisms"][0]["value"] == "ann@acme.example"
    receipt(desk.undo(row))
    assert office.find("party.party", [["id", "=", company]], "active")[0]["active"] in (False, 0)
    assert desk.now(row).state == "undone"


def test_somebody_changes_a_contact_meanwhile(desk: Desk, office: Office) -> None:
    company = office.party("Acme", "Ann", "ann@acme.example")
    name, mail = (
        desk.plan("update_contact", company=company, name="B"),
        desk.plan("update_contact", company=company, email="b@b.example"),
    )
    office.change("party.party", company, name="By hand")
    rows = desk.send(name, mail)
    assert [row.state for row in rows] == ["failed", "confirmed"]
    assert "somebody changed it meanwhile (name)" in str(rows[0].reason)
    assert office.find("party.party", [["id", "=", company]], "name")[0]["name"] == "By hand"


@pytest.mark.parametrize("verb", ["create_contact", "create_lead", "create_invoice", "credit_invoice", "book_payment"])
def test_what_is_sent_twice_is_there_once(desk: Desk, office: Office, verb: str) -> None:
    company = office.party("Twice")
    invoice = office.invoice(company, "30.00")
    office.post(invoice)
    given: dict[str, dict[str, Any]] = {
        "create_contact": {"name": "Twice more"},
        "create_lead": {"name": "Lamps", "amount": 12000},
        "create_invoice": {"company": company, "currency": "EUR", "lines": LINES},
        "credit_invoice": {"invoice": invoice},
        "book_payment": {"invoice": invoice, "paid_on": office.today, "amount": 1000},
    }
    models = ("party.party", "sale.opportunity", "account.invoice", "account.move")
    row = desk.plan(verb, **given[verb])
    action, order, connected = wired(desk, row)
    before = {model: len(office.ids(model)) for model in models}
    with connected as database:
        assert action.probe(database, order) is None
        first = action.send(database, order)
        assert action.probe(database, order).data == first.data
        assert action.confirm(database, order, first) == ()
    [row] = desk.send(row)
    assert receipt(row) == first.data
    more = {model: len(office.ids(model)) - before[model] for model in models}
    expected = {"create_contact": "party.party", "create_lead": "sale.opportunity", "book_payment": "account.move"}
    assert more == {model: int(model == expected.get(verb, "account.invoice")) for model in models}


def test_a_unique_number_that_somebody_takes_meanwhile(desk: Desk, office: Office) -> None:
    row = desk.plan("create_contact", name="Mine", number="N-77")
    office.party("Theirs", code="N-77")
    [row] = desk.send(row)
    assert row.state == "failed"
    assert "one with the number N-77 is there" in str(row.reason)
    assert len(office.ids("party.party", [["code", "=", "N-77"]])) == 1


def test_a_lead_goes_through_its_stages(desk: Desk, office: Office) -> None:
    lead_row = desk.act("create_lead", name="Lamps", amount=12000)
    lead = receipt(lead_row)["lead"]
    [record] = office.find("sale.opportunity", [["id", "=", lead]], "reference", "amount")
    assert (record["reference"], record["amount"]["decimal"]) == (f"leat:{lead_row.id}", "120.00")
    with pytest.raises(Refused, match="an opportunity needs company and employee"):
        desk.plan("set_lead_stage", lead=lead, stage="opportunity")
    company = office.party("Acme")
    person = office.make("party.party", name="Sam")
    employee = office.make("company.employee", party=person, company=1)
    row = desk.act("update_lead", lead=lead, company=company, employee=employee, amount=15000)
    receipt(row)
    assert row.title.endswith("to 150.00 EUR")
    with pytest.raises(Refused, match="had no company, employee before"):
        undo(desk.office, row, "ann")
    row = desk.act("set_lead_stage", lead=lead, stage="opportunity")
    receipt(row)
    with pytest.raises(Refused, match="already in the stage opportunity"):
        desk.plan("set_lead_stage", lead=lead, stage="opportunity")
    receipt(desk.undo(row))
    lost = desk.act("set_lead_stage", lead=lead, stage="lost")
    with pytest.raises(Refused, match="from lost, a lead goes to lead, not to cancelled"):
        desk.plan("set_lead_stage", lead=lead, stage="cancelled")
    receipt(desk.undo(lost))
    planned = desk.plan("set_lead_stage", lead=lead, stage="lost")
    office.press("sale.opportunity", lead, "cancel")
    [planned] = desk.send(planned)
    assert (planned.state, "somebody changed it meanwhile (stage)" in str(planned.reason)) == ("failed", True)
    office.press("sale.opportunity", lead, "lead")
    back = desk.act("update_lead", lead=lead, name="More lamps")
    receipt(desk.undo(back))
    receipt(desk.undo(lead_row))
    assert office.find("sale.opportunity", [["id", "=", lead]], "state")[0]["state"] == "cancelled"


def test_an_invoice_from_draft_to_payment(desk: Desk, office: Office) -> None:
    company = office.party("Acme")
    row = desk.plan(
        "create_invoice", company=company, currency="EUR", lines=LINES, issued_on=office.today, description="Lamps"
    )
    assert row.title == "write an invoice of 100.50 EUR to Acme, as a draft"
    assert ["line Lamp", None, "2 x 49.00 EUR"] in row.plan["changes"]
    [row] = desk.send(row)
    invoice = receipt(row)["invoice"]
    with pytest.raises(Refused, match="is draft: only what is posted can be paid"):
        desk.plan("book_payment", invoice=invoice, paid_on=office.today)
    posted = desk.act("post_invoice", invoice=invoice)
    number = receipt(posted)["number"]
    with pytest.raises(Refused, match=f"invoice {number} is already posted"):
        desk.plan("post_invoice", invoice=invoice)
    with pytest.raises(Refused, match="credit it instead"):
        desk.plan("void_invoice", invoice=invoice)
    with pytest.raises(Refused, match="is posted by now: credit it"):
        undo(desk.office, row, "ann")
    with pytest.raises(Refused, match=r"amount: 100\.51 EUR is more than what is open, 100\.50 EUR"):
        desk.plan("book_payment", invoice=invoice, paid_on=office.today, amount=10051)
    part = desk.act("book_payment", invoice=invoice, paid_on=office.today, amount=4000)
    assert part.plan["changes"] == [["open", "100.50 EUR", "60.50 EUR"]]
    receipt(part)
    rest = desk.plan("book_payment", invoice=invoice, paid_on=str(office.today))
    office.pay(invoice, "10.00")
    [rest] = desk.send(rest)
    assert (rest.state, "meanwhile (amount_to_pay)" in str(rest.reason)) == ("failed", True)
    receipt(desk.act("book_payment", invoice=invoice, paid_on=office.today))
    assert invoice_of(office, invoice, "amount_to_pay")["amount_to_pay"]["decimal"] in ("0", "0.00")
    with pytest.raises(Refused, match="already paid"):
        desk.plan("book_payment", invoice=invoice, paid_on=office.today)
    with pytest.raises(Refused, match="paid_on: no accounting period"):
        desk.plan("book_payment", invoice=posted_one(office), paid_on="1999-01-01")


def posted_one(office: Office, *prices: str, **values: Any) -> int:
    invoice = office.invoice(office.party("Acme"), *(prices or ("30.00",)), **values)
    office.post(invoice)
    return invoice


def test_a_draft_is_cancelled(desk: Desk, office: Office) -> None:
    company = office.party("Acme")
    row = desk.act("create_invoice", company=company, currency="JPY", lines='[{"description": "A", "unit_price": 500}]')
    assert "500 JPY" in row.title
    receipt(desk.undo(row))
    assert invoice_of(office, receipt_id(row), "state")["state"] == "cancelled"
    assert desk.now(row).state == "undone"
    with pytest.raises(Refused, match="already cancelled"):
        desk.plan("void_invoice", invoice=receipt_id(row))
    with pytest.raises(Refused, match="is cancelled: write it again"):
        desk.plan("post_invoice", invoice=receipt_id(row))


def receipt_id(row: Any) -> int:
    return int(row.receipt["invoice"])


def test_a_posting_is_undone_by_a_credit_note(desk: Desk, office: Office) -> None:
    tax = office.ids("account.tax")[0]
    company = office.party("Acme")
    lines = [{"description": "Lamp", "unit_price": 10000, "taxes": [tax]}]
    invoice = made(desk, "create_invoice", company=company, currency="EUR", lines=lines)["invoice"]
    row = desk.act("post_invoice", invoice=invoice)
    receipt(row)
    with pytest.raises(Refused, match="has taxes: leat credits it whole"):
        desk.plan("credit_invoice", invoice=invoice, amount=5000)
    credit = desk.undo(row)
    assert credit.title == f"write a credit note of 120.00 EUR for invoice {row.receipt['number']} to Acme, as a draft"
    note = receipt(credit)["invoice"]
    record = invoice_of(office, note, "total_amount", "reference", "lines.origin", "lines.taxes", "state")
    assert (record["total_amount"]["decimal"], record["state"]) == ("-120.00", "draft")
    assert record["reference"] == f"leat:{credit.id}"
    receipt(desk.act("post_invoice", invoice=note))
    with pytest.raises(Refused, match="already credited"):
        desk.plan("credit_invoice", invoice=invoice)
    with pytest.raises(Refused, match="is a credit note itself"):
        desk.plan("credit_invoice", invoice=note)


def test_an_invoice_is_credited_in_parts(desk: Desk, office: Office) -> None:
    invoice = posted_one(office, "30.00", "20.00")
    receipt(desk.act("credit_invoice", invoice=invoice, amount=1200, issued_on=office.today))
    with pytest.raises(Refused, match=r"amount: 38\.01 EUR is more than what isn't credited yet, 38\.00 EUR"):
        desk.plan("credit_invoice", invoice=invoice, amount=3801)
    first, second = desk.plan("credit_invoice", invoice=invoice), desk.plan("credit_invoice", invoice=invoice)
    rows = desk.send(first, second)
    assert [row.state for row in rows] == ["confirmed", "failed"]
    assert "somebody credited it meanwhile" in str(rows[1].reason)
    draft = office.invoice(office.party("Acme"), "1.00")
    with pytest.raises(Refused, match="isn't posted, it is draft: void it"):
        desk.plan("credit_invoice", invoice=draft)


def test_somebody_changes_a_draft_before_it_is_posted(desk: Desk, office: Office) -> None:
    draft = office.invoice(office.party("Acme"), "30.00")
    row = desk.plan("post_invoice", invoice=draft)
    [line] = invoice_of(office, draft, "lines")["lines"]
    office.change("account.invoice.line", line, quantity=100)
    [row] = desk.send(row)
    assert (row.state, invoice_of(office, draft, "state")["state"]) == ("failed", "draft")
    assert "somebody changed it meanwhile" in str(row.reason)


def test_what_is_posted_by_a_person_is_not_posted_again(desk: Desk, office: Office) -> None:
    draft = office.invoice(office.party("Acme"), "30.00")
    row = desk.plan("post_invoice", invoice=draft)
    action, order, connected = wired(desk, row)
    office.post(draft)
    with connected as database:
        with pytest.raises(Outdated):
            action.send(database, order)
        assert action.probe(database, order) is not None
    assert len(office.ids("account.move", [["origin", "=", f"account.invoice,{draft}"]])) == 1


def test_a_sender_is_killed_and_the_books_change_once(
    server: tuple[Path, int], office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today, file = office.today, server[0] / "leat.sqlite"
    company, seen = office.party("Killed"), "SELECT count(*) FROM renamed WHERE party = ?"
    with closing(sqlite3.connect(file, timeout=30)) as database, database:
        database.executescript(
            "CREATE TABLE renamed (party INTEGER);"
            "CREATE TRIGGER rename AFTER UPDATE OF name ON party_party BEGIN INSERT INTO renamed VALUES (new.id); END"
        )
    renamed, owed = {}, {}
    with proxy(server[1]) as front, desk_at(tmp_path / "killed", front.port, monkeypatch) as desk:
        killing = Killing(desk, front, rb"(POST|PUT) /leat/rest/model/", {"CRM_KEY": KEY})
        for point in POINTS:
            owed[point] = posted_one(office)
            killing.at(point, desk.plan("book_payment", invoice=owed[point], paid_on=today, amount=1000))
        for point in ("unsent", "unanswered", "recording"):  # those that differ from system to system
            renamed[point] = office.party("Before")
            killing.at(point, desk.plan("create_contact", name=f"Killed {point}"))
            killing.at(point, desk.plan("update_contact", company=renamed[point], name="After"))
            killing.at(point, desk.plan("create_invoice", company=company, currency="EUR", lines=LINES))
        rows = killing.finish()
    assert [(row.state, row.reason) for row in rows] == [("confirmed", None)] * len(rows)
    assert {row.guarantee for row in rows} == {"guarded", "natural", "probed"}
    with closing(sqlite3.connect(file, timeout=30)) as database, database:
        assert [database.execute(seen, [each]).fetchone() for each in renamed.values()] == [(1,)] * len(renamed)
        database.executescript("DROP TRIGGER rename; DROP TABLE renamed")
    for row in rows:
        model, domain = {
            "create_contact": ("party.party", [["code", "=", f"leat-{row.id}"]]),
            "update_contact": ("party.party", [["id", "=", row.parameters.get("company")], ["name", "=", "After"]]),
            "create_invoice": ("account.invoice", [["reference", "=", f"leat:{row.id}"]]),
            "book_payment": ("account.move", [["description", "=", f"leat:{row.id}"]]),
        }[row.verb]
        assert len(office.ids(model, domain)) == 1, row
    assert len(office.ids("account.invoice", [["party", "=", company]])) == len(renamed)
    paid = [invoice_of(office, each, "amount_to_pay")["amount_to_pay"]["decimal"] for each in owed.values()]
    assert paid == ["20.00"] * len(POINTS)


def test_without_its_probe_this_test_sees_a_second_invoice(
    server: tuple[Path, int], office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = replace(ACTIONS["create_invoice"], probe=lambda _database, _order: None)
    with proxy(server[1]) as front, desk_at(tmp_path / "killed", front.port, monkeypatch) as desk:
        row = desk.plan("create_invoice", company=office.party("Twice"), currency="EUR", lines=LINES)
        Killing(desk, front, b"", {"CRM_KEY": KEY}).at("recording", row)
        monkeypatch.setitem(ACTIONS, "create_invoice", blind)
        deliver(desk.office, "crm", patience=8)
    assert len(office.ids("account.invoice", [["reference", "=", f"leat:{row.id}"]])) == 2


@pytest.mark.parametrize("verb", ["create_invoice", "book_payment", "post_invoice", "create_contact"])
def test_an_answer_that_is_lost_leaves_one_effect(
    desk: Desk, office: Office, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = office.party("Lost")
    draft = office.invoice(company, "30.00")
    given: dict[str, dict[str, Any]] = {
        "create_invoice": {"company": company, "currency": "EUR", "lines": LINES},
        "book_payment": {"invoice": posted_one(office), "paid_on": office.today},
        "post_invoice": {"invoice": draft},
        "create_contact": {"name": "Lost and there"},
    }
    row = desk.plan(verb, **given[verb])
    action, order, connected = wired(desk, row)
    with connected as database:
        real = database.client.json if verb.startswith("create") else None
        lost = monkeypatch.context()
        with lost as patch:
            if real is None:  # the answer to the last request of the sequence
                patch.setattr(type(database), "press", _then_lost(type(database).press))
            else:
                patch.setattr(type(database), "make", _then_lost(type(database).make))
            with pytest.raises(Unavailable):
                action.send(database, order)
    [row] = desk.send(row)
    receipt(row)
    if verb == "create_invoice":
        assert len(office.ids("account.invoice", [["party", "=", company], ["reference", "like", "leat:%"]])) == 1
    elif verb == "create_contact":
        assert len(office.ids("party.party", [["code", "=", f"leat-{row.id}"]])) == 1
    elif verb == "book_payment":
        assert len(office.ids("account.move", [["description", "=", f"leat:{row.id}"]])) == 1
    else:
        assert len(office.ids("account.move", [["origin", "=", f"account.invoice,{draft}"]])) == 1


def _then_lost(method: Any) -> Any:
    """Do what a method does, then raise as if no answer had come."""

    def call(*given: Any) -> Any:
        method(*given)
        cut = Unavailable("crm", "asking", "cut", "try later")
        raise cut

    return call


def test_a_payment_that_tryton_refuses_leaves_no_entry(desk: Desk, office: Office) -> None:
    invoice = posted_one(office)
    row = desk.plan("book_payment", invoice=invoice, paid_on=office.today)
    action, order, connected = wired(desk, row)
    before = len(office.ids("account.move"))
    order.plan.payload["entry"]["lines"] = []  # Tryton posts no entry without lines
    with connected as database, pytest.raises(Rejected):
        action.send(database, order)
    assert len(office.ids("account.move")) == before


def test_an_invoice_is_stored_as_a_file(desk: Desk, office: Office) -> None:
    invoice = posted_one(office)
    row = desk.plan("render_invoice", invoice=invoice, to="invoices/one.odt")
    file = desk.office.project.folder / "invoices" / "one.odt"
    assert not file.exists()
    [row] = desk.send(row)
    assert receipt(row)["bytes"] == len(file.read_bytes())
    assert file.read_bytes()[:2] == b"PK"
    with pytest.raises(Refused, match=r"to: invoices/one\.odt is already this invoice"):
        desk.plan("render_invoice", invoice=invoice, to="invoices/one.odt")
    for to, why in (("../one.odt", "outside"), ("/one.odt", "outside"), ("one.pdf", r"as \.odt")):
        with pytest.raises(Refused, match=f"to: .*{why}"):
            desk.plan("render_invoice", invoice=invoice, to=to)
    row = desk.plan("render_invoice", invoice=invoice, to="two.odt")
    (desk.office.project.folder / "two.odt").write_text("mine")
    [row] = desk.send(row)
    assert (row.state, (desk.office.project.folder / "two.odt").read_text()) == ("failed", "mine")
    with pytest.raises(Refused, match="is draft: post it first"):
        desk.plan("render_invoice", invoice=office.invoice(office.party("Acme"), "1.00"), to="x.odt")


@pytest.mark.parametrize(
    ("verb", "given", "named"),
    [
        ("create_contact", {"name": ""}, "name: "),
        ("create_contact", {"name": "A", "email": "nobody"}, "email: "),
        ("update_contact", {"company": 1}, "nothing changes: give at least one of name"),
        ("create_lead", {"name": "A", "amount": 1.5}, "amount: write a whole number of minor units"),
        ("set_lead_stage", {"lead": 1, "stage": "won"}, "stage: "),
        ("create_invoice", {"company": 1, "currency": "EURO", "lines": LINES}, "currency: "),
        ("create_invoice", {"company": 1, "currency": "EUR", "lines": "lamp"}, "lines: write it as json"),
        ("create_invoice", {"company": 1, "currency": "EUR", "lines": []}, "lines: "),
        ("create_invoice", {"company": 1, "currency": "EUR", "lines": [{"description": "A"}]}, "lines.0.unit_price: "),
        ("book_payment", {"invoice": 1}, "paid_on: is missing"),
        ("post_invoice", {"invoice": 0}, "invoice: "),
        ("render_invoice", {"invoice": 1, "too": "a"}, 'did you mean "to"'),
    ],
)
def test_bad_parameters_are_named(desk: Desk, verb: str, given: dict[str, Any], named: str) -> None:
    with pytest.raises(UnknownAction) as refused:
        desk.plan(verb, **given)
    assert named in str(refused.value)


def test_what_is_not_there_is_said(desk: Desk, office: Office) -> None:
    company = office.party("Acme")
    invoice = {"company": company, "currency": "EUR", "lines": LINES}
    elsewhere = [{**LINES[0], "account": "nope"}]
    cheque = {"invoice": posted_one(office), "paid_on": office.today.isoformat(), "method": "Cheque"}
    for verb, given, what in (
        ("post_invoice", {"invoice": 99999}, "there is no invoice 99999"),
        ("update_lead", {"lead": 99999, "name": "x"}, "there is no lead 99999"),
        ("create_lead", {"name": "x", "company": 99999}, "there is no company 99999"),
        ("create_invoice", {**invoice, "currency": "GBP"}, "currency: Tryton has no GBP"),
        ("create_invoice", {**invoice, "lines": elsewhere}, "lines.account: there is no account"),
        ("book_payment", cheque, "method: there is no payment method 'Cheque'"),
    ):
        with pytest.raises(Refused) as refused:
            desk.plan(verb, **given)
        assert what in str(refused.value)


def test_a_user_without_rights_gets_a_clear_error(
    server: tuple[Path, int], office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = office.make("res.user", name="Reader", login="reader", companies=[["add", [1]]], company=1)
    with closing(sqlite3.connect(server[0] / "leat.sqlite", timeout=30)) as database, database:
        database.execute(
            "INSERT INTO res_user_application (key, user, application, state, create_uid, create_date)"
            " VALUES ('key-of-a-reader', ?, 'rest', 'validated', 0, '2000-01-01 00:00:00.000000')", (user,)
        )  # fmt: skip
    draft = office.invoice(office.party("Acme"), "30.00")
    with desk_at(tmp_path / "one", server[1], monkeypatch, "key-of-a-reader") as desk:
        with pytest.raises((Refused, Forbidden, Rejected)) as refused:
            desk.plan("post_invoice", invoice=draft)
        assert "Next: " in str(refused.value) or "there is no invoice" in str(refused.value)
        row = desk.act("create_lead", name="x")
        assert row.state == "failed"
        assert "Next: " in str(row.reason)
    assert invoice_of(office, draft, "state")["state"] == "draft"
    with (
        desk_at(tmp_path / "two", server[1], monkeypatch, "no-key") as desk,
        pytest.raises(Unauthenticated) as refused_key,
    ):
        desk.plan("post_invoice", invoice=draft)
    assert "no-key" not in str(refused_key.value)


def test_no_secret_is_stored(desk: Desk) -> None:
    made(desk, "create_contact", name="Plain")
    for path in desk.office.project.state.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


def test_what_tryton_says_is_shown_without_the_names_of_records() -> None:
    body = b'{"message": "A value is required for field \\"Employee\\" in record \\"Ann Smith\\" of \\"Lead\\"."}'
    assert reason_of(body) == ' A value is required for field "Employee" in record … of ….'
    assert [reason_of(each) for each in (b"<html>", b"[]", b'{"message": 5}')] == ["", "", ""]
