"""One page of a list: an answer that was parsed and understood, before anything is decided by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from leat.sources.errors import Rejected, UnexpectedShape
from leat.sources.http.client import Client
from leat.sources.http.request import Answer, HttpRequest
from leat.sources.json_path import value_at
from leat.sources.rest_api.answers.as_json import as_json
from leat.sources.rest_api.answers.envelope import NoRecords, open_envelope
from leat.sources.rest_api.answers.marks import failure_of
from leat.sources.rest_api.declaration.endpoint import Endpoint

_NO_CONTENT = 204
_RECORDS = (
    "write as records the field of the answer that has the list; where there is one object and no list, declare "
    "single: true, or keyed_by, if its values are the records"
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        rest: the answer without its list.
        records: the list as bytes of a JSON array.
        items: its records, each as the server wrote it, as views.
        digest: identifies its records.
        ask: what was asked.
        asked: the same in words.
        url: where the answer came from.
        headers: of the answer.
        status: of the answer.
    """

    rest: Any
    records: bytes
    items: list[msgspec.Raw] = field(repr=False)
    ask: HttpRequest
    asked: str
    url: str
    headers: Mapping[str, str]
    status: int = 200
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.records).digest())

    @property
    def is_empty(self) -> bool:
        """Whether it has no records."""
        return not self.items

    @property
    def count(self) -> int:
        """How many records it has."""
        return len(self.items)

    def last(self, path: tuple[Any, ...]) -> Any:
        """Return a value of the last record; None when there is none."""
        try:
            return value_at(json.loads(bytes(self.items[-1])), path)
        except (ValueError, RecursionError, IndexError):
            return None


def page_of(client: Client, endpoint: Endpoint, ask: HttpRequest, answer: Answer) -> Page:
    """Return an answer as a page.

    Raises:
        UnexpectedShape: it isn't JSON, or has no list where one is declared.
        Rejected: it says that it is no answer but an error.
    """
    if answer.status == _NO_CONTENT:
        return Page(None, b"[]", [], ask, answer.asked, answer.url, answer.headers, answer.status)
    try:
        cut = open_envelope(as_json(endpoint.format, answer.body, answer.headers.get("Content-Type", "")), endpoint)
    except NoRecords as error:
        raise UnexpectedShape(client.integration, answer.asked, str(error), _RECORDS) from None
    except (ValueError, RecursionError):
        raise client.not_json(answer, endpoint.format.kind.upper()) from None
    failed = failure_of(cut.rest, endpoint)
    if failed:
        got = f"HTTP {answer.status}, and {failed}"
        advice = "look at what the API says; if it is no error, name the field in paging.ignore"
        raise Rejected(client.integration, answer.asked, got, advice)
    return Page(cut.rest, cut.records, cut.items, ask, answer.asked, answer.url, answer.headers, answer.status)
