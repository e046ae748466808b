"""The tables that a query names, and what is wrong with a name that no table has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leat.pipelines.declare.diagnostics import meant

ANALYTICS = "analytics"
"""The schema of the models."""


@dataclass(frozen=True, slots=True)
class TableName:
    """A table that a query reads, the line that names it, and whether the query reads its past."""

    schema: str
    name: str
    line: int
    past: bool = False

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def table_diagnostics(
    shown: str, tables: Iterable[TableName], columns_of: Mapping[str, Mapping[str, object]]
) -> list[str]:
    """Return a line for each table that can't be meant; an integration that isn't declared is no mistake."""
    return [
        f"{shown}:{table.line}: {text}"
        for table in tables
        if (text := _table_diagnostic(table, columns_of)) is not None
    ]


def _table_diagnostic(table: TableName, columns_of: Mapping[str, Mapping[str, object]]) -> str | None:
    if table.schema in columns_of:
        if table.name in columns_of[table.schema]:
            if table.past and table.schema != ANALYTICS and f"{table.name}_history" not in columns_of[table.schema]:
                return f"{table} has no past. Next: declare `{table.name}: {{history: true}}` under streams"
            return None
        kind = "model" if table.schema == ANALYTICS else "table"
        listed = ", ".join(columns_of[table.schema]) or "none"
        return f"no {kind} {str(table)!r}{meant(table.name, columns_of[table.schema])}; valid: {listed}"
    near = meant(table.schema, columns_of)
    return f"no integration {table.schema!r} is declared{near}" if near else None
