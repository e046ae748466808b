"""Requests and answers of the fake of Stripe: lists with their pages, errors, refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from leat.demo.stripe.rules import Refusal

Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer.

    Attributes:
        status: its status.
        body: its JSON, or bytes.
        executed: whether it is that of an operation which was executed, and not of a request that was turned away.
        headers: more of its headers.
    """

    status: int
    body: Any
    executed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request."""

    method: str
    path: str
    params: Params
    body: bytes
    headers: Mapping[str, str]


def list_reply(objects: list[dict[str, Any]], params: Params, path: str) -> Reply:
    """Return a page of a list, as Stripe gives it: newest first, filtered by ``created``."""
    tests: dict[str, Callable[[int, int], bool]] = {
        "gte": lambda a, b: a >= b, "gt": lambda a, b: a > b, "lte": lambda a, b: a <= b, "lt": lambda a, b: a < b,
    }  # fmt: skip
    for name, test in tests.items():
        if limit := params.get(f"created[{name}]"):
            objects = [each for each in objects if test(each["created"], int(limit))]
    objects = sorted(objects, key=lambda each: (each.get("created", 0), each["id"]), reverse=True)
    after, size = params.get("starting_after"), int(params.get("limit", 10))
    begin = 0
    if after is not None:
        ids = [each["id"] for each in objects]
        if after not in ids:
            return error_reply(400, f"No such object: {after}", "starting_after")
        begin = ids.index(after) + 1
    page = objects[begin : begin + size]
    return Reply(200, {"object": "list", "data": page, "has_more": begin + size < len(objects), "url": path})


def error_reply(
    status: int, message: str, param: str | None = None, *, kind: str = "invalid_request_error", code: str | None = None
) -> Reply:
    """Return an error, as Stripe gives it."""
    return Reply(status, {"error": {"type": kind, "code": code, "message": message, "param": param}})


def refused_reply(refusal: Refusal) -> Reply:
    """Return the answer to what Stripe refuses."""
    reply = error_reply(refusal.status, refusal.message, refusal.param, code=refusal.code)
    return replace(reply, executed=refusal.executed)


def query(text: str) -> dict[str, str]:
    """Return the parameters of a query."""
    return dict(parse_qsl(text))
