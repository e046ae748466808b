"""A column of an endpoint, as a user declares it: where its value is in a record, how it is written, what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from leat.sources.json_path import FieldPath
from leat.sources.personal_data import by_name
from leat.sources.rest_api.declaration.paging_styles import Block
from leat.sources.stream import DECIMAL, TYPES, column_type
from leat.sources.subject import Erases, Subject

ColumnType = Annotated[
    str,
    AfterValidator(column_type),
    Field(
        json_schema_extra={
            "anyOf": [{"enum": list(TYPES)}, {"pattern": f"^{DECIMAL.pattern}$", "examples": ["decimal(18,4)"]}]
        }
    ),
]


class SubjectOptions(Block):
    """How a column identifies a person."""

    kind: str = Field(
        pattern=r"[a-z][a-z0-9_]{0,40}",
        description="email, login, name, text, or what this system calls it, such as customer.",
    )
    erases: Erases = Field(
        default="value",
        description="What erasing the person does: replace the value, also blank the other personal columns, or "
        "delete the row.",
    )
    of: str | None = Field(default=None, description="The column whose person this is.")

    def declared(self) -> Subject:
        """Return it as the streams of leat have it."""
        return Subject(self.kind, self.erases, self.of)


def _kind(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


class ColumnOptions(Block):
    """One column: where its value is in a record, and what it means."""

    type: ColumnType = Field(description="Type of the column.")
    field: FieldPath | None = Field(
        default=None, description="Where the value is, such as customer.address.city, or [0]; . is the record itself."
    )
    description: str | None = Field(default=None, description="What it means.")
    personal: bool = Field(default=False, description="Whether it is personal data.")
    subject: Annotated[SubjectOptions, BeforeValidator(_kind, json_schema_input_type=SubjectOptions | str)] | None = (
        Field(default=None, description="Whom it identifies: email, login, name, or the whole of a subject.")
    )
    parent: str | None = Field(default=None, description="Column of the parent whose value it takes.")
    convert: bool = Field(
        default=False, description="Whether to convert text to numbers or true, and numbers or true to text."
    )
    unix: Literal["s", "ms"] | None = Field(
        default=None, description="Unit of a timestamp that counts from 1970, as a number or text."
    )
    format: str | None = Field(
        default=None, description="Format of a time that isn't ISO 8601, for example %d/%m/%Y %H:%M (strptime)."
    )
    zone: str | None = Field(
        default=None, description="Time zone of timestamps that are written without one, for example Europe/Paris."
    )


MARK = "write personal: true, or personal: false if it isn't personal data"
"""What to do about a column that is probably personal data, and isn't marked."""


def is_open(options: ColumnOptions) -> bool:
    """Return whether nobody has said whether a column is personal; one of a parent is as the parent's is."""
    return "personal" not in options.model_fields_set and options.parent is None


def unmarked_by_name(columns: Mapping[str, ColumnOptions]) -> dict[str, str]:
    """Return the columns that are open and personal data by their names, with what they probably are."""
    named = {name: by_name(name, options.type) for name, options in columns.items() if is_open(options)}
    return {name: meaning for name, meaning in named.items() if meaning is not None}
