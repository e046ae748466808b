"""Values of YAML as a user writes them: durations, time zones, names, numbers."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, TypeAdapter

_DURATION = re.compile(r"P(?=.)([0-9]{1,6}D)?(T(?=.)([0-9]{1,6}H)?([0-9]{1,6}M)?([0-9]{1,6}S)?)?")
Scalar = str | int | float | bool


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        msg = f"{str(value)[:40]!r} is no ISO 8601 duration; write PT1H for an hour or P1D for a day"
        raise ValueError(msg)
    return value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def time_zone(value: Any) -> Any:
    """Return a time zone as it was written.

    Raises:
        ValueError: it is none.
    """
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, TypeError, OSError) as error:
        msg = f"{str(value)[:40]!r} is no time zone; write it as Europe/Berlin"
        raise ValueError(msg) from error
    return value


Zone = Annotated[str, BeforeValidator(time_zone, json_schema_input_type=str)]
"""An IANA time zone, such as Europe/Berlin."""

Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    Field(json_schema_extra={"pattern": f"^{_DURATION.pattern}$", "examples": ["PT1H", "P1D"]}),
]
_DURATIONS = TypeAdapter(timedelta)


def duration(value: str) -> timedelta:
    """Return an ISO 8601 duration.

    Raises:
        ValueError: it is none.
    """
    return _DURATIONS.validate_python(_duration(value))


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list, json_schema_input_type=str | tuple[str, ...])]
"""Names of columns; one alone may be written without brackets."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
