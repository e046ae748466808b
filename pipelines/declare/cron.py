"""Whether a text is a cron expression: five fields, names of days and months allowed."""

from __future__ import annotations

import re

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, ("", *_MONTHS)),
    (0, 7, _DAYS),
)
_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/([0-9]{1,4}))?", re.ASCII)


def is_cron(text: str) -> bool:
    """Return whether a text is minute, hour, day, month and weekday as cron takes them; weekday 7 is Sunday too."""
    fields = text.lower().split()
    return len(fields) == len(_FIELDS) and all(map(_is_field, fields, _FIELDS))


def _is_field(text: str, bounds: tuple[int, int, tuple[str, ...]]) -> bool:
    for part in text.split(","):
        found = _PART.fullmatch(part)
        if found is None or (found[4] is not None and int(found[4]) == 0):
            return False
        numbers = [_number(word, bounds) for word in (found[2], found[3]) if word is not None]
        if None in numbers or numbers != sorted(numbers, key=lambda number: number or 0):
            return False
    return True


def _number(word: str, bounds: tuple[int, int, tuple[str, ...]]) -> int | None:
    low, high, names = bounds
    if word in names:
        return names.index(word)
    number = int(word) if re.fullmatch("[0-9]{1,2}", word) else -1
    return number if low <= number <= high else None
