"""One page of a SCIM listing (RFC 7644, 3.4.2): its resources, each may be odd alone, and the total."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leat.sources import json_raw
from leat.sources.errors import UnexpectedShape
from leat.sources.http.client import Answer
from leat.sources.sso.scim.access import ADVICE, Access
from leat.sources.sso.scim.attributes import UNREADABLE

_SHOWN = 10_000
_COUNT = re.compile(r"\s*(\d{1,15})(\.0*)?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    """The resources as the server gave them; ``total`` is None when it says none that can be read."""

    resources: list[Any]
    total: int | None


def read_page(access: Access, path: str, params: Mapping[str, Any]) -> Page:
    """Ask for a page.

    Raises:
        IntegrationError: the service refuses or fails.
        UnexpectedShape: the answer is no ListResponse.
    """
    answer = access.ask(path, params)
    members = _members(access, answer)
    resources, total = members.get("resources"), _count(members.get("totalresults"))
    if resources is None and total is not None:  # left out when there is none
        resources = []
    if not isinstance(resources, list):
        got = "JSON that is no list of resources"
        raise UnexpectedShape(access.client.integration, f"GET {path}", got, ADVICE.shape)
    return Page(resources, total)


def line_of(resource: Any) -> str:
    """Return a resource as a line of JSON; one that can't be written as one that can't be read."""
    try:
        return json.dumps(resource, sort_keys=True) + "\n"
    except (ValueError, RecursionError, TypeError):
        return json.dumps({UNREADABLE: ""}) + "\n"


def _members(access: Access, answer: Answer) -> dict[str, Any]:
    """Return the members of an answer by their names in lower case; of the resources, each is parsed alone if needed.

    Raises:
        UnexpectedShape: it is no object.
    """
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        try:
            cut = {name.lower(): text for name, text in json_raw.members(answer.body).items()}
            resources = json_raw.items(cut["resources"]) if cut.get("resources", b"null") != b"null" else None
        except (ValueError, RecursionError):
            raise access.client.not_json(answer) from None
        listed = None if resources is None else [_parsed(text) for text in resources]
        return {"resources": listed, "totalresults": _parsed(cut.get("totalresults", b"null"))}
    if not isinstance(value, dict):
        got = f"JSON that is no object but {type(value).__name__}"
        raise UnexpectedShape(access.client.integration, answer.asked, got, ADVICE.shape)
    return {str(name).lower(): item for name, item in value.items()}


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {UNREADABLE: text[:_SHOWN].decode("utf-8", "backslashreplace")}


def _count(value: Any) -> int | None:
    """Return a number of resources; also one that is written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    match = _COUNT.fullmatch(str(value))
    return int(match[1]) if match else None
