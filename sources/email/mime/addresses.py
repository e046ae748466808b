"""Addresses in headers (RFC 5322, section 3.4, with RFC 6532): plain ones fast, all others as they are really written.

Lists come with semicolons, names without quotes, addresses without brackets or behind ``mailto:``. Each address is
written in the header as it is returned: where none is to be seen, ``email`` is None and the text is the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from leat.sources.email.mime.addr_spec import address_in, mailto, name_of
from leat.sources.email.mime.address_tokens import Token, tokens_of
from leat.sources.email.mime.text import header_text, repair

_PLAIN = re.compile(
    r"""\s*+(?:(?:"([^"\\]*+)"|([\w!#$%&'*+/=?^`{|}~ -]*+))\s*+<([\w!#$%&'*+/=?^`{|}~.-]++@[\w-]++(?:\.[\w-]++)*+)>"""
    r"""|([\w!#$%&'*+/=?^`{|}~.-]++@[\w-]++(?:\.[\w-]++)*+))\s*+(?:,|$)""",
    re.ASCII,
)
_WRITTEN_INSIDE = re.compile(r"<([^<>]+)>\s*$")
MOST = 2_000
"""How many addresses of one header are stored."""
_LONGEST = 65_536
_LONGEST_PHRASE = 200


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a header; ``email`` is lower case."""

    email: str | None
    name: str | None
    group: str | None = None


def addresses_of(value: str) -> list[Address]:
    """Return the addresses of a header's value, at most :data:`MOST`."""
    value = repair(value[:_LONGEST].replace("\r", "").replace("\n", "")).strip()
    if not value:
        return []
    plain = _plain_addresses(value) if value.isascii() and "=?" not in value else None
    addresses = plain if plain is not None else _parsed_addresses(value)
    return addresses[:MOST]


def _plain_addresses(value: str) -> list[Address] | None:
    """Return the addresses when all of them are written in the simplest way, else None."""
    addresses, at = [], 0
    while at < len(value):
        match = _PLAIN.match(value, at)
        if match is None:
            return None
        quoted, bare, address, alone = match.groups()
        name = quoted if quoted is not None else (bare or "")
        addresses.append(Address((address or alone).lower(), " ".join(name.split()) or None))
        at = match.end()
    return addresses


def _parsed_addresses(value: str) -> list[Address]:
    """Return the addresses of a value, group by group."""
    addresses: list[Address] = []
    entry: list[Token] = []
    group: str | None = None
    members = 0
    tokens = tokens_of(value)
    last = max((number for number, token in enumerate(tokens) if token.kind == ";"), default=-1)
    for number, token in enumerate(tokens):
        if token.kind == ":" and group is None and (number < last or number + 2 >= len(tokens)) and _is_phrase(entry):
            group, entry, members = name_of(entry), [], len(addresses)
        elif token.kind in ",;":
            addresses += _entry(entry, group)
            entry = []
            if token.kind == ";" and group is not None:
                addresses += [Address(None, None, group)] if len(addresses) == members else []
                group = None
        else:
            entry.append(token)
    addresses += _entry(entry, group)
    return addresses if group is None or len(addresses) > members else [*addresses, Address(None, None, group)]


def _is_phrase(entry: list[Token]) -> bool:
    """Return whether what is before a colon can be the name of a group."""
    if len(entry) > _LONGEST_PHRASE or any(token.kind in ("angle", ":") or "@" in token.text for token in entry):
        return False
    return any(token.kind in ("text", "word", "quoted") for token in entry)


def _entry(entry: list[Token], group: str | None) -> Iterator[Address]:
    """Yield what is between two commas: an address, or several that nothing separates."""
    words: list[Token] = []
    waiting: Address | None = None
    for token in entry:
        email = address_in(token)
        if email is None:
            words.append(token)
            continue
        if token.kind == "angle" and waiting is not None and waiting.name is None and name_of(words) is None:
            words, waiting = [Token("text", waiting.email or "")], None  # an address as the name of one in brackets
        if waiting is not None:
            yield waiting
        waiting, words = Address(email, name_of(words), group), []
    if waiting is not None:
        yield Address(waiting.email, waiting.name or name_of(words), group)
    elif any(token.kind != "blank" for token in words):
        yield from _from_text(words, group)


def _from_text(words: list[Token], group: str | None) -> Iterator[Address]:
    """Yield what has no address of its own; encoded words may hold name and address together."""
    name = name_of(words)
    inside = _WRITTEN_INSIDE.search(name or "")
    plain = all(token.kind in ("text", "blank", "comment") for token in words)
    email = mailto(inside[1] if inside else name, spaced=plain) if name and "@" in name else None
    brackets = [token.text.strip() for token in words if token.kind == "angle"]
    if name and email:
        yield Address(email, (name[: inside.start()].strip(' "') or None) if inside else None, group)
    elif name or brackets:
        yield Address(None, name or next((header_text(text) for text in brackets if text), None), group)
