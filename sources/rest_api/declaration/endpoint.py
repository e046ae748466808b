"""What a user declares of a REST API: its endpoints; each is a stream with columns."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from leat.sources.batch import to_json
from leat.sources.json_path import FieldPath, Path, parse_path
from leat.sources.rest_api.declaration.column import ColumnOptions, ColumnType
from leat.sources.rest_api.declaration.formats import Format, Json
from leat.sources.rest_api.declaration.paging_styles import Block, OnePage, Paging
from leat.sources.stream import Column, Stream


def _short(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


def _iso(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _format(text: str) -> str:
    if text not in ("iso", "date", "s", "ms") and "%" not in text:
        msg = "write iso, date, s (Unix seconds), ms, or a pattern such as %Y-%m-%d %H:%M"
        raise ValueError(msg)
    return text


_Moment = Annotated[str | int | None, BeforeValidator(_iso)]
_Format = Annotated[str, AfterValidator(_format)]


class Incremental(Block):
    """How to request only what is new."""

    column: str = Field(description="Column that grows with every change of a record.")
    param: str | None = Field(
        default=None,
        description="Parameter that takes its value; without it, write {since} into path, params, headers or body.",
    )
    start: _Moment = Field(default=None, description="First value; leat never requests anything before it.")
    format: _Format | None = Field(
        default=None,
        description="Format that the API expects: iso, date, s, ms, or a pattern; default: that of the column.",
    )
    zone: str | None = Field(default=None, description="Zone of a date or pattern, such as Europe/Paris; none: UTC.")
    until_param: str | None = Field(
        default=None, description="Parameter that takes the upper bound; without it, write {until}."
    )
    step: timedelta | None = Field(default=None, description="Longest period of one request (ISO 8601).")
    overlap: Annotated[timedelta, Field(json_schema_extra={"examples": ["PT5M"]})] = Field(
        default=timedelta(0), description="How far back to read again, for records that become visible late (ISO 8601)."
    )
    full_scan_every: timedelta = Field(
        default=timedelta(days=1), description="With deletes: full_scan, how often to list everything (ISO 8601)."
    )


class Delta(Block):
    """A token from the last page of a list; with it, the next run gets only the changes since then."""

    field: FieldPath = Field(description="Field of the last page with the link or token for the next run.")
    param: str | None = Field(default=None, description="Parameter that takes it; none: it is a link.")
    start: dict[str, str | int | bool] = Field(
        default_factory=dict, description="Parameters of the first request, which has no token yet."
    )
    removed: FieldPath | None = Field(default=None, description="Field that marks a record as deleted.")
    removed_is: str | None = Field(
        default=None, description="Value of that field that marks it as deleted; default: any value."
    )
    expired: tuple[Annotated[int, Field(ge=400, le=499)], ...] = Field(
        default=(410,), description="Status codes for a token that is too old; leat then reads everything again."
    )


class Parent(Block):
    """The endpoint for each of whose rows leat requests this one."""

    endpoint: str | None = Field(default=None, description="Name of the endpoint that provides the rows.")
    values: dict[str, str] = Field(
        default_factory=dict, description="Placeholder of path and params, and the column of the parent that fills it."
    )
    each: dict[str, list[str | int]] = Field(
        default_factory=dict, description="Placeholder and a list of values; leat requests each, as {site: [de, fr]}."
    )

    def fills(self) -> dict[str, str]:
        """Return the placeholders, and the names of what fills them in a row of the parent."""
        return {**self.values, **{name: name for name in self.each}}


_Param = str | int | float | bool


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Endpoint(Block):
    """One list of an API: a stream."""

    description: str | None = Field(default=None, description="What a row is, in a sentence.")
    path: str = Field(description="Path below connection.url; {name} is filled from the parent.")
    params: dict[str, _Param | list[_Param]] = Field(
        default_factory=dict,
        description="Query of every request; for a POST its body, by path. A list repeats the parameter.",
    )
    params_in: Literal["query", "body"] | None = Field(
        default=None, description="Where params and paging of a POST go; none: into its body."
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Headers of every request; no secrets.")
    method: Literal["GET", "POST"] = Field(
        default="GET", description="POST for a search, which must not change anything."
    )
    body: dict[str, Any] | None = Field(default=None, description="JSON body of a POST; paging goes into it.")
    records: FieldPath | None = Field(
        default=None,
        description="Field of the response with the list, [*] for each entry; default: the response is the list.",
    )
    format: Format = Field(default_factory=Json, description="Format of a response: json, ndjson, csv or xml.")
    single: bool = Field(default=False, description="Whether the response is a single record instead of a list.")
    keyed_by: str | None = Field(
        default=None, description="Column that takes the names, if the records are the values of an object."
    )
    absent_is_empty: bool = Field(
        default=False, description="Whether a response without the field of records is an empty list."
    )
    on_status: dict[Annotated[int, Field(ge=400, le=499)], Literal["skip", "empty"]] = Field(
        default_factory=dict,
        description="What a status of the first page means: empty, no records; skip, its rows stay as they are.",
    )
    fails_when: dict[FieldPath, str | bool | int] = Field(
        default_factory=dict, description="Fields that make a response with status 200 an error, as {ok: false}."
    )
    paging: Paging = Field(default_factory=OnePage, description="How the list is paged.")
    incremental: Incremental | None = Field(
        default=None, description="How to request only what is new; default: read everything."
    )
    delta: Delta | None = Field(default=None, description="How the API reports changes by a token; none: it doesn't.")
    parent: Parent | None = Field(default=None, description="Endpoint for each of whose rows leat requests this one.")
    nested_in: str | None = Field(
        default=None, description="Endpoint whose records contain the list, in the field that records names."
    )
    key: Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...])] = Field(
        default=(), description="Columns that identify a row; `leat preview` proposes them."
    )
    deletes: Literal["full_scan", "never"] = Field(
        default="full_scan", description="Whether a row that is in no list any more counts as deleted."
    )
    columns: dict[
        str, Annotated[ColumnOptions, BeforeValidator(_short, json_schema_input_type=ColumnType | ColumnOptions)]
    ] = Field(
        default_factory=dict, description="Columns: a type alone, or more about it; `leat preview` proposes them."
    )

    def moves_on(self) -> bool:
        """Return whether what was read once isn't asked for again."""
        return self.incremental is not None or self.delta is not None

    def reads(self) -> tuple[str, ...]:
        """Return the fields of the answer that are read apart from its list and by paging."""
        return (*self.fails_when, *(() if self.delta is None else (self.delta.field,)))

    def where(self, column: str) -> Path:
        """Return the path of a column's value in a record."""
        field = self.columns[column].field
        return (column,) if field is None else parse_path(field)

    def records_path(self) -> Path:
        """Return the path of the list in an answer, or in a record of the endpoint that it is nested in."""
        return () if self.records is None else parse_path(self.records)


def personal_columns(endpoints: Mapping[str, Endpoint], name: str, below: frozenset[str] = frozenset()) -> set[str]:
    """Return the columns of an endpoint that say something of a person: a value of the parent's does where it did."""
    endpoint = endpoints[name]
    above = endpoint.nested_in or (endpoint.parent.endpoint if endpoint.parent else None)
    declared = above in endpoints and above not in below  # a declaration may still have mistakes
    personal = personal_columns(endpoints, str(above), below | {name}) if declared else set()
    return {column for column, options in endpoint.columns.items() if options.personal or options.parent in personal}


def stream_of(name: str, endpoint: Endpoint, personal: Container[str] = ()) -> Stream:
    """Return the stream that an endpoint declares, with the columns of :func:`personal_columns` marked as personal."""
    columns = []
    for column, options in endpoint.columns.items():
        described = (
            f"Of the parent: `{options.parent}`." if options.parent else f"`{options.field or column}` of the record."
        )
        columns.append(
            Column(
                column,
                options.type,
                options.description or described,
                options.personal or column in personal,
                None if options.subject is None else options.subject.declared(),
            )
        )
    return Stream(
        name=name,
        description=endpoint.description or f"A record of `{endpoint.path}`.",
        columns=tuple(columns),
        key=endpoint.key,
        deletes=endpoint.deletes,
        schema_version=_version(endpoint),
    )


def _version(endpoint: Endpoint) -> int:
    """Return a number that changes with what the rows mean: then the engine reads them all again."""
    meaning = endpoint.model_dump(mode="json", include={"path", "params", "method", "body", "records", "nested_in"})
    meaning |= {"headers": endpoint.headers} if endpoint.headers else {}
    columns = {
        name: [c.type, c.field, c.parent, c.unix, *(item for item in (c.convert, c.format, c.zone) if item)]
        for name, c in endpoint.columns.items()
    }
    parent = endpoint.parent and endpoint.parent.model_dump(mode="json", exclude_defaults=True)
    shape = endpoint.model_dump(mode="json", include={"single", "keyed_by", "format"}, exclude_defaults=True)
    text = to_json({**meaning, **shape, "key": endpoint.key, "columns": columns, "parent": parent})
    return int(hashlib.sha256(text.encode()).hexdigest()[:7], 16)
