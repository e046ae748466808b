"""The database that is acted on: reads records, makes and changes them, presses buttons; each by one request."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from leat.sources.actions import Change, Refused
from leat.sources.crm_accounting.tryton.api import Domain, Record, Tryton
from leat.sources.crm_accounting.tryton.driver import ADVICE, Connection, open_tryton
from leat.sources.driver import Sync
from leat.sources.errors import NotFound, Outdated
from leat.sources.http.client import Answer, Client, HttpRequest, Limits
from leat.sources.money import exponent

_WITHIN = 12.0
"""Seconds that one request may take; a step makes five at most."""
_QUOTED = re.compile(r'(\w*) "[^"]*"')
_NAMED = frozenset({"field", "call"})
"""Words before a name that is one of Tryton's own."""
REFUSED = 400
"""Status with which Tryton says no: a state, a constraint or a missing value."""


def reason_of(body: bytes) -> str:
    """Return why Tryton refused something, without the names of records, which may be those of people."""
    try:
        message = json.loads(body)["message"]
    except (ValueError, LookupError, TypeError):
        return ""
    if not isinstance(message, str):
        return ""
    shown = _QUOTED.sub(lambda name: name[0] if name[1] in _NAMED else f"{name[1]} …", message)
    return f" {shown[:200]}"


_ADVICE = replace(
    ADVICE,
    forbidden="give the user of connection.action_key the right to change this",
    rejected="make it possible in Tryton, and plan it again",
    detail=reason_of,
)


@dataclass(frozen=True, slots=True)
class Database:
    """A database of Tryton.

    Attributes:
        tryton: reads it.
        company: id of the company that is acted for.
        project: the project folder.
    """

    tryton: Tryton
    company: int
    project: Path

    @property
    def client(self) -> Client:
        """The connection."""
        return self.tryton.client

    def find(self, model: str, fields: Sequence[str], domain: Domain) -> list[Record]:
        """Return records, the first ones by id."""
        return self.tryton.page(model, fields, domain)

    def get(self, model: str, number: int, fields: Sequence[str], what: str) -> Record:
        """Return a record.

        Raises:
            Refused: there is none.
        """
        records = self.find(model, fields, [["id", "=", number]])
        if not records:
            msg = f"there is no {what} {number}"
            raise Refused(msg)
        return records[0]

    def make(self, model: str, values: Mapping[str, Any]) -> int:
        """Make a record and return its id."""
        answer = self.client.json(self._send(f"rest/model/{model}", "POST", values))
        return int(answer["id"])

    def change(self, model: str, number: int, values: Mapping[str, Any]) -> None:
        """Change fields of a record."""
        self._send(f"rest/model/{model}/{number}", "PUT", values, f"rest/model/{model}/{{id}}")

    def delete(self, model: str, number: int) -> None:
        """Delete a record."""
        self._send(f"rest/model/{model}/{number}", "DELETE", None, f"rest/model/{model}/{{id}}")

    def press(self, model: str, number: int, button: str) -> None:
        """Press a button of a record."""
        self._send(f"rest/model/{model}/{number}/{button}", "POST", {}, f"rest/model/{model}/{{id}}/{button}")

    def report(self, name: str, number: int) -> Answer:
        """Return a report on a record, as Tryton prints it."""
        return self._send(f"rest/report/{name}/{number}", "GET", None, f"rest/report/{name}/{{id}}")

    def _send(self, path: str, method: str, body: Any, template: str | None = None) -> Answer:
        headers = self.tryton.headers()
        ask = HttpRequest(path, method, json=body, headers=headers, template=template, repeatable=False)
        return self.client.send(ask)

    def outdated(self, what: str, got: str) -> NoReturn:
        """Raise that something isn't any more what was planned on."""
        raise Outdated(self.client.integration, what, got, "plan it again")

    def must_be(self, model: str, number: int, before: Mapping[str, Any], what: str) -> None:
        """Make sure that a record is as it was when an action was planned.

        Raises:
            Outdated: it isn't, or it is gone.
        """
        records = self.find(model, list(before), [["id", "=", number]])
        if not records:
            self.outdated(f"changing {what} {number}", "it is gone")
        changed = [name for name, value in before.items() if records[0].get(name) != value]
        if changed:
            self.outdated(f"changing {what} {number}", f"somebody changed it meanwhile ({', '.join(changed)})")

    def only(self, model: str, domain: Domain, name: str | None, parameter: str, what: str) -> Record:
        """Return the record that has a name, or the only one there is.

        Raises:
            Refused: there is none, or there are several.
        """
        fields = ("name", "code") if model == "account.account" else ("name",)
        named = [[fields[-1], "=", name]] if name is not None else []
        records = self.find(model, fields, [*domain, *named])
        if len(records) == 1:
            return records[0]
        if name is not None:
            msg = f"{parameter}: there is no {what} {name!r}" if not records else f"{parameter}: several have this name"
            raise Refused(msg)
        shown = ", ".join(str(each[fields[-1]]) for each in records[:10])
        msg = f"{parameter}: choose one of {shown}" if records else f"{parameter}: there is no {what} in Tryton"
        raise Refused(msg)


@contextlib.contextmanager
def connect(connection: Connection, sync: Sync) -> Iterator[Database]:
    """Open a database to act on it; the key is ``action_key``, or ``key`` where that isn't given.

    Raises:
        NotFound: the key's user has no company.
    """
    seconds = min(connection.timeout, _WITHIN)
    limits = Limits(timeout=seconds, total=seconds, attempts=1)
    with open_tryton(connection, sync, limits, connection.action_key or connection.key, _ADVICE) as client:
        tryton = Tryton(client, {"active_test": False})
        domain = [] if connection.company is None else [["id", "=", connection.company]]
        companies = tryton.page("company.company", ["id"], domain)
        if not companies:
            got, advice = "none that this key's user may see", "give the user a company in Tryton"
            raise NotFound(sync.integration, "looking for the company", got, advice)
        company = companies[0]["id"]
        yield Database(replace(tryton, context={**tryton.context, "company": company}), company, sync.project)


def differences(record: Mapping[str, Any], expected: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the fields of a record that aren't as expected."""
    return tuple(Change(name, value, record.get(name)) for name, value in expected.items() if record.get(name) != value)


def number(amount: Decimal) -> Record:
    """Return a decimal number as Tryton's JSON has it."""
    return {"__class__": "Decimal", "decimal": str(amount)}


def whole(amount: int, currency: str) -> Decimal:
    """Return an amount in minor units in whole ones, as Tryton writes it."""
    return Decimal(amount).scaleb(-exponent(currency))


def day(value: date) -> Record:
    """Return a date as Tryton's JSON has it."""
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
