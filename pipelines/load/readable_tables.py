"""The tables that queries may read, and their columns: those of integrations, declared or not, and leat's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.system_columns import HISTORY_COLUMNS, SYSTEM_COLUMNS
from leat.pipelines.load.system_tables import TABLES
from leat.sources.driver import load_streams, source_names


def readable_columns(declarations: Mapping[str, Declaration]) -> dict[str, dict[str, list[str]]]:
    """Return the columns of every table that may be read, models left out, by schema and table.

    The columns of a stream that isn't selected are empty: the query may name it, but there is nothing to read.
    """
    by_schema = {"leat": {table: list(declared.types) for table, declared in TABLES.items()}}
    for declaration in declarations.values():
        by_schema[declaration.name] = {name: list(columns) for name, columns in _types(declaration).items()}
        for stream in declaration.every_stream():
            if not declaration.options(stream.name).selected:
                by_schema[declaration.name] |= {
                    n: [] for n in (stream.name, f"{stream.name}_history") if n in by_schema[declaration.name]
                }
    return by_schema


def column_types(integration: str, declaration: Declaration | None = None) -> dict[str, dict[str, str]]:
    """Return the leat type of each column that an integration's tables have, or would have if it were declared.

    One that isn't declared has the streams of the source of its name; without such a source, it has none.
    """
    if declaration is not None:
        return _types(declaration)
    streams = load_streams(integration) if integration in source_names() else ()
    named = [(stream.name, {column.name: str(column.type) for column in stream.all_columns()}) for stream in streams]
    return {
        table: {**columns, **more}
        for name, columns in named
        for table, more in ((name, SYSTEM_COLUMNS), (f"{name}_history", HISTORY_COLUMNS))
    }


def stream_keys(declarations: Mapping[str, Declaration], absent: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """Return the key columns of each stream, by ``integration.stream``.

    Args:
        declarations: the integrations.
        absent: names of others that a query may read; they have the streams of the source of their name.
    """
    streams = {name: declaration.every_stream() for name, declaration in declarations.items()}
    streams |= {name: load_streams(name) for name in absent if name in source_names()}
    return {f"{name}.{stream.name}": tuple(stream.key) for name, of in streams.items() for stream in of}


def _types(declaration: Declaration) -> dict[str, dict[str, str]]:
    result: dict[str, dict[str, str]] = {}
    for stream in declaration.every_stream():
        columns = {column.name: str(column.type) for column in declaration.columns(stream)}
        result[stream.name] = {**columns, **SYSTEM_COLUMNS}
        if declaration.options(stream.name).history:
            result[f"{stream.name}_history"] = {**columns, **HISTORY_COLUMNS}
    return result
