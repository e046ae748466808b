"""How people write who somebody is: ``ada@example.com``, ``login:ada.king``, ``customer@payments:cus_1``."""

from __future__ import annotations

import re

from leat.sources.subject import ADDRESSES, NAME, normalised
from leat.sources.tombstones import DOMAIN, ERASED, may_be_mentioned, words_of

Identity = tuple[str, str, str]
"""Kind, integration (empty where the kind is the same in all), and value."""
_GIVEN = re.compile(r"(?:(?P<kind>[a-z][a-z0-9_]*)(?:@(?P<integration>[a-z][a-z0-9_]*))?:)?(?P<value>.+)", re.DOTALL)
_LONGEST = 320


class NoIdentity(ValueError):
    """A text names no identity; the text says how to write one."""


def parse_identity(text: str) -> Identity:
    """Return the identity that a text names: an address, or ``kind:value``, or ``kind@integration:value``.

    Raises:
        NoIdentity: it names none.
    """
    match = _GIVEN.fullmatch(text.strip())
    if match is None or not normalised(match["value"]) or len(text) > _LONGEST:
        msg = f"{text[:40]!r} is no identity: write an address such as ada@example.com, or customer@payments:cus_1"
        raise NoIdentity(msg)
    kind = match["kind"] or "email"
    value, integration = match["value"].strip(), match["integration"] or ""
    if kind == "email" and "@" not in value:
        msg = f"{text[:40]!r} is no address: write login:{value}, or the kind of the identity before the colon"
        raise NoIdentity(msg)
    if (kind in ADDRESSES or kind == NAME) == bool(integration):
        said = "is the same in every integration" if integration else "belongs to an integration"
        msg = f"{text[:40]!r}: a {kind} {said}: write {kind}{'' if integration else '@integration'}:{value}"
        raise NoIdentity(msg)
    if normalised(value).startswith(f"{ERASED}-") or normalised(value).endswith(f"@{DOMAIN}"):
        msg = f"{value!r} represents somebody who was erased"
        raise NoIdentity(msg)
    if kind == NAME and not may_be_mentioned(NAME, value):
        msg = f"{value!r} is too common to be looked for: write the first and the last name"
        raise NoIdentity(msg)
    return (NAME, "", words_of(value)) if kind == NAME else (kind, integration, normal(kind, value))


def normal(kind: str, value: str) -> str:
    """Return an identity's value in the form in which it is stored: addresses and logins without case."""
    return normalised(value) if kind in ADDRESSES else value.strip()


def shown(identity: Identity) -> str:
    """Return an identity as people write it."""
    kind, integration, value = identity
    if kind == "email":
        return value
    return f"{kind}@{integration}:{value}" if integration else f"{kind}:{value}"
