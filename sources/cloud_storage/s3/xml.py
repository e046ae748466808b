"""Small answers of S3 as trees: their roots, times and numbers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from leat.sources.errors import UnexpectedShape
from leat.sources.http.client import Client
from leat.sources.http.safe_xml import parse_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_OTHERWISE = {"VersioningConfiguration": "GetBucketVersioningResponse"}
"""What moto calls an answer."""


def root_of(client: Client, asked: str, body: bytes, name: str) -> Element:
    """Return the root of an answer, its names without the namespace.

    Raises:
        UnexpectedShape: it isn't XML, or another answer.
    """
    try:
        root: Element = parse_xml(body)
    except ValueError as error:
        raise UnexpectedShape(client.integration, asked, f"no answer of S3: {error}", client.advice.shape) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag not in (name, _OTHERWISE.get(name)):
        got = f"<{root.tag}> instead of <{name}>"
        raise UnexpectedShape(
            client.integration, asked, got, "check that connection.url is the address of an S3 server"
        )
    return root


def time_of(text: str | None) -> Any:
    """Return a time in ISO 8601; what isn't one as it is, so that its row is quarantined."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return text


def number_of(text: str | None) -> Any:
    """Return a whole number; what isn't one as it is, so that its row is quarantined."""
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else digits or None


def tree_of(element: Element) -> Any:
    """Return an element as JSON has it: an object of its children, a list of those with the same name."""
    result: dict[str, list[Any]] = {}
    for child in element:
        result.setdefault(child.tag, []).append(tree_of(child))
    return {tag: each if len(each) > 1 else each[0] for tag, each in result.items()} or (element.text or "").strip()
