"""What a user declares of an action on a REST API: its parameters, its request, and what makes it happen once."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from leat.sources.actions import Guarantee
from leat.sources.json_path import FieldPath
from leat.sources.rest_api.declaration.paging_styles import Block

ParameterType = Literal["string", "integer", "float", "boolean", "date", "timestamp", "json"]
_Scalar = str | int | float | bool
_Params = dict[str, _Scalar | list[_Scalar]]
_Status = Annotated[int, Field(ge=400, le=499)]


class ParameterOptions(Block):
    """One parameter of an action."""

    type: ParameterType = Field(default="string", description="Type of its value.")
    description: str = Field(default="", description="What it means.")
    required: bool = Field(default=False, description="Whether it must be given.")
    default: Any = Field(
        default=None,
        description="Value if it isn't given; now for a timestamp or today for a date: the time of the plan.",
    )
    enum: tuple[_Scalar, ...] = Field(default=(), description="The values that are valid.")
    minimum: float | None = Field(default=None, description="Smallest number.")
    maximum: float | None = Field(default=None, description="Largest number.")
    min_length: int | None = Field(default=None, ge=0, description="Least number of characters.")
    max_length: int | None = Field(default=None, ge=0, description="Greatest number of characters.")
    pattern: str | None = Field(default=None, description="Regular expression that the text contains.")


class Reading(Block):
    """A request that changes nothing."""

    path: str = Field(description="Path below connection.url; {name} is filled from the parameters.")
    method: Literal["GET", "POST"] = Field(default="GET", description="POST for a search; it must not change anything.")
    params: _Params = Field(default_factory=dict, description="Query of the request. A list repeats the parameter.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers of the request; no secrets.")
    body: Any = Field(default=None, description="JSON body of a POST.")


class ReadingOne(Reading):
    """A request for one record."""

    record: FieldPath | None = Field(
        default=None, description="Field of the response with the record, such as data[0]; default: the response is it."
    )


class Read(ReadingOne):
    """How to read what the action changes, before and after."""

    expect: dict[FieldPath, Any] = Field(
        default_factory=dict, description="Fields and the values that they must have, else nothing is planned."
    )


class Find(Reading):
    """How to search for the effect of the action."""

    records: FieldPath | None = Field(
        default=None, description="Field of the response with the list; default: the response is the list."
    )
    where: dict[FieldPath, Any] = Field(
        min_length=1, description="Fields of a record and the values that identify the effect of this action."
    )


class Confirm(ReadingOne):
    """How to see that the effect is there."""

    path: str | None = Field(  # type: ignore[assignment]
        default=None, description="Path; {name} is filled from result and the parameters. Default: that of read."
    )
    expect: dict[FieldPath, Any] = Field(
        default_factory=dict, description="Fields and the values that they must have afterwards."
    )
    absent: bool = Field(default=False, description="Whether the record must be gone instead.")


class Request(Block):
    """The request that has the effect."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field(default="POST", description="HTTP method.")
    path: str = Field(description="Path below connection.url; {name} is filled from the parameters.")
    params: _Params = Field(default_factory=dict, description="Query of the request. A list repeats the parameter.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers of the request; no secrets.")
    body: Any = Field(default=None, description="Body of the request; texts are templates.")
    encoding: Literal["json", "form"] = Field(default="json", description="How the body is written.")
    record: FieldPath | None = Field(
        default=None, description="Field of the response with the record, such as data[0]; default: the response is it."
    )
    fails_when: dict[FieldPath, str | bool | int] = Field(
        default_factory=dict, description="Fields that make a response with status 200 an error, as {ok: false}."
    )


def _names(value: Any) -> Any:
    if isinstance(value, str):
        value = [value]
    return {str(name): name for name in value} if isinstance(value, list) else value


_Result = Annotated[
    dict[str, FieldPath],
    BeforeValidator(_names, json_schema_input_type=str | list[FieldPath] | dict[str, FieldPath]),
]


class ActionOptions(Block):
    """One action: what it is asked with, the request, and what makes it happen once."""

    description: str = Field(min_length=1, description="What it does, in a sentence.")
    title: str | None = Field(default=None, description="Template of the line that people approve.")
    parameters: dict[str, ParameterOptions] = Field(default_factory=dict, description="What it is asked with, by name.")
    read: Read | None = Field(default=None, description="How to read what it changes; default: leat doesn't.")
    request: Request = Field(description="The request that makes the change.")
    result: _Result = Field(
        default_factory=dict, description="Names for fields of the record in the response, as {id: id}, or a list."
    )
    idempotency_header: str | None = Field(
        default=None, description="Header by which the API recognises a repeated request, such as Idempotency-Key."
    )
    guarded_for: timedelta | None = Field(
        default=None, description="How long the API remembers that key (ISO 8601); default: forever."
    )
    if_match: bool = Field(default=False, description="Whether to send the ETag of read as If-Match.")
    unchanged: tuple[FieldPath, ...] = Field(
        default=(), description="Fields of read that must be as planned when the request is sent, without an ETag."
    )
    find: Find | None = Field(default=None, description="How to search for the effect by the id of the action.")
    confirm: Confirm | None = Field(default=None, description="How to see that the effect is there.")
    settle: timedelta = Field(
        default=timedelta(seconds=2), description="After how long the API shows an effect (ISO 8601)."
    )
    undo: Annotated[dict[str, dict[str, Any] | None], Field(min_length=1, max_length=1)] | None = Field(
        default=None, description="Action that reverses it, with its parameters: {delete_ticket: {id: …}}."
    )
    money: bool = Field(default=False, description="Whether it moves money, so that a second person has to approve it.")
    permission: str = Field(default="", description="Permission that it needs, in the words of the API.")

    def guarantee(self) -> Guarantee:
        """Return what makes its effect happen once, by the strongest thing that is declared."""
        if self.idempotency_header is not None:
            return "guarded"
        if self.find is not None:
            return "probed"
        return "natural" if self.if_match or self.unchanged else "unprobeable"

    def seen_by(self) -> ReadingOne | None:
        """Return how the record is read after the effect, if confirm or read says."""
        if self.confirm is None:
            return None
        if self.confirm.path is None:
            return self.read
        return self.confirm
