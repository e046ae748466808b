"""What a user declares: one YAML file per external system becomes one frozen :class:`Declaration`.

Unknown keys are refused, and every mistake says file, line, path and what was probably meant::

    pipelines/payments.yaml:9: streams.refunds.chekcs: unknown key; did you mean "checks"?
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from leat.pipelines.declare.encryption import Encrypted, encrypted_columns
from leat.pipelines.declare.hooks import Hooks
from leat.pipelines.declare.values import Duration, Flag, Names, Number, Scalar, Zone
from leat.sources.driver import ConnectionModel, streams_of
from leat.sources.stream import EXTRA, Column, Stream

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
RESERVED = frozenset(
    {"leat", "analytics", "catalog", "hooks", "information_schema", "main", "public", "pg_catalog"}
    | {"temp", "system", "warehouse"}
)
"""Schemas of leat and of the engines, and databases of DuckDB, which it could mean by a schema's name."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


class Range(_Model):
    """Bounds of a number; either may be left out."""

    min: Number | None = Field(default=None, description="Lower bound.")
    max: Number | None = Field(default=None, description="Upper bound.")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            msg = "give min, max or both"
            raise ValueError(msg)
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = f"min {self.min:g} is above max {self.max:g}; no value is in between"
            raise ValueError(msg)
        return self


class Check(_Model):
    """One check of a table; exactly one kind."""

    not_null: Names | None = Field(default=None, min_length=1, description="Columns that must have a value.")
    unique: Names | None = Field(default=None, min_length=1, description="Columns that together must be unique.")
    accepted_values: dict[str, Annotated[tuple[Scalar, ...], Field(min_length=1)]] | None = Field(
        default=None, min_length=1, description="Column: its allowed values."
    )
    range: dict[str, Range] | None = Field(default=None, min_length=1, description="Column: its bounds.")
    foreign_key: dict[str, str] | None = Field(
        default=None,
        min_length=1,
        description="Column: the stream.column, or integration.stream.column, that must contain the value.",
    )
    row_count: Range | None = Field(default=None, description="The allowed number of rows.")
    severity: Literal["warn", "error"] = Field(
        default="error",
        description="A failed error withholds the data from readers; a failed warning is only reported.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if len(self.model_fields_set - {"severity"}) != 1:
            msg = "a check has exactly one kind; write several checks as several items"
            raise ValueError(msg)
        if getattr(self, self.kind) is None:
            msg = f"{self.kind} has nothing to check"
            raise ValueError(msg)
        return self

    @property
    def kind(self) -> str:
        """The kind of the check, for example ``not_null``."""
        return next(iter(self.model_fields_set - {"severity"}))


class Retain(_Model):
    """How long to retain what was loaded; what isn't named is retained for ever."""

    rows: Duration | None = Field(
        default=None, description="How long to retain rows, counted from the time in `by`; older rows aren't loaded."
    )
    by: str | None = Field(default=None, description="The column with that time: a timestamp, datetime or date.")
    deleted: Duration | None = Field(default=None, description="How long to retain rows that are gone from the system.")
    history: Duration | None = Field(default=None, description="How long to retain versions that have ended.")
    quarantine: Duration | None = Field(default=None, description="How long to retain the content of broken records.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.rows is None) != (self.by is None):
            msg = "rows and by belong together: how long, and from which column's time on"
            raise ValueError(msg)
        if self.rows is not None and not self.rows:
            msg = "rows: a row that is retained for no time is never there; write selected: false"
            raise ValueError(msg)
        if not any((self.rows, self.deleted is not None, self.history is not None, self.quarantine is not None)):
            msg = "say how long to retain something: rows and by, deleted, history or quarantine"
            raise ValueError(msg)
        return self


class StreamOptions(_Model):
    """Options of one stream."""

    selected: Flag = Field(default=True, description="Whether to load the stream.")
    exclude: Names = Field(default=(), description="Columns to leave out.")
    mask: Flag | Names = Field(
        default=False,
        description="true: hash every column that is marked as personal data, and extra; or the columns to hash.",
    )
    encrypt: Flag | Names = Field(
        default=False,
        description="true: encrypt every column that is marked as personal data, and extra; or the columns to encrypt.",
    )
    joined: Names = Field(
        default=(),
        description="Of the encrypted columns, those that are joined or compared: equal values then have equal "
        "ciphertexts. Columns of the key always have.",
    )
    per_person: Flag | Names = Field(
        default=False,
        description="Of the encrypted columns, those that are encrypted by a key of the person whom the row is about, "
        "which erasing that person destroys. true: all that aren't joined.",
    )
    fresh_within: Duration | None = Field(default=None, description="The highest allowed age of the table (ISO 8601).")
    history: Flag = Field(default=False, description="Store every version of a row in <stream>_history.")
    max_delete_share: Number = Field(
        default=0.5, ge=0, le=1, description="A full scan that would delete a larger share of the rows fails."
    )
    max_quarantine_share: Number = Field(
        default=0.2,
        ge=0,
        le=1,
        description="A stream with a larger share of quarantined records fails; so does one without a valid record, "
        "unless this is 1.",
    )
    retain: Retain | None = Field(default=None, description="How long to retain rows, versions and broken records.")
    checks: tuple[Check, ...] = Field(default=(), description="Checks to run on the table after each load.")

    @model_validator(mode="after")
    def _has_history(self) -> Self:
        if self.retain is not None and self.retain.history is not None and not self.history:
            msg = "retain.history needs history: true"
            raise ValueError(msg)
        return self


_Options = Annotated[StreamOptions, BeforeValidator(_or_empty, json_schema_input_type=StreamOptions | None)]


class Declaration(_Model):
    """One external system: where it is, what to read from it, how often, and what must be true of it."""

    source: str = Field(description="The kind of system.")
    driver: str = Field(description="The vendor's API, or the protocol, that leat reads it by.")
    version: int = Field(
        default=1,
        ge=1,
        strict=True,
        description="First part of the code version in Dagster; raise it when the meaning of the data changes.",
    )
    description: str = Field(default="", description="What this system is to you.")
    enabled: Flag = Field(default=True, description="Whether it runs automatically; you can always run it by name.")
    schedule: str | None = Field(
        default=None, description="Cron expression; without it, the integration runs only when you start it."
    )
    zone: Zone = Field(default="UTC", description="Time zone of the schedule, for example `Europe/Berlin`.")
    connection: ConnectionModel = Field(description="Where the system is and how to sign in.")
    streams: Annotated[dict[str, _Options], BeforeValidator(_or_empty)] = Field(
        default_factory=dict, description="Options per stream."
    )
    hooks: Hooks | None = Field(default=None, description="Webhooks that the system sends to `leat serve`.")
    name: str = Field(description="Name of the integration: the file's name.", exclude=True)
    path: Path = Field(description="The file.", exclude=True)

    def options(self, stream: str) -> StreamOptions:
        """Return the options of a stream: those declared, or the defaults."""
        return self.streams.get(stream, _DEFAULTS)

    def every_stream(self) -> tuple[Stream, ...]:
        """Return the streams that the source has, or that the connection declares, in their order."""
        return streams_of(self.source, self.driver, self.connection)

    def selected(self) -> tuple[Stream, ...]:
        """Return the streams that are loaded, in the order of the source."""
        return tuple(stream for stream in self.every_stream() if self.options(stream.name).selected)

    def columns(self, stream: Stream) -> tuple[Column, ...]:
        """Return the columns of a stream that are delivered, with ``extra``; hidden ones are of type string."""
        excluded, hidden = set(self.options(stream.name).exclude), self.hidden(stream)
        return tuple(
            replace(column, type="string") if column.name in hidden else column
            for column in stream.all_columns()
            if column.name not in excluded
        )

    def masked(self, stream: Stream) -> frozenset[str]:
        """Return the names of the columns whose values are replaced by a keyed hash."""
        options = self.options(stream.name)
        delivered = {column.name for column in stream.all_columns()} - set(options.exclude)
        if not isinstance(options.mask, bool):
            return frozenset(delivered & set(options.mask))
        personal = {column.name for column in stream.columns if column.personal}
        # What the stream doesn't know may be personal as well, where the rest of the record is.
        return frozenset(delivered & {*personal, EXTRA}) if options.mask and personal else frozenset()

    def encrypted(self, stream: Stream) -> dict[str, Encrypted]:
        """Return the columns whose values are encrypted, and how."""
        options = self.options(stream.name)
        if not options.encrypt:
            return {}
        clear = {*options.exclude, *self.masked(stream)}
        return encrypted_columns(stream, options.encrypt, options.joined, clear, options.per_person)

    @property
    def encrypts(self) -> bool:
        """Whether a selected stream has encrypted columns."""
        return any(self.encrypted(stream) for stream in self.selected())

    def hidden(self, stream: Stream) -> frozenset[str]:
        """Return the names of the columns that have no value in clear: masked or encrypted ones."""
        return self.masked(stream) | self.encrypted(stream).keys()


_DEFAULTS = StreamOptions()
