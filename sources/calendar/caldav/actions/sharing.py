"""Shares a calendar with a person, and ends it: by Radicale's sharing API (github.com/Kozea/Radicale/wiki/Sharing).

A share has two sides. The owner's account, which acts here, makes it and offers it; the recipient has to enable it and
to show it with their own account. Servers without this API are refused when an action is planned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from leat.sources.actions import Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.calendar.caldav.discovery import Calendar
from leat.sources.calendar.parameters import Share, Unshare
from leat.sources.errors import UnexpectedShape
from leat.sources.http.request import HttpRequest

_API = "/.sharing/v1"
_PERMISSIONS = {"read": "r", "write": "rw"}
_CONFLICT = 409


def plan_share(account: Account, _action: str, wanted: Share) -> Plan:
    """Plan to share a calendar.

    Raises:
        Refused: it is shared with this person already, or the server has no sharing.
    """
    calendar = account.calendar(wanted.calendar, to_write=False)
    there = _share_of(account, calendar.path, wanted.user)
    if wanted.user == account.username:
        msg = "user: a calendar can't be shared with the account that owns it"
        raise Refused(msg)
    if there is not None:
        same = _access(there) == wanted.access
        more = "" if same else ", with another access: unshare it first"
        msg = f"calendar {calendar.path} is already shared with {wanted.user}{more}"
        raise Refused(msg)
    seen = f"/{wanted.user}/{unquote(calendar.path).rstrip('/').rpartition('/')[2]}/"
    body = {
        "PathMapped": unquote(calendar.path),
        "PathOrToken": seen,
        "User": wanted.user,
        "Permissions": _PERMISSIONS[wanted.access],
        "Enabled": True,
        "Hidden": False,
    }
    warnings = [f"{wanted.user} has to accept it before they see it"]
    if wanted.access == "write":
        warnings.append(f"{wanted.user} may change and delete every event in it")
    return _plan(f"share calendar {_name(calendar)} with {wanted.user} to {wanted.access}", calendar, wanted, body,
                 (Change("access", None, wanted.access),), warnings)  # fmt: skip


def plan_unshare(account: Account, _action: str, wanted: Unshare) -> Plan:
    """Plan to end a share.

    Raises:
        Refused: there is none, or the server has no sharing.
    """
    calendar = account.calendar(wanted.calendar, to_write=False)
    there = _share_of(account, calendar.path, wanted.user)
    if there is None:
        msg = f"calendar {calendar.path} is already not shared with {wanted.user}"
        raise Refused(msg)
    body = {"PathOrToken": there["PathOrToken"]}
    access = _access(there)
    return _plan(f"stop sharing calendar {_name(calendar)} with {wanted.user}", calendar, wanted, body,
                 (Change("access", access, None),), [])  # fmt: skip


def _plan(
    title: str,
    calendar: Calendar,
    wanted: Unshare,
    body: Mapping[str, Any],
    changes: tuple[Change, ...],
    warnings: list[str],
) -> Plan:
    return Plan(
        title=title,
        target=f"{calendar.path}shares/{wanted.user}",
        changes=changes,
        payload={"calendar": calendar.path, "user": wanted.user, "body": dict(body)},
        precondition={"access": changes[0].before},
        people=(wanted.user,),
        warnings=tuple(warnings),
    )


def _name(calendar: Calendar) -> str:
    return str(calendar.row["name"] or calendar.path)


def _access(share: Mapping[str, Any]) -> str:
    return "write" if "w" in str(share.get("Permissions") or "") else "read"


def _share_of(account: Account, path: str, user: str) -> dict[str, Any] | None:
    """Return how a calendar is shared with a person; None when it isn't.

    Raises:
        Refused: the server has no sharing.
    """
    ask = HttpRequest(f"{_API}/map/list", "POST", json={"PathMapped": unquote(path)}, accept=frozenset({404, 405}))
    answer = account.client.send(ask)
    if answer.status in (404, 405):
        msg = "the server has no API to share calendars that leat can use: share it in the server's own pages"
        raise Refused(msg)
    try:
        listed = list(json.loads(answer.body).get("Content") or [])
        return next((each for each in listed if (each["PathMapped"], each["User"]) == (unquote(path), user)), None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        got = "an answer that isn't the list of shares that Radicale documents"
        raise UnexpectedShape(account.client.integration, answer.asked, got, "update Radicale or leat") from None


def send_share(account: Account, order: Order) -> Receipt:
    """Share the calendar.

    Raises:
        Outdated: it is shared already, or the person has a calendar under the same name.
        IntegrationError: it failed.
    """
    body = order.plan.payload["body"]
    ask = HttpRequest(f"{_API}/map/create", "POST", json=body, accept=frozenset({404, _CONFLICT}), repeatable=False)
    answer = account.client.send(ask)
    if answer.status == 404:
        account.outdated(answer.asked, "the calendar isn't there any more")
    if answer.status == _CONFLICT:
        account.outdated(answer.asked, f"HTTP 409: it is shared already, or {body['PathOrToken']} is a calendar")
    return _shared(order)


def _shared(order: Order) -> Receipt:
    payload = order.plan.payload
    return Receipt({"calendar": payload["calendar"], "path": quote(payload["body"]["PathOrToken"])})


def send_unshare(account: Account, order: Order) -> Receipt:
    """End the share, if it is as it was.

    Raises:
        Outdated: it isn't.
        IntegrationError: it failed.
    """
    payload = order.plan.payload
    there = _share_of(account, payload["calendar"], payload["user"])
    if there is not None and _access(there) != order.plan.precondition["access"]:
        account.outdated(f"unsharing {payload['calendar']}", "its access has been changed meanwhile")
    ask = HttpRequest(f"{_API}/map/delete", "POST", json=payload["body"], accept=frozenset({404}), repeatable=False)
    account.client.send(ask)
    return Receipt({"calendar": payload["calendar"]})


def _planned(order: Order) -> str | None:
    access: str | None = order.plan.changes[0].after
    return access


def _now(account: Account, order: Order) -> str | None:
    there = _share_of(account, order.plan.payload["calendar"], order.plan.payload["user"])
    return None if there is None else _access(there)


def probe(account: Account, order: Order) -> Receipt | None:
    """Return whether the calendar is shared as planned, or isn't any more."""
    planned = _planned(order)
    if _now(account, order) != planned:
        return None
    return Receipt({"calendar": order.plan.payload["calendar"]}) if planned is None else _shared(order)


def confirm(account: Account, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    """Compare how the calendar is shared with the plan."""
    planned, now = _planned(order), _now(account, order)
    return () if planned == now else (Change("access", planned, now),)


def undo_share(_account: Account, order: Order, _receipt: Receipt) -> Undo:
    """Return what ends the share."""
    return Undo("unshare", {name: order.plan.payload[name] for name in ("calendar", "user")})


def undo_unshare(_account: Account, order: Order, _receipt: Receipt) -> Undo:
    """Return what shares the calendar again."""
    named = {name: order.plan.payload[name] for name in ("calendar", "user")}
    return Undo("share", {**named, "access": order.plan.precondition["access"]})
