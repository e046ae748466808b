"""How a desk does its verbs; ``LEAT_TEST_NO_PROBE`` takes the probe away, to show that the tests see duplicates."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from leat.project_sources.desk.actions import Mark
from leat.project_sources.desk.book.driver import Connection

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.driver import Sync
from leat.sources.http.client import Client, HttpRequest, Limits, open_client

IN_FLIGHT = 4


@contextlib.contextmanager
def connect(connection: Connection, sync: Sync) -> Iterator[Client]:
    limits = Limits(timeout=connection.timeout, total=connection.timeout, attempts=1, in_flight=IN_FLIGHT)
    with open_client(sync, connection.url, limits=limits) as client:
        yield client


def _plan(client: Client, id_: str, parameters: Mark) -> Plan:
    now = client.json(client.get(f"/natural/{parameters.place}"))
    if now["value"] == parameters.value:
        msg = f"{parameters.place} is {parameters.value} already"
        raise Refused(msg)
    change = Change("value", now["value"], parameters.value)
    payload = {"value": parameters.value, "place": parameters.place}
    people = (parameters.place,) if parameters.place.startswith("person") else ()
    return Plan(f"mark {parameters.place}", parameters.place, (change,), payload, {"etag": now["etag"]}, people)


def _guarded(client: Client, order: Order) -> Receipt:
    return _receipt(
        client, HttpRequest(f"/guarded/{order.id}", "PUT", headers={"If-None-Match": "*"}, json=order.plan.payload)
    )


def _natural(client: Client, order: Order) -> Receipt:
    etag = {"If-Match": str(order.plan.precondition["etag"])}
    return _receipt(client, HttpRequest(f"/natural/{order.plan.target}", "PUT", headers=etag, json=order.plan.payload))


def _post(client: Client, order: Order) -> Receipt:
    return _receipt(client, HttpRequest("/probed", "POST", json={"id": order.id, **order.plan.payload}))


def _pay(client: Client, order: Order) -> Receipt:
    return Receipt(_post(client, order).data, content=b"paid " + order.id.encode()[:4])


def _paid(client: Client, order: Order) -> Receipt | None:
    there = _by_id(client, order)
    return there and Receipt(there.data, content=b"paid " + order.id.encode()[:4])


def _receipt(client: Client, ask: HttpRequest) -> Receipt:
    return Receipt(client.json(client.send(ask)))


def _by_id(client: Client, order: Order) -> Receipt | None:
    if "LEAT_TEST_NO_PROBE" in os.environ:
        return None
    deed = client.json(client.get(f"/deeds/{order.id}"))
    return Receipt(deed) if deed else None


def _by_state(client: Client, order: Order) -> Receipt | None:
    now = client.json(client.get(f"/natural/{order.plan.target}"))
    return Receipt(now) if now["value"] == order.plan.payload["value"] else None


def _confirm(client: Client, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    deed: Any = client.json(client.get(f"/deeds/{order.id}"))
    return () if deed else (Change("deed", "done", None),)


def _confirm_state(client: Client, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    now, planned = client.json(client.get(f"/natural/{order.plan.target}"))["value"], order.plan.payload["value"]
    return () if now == planned else (Change("value", planned, now),)


def _undo(client: Client, order: Order, receipt: Receipt) -> Undo:
    return Undo("natural", {"place": order.plan.target, "value": order.plan.changes[0].before or 0})


ACTIONS = {
    "guarded": Action(_plan, _guarded, _confirm, _by_id, settle=0.2),
    "natural": Action(_plan, _natural, _confirm_state, _by_state, _undo, settle=0.2),
    "probed": Action(_plan, _post, _confirm, _by_id, settle=0.2),
    "unprobeable": Action(_plan, _post, _confirm, settle=0.2),
    "pay": Action(_plan, _pay, _confirm, _paid, settle=0.2),
}
