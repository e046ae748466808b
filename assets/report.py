"""What a report is: one file ``assets/reports/<name>.yaml`` whose figures each show one model in one way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from leat.pipelines.declare.json_schema import without_titles

Chart = Literal["line", "columns", "bars", "number"]
Unit = Literal["number", "percent", "money", "bytes", "hours"]
FIGURE_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
IN_SENTENCES = ("last", "last_label", "top", "top_label", "total")
"""What a sentence may name in braces: the last point of a chart, its largest one, and the sum of all."""
CURRENCY = "currency"
"""The column of a model that says the currency of its amounts."""


def _text(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


Sql = Annotated[str, BeforeValidator(_text), Field(min_length=1)]


class Figure(BaseModel):
    """A figure: what is measured, by what, and how it is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, description="What it shows.")
    sentence: str = Field(
        min_length=1,
        description="What it says, in one sentence. {last} and {last_label} are the last point, {top} and {top_label} "
        "the largest, {total} the sum.",
    )
    model: str = Field(min_length=1, description="The model whose rows are counted.")
    value: Sql = Field(description="What is measured: an aggregate of its columns, such as SUM(charges).")
    by: Sql | None = Field(default=None, description="What it is measured by: a column, or an expression of columns.")
    where: Sql | None = Field(default=None, description="Which rows count; all if left out.")
    chart: Chart = Field(description="How it is drawn: line, columns (by time or number), bars (by name) or number.")
    unit: Unit = Field(default="number", description="What the value is; money is in minor units.")
    personal: bool | None = Field(
        default=None,
        description="Whether it shows personal data. Left out, it does if one of its columns has some; a column that "
        "is only counted doesn't matter.",
    )

    @field_validator("sentence")
    @classmethod
    def _names(cls, value: str) -> str:
        unknown = [name for name in re.findall(r"\{([^}]*)\}", value) if name not in IN_SENTENCES]
        if unknown:
            msg = f"{{{unknown[0]}}} is no value; valid: {', '.join(IN_SENTENCES)}"
            raise ValueError(msg)
        return value


class Report(BaseModel):
    """A report: figures about one area."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, description="What the area is called.")
    description: str = Field(min_length=1, description="What it answers.")
    figures: Mapping[str, Figure] = Field(min_length=1, description="The figures by name, in order.")

    @field_validator("figures")
    @classmethod
    def _named(cls, value: Mapping[str, Figure]) -> Mapping[str, Figure]:
        for name in value:
            if not FIGURE_NAME.fullmatch(name):
                msg = f"{name!r} is no name; write it in lower case, like open_disputes"
                raise ValueError(msg)
        return value


def reports_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12), for editors."""
    whole: dict[str, Any] = without_titles(Report.model_json_schema(mode="validation"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Report of a leat project", **whole}
