"""How an API gives a list in pages: the ``paging:`` block of an endpoint, in every usual style."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Block(BaseModel):
    """A part of a declaration: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OnePage(Block):
    """The whole list is one answer."""

    kind: Literal["none"] = Field(default="none", description="The whole list is one answer.")


class Pages(Block):
    """Pages with numbers."""

    kind: Literal["pages"] = Field(description="Pages have numbers.")
    param: str = Field(default="page", description="Parameter that takes the number.")
    first: int = Field(default=1, ge=0, le=1, description="Number of the first page.")
    size_param: str | None = Field(default=None, description="Parameter that takes the size of a page.")
    size: int | None = Field(default=None, ge=1, description="Records in a page.")
    total: str | None = Field(default=None, description="Field of the answer with the number of records in all.")


class Offset(Block):
    """Pages that begin at a record."""

    kind: Literal["offset"] = Field(description="Pages begin at the record with a number.")
    param: str = Field(default="offset", description="Parameter that takes the number of the first record.")
    size_param: str = Field(default="limit", description="Parameter that takes the size of a page.")
    size: int = Field(default=100, ge=1, description="Records in a page.")
    total: str | None = Field(default=None, description="Field of the answer with the number of records in all.")


class CursorPages(Block):
    """The answer has what the next page is asked for with."""

    kind: Literal["cursor"] = Field(description="The answer has a cursor, with which the next page is asked for.")
    field: str = Field(description="Field of the answer with the cursor, for example meta.next_cursor.")
    param: str = Field(default="cursor", description="Parameter that takes it.")
    more: str | None = Field(default=None, description="Field of the answer that is false on the last page.")


class NextLink(Block):
    """The answer has the address of the next page."""

    kind: Literal["next_link"] = Field(description="The answer has the address of the next page.")
    field: str = Field(default="next", description="Field of the answer with the address.")


class LinkHeader(Block):
    """The header ``Link`` has the address of the next page (RFC 8288)."""

    kind: Literal["link_header"] = Field(description="The header Link has the address of the next page (RFC 8288).")


class NextHeader(Block):
    """A header has the number or cursor of the next page."""

    kind: Literal["next_header"] = Field(description="A header has the number or cursor of the next page.")
    header: str = Field(default="X-Next-Page", description="The header.")
    param: str = Field(default="page", description="Parameter that takes it.")


Paging = Annotated[
    OnePage | Pages | Offset | CursorPages | NextLink | LinkHeader | NextHeader, Field(discriminator="kind")
]
"""The ``paging:`` block."""
