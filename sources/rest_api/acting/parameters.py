"""Declared parameters as a model, which reads and checks their values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, create_model

from leat.sources.actions import Parameters
from leat.sources.rest_api.declaration.action import ParameterOptions


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):
        msg = "write a number"
        raise ValueError(msg)
    return value


def _from_text(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


_Number = Annotated[int | float, BeforeValidator(_no_flag), Field(allow_inf_nan=False)]
_TYPES: Mapping[str, Any] = {
    "string": str,
    "integer": Annotated[int, BeforeValidator(_no_flag)],
    "float": _Number,
    "boolean": bool,
    "date": date,
    "timestamp": AwareDatetime,
    "json": Annotated[Any, BeforeValidator(_from_text)],
}
_CLOCKS: Mapping[tuple[str, Any], Callable[[], Any]] = {
    ("timestamp", "now"): lambda: datetime.now(UTC).replace(microsecond=0),
    ("date", "today"): lambda: datetime.now(UTC).date(),
}


def parameters_model(name: str, declared: Mapping[str, ParameterOptions]) -> type[Parameters]:
    """Return the model of declared parameters.

    Args:
        name: the verb.
        declared: the parameters by name.

    Raises:
        ValueError: limits don't fit a type, or a default doesn't fit its parameter; says which.
    """
    fields: dict[str, Any] = {each: _field(each, options) for each, options in declared.items()}
    return create_model(f"{name.title().replace('_', '')}Parameters", __base__=Parameters, **fields)


def _field(name: str, options: ParameterOptions) -> tuple[Any, Any]:
    kind: Any = Literal[options.enum] if options.enum else _TYPES[options.type]
    limits: dict[str, Any] = {
        "ge": options.minimum,
        "le": options.maximum,
        "min_length": options.min_length,
        "max_length": options.max_length,
        "pattern": options.pattern,
    }
    kind = Annotated[kind, Field(**limits)]
    described: dict[str, Any] = {"description": options.description or f"{name}, {options.type}."}
    if options.required:
        return kind, Field(**described)
    clock = _CLOCKS.get((options.type, options.default))
    if clock is not None:
        return kind, Field(default_factory=clock, **described)
    if options.default is not None:
        return kind, Field(default=options.default, validate_default=True, **described)
    return kind | None, Field(default=None, **described)


def values_of(parameters: Parameters) -> dict[str, Any]:
    """Return the values as templates use them: JSON values, without optional ones that weren't given."""
    return {name: value for name, value in parameters.model_dump(mode="json").items() if value is not None}
