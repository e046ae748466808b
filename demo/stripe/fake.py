"""A FAKE of the parts of Stripe's API that localstripe lacks; a small program of leat, not Stripe's.

It sits in front of a localstripe, passes on what that can do, and adds, in the shapes of Stripe's own OpenAPI document
(github.com/stripe/openapi): disputes, prices, payouts with their bookings, fees, events of every change, ``created``
filters, newest first, a key that is checked, idempotency keys (:mod:`leat.demo.stripe.idempotency`), refusals of what
Stripe refuses (:mod:`leat.demo.stripe.rules`). Without a localstripe behind it, it serves only what was put into it.

What localstripe can't store (that a charge is of last month, that a booking had a fee) is laid over its objects by
``PUT /_fake/<list>/<id>``, with the fields as JSON; on the lists that it lacks this makes whole objects. Fields that
begin with an underscore aren't served: ``_payout`` of a booking is the payout that it went into. ``?event=<type>``
makes an event of it; ``DELETE`` takes an object away; ``DELETE /_fake`` everything. ``POST /_fake/refunds``
makes a refund, even one that Stripe would refuse. Events are sent as webhooks (:mod:`leat.demo.stripe.webhooks`).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from leat.demo.stripe.behind import Behind
from leat.demo.stripe.idempotency import InFlight, Keys, OtherRequest, hash_request
from leat.demo.stripe.replies import Call, Params, Reply, error_reply, list_reply, refused_reply
from leat.demo.stripe.rules import Handled, Objects, Refusal, handle
from leat.demo.stripe.shapes import DEFAULTS, KINDS, complete, events_of
from leat.demo.stripe.webhooks import Webhooks

_OTHER_REQUEST = (
    "Keys for idempotent requests can only be used with the same parameters they were first used with. "
    "Try using another key if you meant to execute a different request."
)
_IN_FLIGHT = "There is currently another in-progress request using this Idempotent Key. Please try again later."


class Fake:
    """The state of the fake, and its answers.

    Args:
        key: the secret key that is accepted.
        behind: address of a localstripe; None for none.
        folder: where it stores what was put into it; None for nowhere.
    """

    def __init__(self, key: str, behind: str | None = None, folder: Path | None = None) -> None:
        self.key = key
        self.before: Callable[[Call], Reply | None] = lambda _call: None
        self._behind = Behind(behind)
        self._journal = folder / "stripe_fake.jsonl" if folder else None
        self.keys = Keys(folder / "stripe_keys.jsonl" if folder else None)
        self.webhooks = Webhooks(folder)
        self._lock = threading.RLock()
        self.objects: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in KINDS}
        self.gone: dict[str, str] = {}
        if self._journal and self._journal.exists():
            for line in self._journal.read_text(encoding="utf-8").splitlines():
                self._hold(*json.loads(line))

    def answer(self, call: Call) -> Reply:
        """Return the answer to a request."""
        if call.headers.get("Authorization") != f"Bearer {self.key}":
            return error_reply(401, "Invalid API Key provided")
        key = call.headers.get("Idempotency-Key")
        if key is None or call.method != "POST":
            return self._answer(call)
        request = hash_request(call.method, call.path, call.body)
        try:
            stored = self.keys.begin(key, request)
        except OtherRequest:
            return error_reply(400, _OTHER_REQUEST, kind="idempotency_error")
        except InFlight:
            return error_reply(409, _IN_FLIGHT, code="idempotency_key_in_use")
        if stored is not None:
            return Reply(stored.status, stored.body, headers={"Idempotency-Key": key, "Idempotent-Replayed": "true"})
        reply = Reply(500, {})
        try:
            reply = self._answer(call)
        finally:
            self.keys.end(key, request, reply.status, reply.body, executed=reply.executed)
        return replace(reply, headers={"Idempotency-Key": key})

    def _answer(self, call: Call) -> Reply:
        with self._lock:
            reply = self.before(call)
            if reply is None:
                reply = self._route(call)
            return reply

    def put(self, name: str, key: str, fields: Mapping[str, Any], event: str | None = None) -> dict[str, Any]:
        """Lay fields over an object, or make one; returns what was put."""
        fresh = {**DEFAULTS.get(name, {}), "id": key, "object": KINDS[name], "created": int(time.time())}
        before = self.objects[name].get(key)
        held = {**(before if before is not None else {} if self._behind.get(name, key) else fresh), **fields}
        self._note(name, key, held)
        if event:
            self.add_event(event, self._get(name, key) or held)
        return held

    def add_event(self, kind: str, subject: Mapping[str, Any], **fields: Any) -> None:
        """Make an event of an object."""
        key = f"evt_fake{len(self.objects['events']):08d}"
        data = {"object": {name: value for name, value in subject.items() if name != "lines"}}
        made = {"id": key, "object": "event", "type": kind, "created": int(time.time()), "data": data}
        event = {**DEFAULTS["events"], **made, **fields}
        self._note("events", key, event)
        self.webhooks.send(event)

    def take(self, name: str, key: str, event: str | None = None) -> None:
        """Take an object away."""
        if event:
            self.add_event(event, self.objects[name].get(key) or {"id": key, "object": KINDS[name]})
        self._note(name, key, None)

    def clear(self) -> None:
        """Forget everything, the localstripe behind included."""
        self.objects = {name: {} for name in KINDS}
        self.gone = {}
        self.keys.clear()
        if self._journal:
            self._journal.unlink(missing_ok=True)
        self._behind.ask("DELETE", "/_config/data")

    def _route(self, call: Call) -> Reply:
        parts = call.path.strip("/").split("/")
        if parts[0] == "_fake":
            return self._set(call, parts[1:])
        if call.method != "GET":
            return self._write(call)
        if len(parts) == 2 and parts[1] in KINDS:
            return list_reply(self._all(parts[1], call.params), call.params, call.path)
        if len(parts) == 3 and parts[1] in KINDS:
            answer = self._get(parts[1], parts[2])
            if answer is None and self.gone.get(parts[2]) == "customer":
                return Reply(200, {"id": parts[2], "object": "customer", "deleted": True})
            return error_reply(404, f"No such object: {parts[2]}", "id") if answer is None else Reply(200, answer)
        if parts[1:2] == ["customers"] and parts[3:] == ["payment_methods"]:
            return list_reply(self._methods(parts[2]), call.params, call.path)
        if parts[1:2] == ["invoices"] and parts[3:] == ["lines"]:
            lines = (self._get("invoices", parts[2]) or {}).get("lines") or {}
            return list_reply(lines.get("data") or [], call.params, call.path)
        return error_reply(404, f"Unrecognized request URL (GET: {call.path})")

    def _set(self, call: Call, parts: list[str]) -> Reply:
        """Answer the requests to the fake itself."""
        event = call.params.get("event")
        if parts[:1] == ["webhook_endpoints"]:
            self.webhooks.register(parts[1], **json.loads(call.body))
            return Reply(200, {"id": parts[1]})
        if call.method == "DELETE" and not parts:
            self.clear()
        elif call.method == "DELETE":
            self.take(parts[0], parts[1], event)
        elif call.method == "POST":
            status, body = self._behind.ask("POST", "/v1/refunds", call.body, call.headers.get("Content-Type"))
            self._add_events(["v1", "refunds"], body, None)
            return Reply(status, body)
        else:
            return Reply(200, self.put(parts[0], parts[1], json.loads(call.body), event))
        return Reply(200, {"deleted": True})

    def _write(self, call: Call) -> Reply:
        """Hand a write on to localstripe, unless Stripe would refuse it, and make events of what it did."""
        parts = call.path.strip("/").split("/")
        handled = handle(Objects(self._get, self._all), parts, call.body) if call.method == "POST" else None
        if isinstance(handled, Refusal):
            return refused_reply(handled)
        body = call.body if handled is None else handled.body
        status, answer = self._behind.ask(call.method, call.path, body, call.headers.get("Content-Type"))
        if call.method == "DELETE" and status == 200:
            self.take(parts[1], parts[2], f"{KINDS[parts[1]]}.deleted")
        else:
            if handled is not None and status == 200:
                answer = self._lay(handled, parts[1], answer)
            self._add_events(parts, answer, call.headers.get("Idempotency-Key"))
        return Reply(status, answer, executed=status in (200, 402))

    def _lay(self, handled: Handled, name: str, answer: dict[str, Any]) -> dict[str, Any]:
        """Lay over objects what localstripe wasn't given; returns the answer with it."""
        for laid, key, fields in handled.laid:
            self.put(laid, key or answer["id"], fields)
        return self._get(name, answer["id"]) or answer

    def _add_events(self, parts: list[str], answer: Any, key: str | None) -> None:
        for kind, name, about in events_of(parts, answer):
            subject = self._get(name, about)
            if subject:
                self.add_event(kind, subject, request={"id": None, "idempotency_key": key})

    def _all(self, name: str, params: Params) -> list[dict[str, Any]]:
        objects: dict[str, dict[str, Any]] = {}
        for each in self._behind.listed(name):
            objects[each["id"]] = {**each, **self.objects[name].get(each["id"], {})}
        objects |= {key: each for key, each in self.objects[name].items() if key not in objects and "object" in each}
        listed = [each for key, each in objects.items() if key not in self.gone]
        for each_field in ("customer", "charge", "payment_intent", "type"):
            listed = [each for each in listed if each_field not in params or each.get(each_field) == params[each_field]]
        if "payout" in params:
            listed = [each for each in listed if each.get("_payout") == params["payout"]]
        return [self._complete(name, each) for each in listed]

    def _methods(self, customer: str) -> list[dict[str, Any]]:
        own = [each for each in self.objects["payment_methods"].values() if "object" in each]
        theirs = self._behind.methods(customer)
        laid = [{**each, **self.objects["payment_methods"].get(each["id"], {})} for each in theirs]
        return [each for each in (*own, *laid) if each.get("customer") == customer]

    def _get(self, name: str, key: str) -> dict[str, Any] | None:
        if key in self.gone:
            return None
        held = self.objects[name].get(key)
        if held is not None and "object" in held:
            return self._complete(name, held)
        behind = self._behind.get(name, key)
        return self._complete(name, {**behind, **(held or {})}) if behind else None

    def _complete(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        return complete(name, {field: value for field, value in given.items() if field[0] != "_"}, self._behind.get)

    def _note(self, name: str, key: str, held: dict[str, Any] | None) -> None:
        """Hold an object, or that it is gone, in memory and in the journal."""
        self._hold(name, key, held)
        if self._journal:
            self._journal.touch(mode=0o600)
            with self._journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, key, held]) + "\n")

    def _hold(self, name: str, key: str, held: dict[str, Any] | None) -> None:
        if held is None:
            self.objects[name].pop(key, None)
            self.gone[key] = KINDS[name]
        else:
            self.objects[name][key] = held
            self.gone.pop(key, None)
