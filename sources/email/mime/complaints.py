"""Feedback reports (ARF: RFC 5965, RFC 6591, RFC 6692) to rows of ``complaints``: a recipient calls a mail spam."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.parser import BytesParser
from email.policy import compat32
from typing import Any

from leat.sources.email.mime.addresses import addresses_of
from leat.sources.email.mime.bounces import original_id
from leat.sources.email.mime.dates import instant
from leat.sources.email.mime.parts import Content
from leat.sources.email.mime.text import header_text

_MOST_RECIPIENTS = 1_000
_LONGEST = 2_000


def complaints_of(content: Content, key: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each recipient that the message's feedback reports name, or one for a report that names none.

    Many providers leave out who complained; the Message-ID of the mail that the report is about is then all there is.
    """
    original, position = original_id(content.originals), 0
    for report in content.feedback:
        fields = _fields(report)
        named = [_address(value) for value in fields.get("original-rcpt-to", ())[:_MOST_RECIPIENTS]]
        for recipient in dict.fromkeys(named) or [None]:
            yield {
                **key,
                "position": position,
                "recipient": recipient,
                **_about(fields),
                "original_message_id": original,
            }
            position += 1


def _fields(report: bytes) -> dict[str, list[str]]:
    """Return the fields of a report, each as often as it is there; names in lower case."""
    fields: dict[str, list[str]] = {}
    for name, value in BytesParser(policy=compat32).parsebytes(report.lstrip(b"\r\n"), headersonly=True).raw_items():
        fields.setdefault(name.lower(), []).append(header_text(str(value))[:_LONGEST].strip())
    return fields


def _about(fields: Mapping[str, list[str]]) -> dict[str, Any]:
    first = {name: values[0] for name, values in fields.items()}
    reported_by = first.get("reporting-mta", "").partition(";")[2].strip()
    return {
        "feedback_type": first.get("feedback-type", "").lower() or None,
        "source_ip": first.get("source-ip") or None,
        "reporting_mta": reported_by or None,
        "user_agent": first.get("user-agent") or None,
        "arrived_at": instant(first.get("arrival-date") or first.get("received-date"))[0],
    }


def _address(value: str) -> str | None:
    return next((one.email for one in addresses_of(value) if one.email), None) or value.strip("<> ").lower() or None
