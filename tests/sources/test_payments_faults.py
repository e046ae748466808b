"""What Stripe, the network or the account may do wrong: one class of error each, and nothing half-said is believed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.demo.stripe.replies import Call, Reply
from leat.sources.driver import SetupTest
from leat.sources.errors import (
    Forbidden,
    IntegrationError,
    NotFound,
    RateLimited,
    Rejected,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from leat.sources.events import FullScan
from leat.sources.payments.stripe import driver as stripe
from tests.sources.payments_tables import KEY, Tables, opened, pay

HOUR = timedelta(hours=1)
MANY = 130


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    with opened(tmp_path, monkeypatch) as opened_tables:
        for number in range(MANY):
            pay(opened_tables, number)
        yield opened_tables


def on(path: str, reply: Callable[[Call], Reply | None]) -> Callable[[Call], Reply | None]:
    """Answer one path otherwise."""
    return lambda call: reply(call) if call.path == path else None


def second_page(reply: Reply) -> Callable[[Call], Reply | None]:
    return lambda call: reply if "starting_after" in call.params else None


def fails(tables: Tables, kind: type[IntegrationError]) -> IntegrationError:
    """Run, and be sure that the failure is of that class, is said in words, and changes nothing."""
    before = deepcopy((tables.rows, tables.cursor))
    with pytest.raises(kind) as raised:
        tables.run(HOUR)
    assert type(raised.value) is kind
    assert ". Next: " in str(raised.value)
    assert KEY not in str(raised.value)
    assert (tables.rows, tables.cursor) == before
    return raised.value


def fails_alone(tables: Tables, kind: type[IntegrationError], stream: str = "charges") -> IntegrationError:
    """Run, and be sure that one stream alone fails, with that class of error, and its rows stay."""
    before = deepcopy(tables.rows[stream])
    tables.run(HOUR)
    assert set(tables.failed()) == {stream}
    error = tables.failed()[stream]
    assert type(error) is kind
    assert ". Next: " in str(error)
    assert KEY not in str(error)
    assert tables.rows[stream] == before
    return error


def test_a_key_that_is_revoked_in_the_middle_of_a_list_changes_nothing(tables: Tables) -> None:
    reply = Reply(401, {"error": {"message": "Expired API Key provided"}})
    tables.fake.before = on("/v1/charges", second_page(reply))
    fails(tables, Unauthenticated)
    assert not any(tables.rows.values())


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(403, {"error": {"message": "This key may not read charges"}}), Forbidden),
        (Reply(404, {"error": {}}), NotFound),
        (Reply(400, {"error": {"param": "limit"}}), Rejected),
        (Reply(200, b'{"object": "list", "data": [{"id": "ch_'), UnexpectedShape),
        (Reply(200, b"<html>maintenance</html>"), UnexpectedShape),
        (Reply(200, {"object": "charge", "id": "ch_1"}), UnexpectedShape),
        (Reply(200, [1, 2]), UnexpectedShape),
        (Reply(200, {"object": "list", "data": []}), UnexpectedShape),
        (Reply(200, {"object": "list", "data": [], "has_more": None}), UnexpectedShape),
        (Reply(200, {"object": "list", "data": [], "has_more": "false"}), UnexpectedShape),
        (Reply(200, {"object": "list", "data": [], "has_more": 0}), UnexpectedShape),
        (Reply(200, {"object": "list", "data": None, "has_more": False}), UnexpectedShape),
    ],
    ids=["not allowed", "gone", "refused", "truncated", "page of HTML", "no list", "no object", "without has_more",
         "has_more null", "has_more text", "has_more number", "no data"],
)  # fmt: skip
def test_what_goes_wrong_in_the_middle_of_a_list_fails_that_stream_alone(
    tables: Tables, reply: Reply, kind: type[IntegrationError]
) -> None:
    tables.put("customers", "cus_1", name="Ann")
    tables.fake.before = on("/v1/charges", second_page(reply))
    fails_alone(tables, kind)
    assert not tables.rows["charges"]
    assert len(tables.rows["balance_transactions"]) == MANY
    assert tables.one("customers", "cus_1")["name"] == "Ann"
    tables.fake.before = lambda _call: None
    tables.put("customers", "cus_1", "customer.updated", name="Ann Other")
    tables.run()
    assert len(tables.rows["charges"]) == MANY, "the next run succeeds without help"
    assert tables.one("customers", "cus_1")["name"] == "Ann Other"
    assert tables.asked().count("customers") == 0, "what was read is not read again"
    scans = {event.stream: event.because for event in tables.events if isinstance(event, FullScan)}
    assert scans == {"charges": "has_more was false after 2 pages"}
    tables.run(HOUR)
    assert tables.events == []


@pytest.mark.parametrize("again", ["same page", "first page", "empty page"])
def test_pages_that_do_not_move_on_delete_nothing(tables: Tables, again: str) -> None:
    tables.run()
    first = [Reply(200, {})]

    def answer(call: Call) -> Reply | None:
        page = sorted(tables.fake.objects["charges"].values(), key=lambda each: each["id"])[:50]
        if again == "empty page" and "starting_after" in call.params:
            page = []
        if again == "same page":
            page = page[::-1] if "starting_after" in call.params else page
        first[0] = Reply(200, {"object": "list", "data": page, "has_more": True})
        return first[0]

    tables.cursor = None
    tables.fake.before = on("/v1/charges", answer)
    assert "circle" in fails_alone(tables, UnexpectedShape).got
    assert len(tables.rows["charges"]) == MANY


def test_a_stream_that_fails_while_changes_are_read_is_read_whole_later(tables: Tables) -> None:
    tables.put("disputes", "dp_1", amount=100, currency="eur", status="needs_response")
    tables.run()
    denied = Reply(403, {"error": {"message": "no right"}})
    tables.fake.before = lambda call: denied if "/disputes" in call.path else None
    tables.put("disputes", "dp_1", "charge.dispute.closed", status="lost")
    pay(tables, 500)
    tables.fake.add_event("charge.succeeded", {"object": "charge", "id": "ch_500"}, created=int(tables.now.timestamp()))
    fails_alone(tables, Forbidden, "disputes")
    assert ("ch_500",) in tables.rows["charges"]
    assert tables.one("disputes", "dp_1")["status"] == "needs_response"
    fails_alone(tables, Forbidden, "disputes")
    tables.fake.before = lambda _call: None
    tables.run(HOUR)
    assert tables.one("disputes", "dp_1")["status"] == "lost"
    assert tables.failed() == {}


def test_without_the_right_to_read_events_everything_is_read_each_time(tables: Tables) -> None:
    denied = Reply(403, {"error": {"message": "no right"}})
    tables.fake.before = on("/v1/events", lambda _call: denied)
    fails_alone(tables, Forbidden, "events")
    charge = pay(tables, 500)
    fails_alone(tables, Forbidden, "events")
    tables.fake.take("charges", charge)
    fails_alone(tables, Forbidden, "events")
    assert (charge,) not in tables.rows["charges"]
    tables.fake.before = lambda _call: None
    tables.put("charges", "ch_1", "charge.updated", description="late")
    tables.run(HOUR)
    assert tables.one("charges", "ch_1")["description"] == "late"
    assert tables.failed() == {}


def test_bookings_stay_with_their_payouts_when_payouts_cannot_be_read(tables: Tables) -> None:
    tables.put("payouts", "po_1", amount=5000, currency="eur", automatic=True, status="paid")
    tables.put("balance_transactions", "txn_1", _payout="po_1")
    denied = Reply(403, {"error": {"message": "no right"}})
    tables.fake.before = on("/v1/payouts", lambda _call: denied)
    tables.run()
    assert set(tables.failed()) == {"payouts", "payout_items"}, "bookings need no payouts as long as there were none"
    assert len(tables.rows["balance_transactions"]) == MANY
    tables.fake.before = lambda _call: None
    tables.run(HOUR)
    assert tables.one("balance_transactions", "txn_1")["payout_id"] == "po_1"
    tables.fake.before = on("/v1/payouts", lambda _call: denied)
    pay(tables, 600)
    tables.run(HOUR)
    assert set(tables.failed()) == {"payouts", "payout_items", "balance_transactions"}
    assert tables.one("balance_transactions", "txn_1")["payout_id"] == "po_1"
    tables.fake.before = lambda _call: None
    tables.run(HOUR)
    assert ("txn_600",) in tables.rows["balance_transactions"]
    assert tables.one("balance_transactions", "txn_1")["payout_id"] == "po_1"


def test_when_no_list_can_be_read_the_run_fails(tables: Tables) -> None:
    tables.fake.before = lambda _call: Reply(403, {"error": {"message": "no right"}})
    fails(tables, Forbidden)


def test_a_key_that_is_revoked_between_two_runs_is_tried_once(tables: Tables) -> None:
    tables.run()
    tables.fake.key = "sk_test_another"
    fails(tables, Unauthenticated)
    assert len(tables.calls) == 1


def test_a_server_that_stops_in_the_middle_of_a_list_is_unavailable(tables: Tables) -> None:
    tables.fake.before = on("/v1/charges", second_page(Reply(503, {})))
    fails(tables, Unavailable)
    assert tables.asked().count("charges") == 1 + 4, "the page was tried four times"


def test_a_server_that_fails_once_is_asked_again(tables: Tables) -> None:
    left = [Reply(500, {})]
    tables.fake.before = on("/v1/charges", lambda _call: left.pop() if left else None)
    tables.run()
    assert len(tables.rows["charges"]) == MANY


def test_too_many_requests(tables: Tables) -> None:
    tables.fake.before = on("/v1/refunds", lambda _call: Reply(429, {"error": {"code": "rate_limit"}}))
    fails(tables, RateLimited)


@pytest.mark.parametrize("empty", [False, True], ids=["same last object", "empty page"])
def test_pages_that_go_round_in_a_circle_are_left(tables: Tables, empty: bool) -> None:
    def again(call: Call) -> Reply | None:
        if "starting_after" not in call.params:
            return None
        page = [] if empty else [tables.fake.objects["charges"][call.params["starting_after"]]]
        return Reply(200, {"object": "list", "data": page, "has_more": True})

    tables.fake.before = on("/v1/charges", again)
    assert "circle" in fails_alone(tables, UnexpectedShape).got
    assert tables.asked().count("charges") == 2


def test_an_object_that_is_deleted_while_its_list_is_read_loses_no_other(tables: Tables) -> None:
    """The object at the end of the page is gone when the next one is asked for: Stripe refuses it as a position."""
    gone = []

    def delete_last(call: Call) -> None:
        after = call.params.get("starting_after")
        if after and not gone:
            gone.append(after)
            tables.fake.take("charges", after)

    tables.fake.before = on("/v1/charges", delete_last)
    tables.run()
    assert gone
    assert set(tables.rows["charges"]) - {(gone[0],)} == {(f"ch_{n}",) for n in range(MANY)} - {(gone[0],)}


def test_an_object_that_is_added_while_its_list_is_read_loses_none(tables: Tables) -> None:
    added: list[Any] = []

    def add(call: Call) -> None:
        if "starting_after" in call.params and not added:
            added.append(pay(tables, 999, created=1 + tables.fake.objects["charges"]["ch_1"]["created"]))
            tables.fake.add_event(
                "charge.succeeded", {"object": "charge", "id": "ch_999"}, created=int(tables.now.timestamp())
            )

    tables.fake.before = on("/v1/charges", add)
    tables.run()
    assert len(tables.rows["charges"]) == MANY
    tables.run(HOUR)
    assert len(tables.rows["charges"]) == MANY + 1


@pytest.mark.parametrize("record", [None, 7, "text", {}, {"id": None}, {"id": "x", "data": 3}, {"object": []}])
def test_an_event_without_sense_is_quarantined_and_the_others_are_read(tables: Tables, record: Any) -> None:
    tables.run()
    tables.put("charges", "ch_1", "charge.updated", description="changed")
    good = next(iter(tables.fake.objects["events"].values()))
    page = {"object": "list", "data": [record, good], "has_more": False}
    tables.fake.before = on("/v1/events", lambda _call: Reply(200, page))
    tables.run(HOUR)
    assert tables.one("charges", "ch_1")["description"] == "changed"
    assert len(tables.rows["events"]) == 1
    assert len(tables.quarantined()) == 1


def test_fields_that_are_not_declared_are_stored_and_secrets_are_not(tables: Tables) -> None:
    tables.put("charges", "ch_1", radar_options={"session": "rse_1"}, brand_new=3)
    tables.put("payment_intents", "pi_1", "payment_intent.created", amount=1, currency="eur",
               client_secret="pi_1_secret_XyZ", status="succeeded")  # fmt: skip
    tables.fake.objects["events"]["evt_fake00000000"]["data"]["object"]["client_secret"] = "pi_1_secret_XyZ"
    tables.run()
    extra = json.loads(tables.one("charges", "ch_1")["extra"])
    assert extra == {"brand_new": 3, "radar_options": {"session": "rse_1"}}
    assert "secret_XyZ" not in str(tables.rows)


def test_objects_of_a_later_version_are_understood(tables: Tables) -> None:
    """Since 2025-03-31 an invoice names its payments and its subscription elsewhere, and a line its price."""
    line = {"id": "il_1", "amount": 9, "currency": "eur", "pricing": {"price_details": {"price": "p", "product": "q"}}}
    line |= {"parent": {"subscription_item_details": {"subscription": "sub_1", "proration": True}}}
    payments = {"data": [{"payment": {"type": "payment_intent", "payment_intent": "pi_1"}}]}
    tables.put("invoices", "in_1", currency="eur", total=9, payments=payments, total_taxes=[{"amount": 2}],
               parent={"subscription_details": {"subscription": "sub_1"}},
               lines={"data": [line], "has_more": False})  # fmt: skip
    item = {"id": "si_1", "current_period_end": 1_800_000_000, "price": {"id": "p", "product": "q"}, "quantity": 2}
    tables.put("subscriptions", "sub_1", currency="eur", items={"data": [item]})
    tables.run()
    invoice, of_item = tables.one("invoices", "in_1"), tables.one("invoice_lines", "in_1", "il_1")
    assert (invoice["payment_intent_id"], invoice["subscription_id"], invoice["tax"]) == ("pi_1", "sub_1", 2)
    assert (of_item["price_id"], of_item["product_id"], of_item["subscription_id"], of_item["proration"]) == (
        "p", "q", "sub_1", True,
    )  # fmt: skip
    subscription = tables.one("subscriptions", "sub_1")
    assert (subscription["price_id"], subscription["product_id"], subscription["quantity"]) == ("p", "q", 2)
    assert subscription["current_period_end_at"] is not None


def test_the_version_is_pinned_on_every_request(tables: Tables) -> None:
    versions = set()

    def note(call: Call) -> None:
        versions.add(call.headers.get("Stripe-Version"))

    tables.fake.before = note
    tables.run()
    assert versions == {"2025-02-24.acacia"}


def test_setup_tests_show_what_the_key_may_not_read(tables: Tables) -> None:
    tables.fake.before = on("/v1/disputes", lambda _call: Reply(403, {}))
    tests: list[SetupTest] = list(stripe.setup_tests(tables.connection, tables.sync()))
    assert [test.name for test in tests if not test.ok] == ["may read disputes"]
    assert "selected: false" in next(test.detail for test in tests if not test.ok)
