"""The values that parameters of verbs of calendars take: times, zones, mail addresses, names, texts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        text = value.strip()
        try:
            value = date.fromisoformat(text) if "T" not in text and " " not in text else datetime.fromisoformat(text)
        except ValueError:
            msg = "write a time like 2026-12-01T10:00, or a date like 2026-12-01 for whole days"
            raise ValueError(msg) from None
    if isinstance(value, datetime) and value.microsecond:
        msg = "a calendar has whole seconds"
        raise ValueError(msg)
    return value


def _zone(value: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # a folder of zones is an OSError
        msg = "write a time zone like Europe/Berlin"
        raise ValueError(msg) from None
    return value


def _address(value: str) -> str:
    local, at, domain = value.strip().rpartition("@")
    if not (local and at and "." in domain) or any(not each.isprintable() or each in ' <>",;:\\' for each in value):
        msg = "write a mail address like ann@example.com"
        raise ValueError(msg)
    return value.strip().lower()


def _text(value: str) -> str:
    if any(ord(each) < 32 and each not in "\n\t" for each in value):
        msg = "it holds control characters"
        raise ValueError(msg)
    return value


def _several(value: Any) -> Any:
    if isinstance(value, int):
        return (value,)
    if isinstance(value, str):
        return tuple(each.strip() for each in value.split(",") if each.strip())
    return value


Moment = Annotated[datetime | date, BeforeValidator(_moment)]
Zone = Annotated[str, AfterValidator(_zone), Field(max_length=64)]
Address = Annotated[str, AfterValidator(_address), Field(max_length=254)]
Title = Annotated[str, AfterValidator(_text), Field(max_length=1000)]
Text = Annotated[str, AfterValidator(_text), Field(max_length=100_000)]
Name = Annotated[str, Field(min_length=1, max_length=1000)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_several)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(_several)]
Minutes = Annotated[int, Field(ge=1, le=525_600)]
Reminders = Annotated[tuple[Annotated[int, Field(ge=0, le=40_320)], ...], BeforeValidator(_several)]
Occurrence = Annotated[Name | None, BeforeValidator(lambda value: value or None)]
"""An empty text is none, for the whole series has that as its ``recurrence_id``."""
