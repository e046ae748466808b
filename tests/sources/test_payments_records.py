"""What Stripe's objects hold that is easily read wrongly: released holds, lists cut at ten, fields of any kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leat.demo.stripe.replies import Call, Reply, list_reply
from leat.sources.errors import Forbidden
from leat.sources.events import FullScan, Listed
from leat.sources.payments.stripe.objects import _SHAPES, row_of
from tests.sources.payments_tables import NOON, Tables, at, opened, pay


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    with opened(tmp_path, monkeypatch) as opened_tables:
        yield opened_tables


OLD, NEW = "2025-02-24.acacia", "2025-03-31.basil"


@pytest.mark.parametrize(
    ("version", "amount", "taken", "back", "released", "left"),
    [
        (OLD, 900, 900, 0, 0, 900),
        (OLD, 900, 900, 200, 0, 700),
        (OLD, 900, 900, 1000, 0, -100),
        (OLD, 900, 400, 500, 500, 400),
        (OLD, 900, 400, 650, 500, 250),
        (OLD, 900, 400, 950, 500, -50),
        (OLD, 900, 0, 0, 0, 0),
        (OLD, 900, 0, 900, 900, 0),
        (OLD, 900, 0, 300, 300, 0),
        (OLD, 900, 400, 100, 0, 300),
        (OLD, 900, 1000, 0, 0, 1000),
        (NEW, 900, 400, 0, 0, 400),
        (NEW, 900, 700, 300, 0, 400),
        (NEW, 900, 0, 0, 0, 0),
        (OLD, 900, None, 0, 0, None),
    ],
)
def test_what_was_released_is_not_given_back(
    version: str, amount: int, taken: int | None, back: int, released: int, left: int | None
) -> None:
    charge = {"id": "ch_1", "currency": "eur", "amount": amount, "amount_captured": taken, "amount_refunded": back}
    row = row_of("charges", charge, version)
    assert (row["amount_released"], row["amount_left"], row["amount_refunded"]) == (released, left, back)


def test_the_version_that_is_asked_for_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path, monkeypatch, api_version=NEW) as tables:
        charge = pay(tables, 1, 900, amount_captured=700, amount_refunded=300)
        tables.run()
        assert tables.one("charges", charge)["amount_left"] == 400


def many(kind: str, count: int) -> list[dict[str, Any]]:
    price = {"id": "price_1", "object": "price", "product": "prod_1"}
    return [{"id": f"{kind}_{n}", "object": kind, "created": n, "quantity": n, "price": price} for n in range(count)]


def cut(objects: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"object": "list", "data": objects[:10], "has_more": len(objects) > 10, **more}


@pytest.mark.parametrize("url", ["/v1/subscription_items?subscription=sub_1", None])
@pytest.mark.parametrize("count", [3, 14, 230])
def test_all_items_of_a_subscription_are_read(tables: Tables, url: str | None, count: int) -> None:
    items = many("si", count)
    served = sorted(items, key=lambda each: each["created"], reverse=True)

    def more(call: Call) -> Reply | None:
        if call.path == "/v1/subscription_items" and call.params["subscription"] == "sub_1":
            return list_reply(items, call.params, call.path)
        return None

    tables.fake.before = more
    tables.put("subscriptions", "sub_1", customer="cus_1", status="active", items=cut(served, url=url), currency="eur")
    tables.run()
    row = tables.one("subscriptions", "sub_1")
    assert [each["id"] for each in json.loads(row["items"])] == [each["id"] for each in served]
    assert row["price_id"] == "price_1"


def test_lists_of_any_name_and_depth_are_completed(tables: Tables) -> None:
    things = many("thing", 25)
    tables.fake.before = lambda call: list_reply(things, call.params, call.path) if "/things" in call.path else None
    inner = cut(things, url="/v1/invoices/in_1/things?kind=a")
    tables.put("invoices", "in_1", customer=None, currency="eur", new_field={"things": [inner]}, lines=cut([]))
    tables.run()
    extra = json.loads(tables.one("invoices", "in_1")["extra"])
    assert [len(each["data"]) for each in extra["new_field"]["things"]] == [25]
    assert extra["new_field"]["things"][0]["has_more"] is False


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ({"object": "list", "data": []}, "field items: the list doesn't say by has_more whether it is complete"),
        (
            {"object": "list", "data": [], "has_more": True, "url": "/v1/gone"},
            "field items: the rest of the list",
        ),
        (7, "the object: it isn't as the provider's reference says"),
    ],
)
def test_an_object_whose_list_cannot_be_completed_is_quarantined_alone(tables: Tables, items: Any, reason: str) -> None:
    tables.put("subscriptions", "sub_bad", customer="cus_1", status="active", currency="eur", items=items)
    tables.put("subscriptions", "sub_good", customer="cus_1", status="active", currency="eur", items=cut(many("si", 2)))
    tables.run()
    assert set(tables.rows["subscriptions"]) == {("sub_good",)}
    (event,) = tables.quarantined()
    assert (event.stream, event.key) == ("subscriptions", "sub_bad")
    assert event.reason.startswith(reason)
    assert tables.failed() == {}


def test_a_list_without_a_familiar_address_is_not_guessed(tables: Tables) -> None:
    tables.put("invoices", "in_1", customer=None, currency="eur", odd=cut(many("x", 12)), lines=cut([]))
    tables.run()
    assert [event.reason for event in tables.quarantined()] == [
        "field odd: the list is cut off and doesn't say where the rest is"
    ]


def test_without_the_right_to_read_the_rest_only_that_stream_fails(tables: Tables) -> None:
    denied = Reply(403, {"error": {"message": "no right"}})
    tables.fake.before = lambda call: denied if "subscription_items" in call.path else None
    tables.put("subscriptions", "sub_1", customer="cus_1", status="active", currency="eur", items=cut(many("si", 11)))
    charge = pay(tables, 1)
    tables.run()
    assert {stream: type(error) for stream, error in tables.failed().items()} == {"subscriptions": Forbidden}
    assert tables.one("charges", charge)["amount"] == 5000


@pytest.mark.parametrize("lines", [7, "x", [], {"data": []}, {"object": "list", "data": 3, "has_more": False}])
def test_lines_that_make_no_sense_lose_no_invoice(tables: Tables, lines: Any) -> None:
    tables.put("invoices", "in_1", customer=None, currency="eur", total=5, lines=lines)
    tables.put("invoices", "in_2", customer=None, currency="eur", total=6, lines=cut(many("il", 2)))
    tables.run()
    assert {row["total"] for row in tables.rows["invoices"].values()} == {5, 6}
    assert len(tables.rows["invoice_lines"]) == 2
    assert [(event.stream, event.key) for event in tables.quarantined()] == [("invoice_lines", "in_1")]


ODD: list[Any] = [
    None,
    True,
    7,
    -1,
    2**70,
    1e300,
    "",
    "x" * 50,
    [],
    [1],
    {},
    {"id": 3},
    {"data": None},
    {"a": {"b": []}},
]
FIELDS = sorted({path.split("=")[-1].split("|")[0].split(".")[0] for shape in _SHAPES.values()
                 for words in (shape.plain, shape.references, shape.amounts, shape.times)
                 for path in words.split()})  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(stream=st.sampled_from(sorted(_SHAPES)), field=st.sampled_from(FIELDS), value=st.sampled_from(ODD))
def test_any_value_in_any_field_gives_a_row_or_a_reason_without_the_value(stream: str, field: str, value: Any) -> None:
    given_one = {"id": "x_1", "object": "x", "created": at(NOON), "currency": "eur", "amount": 5, field: value}
    try:
        row = row_of(stream, given_one)
    except ValueError as error:
        assert str(error).startswith(("field ", "the object: ", "it is "))
        assert "xxxxx" not in str(error)
        assert str(2**70) not in str(error)
    else:
        assert row["id"]


@pytest.mark.parametrize("record", [None, 7, "text", [], {}, {"id": None}, {"id": 5}, {"id": ["x"]}, {"id": ""}])
def test_an_object_that_is_none_is_quarantined_alone(tables: Tables, record: Any) -> None:
    good = pay(tables, 1)
    page = [record, tables.fake.objects["charges"][good]]
    body = {"object": "list", "data": page, "has_more": False}
    tables.fake.before = lambda call: Reply(200, body) if call.path == "/v1/charges" else None
    tables.run()
    assert set(tables.rows["charges"]) == {(good,)}
    assert [event.stream for event in tables.quarantined()] == ["charges"]


def test_every_listing_says_what_proved_it(tables: Tables) -> None:
    for number in range(101):
        pay(tables, number)
    tables.fake.add_event("charge.succeeded", {"object": "charge", "id": "ch_1"}, created=at(NOON))
    events = tables.run()
    because = {event.stream: event.because for event in events if isinstance(event, FullScan | Listed)}
    assert because["charges"] == "has_more was false after 2 pages"
    assert because["events"] == because["invoices"] == "has_more was false after 1 page"
    assert because["payment_methods"] == "has_more was false for each of 0 customers"
    assert set(because) == tables.streams
