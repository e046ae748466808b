"""What a model is, and what its header may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from leat.assets.grain import Grain
from leat.pipelines.declare.declaration import Check
from leat.pipelines.declare.table_names import ANALYTICS, TableName
from leat.pipelines.declare.values import Flag, Names
from leat.warehouse.dialect import DialectName

Materialized = Literal["table", "view"]


class Header(BaseModel):
    """The header of a model's file; ``checks`` are written as in a declaration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = Field(min_length=1)
    materialized: Materialized = "table"
    owners: tuple[str, ...] = ()
    columns: dict[str, str] = Field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    optional: Names = ()
    history: Flag = False
    grain: Names = ()


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Attributes:
        name: the file's name, and the table's in schema ``analytics``.
        shown: how messages call the file.
        description: what a row is.
        materialized: whether the rows are stored or computed when they are read.
        owners: who answers for it.
        columns: the columns in order, with what each means; empty where the header doesn't say.
        checks: what must be true of its rows.
        inputs: the tables that it reads.
        loads: the integrations whose rows of ``leat.loads`` it reads; None for all.
        optional: of these, by ``schema.table``, the ones that it can do without, with the leat types of their columns.
        sql: the query per dialect.
        lineage: for each column, the columns of the inputs that its values come from (see
            :func:`leat.assets.lineage.column_lineage`); empty when an input isn't declared: its columns are unknown.
        history: whether leat stores every version of a row.
        key: the columns of its first check ``unique``; empty when it has none.
        grain: how its rows are built of the rows that changed; None if it is always rebuilt whole.
    """

    name: str
    shown: str
    description: str
    materialized: Materialized
    owners: tuple[str, ...]
    columns: Mapping[str, str]
    checks: tuple[Check, ...]
    inputs: tuple[TableName, ...]
    loads: tuple[str, ...] | None
    optional: Mapping[str, Mapping[str, str]]
    sql: Mapping[DialectName, str]
    lineage: Mapping[str, Sequence[tuple[str, str]]]
    history: bool
    key: tuple[str, ...]
    grain: Grain | None = None

    def models(self) -> tuple[str, ...]:
        """Return the names of the models that it reads."""
        return tuple(table.name for table in self.inputs if table.schema == ANALYTICS)

    def models_by_grain(self) -> tuple[str, ...]:
        """Return the names of the models whose changed rows say which of its own are built again."""
        inputs = () if self.grain is None else self.grain.inputs
        names = (each.table.split(".") for each in inputs)
        return tuple(name for schema, name in names if schema == ANALYTICS)
