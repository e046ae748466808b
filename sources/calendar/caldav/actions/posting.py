"""Sends a planned mail about an event, once, as the sources of e-mail do.

Its Message-ID has the id of the action, by which it is searched for. It says what the event said when it was planned:
if the event has changed since, it isn't sent.
"""

from __future__ import annotations

from leat.sources.actions import Change, Order, Receipt, Undo
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.calendar.mail_parameters import Invite
from leat.sources.email.imap.actions import outgoing


def send(account: Account, order: Order) -> Receipt:
    """Send the mail, if the event is as it was.

    Raises:
        Outdated: it isn't.
        IntegrationError: it wasn't sent, or nobody knows.
    """
    path, etag = order.plan.payload["path"], order.plan.precondition["etag"]
    if path is not None:
        file = account.read(path)
        if file is None or file.etag != etag:
            account.outdated("sending a mail about an event", "the event has been changed since it was planned")
    return outgoing.send(account.mail(), order)


def probe(account: Account, order: Order) -> Receipt | None:
    """Return the receipt when the server has accepted the mail."""
    return outgoing.probe(account.mail(), order)


def confirm(account: Account, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Search for a copy of the mail."""
    return outgoing.confirm(account.mail(), order, receipt)


def undo(account: Account, order: Order, receipt: Receipt) -> Undo:
    """Refuse: what was sent stays sent."""
    return outgoing.undo(account.mail(), order, receipt)


def undo_invite(_account: Account, order: Order, _receipt: Receipt) -> Undo:
    """Return what cancels an invitation for those who got it."""
    wanted: Invite = order.parameters
    given = {"calendar": wanted.calendar, "event": wanted.event, "attendees": list(wanted.attendees)}
    return Undo("send_cancellation", given | ({"occurrence": wanted.occurrence} if wanted.occurrence else {}))
