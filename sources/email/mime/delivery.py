"""The fields of a delivery status notification (RFC 3464, RFC 6533) by recipient, however blank lines are spread."""

from __future__ import annotations

import re
from collections.abc import Iterator

from leat.sources.email.mime.text import header_text

_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_ENDS = re.compile(r"\r\n|\n|\r")
_ABOUT_ALL = ("original-envelope-id", "reporting-mta", "dsn-gateway", "received-from-mta", "arrival-date",
              "original-message-id", "x-original-message-id")  # fmt: skip
_WHO = ("final-recipient", "original-recipient")
MOST_FIELDS = 50_000
_LONGEST = 65_536

Fields = dict[str, str]


def fields_of(report: bytes) -> tuple[Fields, list[Fields]]:
    """Return the fields that are about the message, and for each recipient those about that one.

    Blank lines separate recipients, or their own fields where there is none; a block without a recipient
    goes on about the one before.
    """
    about: Fields = {}
    recipients: list[Fields] = []
    for block in _blocks(report.decode("ascii", "surrogateescape")):
        rest = []
        for name, value in block:
            if name in _ABOUT_ALL:
                about.setdefault(name, value)
            else:
                rest.append((name, value))
        for one in _by_recipient(rest):
            if any(name in one for name in _WHO):
                recipients.append(one)
            elif recipients:
                recipients[-1] = {**one, **recipients[-1]}
    return about, recipients


def _blocks(text: str) -> Iterator[list[tuple[str, str]]]:
    """Yield the fields between blank lines, unfolded and decoded."""
    block: list[list[str]] = []
    total = 0
    for line in _ENDS.split(text):
        match = _FIELD.match(line)
        if line[:1] in (" ", "\t") and line.strip() and block:
            block[-1][1] += f" {line.strip()}"
        elif match and total < MOST_FIELDS:
            block.append([match[1].lower(), match[2]])
            total += 1
        elif not line.strip() and block:
            yield [(name, header_text(value[:_LONGEST])) for name, value in block]
            block = []
    if block:
        yield [(name, header_text(value[:_LONGEST])) for name, value in block]


def _by_recipient(block: list[tuple[str, str]]) -> Iterator[Fields]:
    """Yield the fields of each recipient of a block; of a field that is written twice, the first."""
    several = sum(name == "final-recipient" for name, _ in block) > 1
    one: Fields = {}
    for name, value in block:
        if several and name in _WHO and (name in one or "final-recipient" in one):
            yield one
            one = {}
        one.setdefault(name, value)
    if one:
        yield one
