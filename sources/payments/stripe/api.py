"""Stripe's API: authentication, the pinned version, lists page by page, objects one by one (docs.stripe.com/api)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote

from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError, NotConfigured, Permanent, Unauthenticated, UnexpectedShape
from leat.sources.http.client import Answer, Client, HttpRequest, Limits, Version, open_client
from leat.sources.http.failures import Advice
from leat.sources.http.signers import InHeader
from leat.sources.payments.field_mapping import Object
from leat.sources.payments.stripe.objects import COLLECTIONS
from leat.sources.settings import Named, read_secret

PAGE = 100
"""The most that Stripe gives at a time."""

_STEPS_BACK = 3

Params = Sequence[tuple[str, Any]]

ADVICE = Advice(
    unauthenticated="look at api_key: it may be revoked, expired, or of another account; make a restricted key",
    forbidden="give the restricted key the right to read this, or leave the stream out (selected: false)",
    not_found="check connection.url; a server that lacks this list needs its stream left out (selected: false)",
    rejected="look at api_version, and at Stripe's own log of requests (Developers, Logs)",
    shape="check that connection.url is https://api.stripe.com or a server that answers like it",
)


def open_stripe(
    sync: Sync,
    url: str,
    key: Named,
    version: str,
    headers: Mapping[str, str],
    limits: Limits,
    advice: Advice = ADVICE,
) -> AbstractContextManager[Client]:
    """Open a client; the key is read now.

    Args:
        sync: the extraction.
        url: address of the API.
        key: names the secret key.
        version: version of the API to ask for.
        headers: ``Stripe-Account`` for a connected account.
        limits: how patient the client is, and how eager.
        advice: what to do next about a failure.

    Raises:
        NotConfigured: the key isn't set, or the address is none.
    """
    return open_client(
        sync,
        url,
        InHeader("Authorization", f"Bearer {read_secret(key, sync.integration, sync.project)}"),
        headers=headers,
        limits=limits,
        advice=advice,
        version=Version(version, "Stripe-Version"),
    )


def pages(client: Client, path: str, params: Params = (), template: str | None = None) -> Iterator[list[Any]]:
    """Yield a list page by page, newest first, until ``has_more`` is false: nothing else ends it.

    Raises:
        UnexpectedShape: it is no list, doesn't say whether there is more, or its pages go round in a circle.
    """
    last: list[str] = []
    seen: set[str] = set()
    while True:
        answer = _page_after(client, path, params, last, template)
        page, more = page_of(client, answer)
        keys = [each["id"] for each in page if isinstance(each, Mapping) and isinstance(each.get("id"), str)]
        repeated = bool(keys) and set(keys) <= set(last)
        if not repeated:
            yield page
            if not more:
                return
        last = keys
        if repeated or not last or last[-1] in seen:
            got = f"the pages go round in a circle: more is promised after {last[-1] if last else 'an empty page'}"
            raise UnexpectedShape(
                client.integration, answer.asked, got, "run again; if it stays, report it to the provider"
            )
        seen.add(last[-1])


def ended(count: int) -> str:
    """Return what proved that a list of so many pages was complete."""
    return f"has_more was false after {count} page{'' if count == 1 else 's'}"


def page_of(client: Client, answer: Answer) -> tuple[list[Any], bool]:
    """Return the objects of a page, and whether there are more.

    Raises:
        UnexpectedShape: it is no list, or doesn't say whether there is more.
    """
    page = client.json(answer)
    if not isinstance(page, Mapping) or not isinstance(page.get("data"), list):
        raise UnexpectedShape(client.integration, answer.asked, "no list of objects", client.advice.shape)
    if not isinstance(page.get("has_more"), bool):
        got = "a list that doesn't say by has_more, true or false, whether it ends here"
        raise UnexpectedShape(client.integration, answer.asked, got, client.advice.shape)
    return page["data"], page["has_more"]


def is_of_one_list(error: IntegrationError) -> bool:
    """Return whether only what was asked can't be read, so that other lists may be."""
    return isinstance(error, Permanent) and not isinstance(error, Unauthenticated | NotConfigured)


def _page_after(client: Client, path: str, params: Params, last: list[str], template: str | None) -> Answer:
    """Return the page after the last one; when its last object was deleted meanwhile, after the one before."""
    for after in reversed(last[-_STEPS_BACK:]) if last else (None,):
        asked = [*params, ("limit", PAGE), ("starting_after", after)]
        answer = client.get(path, asked, template=template, accept=frozenset({400} if after else ()))
        if answer.status != 400:
            return answer
    return client.get(path, asked, template=template)


def retrieve(client: Client, asked: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, Object | None]]:
    """Yield stream, id and the object as it is now, in the order asked; None for one that is deleted."""
    wanted, repeated = [], []
    for stream, key in asked:
        wanted.append(HttpRequest(address("v1", stream, key), accept=frozenset({404}), template=f"/v1/{stream}/{{id}}"))
        repeated.append((stream, key))
    for (stream, key), answer in zip(repeated, client.each(wanted), strict=True):
        value = client.json(answer) if answer.status != 404 else None
        if value is not None and not isinstance(value, Mapping):
            raise UnexpectedShape(client.integration, answer.asked, "no object", client.advice.shape)
        yield stream, key, None if value is None or value.get("deleted") is True else value


def address(*parts: str) -> str:
    """Return a path; an id is quoted, so that it stays one part of it."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def stream_of(kind: Any) -> str | None:
    """Return the stream that holds objects of a kind, for example ``charges`` for ``charge``."""
    return COLLECTIONS.get(kind) if isinstance(kind, str) else None
