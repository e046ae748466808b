"""The streams of an e-mail system, the same for every vendor (names after RFC 5322, RFC 9051 and RFC 3464)."""

from __future__ import annotations

from leat.sources.stream import Column, Stream
from leat.sources.subject import EMAIL, Subject, name_of

_ACCOUNT = Column("account", "string", "Login of the account.", personal=True, subject=Subject("login", "row"))
_MAILBOX = Column("mailbox", "string", "Name of the mailbox, as people see it.")
_MESSAGE = (
    _ACCOUNT,
    _MAILBOX,
    Column("uidvalidity", "integer", "UIDVALIDITY of the mailbox: when it changes, all UIDs are new."),
    Column("uid", "integer", "UID of the message in the mailbox."),
)
_KEY = ("account", "mailbox", "uidvalidity", "uid")
_POSITION = Column("position", "integer", "Position in the message, from 0.")

MAILBOXES = Stream(
    name="mailboxes",
    description="A mailbox (a folder) that an account can read.",
    columns=(
        _ACCOUNT,
        _MAILBOX,
        Column("role", "string", "inbox, sent, drafts, trash, junk, archive, all, flagged or important (RFC 6154)."),
        Column("delimiter", "string", "Separator of the levels of the name; null if there are none."),
        Column("attributes", "json", "Its LIST attributes, for example \\HasChildren; without \\Marked."),
        Column("selectable", "boolean", "Whether it can hold messages."),
        Column("shared", "boolean", "Whether the declaration says (`shared`) that no single person owns the account."),
        Column("uidvalidity", "integer", "UIDVALIDITY; null where it can't be opened."),
        Column("messages", "integer", "Number of messages, according to the server."),
        Column("changes_by", "string", "How leat detects changes: qresync, condstore or comparison."),
    ),
    key=("account", "mailbox"),
    deletes="full_scan",
)

MESSAGES = Stream(
    name="messages",
    description="A message in a mailbox.",
    columns=(
        *_MESSAGE,
        Column("message_id", "string", "Message-ID without its angle brackets; null when the message has none."),
        Column("thread_id", "string", "The thread; equal for all messages of a thread in an account."),
        Column("subject", "string", "Subject, decoded.", personal=True),
        Column("from_email", "string", "Address of the first author, lower case.", True, Subject("email", "personal")),
        Column("from_name", "string", "Name of the first author.", personal=True, subject=name_of("from_email")),
        Column(
            "sender_email",
            "string",
            "Address of the sender on the author's behalf (Sender), lower case.",
            personal=True,
            subject=EMAIL,
        ),
        Column("reply_to", "json", "Addresses that answers go to (Reply-To), lower case.", personal=True),
        Column(
            "date", "timestamp", "When it was written, according to its author's program; null if that isn't certain."
        ),
        Column("date_zone", "string", "Zone of that time as written, for example +0200; null when none is written."),
        Column("received_at", "timestamp", "When the server received it (INTERNALDATE)."),
        Column("in_reply_to", "string", "Message-ID of the message that it answers."),
        Column("references", "json", "Message-IDs of the thread so far, oldest first."),
        Column("preview", "string", "The first 200 characters of its text, on one line.", personal=True),
        Column("text", "string", "Plain text, decoded; all plain parts that aren't attachments.", personal=True),
        Column("html", "string", "HTML text, decoded, as it came: not safe to show.", personal=True),
        Column("size", "integer", "Size in bytes, according to the server (RFC822.SIZE)."),
        Column("truncated", "boolean", "Whether it is larger than max_bytes, so that only its beginning was read."),
        Column("attachments", "integer", "How many rows of attachments it has."),
        Column("list_id", "string", "Identity of the mailing list (RFC 2919)."),
        Column("list_unsubscribe", "string", "How to leave the mailing list (RFC 2369).", personal=True),
        Column("auto_submitted", "string", "auto-generated, auto-replied or no (RFC 3834)."),
        Column("spf", "string", "Result of SPF, according to the receiving server (RFC 8601)."),
        Column("dkim", "string", "Result of DKIM, according to the receiving server."),
        Column("dmarc", "string", "Result of DMARC, according to the receiving server."),
        Column(
            "authentication_results", "json", "All Authentication-Results as written, topmost first.", personal=True
        ),
        Column("defects", "json", "Defects of the message, in words; null if there are none."),
    ),
    key=_KEY,
    deletes="feed",
    quirks=(
        "A message that is moved gets a new UID: its row is deleted, and there is one in the other mailbox.",
        "The same message in two mailboxes has two rows with the same message_id.",
        "Flags are in `flags`, because they change while a message doesn't.",
        "spf, dkim and dmarc come from the topmost Authentication-Results, which the receiving server adds; a sender "
        "can write such a header too, so trust them only where your server removes foreign ones.",
    ),
)

RECIPIENTS = Stream(
    name="recipients",
    description="An address in a header of a message: its authors and those it went to.",
    columns=(
        *_MESSAGE,
        Column("role", "string", "from, sender, reply_to, to, cc or bcc."),
        Column("position", "integer", "Position in that header, from 0."),
        Column("email", "string", "Address, lower case; null when none is written.", personal=True, subject=EMAIL),
        Column("name", "string", "Name shown to people.", personal=True, subject=name_of("email")),
        Column("group_name", "string", "Group that the address is in, for example undisclosed-recipients.", True),
    ),
    key=(*_KEY, "role", "position"),
    deletes="feed",
)

HEADERS = Stream(
    name="headers",
    description="A header field of a message.",
    columns=(
        *_MESSAGE,
        _POSITION,
        Column("field", "string", "Name of the field, lower case."),
        Column("value", "string", "Value, unfolded and decoded.", personal=True),
    ),
    key=(*_KEY, "position"),
    deletes="feed",
    quirks=("At most 500 fields of a message are loaded, each up to 65,536 characters.",),
)

ATTACHMENTS = Stream(
    name="attachments",
    description="A part of a message that isn't its text: a file, a picture, an attached message.",
    columns=(
        *_MESSAGE,
        Column("part", "string", "Number of the part (RFC 9051, section 6.4.5), for example 2.1."),
        Column("name", "string", "File name, decoded, without folders.", personal=True),
        Column("media_type", "string", "MIME type as written, lower case."),
        Column("disposition", "string", "attachment, inline or another; null when the part doesn't say."),
        Column("kind", "string", "file, message (an attached message), tnef (winmail.dat), or inline (in the HTML)."),
        Column("content_id", "string", "Content-ID, by which the HTML refers to it."),
        Column("size", "integer", "Size in bytes, decoded, as it was sent; null if it wasn't read completely."),
        Column("sha256", "string", "Hash of the decoded content, hexadecimal; null if it wasn't read completely."),
        Column("stored_as", "string", "Path below the connection's attachments folder; null when it isn't stored."),
    ),
    key=(*_KEY, "part"),
    deletes="feed",
)

FLAGS = Stream(
    name="flags",
    description="The flags that a message has now.",
    columns=(
        *_MESSAGE,
        Column("seen", "boolean", "Whether it was read."),
        Column("answered", "boolean", "Whether it was answered."),
        Column("flagged", "boolean", "Whether it is marked as important."),
        Column("draft", "boolean", "Whether it is a draft."),
        Column("deleted", "boolean", "Whether it is marked to be removed."),
        Column("keywords", "json", "All other flags, sorted, for example $Forwarded or a person's own."),
    ),
    key=_KEY,
    deletes="feed",
    quirks=("\\Recent is left out: it belongs to a session, not to a message.",),
)

THREADS = Stream(
    name="threads",
    description="A conversation in an account, across all its mailboxes, by References and In-Reply-To.",
    columns=(
        _ACCOUNT,
        Column("thread_id", "string", "Hash of the Message-ID of its first message."),
        Column("messages", "integer", "Number of different messages of it in the account."),
        Column("mailboxes", "json", "Mailboxes that hold them, sorted."),
        Column("first_at", "timestamp", "When the server received the first of them."),
        Column("last_at", "timestamp", "When the server received the last of them."),
    ),
    key=("account", "thread_id"),
    deletes="feed",
    quirks=(
        "Subjects don't count: two messages with the subject `Invoice` are two threads.",
        "If a new message shows that two threads are one, all their messages get one thread_id.",
    ),
)

BOUNCES = Stream(
    name="bounces",
    description="What a delivery status notification (RFC 3464) says about one recipient.",
    columns=(
        *_MESSAGE,
        _POSITION,
        Column("recipient", "string", "Address that the report is about (Final-Recipient), lower case.", True, EMAIL),
        Column("original_recipient", "string", "Address as it was written by the sender, lower case.", True, EMAIL),
        Column("action", "string", "failed, delayed, delivered, relayed or expanded."),
        Column("status", "string", "Status code (RFC 3463), for example 5.1.1."),
        Column("permanent", "boolean", "Whether a retry is useless: the code begins with 5."),
        Column("diagnostic", "string", "Response of the other server.", personal=True),
        Column("remote_mta", "string", "The server that sent this response."),
        Column("reporting_mta", "string", "The server that wrote the report."),
        Column("arrived_at", "timestamp", "When the original message reached the reporting server."),
        Column("last_attempt_at", "timestamp", "When delivery was last tried."),
        Column("original_message_id", "string", "Message-ID of the message that was not delivered."),
    ),
    key=(*_KEY, "position"),
    deletes="feed",
)

INVITATIONS = Stream(
    name="invitations",
    description="An event in a scheduling message that a mail carries (iMIP, RFC 6047): an invitation, a reply.",
    columns=(
        *_MESSAGE,
        Column("part", "string", "Number of the part that it was read from."),
        Column("event_uid", "string", "UID of the event; the same in the calendar and in all messages about it."),
        Column(
            "recurrence_id",
            "string",
            "Empty for an event or series; for one occurrence its original start, as in the calendar's events.",
        ),
        Column("method", "string", "REQUEST, CANCEL, REPLY, ADD, REFRESH, COUNTER, DECLINECOUNTER or PUBLISH."),
        Column("sequence", "integer", "Revision of the event that the message is about."),
        Column("stamped_at", "timestamp", "When the message was made, according to its author's program (DTSTAMP)."),
        Column("summary", "string", "Title of the event.", personal=True),
        Column(
            "starts_at", "timestamp", "Start of the event, all-day and floating times as UTC; null if there is none."
        ),
        Column("ends_at", "timestamp", "End of the event, exclusive."),
        Column("organizer_email", "string", "Address of the organizer, lower case.", personal=True, subject=EMAIL),
        Column("attendees", "json", "Addresses of the attendees that the message names.", personal=True),
        Column("attendee_email", "string", "Who answers; null unless it is a reply of one attendee.", True, EMAIL),
        Column("response_status", "string", "The answer: ACCEPTED, DECLINED, TENTATIVE or DELEGATED."),
        Column("comment", "string", "What the author added.", personal=True),
        Column("content", "string", "The message in iCalendar; null above 100,000 characters.", personal=True),
    ),
    key=(*_KEY, "part", "event_uid", "recurrence_id"),
    deletes="feed",
    quirks=(
        "Anybody can write a reply for anybody: compare attendee_email with from_email, dkim and dmarc of the mail.",
        "A calendar without METHOD is an attached file and no scheduling message.",
    ),
)

COMPLAINTS = Stream(
    name="complaints",
    description="A recipient who called a mail spam, as their provider reports it (RFC 5965).",
    columns=(
        *_MESSAGE,
        _POSITION,
        Column(
            "recipient",
            "string",
            "Address that complained (Original-Rcpt-To), lower case; null where the provider doesn't say.",
            personal=True,
            subject=EMAIL,
        ),
        Column("feedback_type", "string", "abuse, fraud, virus, not-spam, auth-failure or other, lower case."),
        Column("source_ip", "string", "The server that the mail came from."),
        Column("reporting_mta", "string", "The server that wrote the report."),
        Column("user_agent", "string", "The program that wrote the report."),
        Column("arrived_at", "timestamp", "When the mail arrived."),
        Column("original_message_id", "string", "Message-ID of the mail that the report is about."),
    ),
    key=(*_KEY, "position"),
    deletes="feed",
)
STREAMS = (MAILBOXES, MESSAGES, RECIPIENTS, HEADERS, ATTACHMENTS, FLAGS, THREADS, BOUNCES, COMPLAINTS, INVITATIONS)
OF_A_MESSAGE = ("messages", "recipients", "headers", "attachments", "flags", "bounces", "complaints", "invitations")
"""Streams whose rows come from one message and are deleted with it."""
