"""One message to rows of the streams."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from leat.sources.email.mime.addresses import Address, addresses_of
from leat.sources.email.mime.bounces import bounces_of
from leat.sources.email.mime.complaints import complaints_of
from leat.sources.email.mime.dates import instant
from leat.sources.email.mime.ids import first_id, ids_of
from leat.sources.email.mime.invitations import invitations_of
from leat.sources.email.mime.parts import Attachment, Content, content_of
from leat.sources.email.mime.preview import preview
from leat.sources.email.mime.structure import parse
from leat.sources.email.mime.text import header_text
from leat.sources.errors import IntegrationError

ROLES = ("from", "sender", "reply-to", "to", "cc", "bcc")
_MOST_HEADERS, _LONGEST_HEADER = 500, 65_536
_LONGEST_TEXT = 4 * 2**20
_MOST_DEFECTS = 100
_RESULT = re.compile(r"(?:^|[;\s])(spf|dkim|dmarc)\s*=\s*(\w+)", re.IGNORECASE)
_COMMENT = re.compile(r"\([^()]*\)")


class Unreadable(ValueError):
    """A message that can't be read; says which part of it and why, and holds no value of it."""


@contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except IntegrationError:
        raise
    except Exception as error:  # whatever goes wrong is this message's, and no other's
        msg = f"{what} can't be read ({type(error).__name__})"
        raise Unreadable(msg) from error


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message as it came from the server.

    Attributes:
        key: account, mailbox, uidvalidity and uid.
        raw: the message, or its beginning.
        size: size in bytes, as the server says.
        received_at: when the server received it.
        complete: whether ``raw`` is all of it.
    """

    key: Mapping[str, Any]
    raw: bytes
    size: int | None
    received_at: datetime | None
    complete: bool


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a message: rows by stream, and the ids that its thread is made of."""

    rows: list[tuple[str, dict[str, Any]]]
    message_id: str | None
    ancestors: list[str]


def read_message(fetched: Fetched, store: Callable[[bytes], str] | None = None) -> Read:
    """Return the rows of a message; ``thread_id`` is not among them.

    Args:
        fetched: the message.
        store: stores the content of an attachment and returns its name.

    Raises:
        Unreadable: it can't be understood.
    """
    with _reading("the structure of the message"):
        message, defects = parse(fetched.raw)
        fields: list[tuple[str, str]] = [(name.lower(), str(value)) for name, value in message.raw_items()]
    written: dict[str, list[str]] = {}
    for name, value in fields:
        written.setdefault(name, []).append(value)
    if not fields:
        defects.append("it has no header")
    with _reading("the parts of the message"):
        content = content_of(message, not fetched.complete)
    people: dict[str, list[Address]] = {}
    for role in ROLES:
        if value := _joined(written.get(role, ())):
            with _reading(f"header {role}"):
                people[role] = addresses_of(value)
    return _read(fetched, written, people, content, defects, fields, store)


def _read(
    fetched: Fetched,
    written: Mapping[str, list[str]],
    people: Mapping[str, list[Address]],
    content: Content,
    defects: list[str],
    fields: list[tuple[str, str]],
    store: Callable[[bytes], str] | None,
) -> Read:
    with _reading("the header of the message"):
        ancestors = ids_of(next(iter(written.get("references", ())), None))
        first = {name: values[0][:_LONGEST_HEADER] for name, values in written.items()}
        answered = ids_of(first.get("in-reply-to"))
        row = _message(fetched, first, people, content)
        row |= {"in_reply_to": answered[0] if answered else None, "references": ancestors or None}
        row |= _authentication(written.get("authentication-results", ()))
        invitations = list(invitations_of(content, fetched.key))
        row["defects"] = list(dict.fromkeys([*defects, *content.defects]))[:_MOST_DEFECTS] or None
        rows = [("messages", row)]
        rows += [("recipients", each) for each in _recipients(fetched.key, people)]
        rows += [("headers", each) for each in _headers(fetched.key, fields)]
    for one in content.attachments:
        with _reading(f"attachment {one.part}"):
            rows.append(("attachments", _attachment(fetched.key, one, store)))
    rows += [("invitations", each) for each in invitations]
    with _reading("the delivery report"):
        rows += [("bounces", each) for each in bounces_of(content, fetched.key)]
    with _reading("the feedback report"):
        rows += [("complaints", each) for each in complaints_of(content, fetched.key)]
    return Read(rows, row["message_id"], ancestors or answered[:1])


def _joined(values: Sequence[str]) -> str:
    """Return the values of a field, which some programs write more than once."""
    return ", ".join(value.strip() for value in values if value.strip())


def _message(
    fetched: Fetched, first: Mapping[str, str], people: Mapping[str, list[Address]], content: Content
) -> dict[str, Any]:
    author = (people.get("from") or [Address(None, None)])[0]
    sender = (people.get("sender") or [Address(None, None)])[0]
    moment, zone = instant(header_text(first.get("date", "")))
    plain, html = "\n".join(content.plain), "\n".join(content.html)
    return {
        **fetched.key,
        "message_id": first_id(first.get("message-id")),
        "subject": header_text(first["subject"]) if "subject" in first else None,
        "from_email": author.email,
        "from_name": author.name,
        "sender_email": sender.email,
        "reply_to": [one.email for one in people.get("reply-to", []) if one.email] or None,
        "date": moment,
        "date_zone": zone,
        "received_at": fetched.received_at,
        "preview": preview(plain, html),
        "text": plain[:_LONGEST_TEXT] if content.plain else None,
        "html": html[:_LONGEST_TEXT] if content.html else None,
        "size": fetched.size,
        "truncated": not fetched.complete,
        "attachments": len(content.attachments),
        "list_id": _list_id(first.get("list-id")),
        "list_unsubscribe": header_text(first.get("list-unsubscribe", "")) or None,
        "auto_submitted": header_text(first.get("auto-submitted", "")).split(";")[0].strip().lower() or None,
    }


def _list_id(value: str | None) -> str | None:
    text = header_text(value or "")
    inside = re.search(r"<([^<>]+)>\s*$", text)
    return (inside[1].strip() if inside else text) or None


def _authentication(values: Sequence[str]) -> dict[str, Any]:
    written = [header_text(value[:_LONGEST_HEADER]) for value in values[:20]]
    row: dict[str, Any] = {"authentication_results": written or None}
    for method, result in _RESULT.findall(_COMMENT.sub("", written[0])) if written else ():
        row.setdefault(method.lower(), result.lower())
    return row


def _recipients(key: Mapping[str, Any], people: Mapping[str, list[Address]]) -> Iterator[dict[str, Any]]:
    for role, addresses in people.items():
        for position, one in enumerate(addresses):
            who = {"email": one.email, "name": one.name, "group_name": one.group}
            yield {**key, "role": role.replace("-", "_"), "position": position, **who}


def _headers(key: Mapping[str, Any], fields: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    for position, (name, value) in enumerate(fields[:_MOST_HEADERS]):
        yield {**key, "position": position, "field": name, "value": header_text(value[:_LONGEST_HEADER])}


def _attachment(key: Mapping[str, Any], one: Attachment, store: Callable[[bytes], str] | None) -> dict[str, Any]:
    content = one.content
    return {
        **key,
        "part": one.part,
        "name": one.name,
        "media_type": one.media_type,
        "disposition": one.disposition,
        "kind": one.kind,
        "content_id": one.content_id,
        "size": None if content is None else len(content),
        "sha256": None if content is None else sha256(content).hexdigest(),
        "stored_as": None if content is None or store is None else store(content),
    }
