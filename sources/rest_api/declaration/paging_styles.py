"""How an API gives a list in pages: the ``paging:`` block of an endpoint, in every usual style."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from leat.sources.json_path import FieldPath


class Block(BaseModel):
    """A part of a declaration: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str | int) else value


Several = Annotated[
    tuple[FieldPath, ...], BeforeValidator(_listed, json_schema_input_type=FieldPath | tuple[FieldPath, ...])
]
_Ends = tuple[Literal["repeat"] | Annotated[int, Field(ge=400, le=499)], ...]
Stops = Annotated[
    _Ends,
    BeforeValidator(_listed, json_schema_input_type=Literal["repeat"] | Annotated[int, Field(ge=400, le=499)] | _Ends),
]


class Style(Block):
    """What every style has."""

    ignore: Several = Field(
        default=(),
        description="Fields of the response that look like a sign of another page, or of a failure, but aren't.",
    )

    def reads(self) -> tuple[str, ...]:
        """Return the fields of the answer that paging reads."""
        return ()


class OnePage(Style):
    """The whole list is one response."""

    kind: Literal["none"] = Field(default="none", description="The whole list is one response.")


class Paged(Style):
    """What every style with several pages has."""

    size_param: str | None = Field(default=None, description="Parameter that takes the size of a page.")
    size: int | None = Field(default=None, ge=1, description="Records to request per page.")
    total: FieldPath | None = Field(default=None, description="Field of the response with the total number of records.")
    more: FieldPath | None = Field(default=None, description="Field that is true while there are more pages.")
    last: FieldPath | None = Field(default=None, description="Field that is true on the last page, such as isLast.")
    stop_on: Stops = Field(
        default=(), description="What else ends the list: a status, such as 404, or repeat, a page that came before."
    )
    max_pages: int = Field(
        default=10_000, ge=1, description="Number of pages after which leat gives up on a list as endless."
    )

    def reads(self) -> tuple[str, ...]:
        """Return the fields of the answer that paging reads."""
        named = (getattr(self, name, None) for name in ("total", "total_pages", "more", "last", "field"))
        return tuple(name for name in named if name)


class Pages(Paged):
    """Pages with numbers."""

    kind: Literal["pages"] = Field(description="Pages have numbers.")
    param: str = Field(default="page", description="Parameter that takes the number.")
    first: int = Field(default=1, ge=0, description="Number of the first page.")
    total_pages: FieldPath | None = Field(default=None, description="Field of the response with the number of pages.")


class Offset(Paged):
    """Pages by the number of their first record."""

    kind: Literal["offset"] = Field(description="Pages by the number of their first record.")
    param: str = Field(default="offset", description="Parameter that takes the number of the first record.")
    first: int = Field(default=0, ge=0, description="Number of the first record.")
    size_param: str = Field(default="limit", description="Parameter that takes the size of a page.")
    size: int = Field(default=100, ge=1, description="Records to request per page.")


class CursorPages(Paged):
    """The response has the value to request the next page with."""

    kind: Literal["cursor"] = Field(description="The response has a cursor for the next page.")
    field: FieldPath | None = Field(
        default=None, description="Field of the response with the cursor, such as meta.next."
    )
    last_record: FieldPath | None = Field(
        default=None, description="Field of the last record that is the cursor, such as id, instead of field."
    )
    param: str = Field(
        default="cursor", description="Parameter that takes it; in a body a path, such as variables.after."
    )


class NextLink(Paged):
    """The response has the address of the next page."""

    kind: Literal["next_link"] = Field(description="The response has the address of the next page.")
    field: FieldPath = Field(default="next", description="Field with the address, such as link[relation=next].url.")
    method: Literal["GET", "POST"] | None = Field(
        default=None, description="Method of the next page's request; none: that of the endpoint, with its body."
    )


class LinkHeader(Paged):
    """The header ``Link`` has the address of the next page (RFC 8288)."""

    kind: Literal["link_header"] = Field(description="The header Link has the address of the next page (RFC 8288).")


class NextHeader(Paged):
    """A header has the number or cursor of the next page."""

    kind: Literal["next_header"] = Field(description="A header has the number or cursor of the next page.")
    header: str = Field(default="X-Next-Page", description="The header.")
    param: str = Field(default="page", description="Parameter that takes it.")


Paging = Annotated[
    OnePage | Pages | Offset | CursorPages | NextLink | LinkHeader | NextHeader, Field(discriminator="kind")
]
"""The ``paging:`` block."""
