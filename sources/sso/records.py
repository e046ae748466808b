"""One SCIM user or group to its row (RFC 7643, 4): attributes in any case, extensions, and what no column holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"
_TEXT = {
    "username": "user_name",
    "externalid": "external_id",
    "displayname": "display_name",
    "profileurl": "profile_url",
    "title": "title",
    "usertype": "user_type",
    "preferredlanguage": "preferred_language",
    "locale": "locale",
    "timezone": "timezone",
}
_LISTS = {
    "emails": "emails",
    "phonenumbers": "phone_numbers",
    "addresses": "addresses",
    "photos": "photos",
    "roles": "roles",
    "entitlements": "entitlements",
}
_NAME = {"formatted": "formatted_name", "givenname": "given_name", "familyname": "family_name"}
_ENTERPRISE = {
    "employeenumber": "employee_number",
    "department": "department",
    "division": "division",
    "organization": "organization",
    "costcenter": "cost_center",
}
_GROUP = {"displayname": "name", "description": "description", "externalid": "external_id"}
_ELSEWHERE = frozenset({"id", "schemas", "meta", "groups", "members", "password", "active", "name", ENTERPRISE})


def user_row(resource: Any) -> dict[str, Any]:
    """Return the row of ``users``.

    Raises:
        ValueError: it isn't a user, or an attribute isn't what RFC 7643 says.
    """
    user = _lowered(resource, "a user")
    if not isinstance(user.get("username"), str):
        msg = "it has no userName"
        raise ValueError(msg)
    row = _common(user) | {column: _text(name, user.get(name)) for name, column in _TEXT.items()}
    row |= {column: _list(name, user.get(name)) for name, column in _LISTS.items()}
    name, enterprise = _lowered(user.get("name") or {}, "name"), _lowered(user.get(ENTERPRISE) or {}, "enterprise")
    manager = _lowered(_manager(enterprise.get("manager")), "manager")
    row |= {column: _text(key, name.get(key)) for key, column in _NAME.items()}
    row |= {column: _text(key, enterprise.get(key)) for key, column in _ENTERPRISE.items()}
    row |= {
        "active": _boolean(user.get("active")),
        "email": main_email(row["emails"]),
        "manager_id": _text("manager", manager.get("value")),
        "manager_name": _text("manager", manager.get("displayname")),
    }
    extra = _unknown(resource, {*_TEXT, *_LISTS, *_ELSEWHERE})
    extra |= {f"name.{key}": value for key, value in name.items() if key not in _NAME}
    extra |= {f"enterprise.{key}": v for key, v in enterprise.items() if key not in {*_ENTERPRISE, "manager"}}
    return row | {"extra": extra}


def group_row(resource: Any) -> dict[str, Any]:
    """Return the row of ``groups``.

    Raises:
        ValueError: it isn't a group, or an attribute isn't what RFC 7643 says.
    """
    group = _lowered(resource, "a group")
    row = _common(group) | {column: _text(name, group.get(name)) for name, column in _GROUP.items()}
    return row | {"extra": _unknown(resource, {*_GROUP, *(_ELSEWHERE - {"active", "name"})})}


def references(resource: Any, attribute: str) -> Iterator[dict[str, Any]]:
    """Yield the entries of ``members`` or ``groups``, with attribute names in lower case.

    Raises:
        ValueError: an entry has no value.
    """
    for entry in _list(attribute, _lowered(resource, "a resource").get(attribute)) or []:
        found = _lowered(entry if isinstance(entry, Mapping) else {"value": entry}, attribute)
        if not isinstance(found.get("value"), str) or not found["value"]:
            msg = f"an entry of {attribute} has no value"
            raise ValueError(msg)
        yield found


def has_attribute(resource: Any, attribute: str) -> bool:
    """Return whether a resource tells an attribute at all."""
    return isinstance(resource, dict) and attribute in {name.lower() for name in resource}


def main_email(emails: Any) -> str | None:
    """Return the primary address, else the first."""
    values = [entry if isinstance(entry, Mapping) else {"value": entry} for entry in emails or []]
    values = sorted(values, key=lambda entry: entry.get("primary") is not True)
    return next((entry["value"] for entry in values if isinstance(entry.get("value"), str)), None)


def instant(name: str, value: Any) -> datetime | None:
    """Return a time in UTC; one without a zone is UTC.

    Raises:
        ValueError: it is no time.
    """
    if value is None:
        return None
    text = _text(name, value) or ""
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _common(resource: Mapping[str, Any]) -> dict[str, Any]:
    meta = _lowered(resource.get("meta") or {}, "meta")
    return {
        "id": _text("id", resource.get("id")),
        "created_at": instant("meta.created", meta.get("created")),
        "updated_at": instant("meta.lastModified", meta.get("lastmodified")),
        "version": _text("meta.version", meta.get("version")),
    }


def _lowered(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        msg = f"{what} is no object but {type(value).__name__}"
        raise ValueError(msg)
    return {str(name).lower(): item for name, item in value.items()}


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):  # a number where servers keep one
        return str(value)
    msg = f"{name} is no text but {type(value).__name__}"
    raise ValueError(msg)


def _list(name: str, value: Any) -> list[Any] | None:
    if value is None or isinstance(value, list):
        return value or None
    msg = f"{name} is no list but {type(value).__name__}"
    raise ValueError(msg)


def _boolean(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):  # as Entra ID writes it
        return value.lower() == "true"
    msg = f"active is {str(value)[:40]!r}, neither true nor false"
    raise ValueError(msg)


def _manager(value: Any) -> Any:
    return {"value": value} if isinstance(value, str) else value or {}


def _unknown(resource: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name.lower() not in known}
