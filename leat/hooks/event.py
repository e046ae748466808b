"""What identifies an event, and its type, by the scheme; and the line that is stored of it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from leat.hooks.signatures import Headers, is_form
from leat.pipelines.declare.hooks import Hooks

_HEADERS: Mapping[str, tuple[bytes, bytes]] = {
    "github": (b"x-github-delivery", b"x-github-event"),
    "shopify": (b"x-shopify-webhook-id", b"x-shopify-topic"),
}


class Event(msgspec.Struct, frozen=True):
    """A webhook as a line of a segment.

    Attributes:
        seq: its number; later ones are higher.
        received_at: when it came, UTC.
        endpoint: the integration.
        event_id: what identifies the event at its sender, so that it counts once however often it is sent.
        event_type: what happened, as the sender calls it.
        body: the body; a form as JSON, and what is no text in base64.
        problem: why it can't be read; None when it can.
    """

    seq: int
    received_at: datetime
    endpoint: str
    event_id: str
    event_type: str | None
    body: str
    problem: str | None = None


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Event)
_ANY = msgspec.json.Decoder()


def to_line(event: Event) -> bytes:
    """Return the line of an event, with its end."""
    return _ENCODER.encode(event) + b"\n"


def without_body(event: Event) -> Event:
    """Return an event without what its body says."""
    return msgspec.structs.replace(event, body="{}")


def from_line(line: bytes) -> Event:
    """Return the event of a line.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _DECODER.decode(line)


def text_of(headers: Headers, body: bytes) -> str:
    """Return a body as text: a form becomes a JSON object, what is no UTF-8 base64."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()
    if is_form(headers):
        return _ENCODER.encode(dict(parse_qsl(text, keep_blank_values=True))).decode()
    return text


def read_event(declared: Hooks, headers: Headers, text: str) -> tuple[str, str | None, str | None]:
    """Return the id, the type and what is wrong with an event; what is wrong is stored with it.

    Without an id of the sender, a hash of the body is the id, so that the same body counts once.
    """
    id_header, type_header = _HEADERS.get(declared.scheme, (b"", b""))
    if declared.scheme == "standard":
        id_header = b"webhook-id"
    elif declared.scheme == "hmac":
        id_header, type_header = ((name or "").lower().encode() for name in (declared.id_header, declared.type_header))
    try:
        value = _ANY.decode(text)
    except msgspec.DecodeError as error:
        return _digest(text), None, f"the body is no JSON: {str(error)[:200]}"
    if not isinstance(value, dict):
        return _digest(text), None, f"the body is {type(value).__name__}, not an object"
    named, kind = _of_body(declared.scheme, value)
    event_id = headers.get(id_header, b"").decode("latin-1") or named
    event_type = headers.get(type_header, b"").decode("latin-1") or kind
    if not event_id and declared.scheme in ("stripe", "github", "shopify", "standard"):
        return _digest(text), event_type, "the event has no id"
    return event_id or _digest(text), event_type, None


def _of_body(scheme: str, value: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the id and the type that the body of an event names."""
    if scheme == "twilio":
        sid = next((str(value[name]) for name in ("MessageSid", "CallSid", "SmsSid", "Sid") if value.get(name)), None)
        state = next(
            (str(value[name]) for name in ("MessageStatus", "CallStatus", "SmsStatus") if value.get(name)), None
        )
        return sid and f"{sid}:{state or ''}", state  # one message has an event for each of its states
    if scheme == "slack":
        inner = value.get("event")
        kind = inner.get("type") if isinstance(inner, Mapping) else value.get("type")
        return _text(value.get("event_id")), _text(kind)
    return _text(value.get("id")), _text(value.get("type"))


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
