"""What the API answers of the catalog; docs/catalog.md has the meaning of each column."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from leat.serve.api.models import FromAttributes


class Table(FromAttributes):
    """A table that readers see."""

    schema_name: str
    table_name: str
    kind: str = Field(description="`stream`, `history`, `model`, `engine` or `catalog`.")
    description: str | None
    integration: str | None
    stream: str | None
    source: str | None
    owner: str | None
    key: str | None = Field(description="The columns that identify a row, separated by commas.")
    grain: str | None = Field(
        None, description="The columns by which leat rebuilds a model, separated by commas; null: always whole."
    )
    deletes: str | None
    row_count: int | None
    last_changed_at: datetime | None
    fresh_within: str | None
    history_table: str | None
    example_query: str | None
    declared_in: str | None


class Column(FromAttributes):
    """A column of a table."""

    column_name: str
    position: int
    type: str | None
    description: str | None
    personal: bool | None
    masked: bool | None
    encrypted: bool | None = None


class Check(FromAttributes):
    """A check of a table with its last result."""

    check_name: str
    kind: str
    description: str | None
    severity: str | None
    ok: bool | None = Field(description="Null if it was never checked.")
    failing: int | None
    checked_at: datetime | None


class TableDetails(Table):
    """A table with its columns, its checks, and its neighbours in the lineage as `schema.table`."""

    columns: list[Column]
    checks: list[Check]
    reads: list[str] = Field(description="What it is made of.")
    read_by: list[str] = Field(description="What is made of it.")


class Edge(FromAttributes):
    """That values of one column, or rows of one table, are computed from another."""

    from_schema: str
    from_table: str
    from_column: str | None
    to_schema: str
    to_table: str
    to_column: str | None
