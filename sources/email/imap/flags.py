"""The flags of a message (RFC 9051, section 2.3.2): as text to compare, and as a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from leat.sources.email.mime.text import repair

_STANDARD = {
    "\\seen": "seen",
    "\\answered": "answered",
    "\\flagged": "flagged",
    "\\draft": "draft",
    "\\deleted": "deleted",
}


def flags_text(flags: Any) -> str:
    """Return the flags of a FETCH answer in one order, separated by blanks, without the session's own ``Recent``."""
    listed: Iterable[Any] = flags if isinstance(flags, tuple) else ()
    names = {repair(one.decode("ascii", "surrogateescape")) if isinstance(one, bytes) else str(one) for one in listed}
    return " ".join(sorted(name for name in names if name.lower() != "\\recent"))


def flags_row(key: Mapping[str, Any], flags: str) -> dict[str, Any]:
    """Return the row of ``flags`` for what :func:`flags_text` returned."""
    names = flags.split()
    lower = {name.lower() for name in names}
    columns = {column: name in lower for name, column in _STANDARD.items()}
    return {**key, **columns, "keywords": [name for name in names if name.lower() not in _STANDARD]}
