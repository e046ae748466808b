"""What erasing a person does to the rows of a stream, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leat.sources.stream import Column, Stream
from leat.sources.subject import ADDRESSES, NAME, TEXT

_ROW, _VALUE, _BLANK = "the row is deleted", "the value is replaced", "the value becomes null"
_ID = "the value stays, because other rows name it"
_TEXT = "addresses and names in it are replaced"


def erasing_of(column: Column, columns: Sequence[Column]) -> tuple[str | None, str | None]:
    """Return how a column identifies a person, and what erasing that person does; None where it does nothing.

    Args:
        column: the column.
        columns: all columns of the stream.
    """
    subject = column.subject
    if subject is None:
        blanked = column.personal and any(c.subject is not None and c.subject.erases == "personal" for c in columns)
        text = column.type in ("string", "json")
        return None, f"{_BLANK} in rows of the person" if blanked else _TEXT if text and column.personal else None
    if subject.kind == TEXT:
        return None, _TEXT
    if subject.erases == "row":
        return subject.kind, _ROW
    stays = subject.kind not in (*ADDRESSES, NAME)
    return subject.kind, _ID if stays else _BLANK if column.type == "json" else _VALUE


def erasing_lines(stream: Stream) -> Iterator[str]:
    """Yield what erasing a person does to the rows of a stream, by the columns that identify people."""
    rows = [c.name for c in stream.columns if c.subject is not None and c.subject.erases == "row"]
    blank = [c.name for c in stream.columns if c.subject is not None and c.subject.erases == "personal"]
    replaced = [
        c.name
        for c in stream.columns
        if c.subject is not None and c.type != "json" and c.subject.kind in (*ADDRESSES, NAME) and c.name not in rows
    ]
    if rows:
        yield f"- Erasing a person: deletes the rows that name them in {_listed(rows)}"
    if blank:
        yield f"- Erasing a person: makes personal columns null in the rows that name them in {_listed(blank)}"
    if replaced:
        yield f"- Erasing a person: replaces {_listed(replaced)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
