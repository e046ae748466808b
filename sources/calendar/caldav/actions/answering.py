"""Answers an invitation, and records the answer that an attendee has given by mail."""

from __future__ import annotations

from leat.sources.actions import Plan, Refused
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.calendar.caldav.actions.occurring import Chosen
from leat.sources.calendar.caldav.actions.revising import attendees_in, named, open_chosen, plan_file, text_in
from leat.sources.calendar.ics.editing import answer
from leat.sources.calendar.ics.values import email_of, first
from leat.sources.calendar.parameters import RecordReply, Respond


def plan_respond(account: Account, action: str, wanted: Respond) -> Plan:
    """Plan to answer an invitation; SEQUENCE stays, for only the organizer revises an event (RFC 5546, 2.1.4).

    Raises:
        Refused: none of the account's addresses is invited, or the answer is there already.
    """
    calendar, file, _, chosen = open_chosen(account, wanted)
    if all(text_in(part, "STATUS").upper() == "CANCELLED" for part in chosen.parts):
        msg = f"event {wanted.event} is cancelled, so there is nothing to answer"
        raise Refused(msg)
    address = _who(account, chosen, wanted)
    status = wanted.answer.upper()
    given = [(part, answer(part.node, frozenset({address}), status)) for part in chosen.parts]
    parts = [part for part, answers in given if any(before != status for _, before in answers)]
    if not parts:
        msg = f"{address} has already {wanted.answer} event {wanted.event}"
        raise Refused(msg)
    organizer = email_of(first(parts[0].event.component.get("ORGANIZER")))
    title = f"answer {wanted.answer} to {named(chosen, wanted)} for {address}"
    said = f"the organizer {organizer} is sent no mail: `send_reply` does that" if organizer else ""
    return plan_file(account, action, (calendar, file, chosen, parts), title, [said] if said else [], revises=False)


def _who(account: Account, chosen: Chosen, wanted: Respond) -> str:
    """Return the address that answers."""
    invited = {address for part in chosen.parts for address in attendees_in(part)}
    own = account.addresses()
    if wanted.attendee is not None and wanted.attendee not in own:
        msg = f"attendee: {wanted.attendee} isn't an address of this account: add it to connection.addresses if it is"
        raise Refused(msg)
    own = own if wanted.attendee is None else frozenset({wanted.attendee})
    if len(own & invited) > 1:
        msg = f"attendee: several addresses of the account are invited; give one of {', '.join(sorted(own & invited))}"
        raise Refused(msg)
    if not own & invited:
        who = ", ".join(sorted(own)) or "nothing: declare connection.addresses"
        msg = f"attendee: no address of the account is invited to event {wanted.event}; it has {who}"
        raise Refused(msg)
    return next(iter(own & invited))


def plan_record(account: Account, action: str, wanted: RecordReply) -> Plan:
    """Plan to write down the answer of another attendee; SEQUENCE stays, for nothing of the event changes.

    Raises:
        Refused: the event was revised after the answer, the attendee isn't invited, or the answer is there already.
    """
    calendar, file, _, chosen = open_chosen(account, wanted)
    status = wanted.answer.upper()
    revision = max(part.event.sequence for part in chosen.parts)
    if wanted.sequence is not None and wanted.sequence < revision:
        msg = f"sequence: the answer is to revision {wanted.sequence}, and the event has revision {revision} by now"
        raise Refused(msg)
    given = [(part, answer(part.node, frozenset({wanted.attendee}), status)) for part in chosen.parts]
    if not any(answers for _, answers in given):
        msg = f"attendee: {wanted.attendee} isn't invited to event {wanted.event}"
        raise Refused(msg)
    parts = [part for part, answers in given if any(before != status for _, before in answers)]
    if not parts:
        msg = f"event {wanted.event} already says that {wanted.attendee} has {wanted.answer}"
        raise Refused(msg)
    title = f"record that {wanted.attendee} has {wanted.answer} {named(chosen, wanted)}"
    return plan_file(account, action, (calendar, file, chosen, parts), title, revises=False)
