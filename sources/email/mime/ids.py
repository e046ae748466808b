"""Message-IDs in headers (RFC 5322, section 3.6.4), as programs really write them."""

from __future__ import annotations

import re

from leat.sources.email.mime.text import header_text

_ID = re.compile(r"<([^<>]+)>")
_BLANK = re.compile(r"\s+")
MOST = 200
"""How many ids of one header are stored: the first, which names the thread, and the last ones."""
_LONGEST = 998


def ids_of(value: str | None) -> list[str]:
    """Return the ids of a header, oldest first, without angle brackets and without blanks from folding."""
    if not value:
        return []
    text = header_text(value)
    words = _ID.findall(text) or [word for word in text.split() if "@" in word]
    ids = list(dict.fromkeys(_BLANK.sub("", one)[:_LONGEST] for one in words if one.strip()))
    return ids if len(ids) <= MOST else [ids[0], *ids[1 - MOST :]]


def first_id(value: str | None) -> str | None:
    """Return the one id of a header such as Message-ID; one without angle brackets and ``@`` is taken as it is."""
    ids = ids_of(value)
    if ids:
        return ids[0]
    text = _BLANK.sub("", header_text(value or "")).strip("<>")
    return text[:_LONGEST] or None
