"""The mailboxes of an account: their names (modified UTF-7, RFC 3501), roles (RFC 6154), and which are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from leat.sources.email.imap.session import Session
from leat.sources.email.mime.text import repair

_ROLES = ("sent", "drafts", "trash", "junk", "archive", "all", "flagged", "important")
_OF_THE_MOMENT = {"\\marked", "\\unmarked"}
_CLOSED = {"\\noselect", "\\nonexistent"}


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox: its name for people, its name for the server, and its row without what its status has."""

    name: str
    wire: str
    selectable: bool
    row: dict[str, Any]


def list_wanted(session: Session, wanted: Sequence[str] | None, unwanted: Sequence[str]) -> list[Mailbox]:
    """Return the mailboxes of the account that its settings name, by name.

    Args:
        session: signed in.
        wanted: names or patterns (``*`` and ``?``); None for all.
        unwanted: names or patterns of those that are left out.
    """
    result: dict[str, Mailbox] = {}
    for flags, delimiter, wire in session.list_mailboxes():
        if any(ord(one) < 32 or ord(one) == 127 for one in wire):
            continue  # such a name can't be sent back (RFC 9051, section 5.1)
        name = decoded(wire)
        name = wire if name in result else name  # two names that look the same
        if _matches(name, unwanted) or not (wanted is None or _matches(name, wanted)):
            continue
        attributes = sorted(repair(flag.decode("ascii", "surrogateescape")) for flag in flags)
        attributes = [attribute for attribute in attributes if attribute.lower() not in _OF_THE_MOMENT]
        lower = {attribute.lower() for attribute in attributes}
        row = {"account": session.account, "mailbox": name, "delimiter": delimiter, "attributes": attributes}
        role = "inbox" if name == "INBOX" else next((one for one in _ROLES if f"\\{one}" in lower), None)
        selectable = not lower & _CLOSED
        result[name] = Mailbox(name, wire, selectable, {**row, "role": role, "selectable": selectable})
    return [result[name] for name in sorted(result)]


def decoded(wire: str) -> str:
    """Return the name that people see; one that isn't modified UTF-7 is read as UTF-8, as some servers write it.

    INBOX is the same in any case (RFC 9051, section 5.1).
    """
    from imapclient.imap_utf7 import decode  # type: ignore[import-untyped]

    raw = wire.encode("latin-1")
    if wire.upper() == "INBOX":
        return "INBOX"
    if not wire.isascii():
        return repair(raw.decode("ascii", "surrogateescape"))
    try:
        return str(decode(raw))
    except (UnicodeError, ValueError):
        return wire


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
