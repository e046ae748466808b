"""Streams that name people in every way: by id, by address, by name, in texts, in JSON, in a key."""

from leat.sources.stream import Column, Stream
from leat.sources.subject import EMAIL, FREE_TEXT, Subject, email_of, name_of

MEMBERS = Stream(
    "members",
    "A member.",
    (
        Column("id", "string", "Number.", subject=Subject("member", "personal")),
        Column("email", "string", "Address.", True, email_of("id")),
        Column("name", "string", "Name.", True, name_of("id")),
        Column("phone", "string", "Telephone.", True),
        Column("born_on", "date", "Birthday.", True),
        Column("points", "integer", "Points."),
    ),
    ("id",),
    "full_scan",
)
VISITS = Stream(
    "visits",
    "A visit.",
    (
        Column("id", "integer", "Number."),
        Column("member_id", "string", "Who.", subject=Subject("member", "row")),
        Column("seen_at", "timestamp", "When."),
    ),
    ("id",),
    "never",
)
SALES = Stream(
    "sales",
    "A sale.",
    (
        Column("id", "integer", "Number."),
        Column("member_id", "string", "Who.", subject=Subject("member", "personal")),
        Column("buyer", "string", "Address of the buyer.", True, email_of("member_id", "personal")),
        Column("amount", "integer", "Cents."),
        Column("address", "json", "Where to.", True),
        Column("note", "string", "Order number and more.", True, FREE_TEXT),
    ),
    ("id",),
    "full_scan",
)
PAGES = Stream(
    "pages",
    "A page of somebody's folder.",
    (
        Column("path", "string", "Where it is."),
        Column("author", "string", "Address of the author.", True, EMAIL),
        Column("text", "string", "What it says.", True),
        Column("readers", "json", "Addresses of readers.", True),
    ),
    ("path",),
    "feed",
)
STREAMS = (MEMBERS, VISITS, SALES, PAGES)
