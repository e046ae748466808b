"""JSON values that every warehouse can hold: without NUL and lone surrogates, wherever in a value they are."""

from __future__ import annotations

import math
from typing import Any

from sources.batch import clean


def cleaned(value: Any) -> Any:
    """Return a parsed JSON value with U+FFFD for what can't be stored, and null for what is no number in JSON."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
