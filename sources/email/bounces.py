"""Delivery status notifications (RFC 3464) to rows of ``bounces``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sources.email.dates import instant
from sources.email.ids import first_id
from sources.email.parts import Content
from sources.email.text import header_text

if TYPE_CHECKING:
    from email.message import Message


def bounces_of(content: Content, key: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each recipient that the message's reports are about."""
    original = _original_id(content.originals)
    position = 0
    for report in content.reports:
        blocks = [_fields(block) for block in _blocks(report)]
        about = next((block for block in blocks if "final-recipient" not in block), {})
        for block in blocks:
            if "final-recipient" in block or "original-recipient" in block:
                yield {**key, "position": position, **_row(block, about), "original_message_id": original}
                position += 1


def _blocks(report: Message) -> list[Message]:
    blocks = report.get_payload()
    return [block for block in blocks if not isinstance(block, str)] if isinstance(blocks, list) else []


def _fields(block: Message) -> dict[str, str]:
    return {name.lower(): header_text(str(value)) for name, value in block.raw_items()}


def _row(block: Mapping[str, str], about: Mapping[str, str]) -> dict[str, Any]:
    status = block.get("status", "").split(" ")[0] or None
    original = _typed(block.get("original-recipient"))
    final = _typed(block.get("final-recipient"))
    return {
        "recipient": final.lower() if final else None,
        "original_recipient": original.lower() if original else None,
        "action": (block.get("action", "").split(" ")[0].lower()) or None,
        "status": status,
        "permanent": status.startswith("5") if status else None,
        "diagnostic": _typed(block.get("diagnostic-code")),
        "remote_mta": _typed(block.get("remote-mta")),
        "reporting_mta": _typed(about.get("reporting-mta")),
        "arrived_at": instant(about.get("arrival-date"))[0],
        "last_attempt_at": instant(block.get("last-attempt-date"))[0],
    }


def _typed(value: str | None) -> str | None:
    """Return what follows the type, for example ``a@b.example`` of ``rfc822; a@b.example``."""
    if value is None:
        return None
    kind, separator, rest = value.partition(";")
    return (rest if separator else kind).strip().strip("<>") or None


def _original_id(originals: list[Message]) -> str | None:
    """Return the Message-ID of the first original: a whole message, or its headers as text."""
    from email.parser import HeaderParser

    for part in originals:
        inner = part.get_payload()
        if isinstance(inner, list) and inner and not isinstance(inner[0], str):
            found = inner[0].get("message-id")
        else:
            content = part.get_payload(decode=True)
            text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
            found = HeaderParser().parsestr(text).get("message-id")
        if found is not None and (one := first_id(str(found))):
            return one
    return None
