"""What can be done about calendars: create, move, update, cancel, delete and restore events, answer, share, book.

A change of a calendar sends nobody a mail: a server without scheduling (RFC 6638) doesn't do it, and a plan says so.
Attendees are invited and informed by verbs of their own.
"""

from __future__ import annotations

from leat.sources.actions import Verb
from leat.sources.calendar.mail_parameters import Invite, SendCancellation, SendReply, SendUpdate
from leat.sources.calendar.parameters import (
    BookSlot,
    CancelEvent,
    CreateEvent,
    DeleteEvent,
    MoveEvent,
    RecordReply,
    Remind,
    Respond,
    RestoreEvent,
    Share,
    Unshare,
    UpdateEvent,
)

_WRITE = "write access to the calendar"
_RESTORED = "By `restore_event`, as long as nobody has changed the event since."
_MAIL = "read access to the calendar, `connection.mail` with the address of the {}"
VERBS = (
    Verb(
        "create_event",
        "Create an event that happens once.",
        CreateEvent,
        "guarded",
        _WRITE,
        "By `delete_event`, as long as nobody has changed the event since.",
    ),
    Verb(
        "book_slot",
        "Create an event at a time that has to be free; of two who book it at once, one wins.",
        BookSlot,
        "guarded",
        f"{_WRITE}, read access to those that have to be free",
        "By `delete_event`, as long as nobody has changed the event since.",
    ),
    Verb("move_event", "Move an event, a series, or one occurrence.", MoveEvent, "guarded", _WRITE, _RESTORED),
    Verb(
        "update_event",
        "Change title, text, place or status of an event, a series, or one occurrence.",
        UpdateEvent,
        "guarded",
        _WRITE,
        _RESTORED,
    ),
    Verb(
        "cancel_event",
        "Mark an event, a series, or one occurrence as cancelled; it stays visible as such.",
        CancelEvent,
        "guarded",
        _WRITE,
        _RESTORED,
    ),
    Verb(
        "delete_event",
        "Delete an event or a whole series.",
        DeleteEvent,
        "guarded",
        _WRITE,
        "By `restore_event`, as long as there is no other with its UID.",
    ),
    Verb(
        "restore_event",
        "Put an event back as it was before an action.",
        RestoreEvent,
        "guarded",
        _WRITE,
        "By `restore_event` or `delete_event`, as long as nobody has changed the event since.",
    ),
    Verb(
        "respond",
        "Answer an invitation for an address of the account.",
        Respond,
        "guarded",
        _WRITE,
        _RESTORED,
    ),
    Verb(
        "record_reply",
        "Record in an event the reply that an attendee sent by mail.",
        RecordReply,
        "guarded",
        _WRITE,
        _RESTORED,
    ),
    Verb(
        "invite",
        "Invite the attendees of an event by mail.",
        Invite,
        "probed",
        _MAIL.format("organizer"),
        "By `cancel_event` and then `send_cancellation`; the mail itself stays.",
        mails=True,
    ),
    Verb(
        "send_update",
        "Inform the attendees of an event by mail about a change.",
        SendUpdate,
        "probed",
        _MAIL.format("organizer"),
        "Not; change the event again and send that.",
        mails=True,
    ),
    Verb(
        "send_cancellation",
        "Inform the attendees of a cancelled event by mail.",
        SendCancellation,
        "probed",
        _MAIL.format("organizer"),
        "Not; put the event back and invite again.",
        mails=True,
    ),
    Verb(
        "send_reply",
        "Answer an invitation by mail.",
        SendReply,
        "probed",
        _MAIL.format("attendee"),
        "Not; send another answer, the latest counts.",
        mails=True,
    ),
    Verb("remind", "Add and remove reminders of an event.", Remind, "guarded", _WRITE, _RESTORED),
    Verb(
        "share",
        "Share a calendar with a person, who then has to accept it.",
        Share,
        "natural",
        "to own the calendar, and the server's permission to share",
        "By `unshare`.",
    ),
    Verb(
        "unshare",
        "Stop sharing a calendar with a person.",
        Unshare,
        "natural",
        "to own the calendar",
        "By `share`; the person has to accept it again.",
    ),
)
