"""Refund, capture, cancel and verify on localstripe with the demo's front: once, never too much, seen by the loads."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe as library

from leat.actions.decide import NotAllowed, approve, undo
from leat.actions.office import UnknownAction
from leat.actions.propose import order_of
from leat.demo.servers.process import running
from leat.demo.stripe.fake import Fake
from leat.demo.stripe.front import serving
from leat.demo.stripe.localstripe import start_localstripe
from leat.demo.stripe.replies import Call, Reply
from leat.sources.actions import Refused
from leat.sources.driver import Sync
from leat.sources.errors import Forbidden, Unavailable
from leat.sources.payments.stripe.actions import ACTIONS, connect
from leat.sources.payments.stripe.driver import Connection
from leat.sources.payments.stripe.money import to_stripe
from tests.kit.offices import Desk, desk_of
from tests.kit.once import POINTS, Killing
from tests.kit.proxy import proxy
from tests.sources.payments_tables import Tables

KEY = "sk_test_planted-Stripe-7271"
CARD = {"card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2031", "card[cvc]": "123"}


class Shop(Fake):
    """The demo's front, which can lose answers.

    Attributes:
        lose: how many answers to requests that change something are lost; the requests are executed.
        url: its address.
    """

    lose = 0
    url = ""

    def answer(self, call: Call) -> Reply:
        reply = super().answer(call)
        if self.lose and call.method == "POST":
            self.lose -= 1
            raise ConnectionAbortedError
        return reply

    def ask(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = requests.request(method, f"{self.url}/v1/{path}", headers=headers, timeout=30, **more)
        assert answer.ok, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def pay(self, amount: int = 5000, currency: str = "eur", *, hold: bool = False, mail: str = "") -> tuple[str, str]:
        """Pay; returns the ids of payment and charge."""
        about = {"billing_details[email]": mail} if mail else {}
        method = self.ask("POST", "payment_methods", data={"type": "card", **CARD, **about})["id"]
        form = {"amount": str(amount), "currency": currency, "payment_method": method, "confirm": "true"}
        form |= {"capture_method": "manual"} if hold else {}
        made = self.ask("POST", "payment_intents", data=form)
        return made["id"], made["latest_charge"]["id"]

    def refunds(self, charge: str) -> list[Any]:
        return list(self.get(f"refunds?charge={charge}&limit=100")["data"])

    def posted(self) -> int:
        return len(self.keys._stored)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("stripe")
    with running(start_localstripe(folder)) as behind:
        shop = Shop(KEY, f"http://127.0.0.1:{behind.port}", folder)
        with serving(shop) as shop.url:
            yield shop


@pytest.fixture(autouse=True)
def no_faults(shop: Shop) -> Iterator[None]:
    yield
    shop.lose, shop.before = 0, lambda _call: None


@pytest.fixture
def desk(tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("PAY_KEY", KEY)
    with desk_of(tmp_path / "project", "payments", declared(shop.url)) as desk:
        yield desk


def declared(url: str) -> dict[str, Any]:
    return {"source": "payments", "driver": "stripe", "connection": {"url": url, "api_key": {"env": "PAY_KEY"}}}


def wired(desk: Desk, row: Any) -> Any:
    """Return how an action is done, its order, and a connection to do it by hand."""
    verb, action = desk.office.verb("payments", row.verb)
    return action, order_of(desk.office.store, verb, row), desk.office.connected("payments")


def test_a_refund_in_parts(desk: Desk, shop: Shop) -> None:
    payment, charge = shop.pay(5000, mail="ann@example.com")
    row = desk.plan("refund", charge=charge, amount="1200", currency="eur", reason="duplicate")
    assert row.title == f"refund 12.00 EUR of charge {charge}, paid by ann@example.com"
    assert row.plan["changes"] == [["refunded", "0.00 EUR", "12.00 EUR"], ["left", "50.00 EUR", "38.00 EUR"]]
    assert row.plan["people"] == ["ann@example.com"]
    assert shop.refunds(charge) == []
    [row] = desk.send(row)
    assert row.state == "confirmed"
    [made] = shop.refunds(charge)
    assert (made["amount"], made["reason"], made["metadata"]) == (1200, "duplicate", {"leat_action": row.id})
    rest = desk.act("refund", payment_intent=payment)
    assert (rest.state, rest.title[:15]) == ("confirmed", "refund 38.00 EU")
    assert sorted(each["amount"] for each in shop.refunds(charge)) == [1200, 3800]
    with pytest.raises(Refused, match="already refunded"):
        desk.plan("refund", charge=charge)
    with pytest.raises(Refused, match="can't be taken back"):
        undo(desk.office, row, "ann")


def test_two_parts_that_were_planned_together(desk: Desk, shop: Shop) -> None:
    _, charge = shop.pay(5000)
    rows = [desk.plan("refund", charge=charge, amount=amount) for amount in (2000, 2500, 1000)]
    states = {row.state for row in desk.send(*rows[:2])}
    assert states == {"confirmed"}
    [third] = desk.send(rows[2])
    assert (third.state, sum(each["amount"] for each in shop.refunds(charge))) == ("failed", 4500)
    assert "only 5.00 EUR are left" in str(third.reason)


def test_money_of_other_exponents(desk: Desk, shop: Shop) -> None:
    for currency, units, amount, shown, sent in (
        ("jpy", 5000, 500, "500 JPY", 500),
        ("kwd", 5120, 1230, "1.230 KWD", 1230),
        ("isk", 50000, 120, "120 ISK", 12000),
    ):
        _, charge = shop.pay(units, currency)
        row = desk.act("refund", charge=charge, amount=amount)
        assert (row.state, shown in row.title) == ("confirmed", True)
        assert [each["amount"] for each in shop.refunds(charge)] == [sent]
    _, charge = shop.pay(5120, "kwd")
    with pytest.raises(Refused, match=r"amount: Stripe takes KWD only in steps of 0\.010 KWD"):
        desk.plan("refund", charge=charge, amount=1234)
    with pytest.raises(ValueError, match=r"steps of 1\.00 MGA"):
        to_stripe(150, "MGA")
    assert to_stripe(300, "MGA") == 3


def test_what_cannot_be_refunded_says_why(desk: Desk, shop: Shop) -> None:
    _, charge = shop.pay(5000)
    with pytest.raises(Refused, match=r"amount: 50\.01 EUR is more than what is left of charge \S+ 50\.00 EUR"):
        desk.plan("refund", charge=charge, amount=5001)
    with pytest.raises(Refused, match="is in EUR, not in USD"):
        desk.plan("refund", charge=charge, currency="USD")
    with pytest.raises(Refused, match="there is no charge ch_none"):
        desk.plan("refund", charge="ch_none")
    _, held = shop.pay(5000, hold=True)
    with pytest.raises(Refused, match="cancel its payment instead"):
        desk.plan("refund", charge=held)
    shop.put("disputes", "dp_1", {"charge": charge, "amount": 5000, "currency": "eur"})
    shop.put("charges", charge, {"disputed": True})
    with pytest.raises(Refused, match=r"disputed \(dp_1, needs_response\).*twice"):
        desk.plan("refund", charge=charge)
    shop.put("disputes", "dp_1", {"status": "won"})
    assert desk.plan("refund", charge=charge).state == "planned"


def test_bad_parameters_are_named(desk: Desk) -> None:
    for given, named in (
        ({}, "give either charge or payment_intent"),
        ({"charge": "ch_1", "payment_intent": "pi_1"}, "give either charge or payment_intent"),
        ({"charge": "ch/1"}, "charge: "),
        ({"charge": "ch_1", "amount": "12.50"}, "amount: "),
        ({"charge": "ch_1", "amount": 12.5}, "amount: write a whole number of minor units"),
        ({"charge": "ch_1", "amount": True}, "amount: write a whole number of minor units"),
        ({"charge": "ch_1", "amount": 0}, "amount: "),
        ({"charge": "ch_1", "amount": -5}, "amount: "),
        ({"charge": "ch_1", "currency": "EURO"}, "currency: the currency is no currency of iso 4217"),
        ({"charge": "ch_1", "reason": "because"}, "reason: "),
        ({"charge": "ch_1", "ammount": 5}, 'did you mean "amount"'),
    ):
        with pytest.raises(UnknownAction, match=r"payments\.refund") as refused:
            desk.plan("refund", **given)
        assert named in str(refused.value)


def test_money_needs_a_second_person(desk: Desk, shop: Shop) -> None:
    _, charge = shop.pay(5000)
    row = desk.plan("refund", charge=charge)
    with pytest.raises(NotAllowed, match="second person"):
        approve(desk.office.store, row, "ann")


def test_somebody_refunds_meanwhile(desk: Desk, shop: Shop) -> None:
    _, charge = shop.pay(5000)
    row = desk.plan("refund", charge=charge, amount=1000)
    shop.ask("POST", "refunds", data={"charge": charge, "amount": "1000"})
    [row] = desk.send(row)
    assert (row.state, len(shop.refunds(charge))) == ("failed", 1)
    assert "somebody refunded it meanwhile" in str(row.reason)


@pytest.mark.parametrize("fault", ["lost answer", "rate limit", "500"])
def test_whatever_happens_on_the_way_there_is_one_refund(
    desk: Desk, shop: Shop, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leat.sources.retry import RetryPolicy

    monkeypatch.setattr("leat.actions.steps.RETRY", RetryPolicy((0.05,) * 7, longest=1))
    _, charge = shop.pay(5000)
    row = desk.plan("refund", charge=charge, amount=1000)
    failing = [2]

    def before(call: Call) -> Reply | None:
        if call.method != "POST" or not failing[0]:
            return None
        failing[0] -= 1
        return Reply({"rate limit": 429, "500": 500}[fault], {"error": {"code": "lock_timeout"}})

    if fault == "lost answer":
        shop.lose = 2
    else:
        shop.before = before
    [row] = desk.send(row)
    assert (row.state, [each["amount"] for each in shop.refunds(charge)]) == ("confirmed", [1000])


def test_sending_again_is_harmless(desk: Desk, shop: Shop) -> None:
    _, charge = shop.pay(5000)
    row = desk.plan("refund", charge=charge, amount=1000)
    action, order, connected = wired(desk, row)
    with connected as account:
        assert action.probe(account, order) is None
        first = action.send(account, order)
        assert action.send(account, order) == first == action.probe(account, order)
        assert action.confirm(account, order, first) == ()
        with pytest.raises(Refused):
            action.undo(account, order, first)
        shop.put("refunds", first.data["refund"], {"status": "failed"})
        assert [(each.what, each.after) for each in action.confirm(account, order, first)] == [("status", "failed")]
    assert len(shop.refunds(charge)) == 1


def test_after_a_day_stripe_forgets_the_key_and_the_probe_holds(
    desk: Desk, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, charge = shop.pay(5000)
    row = desk.plan("refund", charge=charge, amount=1000)
    action, order, connected = wired(desk, row)
    with connected as account:
        action.send(account, order)
    monkeypatch.setattr(shop.keys, "clock", lambda: datetime.now(UTC).timestamp() + 86_401)
    [row] = desk.send(row)
    assert (row.state, len(shop.refunds(charge))) == ("confirmed", 1)


def test_a_key_in_flight_leaves_it_open(desk: Desk, shop: Shop) -> None:
    _, charge = shop.pay(5000)
    row = desk.plan("refund", charge=charge, amount=1000)
    action, order, connected = wired(desk, row)
    reached, go = threading.Event(), threading.Event()

    def before(call: Call) -> Reply | None:
        if call.method == "POST":
            shop.before = lambda _call: None
            reached.set()
            shop._lock.release()  # so that others are answered meanwhile
            go.wait(10)
            shop._lock.acquire()
        return None

    shop.before = before
    with connected as account:
        first = threading.Thread(target=lambda: action.send(account, order))
        first.start()
        assert reached.wait(10)
        with pytest.raises(Unavailable, match="idempotency_key_in_use"):
            action.send(account, order)
        go.set()
        first.join()
    assert len(shop.refunds(charge)) == 1


def test_a_hold_is_captured_in_part(desk: Desk, shop: Shop) -> None:
    payment, charge = shop.pay(5000, hold=True)
    with pytest.raises(Refused, match=r"amount: 50\.01 EUR is more than what is authorised, 50\.00 EUR"):
        desk.plan("capture", payment_intent=payment, amount=5001)
    row = desk.plan("capture", payment_intent=payment, amount=3000)
    assert row.title == f"capture 30.00 EUR of payment {payment}"
    assert ["released", "0.00 EUR", "20.00 EUR"] in row.plan["changes"]
    [row] = desk.send(row)
    assert row.state == "confirmed"
    now = shop.get(f"payment_intents/{payment}")
    assert (now["status"], now["amount_received"], now["metadata"]) == ("succeeded", 3000, {"leat_action": row.id})
    with pytest.raises(Refused, match=r"already captured: 30\.00 EUR"):
        desk.plan("capture", payment_intent=payment)
    assert desk.act("verify", charge=charge, amount=3000, refunded=0, currency="EUR").state == "confirmed"
    back = desk.undo(row)
    assert (back.verb, back.state, desk.now(row).state) == ("refund", "confirmed", "undone")
    with pytest.raises(Refused, match="already refunded"):
        desk.plan("refund", payment_intent=payment)


def test_a_hold_is_cancelled(desk: Desk, shop: Shop) -> None:
    payment, _ = shop.pay(5000, hold=True)
    row = desk.act("cancel", payment_intent=payment, reason="abandoned")
    now = shop.get(f"payment_intents/{payment}")
    assert (row.state, now["status"], now["cancellation_reason"]) == ("confirmed", "canceled", "abandoned")
    for verb in ("cancel", "capture"):
        with pytest.raises(Refused, match=r"already cancelled|status is canceled"):
            desk.plan(verb, payment_intent=payment)
    with pytest.raises(Refused, match="stays cancelled"):
        undo(desk.office, row, "ann")
    paid, _ = shop.pay(5000)
    with pytest.raises(Refused, match="refund it instead"):
        desk.plan("cancel", payment_intent=paid)


@pytest.mark.parametrize(("verb", "other"), [("capture", "cancel"), ("cancel", "capture")])
def test_somebody_decides_about_the_hold_meanwhile(desk: Desk, shop: Shop, verb: str, other: str) -> None:
    payment, _ = shop.pay(5000, hold=True)
    row = desk.plan(verb, payment_intent=payment)
    shop.ask("POST", f"payment_intents/{payment}/{other}")
    [row] = desk.send(row)
    assert row.state == "failed"
    assert "status was requires_capture" in str(row.reason)


@pytest.mark.parametrize("verb", ["capture", "cancel"])
def test_a_lost_answer_about_a_hold(desk: Desk, shop: Shop, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from leat.sources.retry import RetryPolicy

    monkeypatch.setattr("leat.actions.steps.RETRY", RetryPolicy((0.05,) * 7, longest=1))
    payment, _ = shop.pay(5000, hold=True)
    row = desk.plan(verb, payment_intent=payment)
    before, shop.lose = shop.posted(), 1
    [row] = desk.send(row)
    assert (row.state, shop.posted() - before) == ("confirmed", 1)


def test_a_sender_is_killed_and_money_moves_once(tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAY_KEY", KEY)
    with (
        proxy(int(shop.url.rpartition(":")[2])) as front,
        desk_of(tmp_path / "project", "payments", declared(f"http://127.0.0.1:{front.port}")) as desk,
    ):
        killing = Killing(desk, front, rb"POST /v1/", {"PAY_KEY": KEY})
        before = shop.posted()
        paid = {point: (shop.pay(5000)[1], shop.pay(5000, hold=True)[0]) for point in POINTS}
        before = shop.posted()
        for point, (charge, hold) in paid.items():
            killing.at(point, desk.plan("refund", charge=charge, amount=3000))
            killing.at(point, desk.plan("capture", payment_intent=hold, amount=3000))
        rows = killing.finish()
    assert [(row.state, row.reason) for row in rows] == [("confirmed", None)] * len(rows)
    for point, (charge, hold) in paid.items():
        assert [each["amount"] for each in shop.refunds(charge)] == [3000], point
        assert shop.get(f"payment_intents/{hold}")["amount_received"] == 3000, point
    assert shop.posted() - before == len(rows)


def test_verify_gives_the_differences(desk: Desk, shop: Shop) -> None:
    payment, charge = shop.pay(5000)
    with pytest.raises(Refused, match=r"amount_captured: expected 49\.00 EUR, is 50\.00 EUR; currency: expected USD"):
        desk.plan("verify", payment_intent=payment, amount=4900, currency="USD")
    row = desk.plan("verify", charge=charge, amount=5000, currency="EUR", refunded=0)
    assert (row.title, row.plan["changes"]) == (f"verify charge {charge}: 50.00 EUR, succeeded, as expected", [])
    shop.ask("POST", "refunds", data={"charge": charge, "amount": "100"})
    before = shop.posted()
    [row] = desk.send(row)
    assert (row.state, shop.posted()) == ("failed", before)
    assert "amount_refunded: expected 0.00 EUR, is 1.00 EUR" in str(row.reason)
    assert desk.act("verify", charge=charge, refunded=100).state == "confirmed"


def test_the_next_load_sees_what_was_done(desk: Desk, shop: Shop, tmp_path: Path) -> None:
    _, charge = shop.pay(5000)
    hold, held = shop.pay(4000, hold=True)
    connection = Connection.model_validate({"url": shop.url, "api_key": {"env": "PAY_KEY"}})
    tables = Tables(shop, connection, tmp_path, now=datetime.now(UTC))
    tables.run()
    row = desk.act("refund", charge=charge, amount=1200)
    captured = desk.act("capture", payment_intent=hold, amount=1500)
    tables.run()
    key = row.receipt["refund"] if row.receipt else ""
    refund = tables.one("refunds", key)
    assert (refund["amount"], refund["currency"], refund["charge_id"]) == (1200, "EUR", charge)
    assert json.loads(refund["metadata"]) == {"leat_action": row.id}
    assert [
        (each["net"], each["type"]) for each in tables.rows["balance_transactions"].values() if each["source_id"] == key
    ] == [(-1200, "refund")]
    by_key = {each["type"] for each in tables.rows["events"].values() if each["idempotency_key"] == row.id}
    assert by_key == {"refund.created", "charge.refunded"}
    now = tables.one("charges", charge)
    assert (now["amount_refunded"], now["amount_left"]) == (1200, 3800)
    part = tables.one("charges", held)
    assert (part["amount_captured"], part["amount_released"], part["amount_left"]) == (1500, 2500, 1500)
    by_key = {each["type"] for each in tables.rows["events"].values() if each["idempotency_key"] == captured.id}
    assert by_key == {"charge.captured", "payment_intent.succeeded"}


def test_a_key_that_may_not_write_is_said(desk: Desk, shop: Shop) -> None:
    _, charge = shop.pay(5000)
    row = desk.plan("refund", charge=charge)
    action, order, connected = wired(desk, row)
    shop.before = lambda call: (
        Reply(403, {"error": {"code": "more_permissions_required", "message": "sk_test_x may not"}})
        if call.method == "POST"
        else None
    )
    with connected as account, pytest.raises(Forbidden, match=r"403 more_permissions_required.*action_key") as error:
        action.send(account, order)
    assert "sk_test_x" not in str(error.value)


def test_actions_use_a_key_of_their_own(desk: Desk, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READ_KEY", "sk_test_planted-only-reads-7272")
    declared = {"url": shop.url, "api_key": {"env": "READ_KEY"}, "action_key": {"env": "PAY_KEY"}}
    _, charge = shop.pay(5000)
    sync = Sync("payments", frozenset(), None, Path(), desk.office.project.state / "x" / "y", datetime.now(UTC))
    with connect(Connection.model_validate(declared), sync) as account:
        assert account.refunds(charge) == []


def test_no_secret_is_stored_or_logged(desk: Desk, shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, charge = shop.pay(5000)
    desk.act("refund", charge=charge, amount=100)
    shop.before = lambda call: Reply(500, {"error": {"message": KEY}}) if call.method == "POST" else None
    row = desk.act("refund", charge=charge, amount=100)
    assert row.state in ("approved", "unknown")
    assert KEY not in caplog.text
    for path in desk.office.project.state.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


def test_guarantees_are_those_that_are_documented() -> None:
    assert {name: bool(action.probe) for name, action in ACTIONS.items()} == dict.fromkeys(ACTIONS, True)


class TestTheFront:
    """The demo's Stripe, asked by Stripe's own library."""

    @pytest.fixture
    def client(self, shop: Shop) -> Any:
        return library.StripeClient(KEY, base_addresses={"api": shop.url}, max_network_retries=0).v1

    def test_the_same_key_gives_the_stored_answer(self, shop: Shop, client: Any) -> None:
        _, charge = shop.pay(5000)
        asked = {"charge": charge, "amount": 700, "metadata": {"order": "7"}}
        first = client.refunds.create(asked, {"idempotency_key": f"k-{charge}"})
        again = client.refunds.create(asked, {"idempotency_key": f"k-{charge}"})
        assert (first.id, first.metadata["order"], again.id) == (again.id, "7", first.id)
        assert first.last_response.headers.get("Idempotent-Replayed") is None
        assert again.last_response.headers["Idempotent-Replayed"] == "true"
        with pytest.raises(library.IdempotencyError):
            client.refunds.create({**asked, "amount": 800}, {"idempotency_key": f"k-{charge}"})
        assert len(shop.refunds(charge)) == 1
        assert Fake(KEY, None, shop._journal.parent if shop._journal else None).keys._stored.keys() >= {f"k-{charge}"}

    def test_a_failure_is_stored_and_a_wrong_parameter_is_not(self, shop: Shop, client: Any) -> None:
        _, charge = shop.pay(5000)
        key = {"idempotency_key": f"much-{charge}"}
        for _ in range(2):
            with pytest.raises(library.InvalidRequestError) as much:
                client.refunds.create({"charge": charge, "amount": 5001}, key)
        assert much.value.headers and much.value.headers["Idempotent-Replayed"] == "true"
        key = {"idempotency_key": f"wrong-{charge}"}
        with pytest.raises(library.InvalidRequestError):
            client.refunds.create({"charge": charge, "amount": 0}, key)
        assert client.refunds.create({"charge": charge, "amount": 5000}, key).amount == 5000

    def test_refunds_stop_at_what_was_captured(self, shop: Shop, client: Any) -> None:
        payment, charge = shop.pay(5000)
        client.refunds.create({"charge": charge, "amount": 4000})
        with pytest.raises(library.InvalidRequestError) as much:
            client.refunds.create({"payment_intent": payment, "amount": 1001})
        assert (much.value.http_status, much.value.param) == (400, "amount")
        assert client.refunds.create({"payment_intent": payment}).amount == 1000
        with pytest.raises(library.InvalidRequestError) as done:
            client.refunds.create({"charge": charge})
        assert done.value.code == "charge_already_refunded"
        with pytest.raises(library.InvalidRequestError) as missing:
            client.refunds.create({"charge": "ch_none"})
        assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")

    def test_only_a_hold_is_captured_or_cancelled(self, shop: Shop, client: Any) -> None:
        payment, charge = shop.pay(5000, hold=True)
        assert client.payment_intents.retrieve(payment).amount_capturable == 5000
        with pytest.raises(library.InvalidRequestError) as much:
            client.payment_intents.capture(payment, {"amount_to_capture": 6000})
        assert much.value.code == "amount_too_large"
        taken = client.payment_intents.capture(payment, {"amount_to_capture": 1000, "metadata": {"a": "b"}})
        assert (taken.status, taken.amount_received, taken.metadata["a"]) == ("succeeded", 1000, "b")
        for change in (client.payment_intents.capture, client.payment_intents.cancel):
            with pytest.raises(library.InvalidRequestError) as state:
                change(payment)
            assert state.value.code == "payment_intent_unexpected_state"
        assert client.refunds.create({"charge": charge}).amount == 1000
