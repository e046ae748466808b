"""One SCIM user or group to its row (RFC 7643, 4): attributes in any case, extensions, and what no column holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leat.sources.sso.scim.attributes import attribute, boolean_of, instant, list_of, lowered, text_of

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
    user = lowered(resource, "a user")
    if not isinstance(user.get("username"), str):
        msg = "it has no userName"
        raise ValueError(msg)
    row = _common(user) | {column: text_of(name, user.get(name)) for name, column in _TEXT.items()}
    row |= {column: list_of(name, user.get(name)) for name, column in _LISTS.items()}
    name, enterprise = lowered(user.get("name") or {}, "name"), lowered(user.get(ENTERPRISE) or {}, "enterprise")
    manager = lowered(_manager(enterprise.get("manager")), "manager")
    row |= {column: text_of(key, name.get(key)) for key, column in _NAME.items()}
    row |= {column: text_of(key, enterprise.get(key)) for key, column in _ENTERPRISE.items()}
    row |= {
        "active": boolean_of("active", user.get("active")),
        "email": main_email(row["emails"]),
        "manager_id": text_of("manager", manager.get("value")),
        "manager_name": text_of("manager", manager.get("displayname")),
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
    group = lowered(resource, "a group")
    row = _common(group) | {column: text_of(name, group.get(name)) for name, column in _GROUP.items()}
    return row | {"extra": _unknown(resource, {*_GROUP, *(_ELSEWHERE - {"active", "name"})})}


def references(resource: Any, name: str) -> Iterator[dict[str, Any] | ValueError]:
    """Yield the entries of ``members`` or ``groups``, with names in lower case; what is wrong with one in its place.

    Raises:
        ValueError: it is no list.
    """
    for entry in list_of(name, lowered(resource, "a resource").get(name)) or []:
        try:
            lowered_entry = lowered(entry if isinstance(entry, Mapping) else {"value": entry}, name)
            lowered_entry["value"] = text_of(f"value of {name}", lowered_entry.get("value"))
        except ValueError as error:
            yield error
            continue
        yield lowered_entry if lowered_entry["value"] else ValueError(f"an entry of {name} has no value")


def has_attribute(resource: Any, name: str) -> bool:
    """Return whether a resource has an attribute at all."""
    return isinstance(resource, dict) and name in {str(key).lower() for key in resource}


def main_email(emails: Any) -> str | None:
    """Return the primary address, else the first."""
    values = [entry if isinstance(entry, Mapping) else {"value": entry} for entry in emails or []]
    values = sorted(values, key=lambda entry: not _is_primary(attribute(entry, "primary")))
    addresses = (attribute(entry, "value") for entry in values)
    return next((value for value in addresses if isinstance(value, str)), None)


def _is_primary(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def _common(resource: Mapping[str, Any]) -> dict[str, Any]:
    meta = lowered(resource.get("meta") or {}, "meta")
    return {
        "id": text_of("id", resource.get("id")),
        "created_at": instant("meta.created", meta.get("created")),
        "updated_at": instant("meta.lastModified", meta.get("lastmodified")),
        "version": text_of("meta.version", meta.get("version")),
    }


def _manager(value: Any) -> Any:
    return {"value": value} if isinstance(value, str) else value or {}


def _unknown(resource: Mapping[str, Any], mapped: set[str]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if str(name).lower() not in mapped}
