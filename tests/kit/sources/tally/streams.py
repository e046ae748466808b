"""Two streams of every column type: one whose deletes are fed, one that is scanned, one that only grows."""

from leat.sources.stream import Column, Stream

COLUMNS = (
    Column("shelf", "string", "Where it stands."),
    Column("id", "integer", "Its number."),
    Column("label", "string", "What is written on it.", personal=True),
    Column("weight", "float", "In kilograms."),
    Column("seen_at", "timestamp", "When it was last seen."),
    Column("on_day", "date", "The day."),
    Column("wall_clock", "datetime", "A time without a zone."),
    Column("sound", "boolean", "Whether it is whole."),
    Column("tags", "json", "Free tags."),
    Column("revision", "integer", "Counts up with each change."),
)
KEY = ("shelf", "id")

FED = Stream("fed", "A thing whose removal is reported.", COLUMNS, KEY, "feed")
SCANNED = Stream("scanned", "A thing that is listed completely.", COLUMNS, KEY, "full_scan", version="revision")
LASTING = Stream("kept", "A thing that is never removed.", COLUMNS, KEY, "never")
STREAMS = (FED, SCANNED, LASTING)
