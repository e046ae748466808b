"""The streams of a calendar system, the same for every vendor (names after RFC 5545 and RFC 4791)."""

from __future__ import annotations

from leat.sources.stream import Column, Stream
from leat.sources.subject import EMAIL, LOGIN, email_of, name_of

_CALENDAR = Column("calendar", "string", "Path of the calendar on the server; its identity.")
_HREF = Column("href", "string", "Path of the file on the server that holds the event.")
_UID = Column("uid", "string", "UID of the event; the same for a series and its changed instances.")
_RECURRENCE_ID = Column(
    "recurrence_id",
    "string",
    "Empty for an event or series; for one changed instance its original start: UTC as 20260329T080000Z, "
    "a date as 20260329, a time without a zone as 20260329T080000.",
)
_EVENT = (_CALENDAR, _HREF, _UID, _RECURRENCE_ID)
_EVENT_KEY = ("calendar", "href", "uid", "recurrence_id")
_WHEN = (
    Column("starts_at", "timestamp", "Start as an instant; all-day and floating times are read as UTC."),
    Column("ends_at", "timestamp", "End as an instant, exclusive; all-day and floating times are read as UTC."),
    Column("starts_local", "datetime", "Start on the wall clock of the event's own zone; exact for floating times."),
    Column("ends_local", "datetime", "End on the wall clock of the event's own zone, exclusive."),
    Column("timezone", "string", "Zone of the start as the event names it; null for all-day and floating times."),
    Column("all_day", "boolean", "Whether the event takes whole days."),
    Column("floating", "boolean", "Whether the time has no zone: it happens at that wall-clock time anywhere."),
)
_STATUS = Column("status", "string", "CONFIRMED, TENTATIVE or CANCELLED; null when the event doesn't say.")
_WINDOW = "A recurring event is expanded over the connection's window; one that doesn't recur is always here."
_ROLLS = "The window moves forward with the date (UTC) of the run."

CALENDARS = Stream(
    name="calendars",
    description="A calendar that the account can read.",
    columns=(
        _CALENDAR,
        Column("name", "string", "Name shown to people."),
        Column("description", "string", "What the calendar is for."),
        Column("color", "string", "Colour shown to people, as #RRGGBB or #RRGGBBAA."),
        Column("timezone", "string", "Time zone of the calendar, where the server has one."),
        Column("owner", "string", "Path of the principal that owns it.", personal=True, subject=LOGIN),
        Column("components", "json", "Kinds of components that it may hold, for example VEVENT and VTODO."),
        Column("privileges", "json", "What the account may do with it (RFC 3744)."),
        Column("supports_sync", "boolean", "Whether changes are read by sync-collection (RFC 6578)."),
    ),
    key=("calendar",),
    deletes="full_scan",
)

EVENTS = Stream(
    name="events",
    description="An event, a series of events, or one changed instance of a series.",
    columns=(
        *_EVENT,
        Column("etag", "string", "Version of the file on the server."),
        Column("sequence", "integer", "Number of revisions by the organizer."),
        _STATUS,
        Column("summary", "string", "Title.", personal=True),
        Column("description", "string", "Text of the event.", personal=True),
        Column("location", "string", "Where it takes place.", personal=True),
        *_WHEN,
        Column("duration_seconds", "integer", "From start to end in elapsed seconds."),
        Column("recurs", "boolean", "Whether it has a recurrence rule or dates."),
        Column("range", "string", "THISANDFUTURE when the change holds for all later instances too."),
        Column("rrule", "string", "Recurrence rules as written, one per line."),
        Column("rdate", "string", "Additional dates as written, one property per line, with their parameters."),
        Column("exdate", "string", "Excluded dates as written, one property per line, with their parameters."),
        Column("organizer_email", "string", "Address of the organizer, lower case.", personal=True, subject=EMAIL),
        Column("organizer_name", "string", "Name of the organizer.", True, name_of("organizer_email")),
        Column("transparency", "string", "OPAQUE: blocks time; TRANSPARENT: doesn't."),
        Column("visibility", "string", "PUBLIC, PRIVATE or CONFIDENTIAL."),
        Column("priority", "integer", "1 highest to 9 lowest; 0 undefined."),
        Column("categories", "json", "Categories, in the order of the event."),
        Column("url", "string", "A page about the event."),
        Column("geo", "string", "Latitude and longitude, separated by a semicolon.", personal=True),
        Column("created", "timestamp", "When the event was created, according to its author's program."),
        Column("last_modified", "timestamp", "When the event was last changed, according to its author's program."),
    ),
    key=_EVENT_KEY,
    deletes="feed",
    quirks=(
        "starts_at and ends_at of all-day and floating events are read as UTC: use starts_local for the exact value.",
        "When a file becomes unreadable, its last valid rows stay, and leat quarantines the file.",
        "Unreadable properties that aren't essential are listed under `unreadable` in extra.",
    ),
)

ATTENDEES = Stream(
    name="attendees",
    description="A person, room or resource invited to an event.",
    columns=(
        *_EVENT,
        Column("address", "string", "Calendar address; the mail address where it is one, else the URI.", True, EMAIL),
        Column(
            "email", "string", "Mail address, lower case; null when the address isn't one.", True, email_of("address")
        ),
        Column("name", "string", "Name shown to people.", personal=True, subject=name_of("address")),
        Column("role", "string", "CHAIR, REQ-PARTICIPANT (the default), OPT-PARTICIPANT or NON-PARTICIPANT."),
        Column("response_status", "string", "NEEDS-ACTION (the default), ACCEPTED, DECLINED, TENTATIVE or DELEGATED."),
        Column("rsvp", "boolean", "Whether the organizer asks for an answer."),
        Column("kind", "string", "INDIVIDUAL (the default), GROUP, RESOURCE, ROOM or UNKNOWN."),
        Column("delegated_to", "string", "Addresses that it was delegated to.", personal=True),
        Column("delegated_from", "string", "Addresses that it was delegated by.", personal=True),
    ),
    key=(*_EVENT_KEY, "address"),
    deletes="feed",
)

OCCURRENCES = Stream(
    name="occurrences",
    description="One time at which an event really happens.",
    columns=(
        *_EVENT[:3],
        Column("occurrence_id", "string", "Original start in the form of recurrence_id; unique in its series."),
        _RECURRENCE_ID,
        _STATUS,
        Column("summary", "string", "Title of this occurrence.", personal=True),
        *_WHEN,
        Column("transparency", "string", "OPAQUE: blocks time; TRANSPARENT: doesn't."),
    ),
    key=("calendar", "href", "uid", "occurrence_id"),
    deletes="feed",
    quirks=(
        _WINDOW,
        _ROLLS,
        "recurrence_id names the row of events that the occurrence's fields come from.",
        "A cancelled instance has status CANCELLED; an excluded one (EXDATE) has no row.",
        "An event with DTEND has the same elapsed length when it crosses a clock change (RFC 5545, 3.8.5.3).",
        "At most 20,000 occurrences of a series; the log says occurrences_bounded when there would be more.",
    ),
)

ALARMS = Stream(
    name="alarms",
    description="A reminder of an event.",
    columns=(
        *_EVENT,
        Column("position", "integer", "Position among the alarms of the event, from 0."),
        Column("alarm_uid", "string", "UID of the alarm."),
        Column("action", "string", "DISPLAY, AUDIO or EMAIL."),
        Column("trigger", "string", "When, as written: a duration or a time."),
        Column("related", "string", "START or END: what a duration counts from."),
        Column("offset_seconds", "integer", "The duration in seconds; negative is before."),
        Column("triggers_at", "timestamp", "The time, if it is written as a time."),
        Column("repeat", "integer", "How often it is repeated."),
        Column("interval_seconds", "integer", "Seconds between repetitions."),
        Column("summary", "string", "Subject of an e-mail alarm.", personal=True),
        Column("description", "string", "Text of the alarm.", personal=True),
        Column("acknowledged", "timestamp", "When somebody dismissed it."),
    ),
    key=(*_EVENT_KEY, "position"),
    deletes="feed",
)

ATTACHMENTS = Stream(
    name="attachments",
    description="A document of an event: a link, or content inside the event; only its type and size are loaded.",
    columns=(
        *_EVENT,
        Column("position", "integer", "Position among the attachments of the event, from 0."),
        Column("uri", "string", "Where the document is; null for content inside the event.", personal=True),
        Column("name", "string", "File name.", personal=True),
        Column("media_type", "string", "MIME type."),
        Column("inline", "boolean", "Whether the content is inside the event."),
        Column("size", "integer", "Size in bytes, where the event says it."),
        Column("sha256", "string", "Hash of the content inside the event, hexadecimal."),
        Column("managed_id", "string", "Identity on the server (RFC 8607)."),
    ),
    key=(*_EVENT_KEY, "position"),
    deletes="feed",
)

SHARES = Stream(
    name="shares",
    description="Somebody who may see or write a calendar.",
    columns=(
        _CALENDAR,
        Column(
            "principal", "string", "Who: a login, path or address; `link:` and a hash for a public link.", True, LOGIN
        ),
        Column("origin", "string", "Where it comes from: owner, account, acl, invite or radicale."),
        Column("kind", "string", "owner, user, group, link, authenticated or everyone."),
        Column("access", "string", "read, write or free_busy; null when the server doesn't say."),
        Column("path", "string", "Path under which the recipient sees the calendar; null for links."),
        Column("enabled_by_owner", "boolean", "Whether the owner has switched the share on; null if unknown."),
        Column("enabled_by_principal", "boolean", "Whether the recipient has accepted it; null if unknown."),
        Column("created", "timestamp", "When it was shared, if the server reports it."),
        Column("updated", "timestamp", "When the share was changed, if the server reports it."),
    ),
    key=("calendar", "principal", "origin"),
    deletes="feed",
    quirks=("The secret path of a public link is never stored.",),
)

FREE_BUSY = Stream(
    name="free_busy",
    description="A period in which an event blocks time in a calendar.",
    columns=(
        *_EVENT[:3],
        Column("occurrence_id", "string", "The occurrence that blocks the time."),
        Column("starts_at", "timestamp", "Start of the period."),
        Column("ends_at", "timestamp", "End of the period, exclusive."),
        Column("kind", "string", "BUSY or BUSY-TENTATIVE (RFC 5545, 3.2.9)."),
    ),
    key=("calendar", "href", "uid", "occurrence_id"),
    deletes="feed",
    quirks=(_WINDOW, _ROLLS, "One row per occurrence; periods that overlap are not merged."),
)

STREAMS = (CALENDARS, EVENTS, ATTENDEES, OCCURRENCES, ALARMS, ATTACHMENTS, SHARES, FREE_BUSY)
OF_A_FILE = ("events", "attendees", "occurrences", "alarms", "attachments", "free_busy")
"""Streams whose rows come from one file of a calendar and are replaced together when it changes."""
