"""Ends sessions, by revoking their tokens (RFC 7009) as the applications that they were issued to.

A session that has ended can't begin again, so that ending it twice changes nothing, whoever did it first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused
from leat.sources.sso.actions import OfUser
from leat.sources.sso.actions import Session as Named
from leat.sources.sso.canaille.tokens import Session
from leat.sources.sso.scim.actions.directory import Directory
from leat.sources.sso.scim.actions.resources import id_of, is_active, login_of, people
from leat.sources.sso.scim.actions.session_store import SessionStore

_NOT_DECLARED = "leat sees no sessions here: declare connection.canaille_database"


def store_of(directory: Directory) -> SessionStore:
    """Return the sessions.

    Raises:
        Refused: leat doesn't see them.
    """
    if directory.sessions is None:
        raise Refused(_NOT_DECLARED)
    return directory.sessions


def shown(session: Session) -> str:
    """Return a session as people read it."""
    since = f", since {session.started_at:%Y-%m-%d %H:%M} UTC" if session.started_at else ""
    return f"session in {session.application}{since}"


def as_payload(sessions: Sequence[Session]) -> list[dict[str, str]]:
    """Return what is needed to end sessions, as JSON."""
    return [{"id": each.id, "client_id": each.client_id} for each in sessions]


def changes(sessions: Sequence[Session]) -> tuple[Change, ...]:
    """Return what is different when sessions have ended."""
    return tuple(Change(shown(each), "open", "ended") for each in sessions)


def still_open(directory: Directory, sessions: Sequence[dict[str, Any]]) -> list[Session]:
    """Return those of planned sessions that go on."""
    table = store_of(directory).table
    now = [table.session(each["id"]) for each in sessions]
    return [each for each in now if each is not None and each.is_open()]


def end_all(directory: Directory, sessions: Sequence[dict[str, Any]]) -> None:
    """End planned sessions, one after the other; those that have ended are left as they are."""
    for each in sessions:
        store_of(directory).end(each["id"], each["client_id"])


def _plan_one(directory: Directory, _action: str, wanted: Named) -> Plan:
    store = store_of(directory)
    session = store.table.session(wanted.id)
    if session is None:
        msg = f"there is no session {wanted.id}: look at the id, or it has expired and was deleted"
        raise Refused(msg)
    if not session.is_open():
        msg = f"session {wanted.id} has already ended"
        raise Refused(msg)
    store.refuse_foreign([session])
    user = directory.read("Users", session.user_id)
    return Plan(
        title=f"end {shown(session)} of account {session.login}",
        target=f"sessions/{session.id}",
        changes=changes([session]),
        payload={"sessions": as_payload([session])},
        people=people(user),
        warnings=_again(active=is_active(user)),
    )


def _plan_all(directory: Directory, _action: str, wanted: OfUser) -> Plan:
    store, user = store_of(directory), directory.user(wanted.user)
    sessions = store.table.sessions_of(id_of(user))
    if not sessions:
        msg = f"account {login_of(user)} has no open session, or they have already ended"
        raise Refused(msg)
    store.refuse_foreign(sessions)
    many = "1 open session" if len(sessions) == 1 else f"all {len(sessions)} open sessions"
    return Plan(
        title=f"end {many} of account {login_of(user)}",
        target=f"users/{id_of(user)}/sessions",
        changes=changes(sessions),
        payload={"sessions": as_payload(sessions)},
        people=people(user),
        warnings=_again(active=is_active(user)),
    )


def _again(*, active: bool) -> tuple[str, ...]:
    return ("the account is active: the person can sign in again at once",) if active else ()


def _send(directory: Directory, order: Order) -> Receipt:
    end_all(directory, order.plan.payload["sessions"])
    return _receipt(order)


def _receipt(order: Order) -> Receipt:
    return Receipt({"sessions": [each["id"] for each in order.plan.payload["sessions"]]})


def _probe(directory: Directory, order: Order) -> Receipt | None:
    return None if still_open(directory, order.plan.payload["sessions"]) else _receipt(order)


def _confirm(directory: Directory, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    return tuple(Change(shown(each), "ended", "open") for each in still_open(directory, order.plan.payload["sessions"]))


def _undo(_directory: Directory, _order: Order, _receipt: Receipt) -> NoReturn:
    msg = "a session that has ended can't go on: the person signs in again"
    raise Refused(msg)


END_ONE = Action(_plan_one, _send, _confirm, _probe, _undo)
END_ALL = Action(_plan_all, _send, _confirm, _probe, _undo)
