"""How a CalDAV server does the verbs of calendars (RFC 4791, RFC 5545, RFC 5546).

A new event has the id of its action as UID and file name; every event that an action changes holds its id as
``X-LEAT-ACTION``. So the effect of an action can be looked for by reading one file. What is read and written is the
file as it is: properties that nobody here understands stay. Servers may store a file in another form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from leat.sources.actions import Action, Order, Plan, Receipt, Undo, Verb
from leat.sources.calendar.actions import VERBS
from leat.sources.calendar.caldav.actions import (
    answering,
    booking,
    changing,
    creating,
    mailing,
    posting,
    reminding,
    restoring,
    sharing,
    writing,
)
from leat.sources.calendar.caldav.actions.account import connect
from leat.sources.calendar.caldav.driver import Connection
from leat.sources.email.sending.declared import is_probed

__all__ = ["actions", "connect"]

_PLANS: dict[str, Callable[[Any, str, Any], Plan]] = {
    "create_event": creating.plan,
    "move_event": changing.plan_move,
    "update_event": changing.plan_update,
    "cancel_event": changing.plan_cancel,
    "respond": answering.plan_respond,
    "record_reply": answering.plan_record,
    "remind": reminding.plan,
    "restore_event": restoring.plan_restore,
}
_ACTIONS = {
    **{name: Action(plan, writing.send, writing.confirm, writing.probe, writing.undo) for name, plan in _PLANS.items()},
    "book_slot": Action(booking.plan, booking.send, writing.confirm, booking.probe, writing.undo),
    "delete_event": Action(
        restoring.plan_delete,
        restoring.send_delete,
        restoring.confirm_delete,
        restoring.probe_delete,
        restoring.undo_delete,
    ),
    "share": Action(sharing.plan_share, sharing.send_share, sharing.confirm, sharing.probe, sharing.undo_share),
    "unshare": Action(sharing.plan_unshare, sharing.send_unshare, sharing.confirm, sharing.probe, sharing.undo_unshare),
}
_MAILS: dict[str, tuple[Callable[[Any, str, Any], Plan], Callable[[Any, Order, Receipt], Undo]]] = {
    "invite": (mailing.plan_invite, posting.undo_invite),
    "send_update": (mailing.plan_update, posting.undo),
    "send_cancellation": (mailing.plan_cancellation, posting.undo),
    "send_reply": (mailing.plan_reply, posting.undo),
}


def actions(connection: Connection) -> Iterator[tuple[Verb, Action]]:
    """Yield each verb, and how it is done; what protects a mail depends on what is declared."""
    sending = connection.mail.send if connection.mail is not None else None
    for verb in VERBS:
        if verb.name in _ACTIONS:
            yield verb, _ACTIONS[verb.name]
            continue
        plan, undo = _MAILS[verb.name]
        settle = sending.settle if sending is not None else 0.0
        if is_probed(sending):
            yield verb, Action(plan, posting.send, posting.confirm, posting.probe, undo, settle=settle)
        else:
            yield replace(verb, guarantee="unprobeable"), Action(plan, posting.send, posting.confirm, undo=undo)
