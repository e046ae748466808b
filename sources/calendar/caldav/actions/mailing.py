"""Plans mails about events: invitations, changes, cancellations, replies (iMIP, RFC 6047)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from leat.sources.actions import Change, Plan, Refused
from leat.sources.calendar.caldav.actions.account import Account
from leat.sources.calendar.caldav.actions.occurring import Chosen, choose
from leat.sources.calendar.caldav.actions.revising import attendees_in, named, open_chosen, text_in
from leat.sources.calendar.caldav.actions.times import shown
from leat.sources.calendar.ics.components import decode
from leat.sources.calendar.ics.editing import read_book
from leat.sources.calendar.ics.reasons import Unreadable
from leat.sources.calendar.ics.values import email_of, first
from leat.sources.calendar.imip import Note, composed, one_line
from leat.sources.calendar.itip import Method, cancellation, reply, request
from leat.sources.calendar.mail_parameters import Invite, SendCancellation, SendReply, SendUpdate
from leat.sources.calendar.parameters import OfOccurrence
from leat.sources.email.sending.addresses import checked
from leat.sources.email.sending.letters import BODY, Letter

_STAYS = "a mail can't be taken back"


@dataclass(frozen=True, slots=True)
class _Message:
    """A scheduling message, and the words around it."""

    method: Method
    calendar: str
    subject: str
    text: str
    to: Sequence[str]


def plan_invite(account: Account, action: str, wanted: Invite) -> Plan:
    """Plan to invite attendees of an event.

    Raises:
        Refused: the event is cancelled or has nobody to invite, or mail isn't sent from its organizer's address.
    """
    return _to_attendees(account, action, wanted, "Invitation", "REQUEST")


def plan_update(account: Account, action: str, wanted: SendUpdate) -> Plan:
    """Plan to send attendees the event as it is now.

    Raises:
        Refused: as :func:`plan_invite`.
    """
    return _to_attendees(account, action, wanted, "Changed", "REQUEST")


def plan_cancellation(account: Account, action: str, wanted: SendCancellation) -> Plan:
    """Plan to send attendees that the event is cancelled.

    Raises:
        Refused: it isn't cancelled in the calendar, or as :func:`plan_invite`.
    """
    return _to_attendees(account, action, wanted, "Cancelled", "CANCEL")


def _to_attendees(account: Account, action: str, wanted: Invite, word: str, method: Method) -> Plan:
    calendar, file, _, chosen = open_chosen(account, wanted, to_write=False)
    cancelled = all(text_in(part, "STATUS").upper() == "CANCELLED" for part in chosen.parts)
    if cancelled is not (method == "CANCEL"):
        next_step = "is cancelled: use send_cancellation" if cancelled else "isn't cancelled: cancel it first"
        msg = f"event {wanted.event} {next_step}"
        raise Refused(msg)
    sender = account.mail().sender.addr_spec.lower()
    organizer = _organizer(chosen)
    if organizer != sender:
        who = f"its organizer is {organizer}" if organizer else "it has no organizer"
        msg = f"event {wanted.event}: {who}, but connection.mail sends from {sender}, and programs refuse that"
        raise Refused(msg)
    invited, *others = ([each for each in attendees_in(part) if each != organizer] for part in chosen.parts)
    to = _recipients(wanted, list(dict.fromkeys(invited)))
    partly = sorted({each for people in others for each in people} - set(invited))
    warnings = [f"give occurrence to inform {each}, who is invited only to single occurrences" for each in partly]
    now = datetime.now(UTC)
    if method == "CANCEL":
        parts = [part for part in chosen.parts if set(to) & set(attendees_in(part))]
        calendar_text = cancellation(chosen.book, parts, to, now)
    else:
        calendar_text = request(chosen.book, chosen.parts, now)
    message = _Message(
        method, calendar_text, f"{word}: {_summary(chosen)}", _text(word, chosen, organizer, invited), to
    )
    what = {"Invitation": "invite to", "Changed": "send the change of", "Cancelled": "send the cancellation of"}[word]
    title = f"{what} {named(chosen, wanted)}, {shown(chosen.start)}: {', '.join(to)}"
    place = {"calendar": calendar, "event": wanted.event, "path": file.path}
    return _plan(account, action, message, title, (place, file.etag), warnings)


def _recipients(wanted: Invite, invited: Sequence[str]) -> list[str]:
    others = [each for each in wanted.attendees if each not in invited]
    if others:
        msg = f"attendees: {', '.join(others)} isn't among the attendees of event {wanted.event}"
        raise Refused(msg)
    to = list(dict.fromkeys(wanted.attendees)) or list(invited)
    for each in to:
        try:
            checked(each)
        except ValueError:
            msg = f"attendees: {one_line(each)!r} of event {wanted.event} is no address that mail can be sent to"
            raise Refused(msg) from None
    if not to:
        msg = f"event {wanted.event} has no attendees"
        raise Refused(msg)
    return to


def plan_reply(account: Account, action: str, wanted: SendReply) -> Plan:
    """Plan to answer an invitation by mail, one in a calendar or one that arrived by mail.

    Raises:
        Refused: the address that mail is sent from isn't invited, or there is no organizer to answer.
    """
    if wanted.invitation is not None:
        chosen = _arrived(wanted)
        place: dict[str, str | None] = {"calendar": "mail/", "event": chosen.book.master.event.uid, "path": None}
        etag = None
    else:
        named_ = OfOccurrence(calendar=wanted.calendar or "", event=wanted.event or "", occurrence=wanted.occurrence)
        calendar, file, _, chosen = open_chosen(account, named_, to_write=False)
        place, etag = {"calendar": calendar, "event": wanted.event, "path": file.path}, file.etag
    sender = account.mail().sender.addr_spec.lower()
    parts = [part for part in chosen.parts if sender in attendees_in(part)]
    if not parts:
        msg = f"connection.mail sends from {sender}, which isn't invited to the event"
        raise Refused(msg)
    try:
        to = checked(_organizer(chosen) or "")
    except ValueError:
        msg = "the event names no organizer whom mail can be sent to"
        raise Refused(msg) from None
    said = wanted.answer.capitalize()
    text = reply(chosen.book, parts, sender, wanted.answer.upper(), datetime.now(UTC))
    summary = f"{said}: {_summary(chosen)}"
    message = _Message("REPLY", text, summary, f"{sender} has {_PAST[wanted.answer]} {_summary(chosen)!r}.\n", [to])
    title = f"answer {wanted.answer} by mail to {to}: {_summary(chosen)!r}, {shown(chosen.start)}"
    return _plan(account, action, message, title, (place, etag))


_PAST = {"accepted": "accepted", "declined": "declined", "tentative": "tentatively accepted"}


def _arrived(wanted: SendReply) -> Chosen:
    """Return the event of an invitation that arrived by mail."""
    try:
        book = read_book(decode(wanted.invitation or ""))
    except Unreadable as error:
        msg = f"invitation: {error}"
        raise Refused(msg) from None
    methods = {line.partition(":")[2].strip().upper() for line in book.calendar.originals("METHOD")}
    if methods != {"REQUEST"}:
        msg = "invitation: it isn't one, because its METHOD isn't REQUEST"
        raise Refused(msg)
    return choose(book, wanted.occurrence)


def _plan(
    account: Account,
    action: str,
    message: _Message,
    title: str,
    at: tuple[Mapping[str, str | None], str | None],
    warnings: Sequence[str] = (),
) -> Plan:
    """Return the plan of a mail; ``at`` is where the event is, and its ETag."""
    place, etag = at
    mail = account.mail()
    message_id, to = mail.message_id(action), tuple(map(checked, message.to))
    note = Note(message_id, mail.sender, to, message.subject, message.text, message.method, message.calendar)
    letter = Letter(message_id, mail.sender.addr_spec, to, composed(note), mail.witness_address)
    return Plan(
        title=title,
        target=f"{place['calendar']}{place['event']}",
        changes=(Change("subject", None, one_line(message.subject)), Change("text", None, message.text)),
        payload={**letter.payload(), **place},
        precondition={"etag": etag},
        people=to,
        warnings=(_STAYS, *warnings),
        bodies={BODY: letter.content},
    )


def _organizer(chosen: Chosen) -> str | None:
    return email_of(first(chosen.parts[0].event.component.get("ORGANIZER")))


def _summary(chosen: Chosen) -> str:
    return one_line(text_in(chosen.parts[0], "SUMMARY")) or "(no title)"


def _text(word: str, chosen: Chosen, organizer: str | None, invited: Sequence[str]) -> str:
    """Return what people read."""
    part = chosen.parts[0]
    facts = {
        "When": f"{shown(chosen.start)} to {shown(chosen.end)}",
        "Repeats": "yes; the attached file has all times" if part.event.rules or part.event.dates else "",
        "Where": one_line(text_in(part, "LOCATION")),
        "Organizer": organizer or "",
        "Attendees": ", ".join(dict.fromkeys(invited)),
    }
    lines = [f"{word}: {_summary(chosen)}", "", *(f"{name}: {value}" for name, value in facts.items() if value)]
    description = text_in(part, "DESCRIPTION").strip()
    return "\n".join([*lines, *(["", description] if description else [])]) + "\n"
