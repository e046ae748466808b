"""Tryton's REST API: searches that are read to their end, counts, calls.

Source: ``trytond/protocols/rest.py`` of Tryton 8.2 and docs.tryton.org, "User applications". A domain (a filter) and an
order travel as URL-safe Base64 of JSON; so does the context. Without ``active_test: false`` in the context archived
records are hidden.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from leat.sources.errors import Forbidden, UnexpectedShape
from leat.sources.http.client import Client, HttpRequest

Record = dict[str, Any]
Domain = Sequence[Any]
PAGE = 1000
"""Records of a page of a listing; a server may give fewer."""
_IDS = 100
"""Records that are read at once by their ids: a domain has to fit into a URL."""


@dataclass(frozen=True, slots=True)
class Tryton:
    """A database of a Tryton server.

    Attributes:
        client: the connection; its address ends with the name of the database.
        context: Tryton's context of every request.
        models: names of the models that it has; which, depends on the modules that are installed.
        ended: why the last listing of a model was complete.
    """

    client: Client
    context: Mapping[str, Any]
    models: frozenset[str] = frozenset()
    ended: dict[str, str] = field(default_factory=dict)

    def without(self, model: str) -> Tryton:
        """Return the same database without a model."""
        return replace(self, models=self.models - {model})

    def has(self, model: str) -> bool:
        """Return whether the module of a model is installed."""
        return model in self.models

    def listing(self, model: str, fields: Sequence[str], domain: Domain = ()) -> Iterator[Record]:
        """Yield all records of a model, by id, until the server says that there are no more than it gave.

        A page that is shorter than asked for doesn't end it. Every page asks for the ids above the last one, so that
        nothing is skipped or read twice when records are made or deleted meanwhile.

        Raises:
            IntegrationError: it can't be read to its end.
        """
        last, more, count = 0, True, 0
        while more:
            page, more = self._page(model, fields, [*domain, ["id", ">", last]])
            ids = [record["id"] for record in page]
            if ids != sorted(set(ids)) or (ids and ids[0] <= last):
                raise UnexpectedShape(
                    self.client.integration,
                    f"listing {model}",
                    f"ids {ids[0]} to {ids[-1]} after {last}: not what was asked for",
                    "look for a proxy between here and Tryton that drops the query or caches answers",
                )
            yield from page
            count += len(page)
            last = ids[-1] if ids else last
            self.ended[model] = f"no record above id {last}" if not page else f"total of {count} reached"

    def read(self, model: str, fields: Sequence[str], ids: Sequence[int]) -> Iterator[list[Record]]:
        """Yield the records with these ids, a page at a time; the ones that are gone are missing."""
        waiting = sorted(ids)
        while waiting:
            asked = waiting[:_IDS]
            page = self.page(model, fields, [["id", "in", asked]])
            got = {record["id"] for record in page}
            if page:
                yield page
            # a server that gives fewer than asked for is asked for the rest; one that gives none has none
            waiting = [number for number in asked if page and number not in got] + waiting[len(asked) :]

    def page(self, model: str, fields: Sequence[str], domain: Domain) -> list[Record]:
        """Return the first records that a domain matches, by id, at most :data:`PAGE`."""
        return self._page(model, fields, domain)[0]

    def _page(self, model: str, fields: Sequence[str], domain: Domain) -> tuple[list[Record], bool]:
        """Return the first records that a domain matches, and whether there may be more."""
        params = [("f", name) for name in fields]
        params += [("d", _encoded(list(domain))), ("o", _encoded([["id", "ASC"]]))]
        headers = {"Range": f"records=0-{PAGE}", **self.headers()}
        answer = self.client.get(f"rest/model/{model}", params, headers=headers)
        page = self.client.json(answer)
        if not isinstance(page, list) or not all(isinstance(r, dict) and isinstance(r.get("id"), int) for r in page):
            raise self._shape(answer.asked, "an answer that is no list of records")
        missing = {name.partition(".")[0] for name in fields} - page[0].keys() if page else ()
        if missing:
            raise Forbidden(
                self.client.integration,
                answer.asked,
                f"no {', '.join(sorted(missing))}",
                f"give the key's user read access to these fields of {model}",
            )
        total = _total(answer.headers.get("Content-Range", ""))
        if total and not page:
            raise self._shape(answer.asked, f"no records of {total} that are there by Content-Range")
        return page, bool(page) and total != len(page)

    def holds(self, model: str, number: int) -> bool:
        """Return whether a model has exactly so many records, one at least.

        The last one is requested by its position. Tryton's answer has the total; 416 says that there are fewer.
        ``search_count`` would not do: models without views, such as the link of invoices and payments, don't have it.
        """
        headers = {"Range": f"records={number - 1}-{number}", **self.headers()}
        params = [("f", "id"), ("d", _encoded([])), ("o", _encoded([["id", "ASC"]]))]
        answer = self.client.get(f"rest/model/{model}", params, headers=headers, accept=frozenset({416}))
        return answer.status != 416 and answer.headers.get("Content-Range", "").endswith(f"/{number}")

    def call(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """Call a method of a model that only reads."""
        ask = HttpRequest(f"rest/model/{action}", "POST", json=dict(arguments), headers=self.headers())
        return self.client.json(self.client.send(ask))

    def at_times(self, model: str, fields: Sequence[str], moments: Sequence[tuple[int, Any]]) -> Iterator[Record]:
        """Yield records as they were; ``moments`` are pairs of an id and a time in Tryton's own form."""
        template = f"rest/model/{model}/{{id}}"
        params = [("f", name) for name in fields]
        asks = (
            HttpRequest(f"rest/model/{model}/{number}", params=params, headers=self.headers({"_datetime": at}),
                template=template, accept=frozenset({404}))
            for number, at in moments
        )  # fmt: skip
        for answer in self.client.each(asks):
            record = self.client.json(answer) if answer.status == 200 else {}
            if not isinstance(record, dict):
                raise self._shape(answer.asked, "no record")
            yield record

    def headers(self, more: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Return the headers of a request: the context, and what this one adds to it."""
        return {"X-Tryton-Context": _encoded({**self.context, **(more or {})})}

    def _shape(self, asked: str, got: str) -> UnexpectedShape:
        return UnexpectedShape(self.client.integration, asked, got, self.client.advice.shape)


def _total(written: str) -> int | None:
    """Return the total that a Content-Range such as ``records 0-12/12`` gives; None when it gives none."""
    total = written.rpartition("/")[2].strip()
    return int(total) if total.isascii() and total.isdigit() else None


def _encoded(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode()
