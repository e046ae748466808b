"""Exports the audit log as OCSF 1.4 (Open Cybersecurity Schema Framework), one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditPerson
from leat.security.audit.chain import Event, sealed_events

_VERSION = "1.4.0"
_AUTHENTICATION, _AUTHORIZE, _ACCOUNT, _API = (3, 3002), (3, 3003), (3, 3001), (6, 6003)
_CLASSES = {"sign_in": _AUTHENTICATION, "session": _AUTHENTICATION, "link": _AUTHENTICATION, "access": _AUTHORIZE,
            "person": _ACCOUNT, "token": _ACCOUNT}  # fmt: skip
_CREATE, _UPDATE, _DELETE, _OTHER = 1, 3, 4, 99
_ACTIVITIES = {
    "sign_in.succeeded": 1,  # Authentication: Logon
    "sign_in.failed": 1,
    "session.created": 1,
    "session.ended": 2,  # Logoff
    "person.added": _CREATE,
    "person.reactivated": 2,  # Account change: Enable
    "person.deactivated": 5,  # Disable
    "token.created": _CREATE,
    "token.revoked": 6,  # Delete
}
_HIGH = ("access.denied", "sign_in.failed", "publish.forced", "audit.forgotten", "subject.erased", "subject.exported")


def ocsf_events(engine: Engine, after: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the sealed events behind a number, in the order of the chain; their hashes are in ``unmapped``."""
    with Session(engine) as session:
        names = dict(session.execute(select(AuditPerson.pseudonym, AuditPerson.name)).tuples().all())
        for event in sealed_events(session, after):
            yield _mapped(event, names)


def _mapped(event: Event, names: dict[str, str]) -> dict[str, Any]:
    category, of_class = _CLASSES.get(event.event.partition(".")[0], _API)
    activity = _ACTIVITIES.get(event.event, _OTHER)
    failed = event.event in ("access.denied", "sign_in.failed")
    user = {"uid": event.actor, **({"name": names[event.actor]} if event.actor in names else {})}
    return {
        "category_uid": category,
        "class_uid": of_class,
        "activity_id": activity,
        "activity_name": event.event,
        "type_uid": of_class * 100 + activity,
        "time": int(event.happened_at.timestamp() * 1000),
        "severity_id": 3 if event.event in _HIGH else 1,
        "status_id": 2 if failed else 1,
        "message": event.event,
        "actor": {"user": user},
        "user": user,
        "metadata": {
            "version": _VERSION,
            "product": {"name": "leat", "vendor_name": "leat"},
            "uid": str(event.seq),
            "sequence": event.seq,
        },
        "unmapped": {"detail": event.values, "previous": event.previous, "hash": event.hash},
    }
