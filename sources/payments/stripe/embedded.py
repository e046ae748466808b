"""Lists within Stripe's objects: of a longer one an object holds the first ten, and says so by ``has_more``.

The rest is read from the list's own address, whichever list it is: items of a subscription, lines or payments of an
invoice, and those that later versions of the API add.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from leat.sources.errors import NotFound
from leat.sources.http.client import Client
from leat.sources.payments.field_mapping import Object
from leat.sources.payments.stripe.api import pages

_ADDRESSES: Mapping[tuple[str, str], Callable[[str], str]] = {
    ("subscriptions", "items"): "/v1/subscription_items?subscription={}".format,
    ("invoices", "lines"): "/v1/invoices/{}/lines".format,
}
"""Where a list is that doesn't say its address."""
_DEEPEST = 20


def whole(client: Client, stream: str, given: Object, unused: Collection[str]) -> Object:
    """Return an object with every list in it complete.

    Args:
        client: reads what is missing.
        stream: what the object is.
        given: the object.
        unused: fields that no row is made of.

    Raises:
        ValueError: a list can't be completed; the text names its field.
    """
    if not isinstance(given, Mapping) or stream == "events":  # an event's snapshot is of its own moment
        return given
    key = given.get("id")
    return {
        name: value if name in unused else _whole(client, (stream, str(key)), name, value, 0)
        for name, value in given.items()
    }


def _whole(client: Client, owner: tuple[str, str], name: str, value: Any, depth: int) -> Any:
    if depth > _DEEPEST or not isinstance(value, Mapping | list):
        return value
    if isinstance(value, list):
        return [_whole(client, owner, name, each, depth + 1) for each in value]
    if is_list(value):
        objects = [each for page in pages_of(client, owner, name, value) for each in page]
        return {**value, "data": _whole(client, owner, name, objects, depth + 1), "has_more": False}
    return {inner: _whole(client, owner, f"{name}.{inner}", each, depth + 1) for inner, each in value.items()}


def is_list(value: Any) -> bool:
    """Return whether a value is a list of Stripe's, with its pages."""
    return isinstance(value, Mapping) and value.get("object") == "list" and isinstance(value.get("data"), list)


def pages_of(client: Client, owner: tuple[str, str], name: str, value: Any) -> Iterator[list[Any]]:
    """Yield a list in an object page by page: the one that is there when it is all, else every page of the list.

    Raises:
        ValueError: it can't be read to its end.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("data"), list):
        msg = f"field {name}: it is no list of objects"
        raise ValueError(msg)
    more = value.get("has_more")
    if not isinstance(more, bool):
        msg = f"field {name}: the list doesn't say by has_more whether it is complete"
        raise ValueError(msg)
    if not more:
        yield value["data"]
        return
    address = urlsplit(_address(owner, name, value))
    template = address.path.replace(f"/{owner[1]}/", "/{id}/")
    try:
        yield from pages(client, address.path, parse_qsl(address.query), template)
    except NotFound as error:
        msg = f"field {name}: the rest of the list isn't there"
        raise ValueError(msg) from error


def _address(owner: tuple[str, str], name: str, value: Object) -> str:
    written = value.get("url")
    if isinstance(written, str) and written.startswith("/v1/"):
        return written
    address = _ADDRESSES.get((owner[0], name))
    if address is None:
        msg = f"field {name}: the list is cut off and doesn't say where the rest is"
        raise ValueError(msg)
    return address(owner[1])
