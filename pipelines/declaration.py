"""What a user declares: one YAML file per external system becomes one frozen :class:`Declaration`.

Unknown keys are refused, and every mistake says file, line, path and what was probably meant::

    pipelines/payments.yaml:9: streams.refunds.chekcs: unknown key; did you mean "checks"?
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sources.driver import ConnectionModel, load_streams
from sources.stream import Column, Stream

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
RESERVED = frozenset({"leat", "analytics", "catalog", "information_schema", "main", "public", "pg_catalog", "temp"})
Scalar = str | int | float | bool


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _duration(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?", value):
        msg = f"{value!r} is no ISO 8601 duration; write PT1H for an hour or P1D for a day"
        raise ValueError(msg)
    return value


def _as_tuple(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(json_schema_extra={"examples": ["PT1H", "P1D"]})]
Columns = Annotated[tuple[str, ...], BeforeValidator(_as_tuple), Field(min_length=1)]


class Range(_Model):
    """Bounds of a number; either may be left out."""

    min: float | None = None
    max: float | None = None


class Check(_Model):
    """One check of a table; exactly one kind."""

    not_null: Columns | None = Field(default=None, description="Columns that must have a value.")
    unique: Columns | None = Field(default=None, description="Columns that together identify a row.")
    accepted_values: dict[str, tuple[Scalar, ...]] | None = Field(default=None, description="Column: allowed values.")
    range: dict[str, Range] | None = Field(default=None, description="Column: its bounds.")
    foreign_key: dict[str, str] | None = Field(
        default=None, description="Column: stream.column, or integration.stream.column, that must have the value."
    )
    row_count: Range | None = Field(default=None, description="How many rows the table may have.")
    severity: Literal["warn", "error"] = Field(
        default="error", description="An error keeps the load from being published; a warning is reported."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if len(self.model_fields_set - {"severity"}) != 1:
            msg = "a check has exactly one kind; write several checks as several items"
            raise ValueError(msg)
        return self

    @property
    def kind(self) -> str:
        """The kind of the check, for example ``not_null``."""
        return next(iter(self.model_fields_set - {"severity"}))


class StreamOptions(_Model):
    """What is wanted of one stream."""

    selected: bool = Field(default=True, description="Whether the stream is loaded at all.")
    exclude: tuple[str, ...] = Field(default=(), description="Columns that are left out.")
    mask: bool | tuple[str, ...] = Field(
        default=False, description="true: hash every column tagged as personal data; or the columns to hash."
    )
    fresh_within: Duration | None = Field(default=None, description="How old the table may get (ISO 8601).")
    history: bool = Field(default=False, description="Keep every version of a row in <stream>_history.")
    max_delete_share: float = Field(
        default=0.5, ge=0, le=1, description="A full scan that would delete a larger share stops and asks."
    )
    checks: tuple[Check, ...] = Field(default=(), description="Checks of the table after each load.")


class Declaration(_Model):
    """One external system: where it is, what to read from it, how often, and what must be true of it."""

    source: str = Field(description="The kind of system.")
    driver: str = Field(description="The vendor's API or the protocol by which it is read.")
    version: int = Field(default=1, ge=1, description="Raise it when the meaning of the data changes.")
    description: str = Field(default="", description="What this system is to you.")
    schedule: str | None = Field(default=None, description="Cron expression in UTC; none: only by hand.")
    connection: ConnectionModel = Field(description="Where the system is and how to sign in.")
    streams: dict[str, StreamOptions] = Field(default_factory=dict, description="Options per stream.")
    name: str = Field(description="Name of the integration: the file's name.", exclude=True)
    path: Path = Field(description="The file.", exclude=True)

    def options(self, stream: str) -> StreamOptions:
        """Return the options of a stream: those declared, or the defaults."""
        return self.streams.get(stream, _DEFAULTS)

    def selected(self) -> tuple[Stream, ...]:
        """Return the streams that are loaded, in the order of the source."""
        return tuple(stream for stream in load_streams(self.source) if self.options(stream.name).selected)

    def columns(self, stream: Stream) -> tuple[Column, ...]:
        """Return the columns of a stream that are delivered, ``extra`` included; masked ones are of type string."""
        excluded = set(self.options(stream.name).exclude)
        return tuple(column for column in stream.all_columns() if column.name not in excluded)

    def masked(self, stream: Stream) -> frozenset[str]:
        """Return the names of the columns whose values are replaced by a keyed hash."""
        mask = self.options(stream.name).mask
        if mask is False:
            return frozenset()
        names = {column.name for column in self.columns(stream)}
        wanted = {c.name for c in stream.columns if c.personal} if mask is True else set(mask)
        return frozenset(names & wanted)


_DEFAULTS = StreamOptions()
