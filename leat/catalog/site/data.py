"""What the site shows of the data itself: the last loads of each stream and, if asked for, a few rows of each table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from leat.pipelines.declare.system_columns import SYSTEM_COLUMNS
from leat.sources.stream import EXTRA
from leat.warehouse.session import Session, quote

_LOADS = 10
_ROWS = 5
_WIDEST = 200  # characters of a value
HIDDEN = "(personal)"
"""What is shown instead of a value that is, or comes from, personal data."""

_LAST_LOADS = """
SELECT integration, stream, applied_at, inserted, updated, deleted, quarantined, total
FROM (
    SELECT s.*, l.applied_at, ROW_NUMBER() OVER (PARTITION BY s.integration, s.stream ORDER BY s.load_id DESC) AS place
    FROM leat.load_streams AS s
    JOIN leat.loads AS l ON l.integration = s.integration AND l.load_id = s.load_id
) AS numbered
WHERE place <= ?
ORDER BY integration, stream, place
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a table by its key; a value is text, or None for null."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | None]]


def read_loads(session: Session) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Return by integration and stream what the last loads that reached it did, the newest first."""
    names = ("applied_at", "inserted", "updated", "deleted", "quarantined", "total")
    result: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for integration, stream, *values in session.execute(_LAST_LOADS, (_LOADS,)):
        result.setdefault((integration, stream), []).append(dict(zip(names, values, strict=True)))
    return result


def read_samples(
    session: Session,
    tables: Mapping[tuple[str, str], Mapping[str, Any]],
    columns: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
) -> dict[tuple[str, str], Sample]:
    """Return the first rows of each stream and model; personal data isn't read.

    Args:
        session: of the published warehouse.
        tables: rows of ``catalog.tables`` by schema and table.
        columns: rows of ``catalog.columns`` by schema and table.
    """
    result = {}
    for name, table in tables.items():
        actual = session.columns(*name)
        if table["kind"] in ("stream", "model") and actual:
            shown = [c for c in columns.get(name, ()) if c["column_name"] in actual and not _is_of_leat(c)]
            result[name] = _sample(session, name, table["key"] or "", shown, actual)
    return result


def _is_of_leat(column: Mapping[str, Any]) -> bool:
    return column["column_name"] in SYSTEM_COLUMNS


def _sample(
    session: Session, name: tuple[str, str], key: str, columns: Sequence[Mapping[str, Any]], actual: Mapping[str, Any]
) -> Sample:
    names = [column["column_name"] for column in columns]
    hidden = [column["personal"] or column["column_name"] == EXTRA for column in columns]
    read = [None if hide else quote(each) for each, hide in zip(names, hidden, strict=True)]
    order = [each for each in key.split(", ") if each in actual] or names[:1]
    alive = " WHERE _deleted_at IS NULL" if "_deleted_at" in actual else ""
    rows = session.execute(
        f"SELECT {', '.join(each or 'NULL' for each in read)} FROM {quote(*name)}{alive} "
        f"ORDER BY {', '.join(map(quote, order))} LIMIT {_ROWS}"
    )
    return Sample(
        names,
        [
            [HIDDEN if hide else _text(value) for hide, value in zip(hidden, row, strict=True)]
            for row in rows
        ],
    )  # fmt: skip


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime) and value.tzinfo is not None:
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    text = f"\\x{bytes(value).hex()}" if isinstance(value, bytes | bytearray | memoryview) else str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
