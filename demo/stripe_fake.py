"""A FAKE of the parts of Stripe's API that localstripe lacks; a small program of ours, not Stripe's.

It stands before a localstripe, hands on what that can do, and adds, in the shapes of Stripe's own OpenAPI document
(github.com/stripe/openapi): disputes, prices, payouts with their bookings, fees, events of every change, ``created``
filters, newest first, a key that is checked. Without a localstripe behind it, it serves only what was put into it.

What localstripe can't be told (that a charge is of last month, that a booking had a fee) is laid over its objects by
``PUT /_fake/<list>/<id>``, with the fields as JSON; on the lists that it lacks this makes whole objects. Fields that
begin with an underscore aren't served: ``_payout`` of a booking is the payout that it went into. ``?event=<type>``
makes an event of it; ``DELETE`` takes an object away.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl

from demo.stripe_shapes import DEFAULTS, KINDS, complete, events_of

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
        self._behind = behind
        self._file = folder / "stripe_fake.json" if folder else None
        self._lock = threading.RLock()
        self.objects: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in KINDS}
        self.gone: dict[str, str] = {}
        if self._file and self._file.exists():
            self.objects, self.gone = json.loads(self._file.read_text(encoding="utf-8"))

    def answer(self, call: Call) -> Reply:
        """Return the answer to a request."""
        if call.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "Invalid API Key provided")
        with self._lock:
            reply = self.before(call)
            if reply is None:
                reply = self._route(call)
            if call.method != "GET":
                self._keep()
            return reply

    def put(self, name: str, key: str, fields: Mapping[str, Any], event: str | None = None) -> dict[str, Any]:
        """Lay fields over an object, or make one; returns what was put."""
        fresh = {**DEFAULTS.get(name, {}), "id": key, "object": KINDS[name], "created": int(time.time())}
        held = self.objects[name].setdefault(key, {} if self._upstream(name, key) else fresh)
        held.update(fields)
        self.gone.pop(key, None)
        if event:
            self.tell(event, self._get(name, key) or held)
        return held

    def tell(self, kind: str, subject: Mapping[str, Any], **fields: Any) -> None:
        """Make an event of an object."""
        events = self.objects["events"]
        key = f"evt_fake{len(events):08d}"
        data = {"object": {name: value for name, value in subject.items() if name != "lines"}}
        events[key] = {
            **DEFAULTS["events"], "id": key, "object": "event", "type": kind, "created": int(time.time()), "data": data,
        } | fields  # fmt: skip

    def take(self, name: str, key: str, event: str | None = None) -> None:
        """Take an object away."""
        self.gone[key] = KINDS[name]
        if event:
            self.tell(event, self.objects[name].get(key) or {"id": key, "object": KINDS[name]})
        self.objects[name].pop(key, None)

    def _route(self, call: Call) -> Reply:
        parts = call.path.strip("/").split("/")
        if parts[0] == "_fake":
            if call.method == "DELETE":
                self.take(parts[1], parts[2], call.params.get("event"))
                return Reply(200, {"id": parts[2], "deleted": True})
            return Reply(200, self.put(parts[1], parts[2], json.loads(call.body), call.params.get("event")))
        if call.method != "GET":
            return self._write(call)
        if len(parts) == 2 and parts[1] in KINDS:
            return list_reply(self._all(parts[1], call.params), call.params)
        if len(parts) == 3 and parts[1] in KINDS:
            found = self._get(parts[1], parts[2])
            if found is None and self.gone.get(parts[2]) == "customer":
                return Reply(200, {"id": parts[2], "object": "customer", "deleted": True})
            return _error(404, f"No such object: {parts[2]}", "id") if found is None else Reply(200, found)
        if parts[1] == "customers" and parts[3:] == ["payment_methods"]:
            return list_reply(self._methods(parts[2]), call.params)
        if parts[1] == "invoices" and parts[3:] == ["lines"]:
            lines = (self._get("invoices", parts[2]) or {}).get("lines") or {}
            return list_reply(lines.get("data") or [], call.params)
        return _error(404, f"Unrecognized request URL (GET: {call.path})")

    def _write(self, call: Call) -> Reply:
        """Hand a write on to localstripe, and make events of what it did."""
        status, body = self._ask(call.method, call.path, call.body, call.headers.get("Content-Type"))
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
        for each in self._listed(name):
            found[each["id"]] = {**each, **self.objects[name].get(each["id"], {})}
        found |= {key: each for key, each in self.objects[name].items() if key not in found and "object" in each}
        kept = [each for key, each in found.items() if key not in self.gone]
        for field in ("customer", "charge", "payment_intent", "type"):
            kept = [each for each in kept if field not in params or each.get(field) == params[field]]
        if "payout" in params:
            kept = [each for each in kept if each.get("_payout") == params["payout"]]
        return [self._complete(name, each) for each in kept]

    def _listed(self, name: str) -> list[dict[str, Any]]:
        path = {"prices": "/v1/plans", "subscriptions": "/v1/subscriptions?status=all"}.get(name, f"/v1/{name}")
        if self._behind is None or name in ("events", "disputes", "payouts", "payment_methods"):
            return []
        status, body = self._ask("GET", path + ("&" if "?" in path else "?") + "limit=1000000")
        return list(body["data"]) if status == 200 else []

    def _methods(self, customer: str) -> list[dict[str, Any]]:
        own = [each for each in self.objects["payment_methods"].values() if "object" in each]
        _, body = self._ask("GET", f"/v1/payment_methods?type=card&limit=1000&customer={customer}")
        laid = [{**each, **self.objects["payment_methods"].get(each["id"], {})} for each in body.get("data", ())]
        return [each for each in (*own, *laid) if each.get("customer") == customer]

    def _get(self, name: str, key: str) -> dict[str, Any] | None:
        if key in self.gone:
            return None
        held = self.objects[name].get(key)
        if held is not None and "object" in held:
            return self._complete(name, held)
        found = self._upstream(name, key)
        return self._complete(name, {**found, **(held or {})}) if found else None

    def _upstream(self, name: str, key: str) -> dict[str, Any] | None:
        if self._behind is None or name in ("events", "disputes", "payouts"):
            return None
        status, body = self._ask("GET", f"/v1/{'plans' if name == 'prices' else name}/{key}")
        return body if status == 200 else None

    def _complete(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        return complete(name, {field: value for field, value in given.items() if field[0] != "_"}, self._upstream)

    def _ask(self, method: str, path: str, body: bytes = b"", kind: str | None = None) -> tuple[int, Any]:
        if self._behind is None:
            return 404, {}
        headers = {"Authorization": "Bearer sk_test_behind", **({"Content-Type": kind} if kind else {})}
        request = urllib.request.Request(self._behind + path, body or None, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - a server of the demo on loopback
                return reply.status, json.load(reply)
        except HTTPError as error:
            with error:
                text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else {"error": {"message": text.decode()}}

    def _keep(self) -> None:
        if self._file:
            new = self._file.with_suffix(".new")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump([self.objects, self.gone], file)
            new.replace(self._file)


def list_reply(found: list[dict[str, Any]], params: Params) -> Reply:
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
    return Reply(200, {"object": "list", "data": page, "has_more": begin + size < len(found), "url": "/v1"})


def _error(status: int, message: str, param: str | None = None) -> Reply:
    return Reply(status, {"error": {"type": "invalid_request_error", "message": message, "param": param}})


def query(text: str) -> dict[str, str]:
    """Return the parameters of a query."""
    return dict(parse_qsl(text))
