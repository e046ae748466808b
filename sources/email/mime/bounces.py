"""Delivery status notifications (RFC 3464, RFC 6533) to rows of ``bounces``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from leat.sources.email.mime.addr_spec import mailto, without_comments
from leat.sources.email.mime.addresses import addresses_of
from leat.sources.email.mime.dates import instant
from leat.sources.email.mime.delivery import Fields, fields_of
from leat.sources.email.mime.ids import first_id
from leat.sources.email.mime.parts import Content

_TYPE = re.compile(r"\s*([\w.+-]+)\s*;(.*)", re.DOTALL)
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_XTEXT = re.compile(r"(?:[^+=]|\+(?:2B|3D|[89A-F][0-9A-F]))*")
_XTEXT_AT = re.compile(r"(?:[^+=@]|\+[0-9A-F]{2})*")
_UNICODE = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


def bounces_of(content: Content, key: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each recipient that the message's reports are about."""
    original = original_id(content.originals)
    position = 0
    for report in content.reports:
        about, recipients = fields_of(report)
        written = first_id(about.get("original-message-id") or about.get("x-original-message-id"))
        for fields in recipients:
            yield {**key, "position": position, **_row(fields, about), "original_message_id": original or written}
            position += 1


def _row(fields: Fields, about: Fields) -> dict[str, Any]:
    status = _status(fields.get("status", ""))
    action = without_comments(fields.get("action", "")).split()
    return {
        "recipient": _recipient(fields.get("final-recipient")),
        "original_recipient": _recipient(fields.get("original-recipient"), is_xtext=True),
        "action": action[0].strip(";.,").lower() if action else None,
        "status": status,
        "permanent": status.startswith("5") if status else None,
        "diagnostic": _typed(fields.get("diagnostic-code")),
        "remote_mta": _server(fields.get("remote-mta")),
        "reporting_mta": _server(about.get("reporting-mta")),
        "arrived_at": instant(about.get("arrival-date"))[0],
        "last_attempt_at": instant(fields.get("last-attempt-date"))[0],
    }


def _status(written: str) -> str | None:
    """Return the status code (RFC 3463); what isn't one, as its first word."""
    match = _STATUS.search(without_comments(written))
    words = without_comments(written).split()
    return match[0] if match else words[0] if words else None


def _typed(value: str | None) -> str | None:
    """Return what follows the type, for example ``550 no such user`` of ``smtp; 550 no such user``."""
    match = _TYPE.fullmatch(value or "")
    return (match[2] if match else value or "").strip() or None


def _server(value: str | None) -> str | None:
    """Return the name of a server, without comments."""
    text = without_comments(_typed(value) or "").strip().strip("<>")
    return text or None


def _recipient(value: str | None, *, is_xtext: bool = False) -> str | None:
    """Return an address, lower case; what isn't one as it is written."""
    text = _UNICODE.sub(_character, _typed(value) or "").strip()
    if is_xtext:
        text = _from_xtext(text)
    email = next((one.email for one in addresses_of(text) if one.email), None)
    return email or without_comments(text).strip().strip("<>").strip().lower() or None


def _character(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else match[0]


def _from_xtext(text: str) -> str:
    """Return an address whose special characters may still be written as ``+2B`` (RFC 3461, section 4).

    Only what RFC 3461 lets be written so is decoded, or what makes an address of a text that is none: in
    ``ann+2024@x.example`` the plus is a plus.
    """
    needed = _XTEXT.fullmatch(text) or ("@" not in text and _XTEXT_AT.fullmatch(text))
    if not needed or "+" not in text:
        return text
    decoded = unquote_to_bytes(re.sub(r"\+([0-9A-F]{2})", r"%\1", text.replace("%", "%25")))
    try:
        return decoded.decode("utf-8") if mailto(decoded.decode("utf-8")) else text
    except UnicodeDecodeError:
        return text


def original_id(originals: list[bytes]) -> str | None:
    """Return the Message-ID of the first original: a whole message, or its headers as text."""
    from email.parser import BytesParser
    from email.policy import compat32

    for content in originals:
        head = BytesParser(policy=compat32).parsebytes(content.lstrip(b"\r\n"), headersonly=True)
        message_id = next((str(value) for name, value in head.raw_items() if name.lower() == "message-id"), None)
        if message_id is not None and (one := first_id(message_id)):
            return one
    return None
