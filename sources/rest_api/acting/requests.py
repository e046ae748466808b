"""Declared requests of an action with their templates filled in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from leat.sources.actions import Change, Refused
from leat.sources.batch import to_json
from leat.sources.http.address import below
from leat.sources.http.client import Answer, Client
from leat.sources.http.request import HttpRequest
from leat.sources.json_path import parse_path, value_at
from leat.sources.rest_api.declaration.action import Reading, Request
from leat.sources.rest_api.pages.requests import NoSegment, path_of, text_of
from leat.sources.templates import TemplateProblem, Values, fill

NOTHING: Any = object()
"""What is at a path where nothing is."""
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Context:
    """What the templates of an action may use.

    Attributes:
        action_id: the id of the action.
        values: the parameters that were given or have a default, as JSON values.
        optional: names of the parameters that need not be given.
        before: the record that was read when it was planned; None where nothing is read.
        result: what is named of the response; None before there is one.
    """

    action_id: str
    values: Mapping[str, Any]
    optional: Collection[str] = ()
    before: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = field(default=None)

    def fill(self, value: Any) -> Any:
        """Return a value of YAML with its templates filled in.

        Raises:
            Refused: one needs a value that isn't there.
        """
        named: dict[str, Any] = {**self.values, "action": Values({"id": self.action_id})}
        named |= {} if self.before is None else {"before": Values(self.before)}
        named |= {} if self.result is None else {"result": Values(self.result)}
        try:
            return fill(value, named, self.optional)
        except TemplateProblem as problem:
            msg = f"a template has no value: {problem}"
            raise Refused(msg) from None

    def path(self, declared: str) -> str:
        """Return a declared path with the values of its placeholders.

        Raises:
            Refused: a value is missing, or would lead to another path.
        """
        filled = {**self.values, "action_id": self.action_id, **(self.result or {})}
        try:
            return path_of(declared, filled)
        except KeyError as error:
            msg = f"{{{error.args[0]}}} in the path {declared} has no value"
            raise Refused(msg) from None
        except NoSegment as error:
            raise Refused(str(error)) from None

    def ask(self, reading: Reading) -> HttpRequest:
        """Return a request that changes nothing; a status 404 or 410 is an answer.

        Raises:
            Refused: a value is missing.
        """
        return HttpRequest(
            self.path(reading.path),
            reading.method,
            params=_texts(self.fill(reading.params)),
            headers={name: text_of(value) for name, value in self.fill(reading.headers).items()},
            json=self.fill(reading.body) if reading.method == "POST" else None,
            accept=frozenset({404, 410}),
            template=f"/{reading.path.lstrip('/')}",
            repeatable=True,
            exact=True,
        )

    def payload(self, request: Request) -> dict[str, Any]:
        """Return all that the request of an action sends, but for the credentials, as JSON.

        Raises:
            Refused: a value is missing.
        """
        return {
            "method": request.method,
            "path": self.path(request.path),
            "template": f"/{request.path.lstrip('/')}",
            "params": _texts(self.fill(request.params)),
            "headers": {name: text_of(value) for name, value in self.fill(request.headers).items()},
            "body": self.fill(request.body),
            "encoding": request.encoding,
        }


def ask_of(payload: Mapping[str, Any]) -> HttpRequest:
    """Return the request that was planned. It is never sent again by itself, nor to where a redirect leads."""
    body, headers = payload["body"], dict(payload["headers"])
    written = None
    if body is not None:
        is_form = payload["encoding"] == "form"
        written = urlencode(_texts(body), doseq=True) if is_form else to_json(body)
        headers = {"Content-Type": _FORM if is_form else "application/json", **headers}
    return HttpRequest(
        payload["path"],
        payload["method"],
        params=payload["params"],
        headers=headers,
        body=None if written is None else written.encode(),
        accept=frozenset({301, 302, 303, 307, 308}),
        template=payload["template"],
        repeatable=False,
        exact=True,
    )


def request_shown(client: Client, payload: Mapping[str, Any], precondition: Mapping[str, Any]) -> list[Change]:
    """Return a planned request as people see it, without credentials."""
    import requests

    url = requests.Request("GET", below(client.url, payload["path"]), params=payload["params"]).prepare().url
    headers = {**payload["headers"], **({"If-Match": precondition["etag"]} if "etag" in precondition else {})}
    shown = [Change("request", None, f"{payload['method']} {url}")]
    shown += [Change(f"header {name}", None, value) for name, value in headers.items()]
    return [*shown, *([Change("body", None, payload["body"])] if payload["body"] is not None else [])]


def _texts(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as a query has them."""
    return {name: text_of(value) if isinstance(value, bool) else value for name, value in params.items()}


def record_of(client: Client, answer: Answer, path: str | None) -> Any:
    """Return the record in an answer; :data:`NOTHING` where there is none.

    Raises:
        UnexpectedShape: it isn't JSON.
    """
    if not answer.body.strip():
        return NOTHING
    return value_at(client.json(answer), () if path is None else parse_path(path), NOTHING)


def differences(record: Any, expected: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return each field that isn't as expected: its path, its value, None if there is none, and the expected one."""
    pairs = [(name, value_at(record, parse_path(name)), wanted) for name, wanted in expected.items()]
    return [each for each in pairs if not _is_same(*each[1:])]


def _is_same(value: Any, wanted: Any) -> bool:
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)  # in Python, 1 == True
