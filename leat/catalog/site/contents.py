"""What the site shows: the schema ``catalog`` of the published warehouse, read once and put together by table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from leat.catalog.site.data import Sample, read_loads, read_samples
from leat.warehouse.session import Session, WarehouseError, quote

Name = tuple[str, str]
"""Schema and table."""

Entry = Mapping[str, Any]
"""A row of a table of the catalog, by column name."""

_ORDER: Mapping[str, str] = {
    "integrations": "integration",
    "tables": "schema_name, table_name",
    "columns": "schema_name, table_name, position",
    "checks": "schema_name, table_name, check_name",
    "freshness": "schema_name, table_name",
    "lineage": "to_schema, to_table, to_column, from_schema, from_table, from_column",
    "rules": "rule",
    "rule_inputs": "rule, schema_name, table_name",
    "open_violations": "rule, first_seen_at, violation_key",
}


@dataclass(frozen=True)
class Contents:
    """All rows of the catalog, in a fixed order.

    Attributes:
        rows: the rows by name of the table or view.
        loads: the last loads of each stream, the newest first.
        samples: the first rows of each table; none unless they are asked for.
        queries: the SQL of each model.
    """

    rows: Mapping[str, Sequence[Entry]]
    loads: Mapping[Name, Sequence[Entry]] = field(default_factory=dict)
    samples: Mapping[Name, Sample] = field(default_factory=dict)
    queries: Mapping[Name, str] = field(default_factory=dict)

    @cached_property
    def tables(self) -> dict[Name, Entry]:
        """The tables by name."""
        return {(row["schema_name"], row["table_name"]): row for row in self.rows["tables"]}

    @cached_property
    def schemas(self) -> dict[str, list[Entry]]:
        """The tables of each schema: integrations first, then models, then leat's own."""
        result: dict[str, list[Entry]] = {row["integration"]: [] for row in self.rows["integrations"]}
        for schema in ("analytics", "leat", "catalog"):
            result[schema] = []
        for table in self.rows["tables"]:
            result.setdefault(table["schema_name"], []).append(table)
        return {schema: tables for schema, tables in result.items() if tables}

    @cached_property
    def integrations(self) -> dict[str, Entry]:
        """The integrations by name."""
        return {row["integration"]: row for row in self.rows["integrations"]}

    @cached_property
    def columns(self) -> dict[Name, list[Entry]]:
        """The columns of each table."""
        return _grouped(self.rows["columns"])

    @cached_property
    def checks(self) -> dict[Name, list[Entry]]:
        """The checks of each table."""
        return _grouped(self.rows["checks"])

    @cached_property
    def freshness(self) -> dict[Name, Entry]:
        """How fresh each stream is."""
        return {(row["schema_name"], row["table_name"]): row for row in self.rows["freshness"]}

    @cached_property
    def reads(self) -> dict[Name, list[Name]]:
        """The tables that each table is built from."""
        return self._edges("to", "from")

    @cached_property
    def read_by(self) -> dict[Name, list[Name]]:
        """The tables that are made of each table."""
        return self._edges("from", "to")

    @cached_property
    def origins(self) -> dict[tuple[str, str, str], list[tuple[str, str, str]]]:
        """The columns that the values of each column of a model come from."""
        result: dict[tuple[str, str, str], list[tuple[str, str, str]]] = {}
        for row in self.rows["lineage"]:
            table = self.tables[row["to_schema"], row["to_table"]]
            if row["to_column"] is not None and table["kind"] == "model":
                to = (row["to_schema"], row["to_table"], row["to_column"])
                result.setdefault(to, []).append((row["from_schema"], row["from_table"], row["from_column"]))
        return result

    @cached_property
    def rules(self) -> dict[Name, list[Entry]]:
        """The rules that read each table."""
        by_name = {rule["rule"]: rule for rule in self.rows["rules"]}
        result: dict[Name, list[Entry]] = {}
        for row in self.rows["rule_inputs"]:
            result.setdefault((row["schema_name"], row["table_name"]), []).append(by_name[row["rule"]])
        return result

    @cached_property
    def rule_inputs(self) -> dict[str, list[Name]]:
        """The tables that each rule reads."""
        result: dict[str, list[Name]] = {}
        for row in self.rows["rule_inputs"]:
            result.setdefault(row["rule"], []).append((row["schema_name"], row["table_name"]))
        return result

    def _edges(self, here: str, there: str) -> dict[Name, list[Name]]:
        result: dict[Name, list[Name]] = {}
        for row in self.rows["lineage"]:
            if row["to_column"] is None:
                name = (row[f"{there}_schema"], row[f"{there}_table"])
                result.setdefault((row[f"{here}_schema"], row[f"{here}_table"]), []).append(name)
        return {name: sorted(set(others)) for name, others in result.items()}


def read_contents(session: Session, queries: Mapping[Name, str], *, samples: bool = False) -> Contents:
    """Read the catalog, and what the loads did; ``samples`` says whether to read some rows of each table too.

    Raises:
        WarehouseError: it hasn't been written yet.
    """
    if not session.columns("catalog", "tables"):
        msg = "the warehouse has no catalog yet. Next: `leat run` writes it"
        raise WarehouseError(msg)
    rows = {name: _rows(session, name, order) for name, order in _ORDER.items()}
    contents = Contents(rows, read_loads(session), queries=queries)
    return replace(contents, samples=read_samples(session, contents.tables, contents.columns)) if samples else contents


def _rows(session: Session, name: str, order: str) -> list[Entry]:
    columns = list(session.columns("catalog", name))
    listed = ", ".join(map(quote, columns))
    rows = session.execute(f"SELECT {listed} FROM {quote('catalog', name)} ORDER BY {order}")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _grouped(rows: Iterable[Entry]) -> dict[Name, list[Entry]]:
    result: dict[Name, list[Entry]] = {}
    for row in rows:
        result.setdefault((row["schema_name"], row["table_name"]), []).append(row)
    return result
