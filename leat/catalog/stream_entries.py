"""What the catalog says of streams and their histories, and of leat's own tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from leat.catalog.erasing import erasing_of
from leat.catalog.examples import history_example, plain_name, stream_example
from leat.catalog.store import CATALOG, Row
from leat.catalog.tables import ALL
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.system_columns import HISTORY_COLUMNS, SYSTEM_COLUMNS, SYSTEM_DESCRIPTIONS
from leat.pipelines.load.state import SCHEMA
from leat.pipelines.load.system_tables import TABLES as OWN
from leat.pipelines.load.system_tables import SystemTable
from leat.sources.stream import Stream
from leat.warehouse.session import Session

_Described = tuple[str, str, bool, bool, str | None, str | None, bool]
"""Of a column: type, meaning, whether it is personal, masked, how it identifies, erasing, whether it is encrypted."""
_PLAIN = (False, False, None, None, False)
Actual = Mapping[tuple[str, str], Mapping[str, str]]
"""Leat type by column name in order, by schema and table, of the tables that there are."""


def actual_columns(session: Session) -> dict[tuple[str, str], dict[str, str]]:
    """Return the columns of every table and view of the warehouse, by one query."""
    result: dict[tuple[str, str], dict[str, str]] = {}
    rows = session.execute(
        "SELECT table_schema, table_name, column_name, CASE WHEN data_type = 'numeric' THEN "
        "concat('numeric(', numeric_precision, ',', numeric_scale, ')') ELSE data_type END "
        "FROM information_schema.columns "
        "WHERE table_catalog = current_database() ORDER BY table_schema, table_name, ordinal_position"
    )
    for schema, table, column, kind in rows:
        result.setdefault((schema, table), {})[column] = session.dialect.leat_type(kind)
    return result


def integration_entries(project: Project, declarations: Mapping[str, Declaration]) -> Iterator[Row]:
    """Yield the rows of ``catalog.integrations``."""
    for name, declared in declarations.items():
        said = declared.description or None
        when = (declared.schedule, declared.schedule and declared.zone)
        yield (name, declared.source, declared.driver, said, *when, project.shown(declared.path))


def table_entries(project: Project, declarations: Mapping[str, Declaration]) -> Iterator[Row]:
    """Yield the rows of ``catalog.declared_tables`` for integrations and leat's own tables."""
    for declaration in declarations.values():
        shown = project.shown(declaration.path)
        of = (declaration.source, declaration.driver, None)
        for stream in declaration.selected():
            options = declaration.options(stream.name)
            fresh = options.fresh_within
            within = (None, None) if fresh is None else (_iso(fresh), round(fresh.total_seconds()))
            history = f"{stream.name}_history"
            keyed = (", ".join(stream.key), None, stream.deletes)
            said = " ".join((stream.description, *stream.quirks))
            yield (
                *(declaration.name, stream.name, "stream", said, declaration.name, stream.name, *of, *keyed, *within),
                *(history if options.history else None, stream_example(declaration, stream), shown),
            )
            if options.history:
                said = f"Every version of: {stream.description}"
                example = history_example(declaration, stream)
                yield (
                    *(declaration.name, history, "history", said, declaration.name, stream.name, *of, keyed[0]),
                    *([None] * 5),
                    example,
                    shown,
                )
    for schema, table, declared in _own():
        kind = "engine" if schema == SCHEMA else "catalog"
        example = f"SELECT * FROM {plain_name(schema, table)} LIMIT 10"
        yield (schema, table, kind, declared.description, *[None] * 11, example, None)


def column_entries(declarations: Mapping[str, Declaration], actual: Actual) -> Iterator[Row]:
    """Yield the rows of ``catalog.columns`` for integrations and leat's own tables."""
    for declaration in declarations.values():
        for stream in declaration.selected():
            columns = _described(declaration, stream)
            yield from _columns(declaration.name, stream.name, columns, SYSTEM_COLUMNS, actual)
            if declaration.options(stream.name).history:
                name = f"{stream.name}_history"
                yield from _columns(declaration.name, name, columns, HISTORY_COLUMNS, actual)
    for schema, table, declared in _own():
        for position, column in enumerate(declared.columns, 1):
            yield (schema, table, column.name, position, column.type, column.description, *_PLAIN)


def history_lineage(declarations: Mapping[str, Declaration]) -> Iterator[Row]:
    """Yield the rows of ``catalog.lineage`` from streams to their histories."""
    for declaration in declarations.values():
        for stream in declaration.selected():
            if declaration.options(stream.name).history:
                names = [None, *(column.name for column in declaration.columns(stream)), "_load_id"]
                for name in names:
                    yield (declaration.name, stream.name, name, declaration.name, f"{stream.name}_history", name)


def in_order(names: Iterable[str], actual: Mapping[str, str]) -> list[str]:
    """Return names in the order of the table where it exists, and those that it lacks behind them."""
    places = {name: place for place, name in enumerate(actual)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


def _described(declaration: Declaration, stream: Stream) -> dict[str, _Described]:
    masked, encrypted = declaration.masked(stream), declaration.encrypted(stream)
    columns = declaration.columns(stream)
    return {
        c.name: (
            *(c.type, c.description, c.personal or c.name in masked or c.name in encrypted, c.name in masked),
            *erasing_of(c, columns),
            c.name in encrypted,
        )
        for c in columns
    }


def _columns(
    schema: str,
    table: str,
    columns: Mapping[str, _Described],
    system: Mapping[str, str],
    actual: Actual,
) -> Iterator[Row]:
    described = {**columns}
    described |= {name: (kind, SYSTEM_DESCRIPTIONS[name], *_PLAIN) for name, kind in system.items()}
    for position, name in enumerate(in_order(described, actual.get((schema, table), {})), 1):
        yield (schema, table, name, position, *described[name])


def _own() -> Iterator[tuple[str, str, SystemTable]]:
    for schema, tables in ((SCHEMA, OWN), (CATALOG, ALL)):
        yield from ((schema, name, table) for name, table in tables.items())


def _iso(length: timedelta) -> str:
    """Return a length of time in ISO 8601, as pydantic does: ``PT1H``, ``P1D``."""
    days, seconds = length.days, length.seconds
    parts = [(seconds // 3600, "H"), (seconds % 3600 // 60, "M"), (seconds % 60, "S")]
    clock = "".join(f"{number}{unit}" for number, unit in parts if number)
    return f"P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}" if length else "PT0S"
