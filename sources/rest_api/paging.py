"""The pages of a list, in order, whatever the style; where it can be, several are under way at a time.

A list that doesn't end is an error: a page that was there before, a cursor that was, ten empty pages in a row.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

from sources.errors import UnexpectedShape
from sources.rest_api.cleaning import cleaned
from sources.rest_api.declared import Endpoint
from sources.rest_api.envelope import NoRecords, parse_envelope, split_envelope, value_at
from sources.rest_api.paging_styles import CursorPages, LinkHeader, NextHeader, NextLink, Offset, Pages
from sources.rest_api.requests import with_params
from sources.web.ask import Answer, Ask
from sources.web.client import Client
from sources.web.headers import link_of
from sources.web.validators import NOT_MODIFIED

_EMPTY_PAGES = 10
_NOTHING = re.compile(rb"\[\s*\]")


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the rest of the answer, its records as bytes of a JSON array, and what it was an answer to."""

    rest: Any
    records: bytes
    ask: Ask
    asked: str
    url: str
    headers: Mapping[str, str]

    @property
    def is_empty(self) -> bool:
        """Whether it has no records."""
        return _NOTHING.fullmatch(self.records) is not None


def read_pages(client: Client, endpoint: Endpoint, ask: Ask) -> Iterator[Page]:
    """Yield the pages of a list; an answer of 304, that nothing has changed, ends it without any.

    Raises:
        IntegrationError: a page can't be read, or the list doesn't end.
    """
    if isinstance(endpoint.paging, Pages | Offset):
        pages = _numbered(client, endpoint, endpoint.paging, ask)
    else:
        pages = _followed(client, endpoint, ask)
    last, empty = b"", 0
    for page in pages:
        digest = hashlib.sha256(page.records).digest()
        empty = empty + 1 if page.is_empty else 0
        if digest == last and not page.is_empty:
            raise _endless(
                client, page, "gave the same page twice in a row", "check paging: does the API know its param?"
            )
        if empty >= _EMPTY_PAGES:
            raise _endless(client, page, f"gave {empty} empty pages in a row", "check paging")
        last = digest
        yield page


def _followed(client: Client, endpoint: Endpoint, ask: Ask) -> Iterator[Page]:
    """Yield pages each of which tells of the next."""
    seen: set[str] = set()
    following: Ask | None = ask
    while following is not None:
        answer = client.send(following)
        if answer.status == NOT_MODIFIED:
            return
        page = page_of(client, endpoint, following, answer)
        yield page
        following = _following(endpoint, ask, page)
        token = f"{following.path} {following.params} {following.json}" if following else ""
        if following and token in seen:
            raise _endless(client, page, "leads back to a page that was read before", "tell the vendor; it never ends")
        seen.add(token)


def _following(endpoint: Endpoint, ask: Ask, page: Page) -> Ask | None:
    """Return the request of the next page; None after the last."""
    paging, headers = endpoint.paging, page.headers
    if isinstance(paging, CursorPages):
        token = value_at(page.rest, tuple(paging.field.split(".")))
        ended = paging.more is not None and not value_at(page.rest, tuple(paging.more.split(".")))
        return None if token in (None, "", False) or ended else with_params(ask, {paging.param: token})
    if isinstance(paging, NextHeader):
        token = headers.get(paging.header, "").strip()
        return with_params(ask, {paging.param: token}) if token else None
    target: Any = None
    if isinstance(paging, NextLink):
        target = value_at(page.rest, tuple(paging.field.split(".")))
    elif isinstance(paging, LinkHeader):
        target = link_of(headers, "next")
    if not target:
        return None
    return replace(ask, path=urljoin(page.url, str(target)), params=())


def _numbered(client: Client, endpoint: Endpoint, paging: Pages | Offset, ask: Ask) -> Iterator[Page]:
    """Yield pages that are asked for by their numbers, several at a time, up to the first that is empty."""
    step = paging.size if isinstance(paging, Offset) else 1
    first = 0 if isinstance(paging, Offset) else paging.first
    size = {paging.size_param: paging.size} if paging.size_param else {}
    asks = (with_params(ask, {**size, paging.param: number}) for number in itertools.count(first, step))
    total_at = tuple(paging.total.split(".")) if paging.total else None
    asked = next(asks)
    page = page_of(client, endpoint, asked, client.send(asked))
    yield page
    total = None if total_at is None else value_at(page.rest, total_at)
    if page.is_empty:
        return
    if isinstance(total, int) and paging.size:
        asks = itertools.islice(asks, max(0, -(-total // paging.size) - 1))  # type: ignore[assignment]
    sent, kept = itertools.tee(asks)
    for asked, answer in zip(kept, client.each(sent), strict=False):
        page = page_of(client, endpoint, asked, answer)
        yield page
        if page.is_empty:
            return


def page_of(client: Client, endpoint: Endpoint, ask: Ask, answer: Answer) -> Page:
    """Return an answer as a page.

    Raises:
        UnexpectedShape: it isn't JSON, or has no list where one is declared.
    """
    path = tuple(endpoint.records.split(".")) if endpoint.records else ()
    split = split_envelope(answer.body, path)
    if split is None:
        return whole_page(client, endpoint, ask, answer)
    return Page(*split, ask, answer.asked, answer.url, answer.headers)


def whole_page(client: Client, endpoint: Endpoint, ask: Ask, answer: Answer) -> Page:
    """Return an answer as a page by parsing all of it: for lists that can't be cut out, or hold what is odd.

    Raises:
        UnexpectedShape: it isn't JSON, or has no list where one is declared.
    """
    path = tuple(endpoint.records.split(".")) if endpoint.records else ()
    try:
        rest, records = parse_envelope(answer.body, path)
        text = json.dumps(cleaned(records), ensure_ascii=False, separators=(",", ":"))
    except NoRecords as error:
        advice = "write as records the field of the answer that has the list"
        raise UnexpectedShape(client.integration, answer.asked, str(error), advice) from None
    except (ValueError, RecursionError):
        raise client.not_json(answer) from None
    return Page(rest, text.encode(), ask, answer.asked, answer.url, answer.headers)


def _endless(client: Client, page: Page, what: str, advice: str) -> UnexpectedShape:
    return UnexpectedShape(client.integration, page.asked, f"the API {what}", advice)
