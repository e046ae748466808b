"""In which format an API answers: the ``format:`` block of an endpoint."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from leat.sources.rest_api.declaration.paging_styles import Block


class Json(Block):
    """JSON."""

    kind: Literal["json"] = Field(default="json", description="JSON.")


class NdJson(Block):
    """JSON, a record in each line."""

    kind: Literal["ndjson"] = Field(description="JSON, a record in each line.")


class Csv(Block):
    """Comma-separated values."""

    kind: Literal["csv"] = Field(description="Comma-separated values; the first line has the names.")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="Separator of values.")
    encoding: str = Field(default="utf-8", description="Encoding of the text, for example latin-1.")
    header: tuple[str, ...] = Field(default=(), description="The column names, if the first line has none.")


class Xml(Block):
    """XML."""

    kind: Literal["xml"] = Field(description="XML; an attribute is @name, text among children is #text.")


def _short(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


_Kinds = Annotated[Json | NdJson | Csv | Xml, Field(discriminator="kind")]
Format = Annotated[
    _Kinds,
    BeforeValidator(_short, json_schema_input_type=Literal["json", "ndjson", "csv", "xml"] | _Kinds),
]
"""The ``format:`` of an endpoint."""

TEXT = frozenset({"csv", "xml"})
"""Kinds of formats in which every value is text."""
ACCEPT = {
    "json": "application/json",
    "ndjson": "application/x-ndjson, application/jsonl, application/json",
    "csv": "text/csv",
    "xml": "application/xml, text/xml, application/atom+xml, application/rss+xml",
}
"""What is asked for, by kind of format."""
