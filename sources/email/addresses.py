"""Addresses in headers (RFC 5322, section 3.4): plain ones fast, all others by the standard library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sources.email.text import header_text, repair, structured

_PLAIN = re.compile(
    r"""\s*(?:(?:"([^"\\]*)"|([\w!#$%&'*+/=?^`{|}~ -]*))\s*<([\w!#$%&'*+/=?^`{|}~.-]+@[\w.-]+)>"""
    r"""|([\w!#$%&'*+/=?^`{|}~.-]+@[\w.-]+))\s*(?:,|$)""",
    re.ASCII,
)
_ADDRESS = re.compile(r"[^\s<>\"(),;:]+@[^\s<>\"(),;:]+")
MOST = 2_000
"""How many addresses of one header are kept."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a header; ``email`` is lower case."""

    email: str | None
    name: str | None
    group: str | None = None


def addresses_of(field: str, value: str) -> list[Address]:
    """Return the addresses of a header's value, at most :data:`MOST`."""
    value = repair(value.replace("\r", "").replace("\n", "")).strip()
    if not value:
        return []
    plain = _plain_addresses(value) if value.isascii() and "=?" not in value else None
    found = plain if plain is not None else list(_parsed_addresses(field, value))
    return found[:MOST] or [Address(None, header_text(value) or None)]


def _plain_addresses(value: str) -> list[Address] | None:
    """Return the addresses when all of them are written in the simplest way, else None."""
    found, at = [], 0
    while at < len(value):
        match = _PLAIN.match(value, at)
        if match is None:
            return None
        quoted, bare, address, alone = match.groups()
        name = quoted if quoted is not None else (bare or "")
        found.append(Address((address or alone).lower(), " ".join(name.split()) or None))
        at = match.end()
    return found


def _parsed_addresses(field: str, value: str) -> Iterator[Address]:
    header = structured("sender" if field == "sender" and "," not in value else "to", value[:65_536])
    groups = getattr(header, "groups", None)
    if not groups:
        yield from (Address(found.lower(), None) for found in _ADDRESS.findall(value))
        return
    comments = _comments(value) if "(" in value else {}
    for group in groups:
        name = repair(group.display_name) if group.display_name else None
        if name and not group.addresses:
            yield Address(None, None, name)
        for one in group.addresses:
            yield _address(one.addr_spec, one.display_name or comments.get(one.addr_spec), name)


def _comments(value: str) -> dict[str, str]:
    """Return names that are written as comments, as in ``a@b.example (Ann)``, by address."""
    from email.utils import getaddresses

    return {address: name for name, address in getaddresses([value]) if name}


def _address(spec: str, display: str | None, group: str | None) -> Address:
    """Return an address; a name that is all there is may hold the address in its text."""
    name = header_text(display or "") or None
    email = repair(spec).strip().lower() if spec and spec != "<>" else ""
    if "@" not in email.strip("@"):
        inside = _ADDRESS.search(name or "")
        name, email = name or repair(spec).strip("<> ") or None, inside[0].lower() if inside else ""
    return Address(email or None, name, group)
