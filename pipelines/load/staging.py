"""Rows that are at hand, as a temporary relation of the warehouse."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from leat.pipelines.load.landing import Landed
from leat.sources.stream import Column, arrow_schema
from leat.warehouse.session import Session

_READ: Mapping[str, Callable[[str], Any]] = {
    "timestamp": datetime.fromisoformat,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "decimal": Decimal,
}
"""How values of a type are read from the JSON of an event."""


def stage_rows(
    session: Session, name: str, columns: tuple[Column, ...], rows: Sequence[Mapping[str, Any]], landed: Landed
) -> None:
    """Stage rows by way of a parquet file in the load's folder; times and decimals are texts, as events hold them."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = arrow_schema(columns)
    read = {c.name: _READ[c.type.partition("(")[0]] for c in columns if c.type.partition("(")[0] in _READ}
    typed = [
        {n: read[n](value) if n in read and value is not None else value for n, value in row.items()} for row in rows
    ]
    # A name of its own: DuckDB takes a file that was written again within the clock's resolution for the old one.
    file: Path = landed.folder / f"{name}.{uuid.uuid4().hex}.parquet"
    parquet.write_table(pa.Table.from_pylist(typed, schema=schema), file)
    session.stage(name, [file], schema)
