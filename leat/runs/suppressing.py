"""Learns from loaded mail whom to spare: hard bounces and complaints of what leat sent, and mails that unsubscribe."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from leat.control.outbox import ActionRow, read_actions
from leat.control.store import user_name
from leat.control.suppressions import REASONS, Reason, Suppression, read_suppressions, release, suppress
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.error_message import log_error
from leat.runs.workspace import Workspace
from leat.sources.email.sending.addresses import checked
from leat.sources.email.sending.tokens import verified
from leat.sources.errors import NotConfigured
from leat.sources.settings import read_secret
from leat.warehouse.session import Session, literal, quote

__all__ = ["REASONS", "Reason", "Suppression"]

log = logging.getLogger("leat.actions")

WINDOW = timedelta(days=7)
"""Rows that were loaded longer ago have been looked at by an earlier run."""
_BY = "leat"
_COMPLAINTS = "('abuse', 'fraud')"
"""The types of feedback (RFC 5965, section 7.3) that mean that a recipient doesn't want the mail."""
_OPT_OUT_LINE = "unsubscribe u0-"


def learn_or_log(workspace: Workspace) -> None:
    """Do :func:`learn`; whatever goes wrong is logged, for a run fails for none of it."""
    try:
        learn(workspace)
    except Exception as error:
        log_error(log, error, "no addresses were suppressed")


def suppressed(workspace: Workspace) -> list[Suppression]:
    """Return the addresses that get no mail."""
    return read_suppressions(workspace.store)


def add(workspace: Workspace, address: str, reason: Reason, note: str) -> bool:
    """Suppress an address; return whether it wasn't.

    Raises:
        ValueError: it is no mail address.
    """
    return bool(
        suppress(workspace.store, [Suppression(checked(address), reason, datetime.now(UTC), user_name(), note)])
    )


def remove(workspace: Workspace, address: str, reason: Reason | None) -> int:
    """Let an address get mail again; return how many entries there were."""
    return release(workspace.store, address, datetime.now(UTC), reason)


def learn(workspace: Workspace) -> list[Suppression]:
    """Suppress the addresses that recently loaded mail is a reason for, and return those that are new."""
    sending = [each for each in workspace.declarations.values() if _sends(each)]
    if not sending:
        return []
    reasons, after = list[Suppression](), literal(datetime.now(UTC) - WINDOW)
    with workspace.warehouse.snapshot() as session:
        for declaration in sending:
            reasons += list(_bounces(workspace, session, declaration, after))
            reasons += list(_complaints(workspace, session, declaration, after))
            reasons += list(_opt_outs(workspace, session, declaration, after))
    return suppress(workspace.store, reasons)


def signing_key(workspace: Workspace, declaration: Declaration) -> str | None:
    """Return what an integration signs the links of its mails with; None if it doesn't."""
    named = getattr(getattr(declaration.connection, "send", None), "signing_key", None)
    if declaration.source != "email" or named is None:
        return None
    try:
        return read_secret(named, declaration.name, workspace.project.folder)
    except NotConfigured:
        return None


def _sends(declaration: Declaration) -> bool:
    return declaration.source == "email" and getattr(declaration.connection, "send", None) is not None


def _bounces(workspace: Workspace, session: Session, declaration: Declaration, after: str) -> Iterator[Suppression]:
    rows = _rows(
        session,
        declaration,
        "bounces",
        "recipient, original_message_id, status, _synced_at",
        f"action = 'failed' AND permanent AND _synced_at >= {after}",
    )
    ids = {str(row[1]).partition("@")[0] for row in rows if row[1]}
    sent = _sent(workspace, ids)
    for address, message_id, status, since in rows:
        action = sent.get(str(message_id).partition("@")[0])
        if address and action is not None and address in _recipients(action):
            yield Suppression(address, "bounce", since, _BY, f"{status} for mail {action.id}")


def _complaints(workspace: Workspace, session: Session, declaration: Declaration, after: str) -> Iterator[Suppression]:
    """Yield who complained about a mail of leat; if the report names nobody, it is the only recipient."""
    rows = _rows(
        session,
        declaration,
        "complaints",
        "recipient, original_message_id, feedback_type, _synced_at",
        f"feedback_type IN {_COMPLAINTS} AND _synced_at >= {after}",
    )
    sent = _sent(workspace, {str(row[1]).partition("@")[0] for row in rows if row[1]})
    for address, message_id, kind, since in rows:
        action = sent.get(str(message_id).partition("@")[0])
        recipients = _recipients(action) if action is not None else []
        named = [address] if address in recipients else recipients if address is None and len(recipients) == 1 else []
        yield from (Suppression(each, "complaint", since, _BY, f"{kind} for mail {action.id}") for each in named)  # type: ignore[union-attr]


def _opt_outs(workspace: Workspace, session: Session, declaration: Declaration, after: str) -> Iterator[Suppression]:
    key = signing_key(workspace, declaration)
    if key is None:
        return
    where = f"LOWER(subject) LIKE '%{_OPT_OUT_LINE}%' AND _synced_at >= {after}"
    rows = _rows(session, declaration, "messages", "subject, _synced_at", where)
    tokens = [(verified(key, str(subject)), since) for subject, since in rows]
    sent = _sent(workspace, {token.action for token, _ in tokens if token})
    for token, since in tokens:
        if token and token.kind == "unsubscribe" and token.action in sent:
            note = f"by mail, of {token.action}"
            yield from (Suppression(each, "opt_out", since, _BY, note) for each in _recipients(sent[token.action]))


def _rows(session: Session, declaration: Declaration, stream: str, columns: str, where: str) -> list[Any]:
    if not session.columns(declaration.name, stream):
        return []
    table = quote(declaration.name, stream)
    return list(session.execute(f"SELECT {columns} FROM {table} WHERE _deleted_at IS NULL AND {where}"))


def _sent(workspace: Workspace, ids: set[str]) -> dict[str, ActionRow]:
    return {row.id: row for row in read_actions(workspace.store, ids=ids)} if ids else {}


def _recipients(action: ActionRow) -> list[str]:
    return [str(each).lower() for each in action.plan["payload"].get("recipients", ())]
