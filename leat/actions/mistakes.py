"""What is said of a verb that is not there and of a wrong parameter. It imports nothing heavy, for checks of files."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from leat.pipelines.declare.diagnostics import meant

_PARSED = {
    "bool_parsing": "true or false",
    "date_from_datetime_parsing": "a date like 2026-12-01",
    "decimal_parsing": "a number",
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
}
"""What text has to be, by the error of pydantic."""


def no_verb(integration: str, verb: str, actions: Collection[str]) -> str:
    """Return why an integration hasn't a verb, and which ones it has."""
    if not actions:
        return f"{integration} has no verb {verb[:80]!r}: its connection declares no actions"
    return f"{integration} has no verb {verb[:80]!r}{meant(verb, actions)}; it has {', '.join(sorted(actions))}"


def meaning_of(error: Any) -> str:
    """Return what pydantic says about a parameter, in words for people."""
    if error["type"] in _PARSED:
        return f"expected {_PARSED[error['type']]}"
    return str(error["msg"]).removeprefix("Value error, ").lower()
