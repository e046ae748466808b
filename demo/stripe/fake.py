"""A FAKE of the parts of Stripe's API that localstripe lacks; a small program of ours, not Stripe's.

It stands before a localstripe, hands on what that can do, and adds, in the shapes of Stripe's own OpenAPI document
(github.com/stripe/openapi): disputes, prices, payouts with their bookings, fees, events of every change, ``created``
filters, newest first, a key that is checked. Without a localstripe behind it, it serves only what was put into it.

What localstripe can't be told (that a charge is of last month, that a booking had a fee) is laid over its objects by
``PUT /_fake/<list>/<id>``, with the fields as JSON; on the lists that it lacks this makes whole objects. Fields that
begin with an underscore aren't served: ``_payout`` of a booking is the payout that it went into. ``?event=<type>``
makes an event of it; ``DELETE`` takes an object away; ``DELETE /_fake`` everything.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from leat.demo.stripe.behind import Behind
from leat.demo.stripe.shapes import DEFAULTS, KINDS, complete, events_of

Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request."""

    method: str
    path: str
    params: Params
    body: bytes
    headers: Mapping[str, str]


class Fake:
    """The state of the fake, and its answers.

    Args:
        key: the secret key that is accepted.
        behind: address of a localstripe; None for none.
        folder: where it keeps what was put into it; None for nowhere.
    """

    def __init__(self, key: str, behind: str | None = None, folder: Path | None = None) -> None:
        self.key = key
        self.before: Callable[[Call], Reply | None] = lambda _call: None
        self._behind = Behind(behind)
        self._journal = folder / "stripe_fake.jsonl" if folder else None
        self._lock = threading.RLock()
        self.objects: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in KINDS}
        self.gone: dict[str, str] = {}
        if self._journal and self._journal.exists():
            for line in self._journal.read_text(encoding="utf-8").splitlines():
                self._hold(*json.loads(line))

    def answer(self, call: Call) -> Reply:
        """Return the answer to a request."""
        if call.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "Invalid API Key provided")
        with self._lock:
            reply = self.before(call)
            if reply is None:
                reply = self._route(call)
            return reply

    def put(self, name: str, key: str, fields: Mapping[str, Any], event: str | None = None) -> dict[str, Any]:
        """Lay fields over an object, or make one; returns what was put."""
        fresh = {**DEFAULTS.get(name, {}), "id": key, "object": KINDS[name], "created": int(time.time())}
        known = self.objects[name].get(key)
        held = {**(known if known is not None else {} if self._behind.get(name, key) else fresh), **fields}
        self._note(name, key, held)
        if event:
            self.tell(event, self._get(name, key) or held)
        return held

    def tell(self, kind: str, subject: Mapping[str, Any], **fields: Any) -> None:
        """Make an event of an object."""
        key = f"evt_fake{len(self.objects['events']):08d}"
        data = {"object": {name: value for name, value in subject.items() if name != "lines"}}
        made = {"id": key, "object": "event", "type": kind, "created": int(time.time()), "data": data}
        self._note("events", key, {**DEFAULTS["events"], **made, **fields})

    def take(self, name: str, key: str, event: str | None = None) -> None:
        """Take an object away."""
        if event:
            self.tell(event, self.objects[name].get(key) or {"id": key, "object": KINDS[name]})
        self._note(name, key, None)

    def clear(self) -> None:
        """Forget everything, the localstripe behind included."""
        self.objects = {name: {} for name in KINDS}
        self.gone = {}
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
            found = self._get(parts[1], parts[2])
            if found is None and self.gone.get(parts[2]) == "customer":
                return Reply(200, {"id": parts[2], "object": "customer", "deleted": True})
            return _error(404, f"No such object: {parts[2]}", "id") if found is None else Reply(200, found)
        if parts[1:2] == ["customers"] and parts[3:] == ["payment_methods"]:
            return list_reply(self._methods(parts[2]), call.params, call.path)
        if parts[1:2] == ["invoices"] and parts[3:] == ["lines"]:
            lines = (self._get("invoices", parts[2]) or {}).get("lines") or {}
            return list_reply(lines.get("data") or [], call.params, call.path)
        return _error(404, f"Unrecognized request URL (GET: {call.path})")

    def _set(self, call: Call, parts: list[str]) -> Reply:
        """Do what the fake itself is told."""
        event = call.params.get("event")
        if call.method == "DELETE" and not parts:
            self.clear()
        elif call.method == "DELETE":
            self.take(parts[0], parts[1], event)
        else:
            return Reply(200, self.put(parts[0], parts[1], json.loads(call.body), event))
        return Reply(200, {"deleted": True})

    def _write(self, call: Call) -> Reply:
        """Hand a write on to localstripe, and make events of what it did."""
        status, body = self._behind.ask(call.method, call.path, call.body, call.headers.get("Content-Type"))
        parts = call.path.strip("/").split("/")
        if call.method == "DELETE" and status == 200:
            self.take(parts[1], parts[2], f"{KINDS[parts[1]]}.deleted")
        else:
            for kind, name, key in events_of(parts, body):
                subject = self._get(name, key)
                if subject:
                    self.tell(kind, subject)
        return Reply(status, body)

    def _all(self, name: str, params: Params) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for each in self._behind.listed(name):
            found[each["id"]] = {**each, **self.objects[name].get(each["id"], {})}
        found |= {key: each for key, each in self.objects[name].items() if key not in found and "object" in each}
        kept = [each for key, each in found.items() if key not in self.gone]
        for field in ("customer", "charge", "payment_intent", "type"):
            kept = [each for each in kept if field not in params or each.get(field) == params[field]]
        if "payout" in params:
            kept = [each for each in kept if each.get("_payout") == params["payout"]]
        return [self._complete(name, each) for each in kept]

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
        found = self._behind.get(name, key)
        return self._complete(name, {**found, **(held or {})}) if found else None

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


def list_reply(found: list[dict[str, Any]], params: Params, path: str) -> Reply:
    """Return a page of a list, as Stripe gives it: newest first, filtered by ``created``."""
    tests: dict[str, Callable[[int, int], bool]] = {
        "gte": lambda a, b: a >= b, "gt": lambda a, b: a > b, "lte": lambda a, b: a <= b, "lt": lambda a, b: a < b,
    }  # fmt: skip
    for name, test in tests.items():
        if limit := params.get(f"created[{name}]"):
            found = [each for each in found if test(each["created"], int(limit))]
    found = sorted(found, key=lambda each: (each.get("created", 0), each["id"]), reverse=True)
    after, size = params.get("starting_after"), int(params.get("limit", 10))
    begin = 0
    if after is not None:
        ids = [each["id"] for each in found]
        if after not in ids:
            return _error(400, f"No such object: {after}", "starting_after")
        begin = ids.index(after) + 1
    page = found[begin : begin + size]
    return Reply(200, {"object": "list", "data": page, "has_more": begin + size < len(found), "url": path})


def _error(status: int, message: str, param: str | None = None) -> Reply:
    return Reply(status, {"error": {"type": "invalid_request_error", "message": message, "param": param}})


def query(text: str) -> dict[str, str]:
    """Return the parameters of a query."""
    return dict(parse_qsl(text))
