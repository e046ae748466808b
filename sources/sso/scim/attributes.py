"""Attributes of SCIM resources: their names count in any case, at every depth (RFC 7643, 2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

UNREADABLE = "leat:unreadable"
"""The name under which a resource that can't be parsed is handed on, as text."""
_SUB_ATTRIBUTES = ("value", "type", "primary", "display", "$ref", "displayName")
_ADDRESS = ("formatted", "streetAddress", "locality", "region", "postalCode", "country")
_SPELLING = {name.lower(): name for name in (*_SUB_ATTRIBUTES, *_ADDRESS)}


def lowered(value: Any, what: str) -> dict[str, Any]:
    """Return an object with its names in lower case.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, Mapping):
        msg = f"{what} is no object but {_kind(value)}"
        raise ValueError(msg)
    if UNREADABLE in value:
        msg = f"{what} can't be read as JSON: too many digits or levels, or bytes that are no text"
        raise ValueError(msg)
    return {str(name).lower(): item for name, item in value.items()}


def attribute(resource: Any, *names: str) -> Any:
    """Return what is at names in lower case, one below the other; None when nothing is."""
    for name in names:
        if not isinstance(resource, Mapping):
            return None
        resource = next((item for key, item in resource.items() if str(key).lower() == name), None)
    return resource


def text_of(name: str, value: Any) -> str | None:
    """Return a text; a number where servers have one, as text.

    Raises:
        ValueError: it is neither.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    msg = f"{name} is no text but {_kind(value)}"
    raise ValueError(msg)


def list_of(name: str, value: Any) -> list[Any] | None:
    """Return a list, its entries with their sub-attributes spelled as RFC 7643 does; None for an empty one.

    Raises:
        ValueError: it is none.
    """
    if value is None or isinstance(value, list):
        return [_spelled(entry) for entry in value or ()] or None
    msg = f"{name} is no list but {_kind(value)}"
    raise ValueError(msg)


def boolean_of(name: str, value: Any) -> bool | None:
    """Return true or false, also where it is written as text, as Entra ID does.

    Raises:
        ValueError: it is neither.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    msg = f"{name} is neither true nor false"
    raise ValueError(msg)


def instant(name: str, value: Any) -> datetime | None:
    """Return a time in UTC; one without a zone is UTC.

    Raises:
        ValueError: it is no time.
    """
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(text_of(name, value) or "")
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        msg = f"{name} is no time"
        raise ValueError(msg) from None


def modified(resource: Any) -> datetime | None:
    """Return ``meta.lastModified`` of a resource, UTC; None when there is none that can be read."""
    value = attribute(resource, "meta", "lastmodified")
    try:
        return instant("meta.lastModified", value) if isinstance(value, str) else None
    except ValueError:
        return None


def _spelled(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    return {_SPELLING.get(str(name).lower(), name): item for name, item in entry.items()}


def _kind(value: Any) -> str:
    return {"str": "text", "bool": "true or false", "NoneType": "nothing"}.get(
        type(value).__name__, type(value).__name__
    )
