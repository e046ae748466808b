"""Access lists and policies as rows: who may do what, and which of them lets in somebody else than the owner."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MAIL = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
_ANY_ACCOUNT = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"


@dataclass(frozen=True, slots=True)
class Grant:
    """A row of ``permissions``, and one of ``shares`` when somebody else than the owner is let in."""

    permission: dict[str, Any]
    share: dict[str, Any] | None


def acl_grants(bucket: str, acl: Element) -> Iterator[Grant]:
    """Yield what an access list grants (an ``AccessControlPolicy`` without namespaces)."""
    owner = acl.findtext("Owner/ID")
    for grant in acl.iter("Grant"):
        uri, mail = grant.findtext("Grantee/URI") or "", grant.findtext("Grantee/EmailAddress")
        account = grant.findtext("Grantee/ID")
        principal = "*" if uri == _EVERYBODY else mail or uri or account or grant.findtext("Grantee/DisplayName") or ""
        row = _row(bucket, principal, grant.findtext("Permission") or "", "acl", "")
        yield _grant(row, is_owner=bool(account) and account == owner, condition=None)


def policy_grants(bucket: str, policy: Mapping[str, Any] | None, owner: str | None) -> Iterator[Grant]:
    """Yield what the statements of a policy allow and deny, by principal, action and resource.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
    """
    seen: set[tuple[str, ...]] = set()
    for number, statement in enumerate(_listed((policy or {}).get("Statement"))):
        if not isinstance(statement, dict):
            continue
        effect = str(statement.get("Effect", "")).lower()
        origin = f"policy {statement.get('Sid') or number}"
        for principal, action, prefix in _parts(bucket, statement):
            row = _row(bucket, principal, action, origin, prefix)
            key = (principal, action, origin, prefix)
            if key not in seen:
                seen.add(key)
                row |= {"effect": effect, "condition": statement.get("Condition")}
                yield _grant(row, _is_owner(principal, owner), statement.get("Condition"))


def _parts(bucket: str, statement: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    named = principals_of(statement)
    sign = "not " if "NotPrincipal" in statement else ""
    actions = _listed(statement.get("Action")) or [f"not {name}" for name in _listed(statement.get("NotAction"))]
    for principal in named:
        for action in actions:
            for resource in _listed(statement.get("Resource")) or ["*"]:
                yield sign + str(principal), str(action), prefix_of(bucket, str(resource))


def principals_of(statement: Mapping[str, Any]) -> list[Any]:
    """Return whom a statement of a policy is about, or whom it excepts."""
    who = statement.get("Principal", statement.get("NotPrincipal", "*"))
    return [name for each in who.values() for name in _listed(each)] if isinstance(who, dict) else _listed(who)


def prefix_of(bucket: str, resource: str) -> str:
    """Return the prefix of keys in a resource such as ``arn:aws:s3:::bucket/folder/*``."""
    key = resource.rpartition(":")[2].partition("/")[2]
    return key.removesuffix("*")


def _grant(row: dict[str, Any], is_owner: bool, condition: Any) -> Grant:
    if is_owner or row["effect"] != "allow" or row["principal"].startswith("not "):
        return Grant(row, None)
    mail = _MAIL.search(row["principal"])
    share = {name: row[name] for name in ("bucket", "prefix", "principal", "permission", "origin")}
    share |= {"email": mail[0].lower() if mail else None, "is_public": row["principal"] in ("*", _ANY_ACCOUNT)}
    return Grant(row, {**share, "expires_at": _expiry(condition)})


def _row(bucket: str, principal: str, permission: str, origin: str, prefix: str) -> dict[str, Any]:
    row = {"bucket": bucket, "principal": principal, "permission": permission, "origin": origin, "prefix": prefix}
    return {**row, "effect": "allow", "condition": None}


def _is_owner(principal: str, owner: str | None) -> bool:
    return bool(owner) and (principal == owner or f"::{owner}:root" in principal)


def _expiry(condition: Any) -> datetime | None:
    if not isinstance(condition, dict):
        return None
    for name in ("DateLessThan", "DateLessThanEquals"):
        inner = condition.get(name)
        text = inner.get("aws:CurrentTime") if isinstance(inner, dict) else None
        try:
            moment = datetime.fromisoformat(str(text)) if text else None
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment
    return None


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]
