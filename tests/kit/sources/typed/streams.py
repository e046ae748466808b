"""One stream with a column of every type."""

from leat.sources.stream import TYPES, Column, Stream

DECIMALS = ("decimal(18,4)", "decimal(38,0)", "decimal(38,38)")


def name_of(kind: str) -> str:
    """Return the name of the column of a type."""
    return "a_" + kind.replace("(", "_").replace(",", "_").rstrip(")")


VALUES = Stream(
    "values",
    "A value of every type.",
    (
        Column("id", "integer", "Its number."),
        *(Column(name_of(kind), kind, f"A {kind}.") for kind in (*TYPES, *DECIMALS)),
    ),
    ("id",),
    "full_scan",
)
STREAMS = (VALUES,)
