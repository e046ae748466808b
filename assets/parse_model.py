"""One model from its file: its columns and where they come from, and every mistake with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from leat.assets.grain import Grain, Keys, NoGrain, find_grain
from leat.assets.lineage import column_lineage
from leat.assets.model import Header, Model
from leat.assets.own_loads import loads_read
from leat.pipelines.declare.diagnostics import meant
from leat.pipelines.declare.sql_file import SqlFile, present
from leat.pipelines.declare.yaml_file import DeclarationError

ColumnsOf = Mapping[str, Mapping[str, list[str]]]


def parse_model(
    file: SqlFile, header: Header, columns_of: ColumnsOf, optional: Mapping[str, Mapping[str, str]], keys: Keys
) -> Model:
    """Return the model of a file.

    Args:
        file: its query.
        header: its header.
        columns_of: the columns of the tables it may read, by schema and table, including the models built before it.
        optional: the columns of tables that it can do without.
        keys: the key columns of the tables whose changed rows leat can name.

    Raises:
        DeclarationError: with all mistakes of the file.
    """
    if file.parameters:
        name, line = next(iter(file.parameters.items()))
        text = f"${name}: a model has no parameters. Next: read the time from leat.loads"
        raise DeclarationError([f"{file.shown}:{line}: {text}"])
    query = qualified(file, columns_of)
    selected = file.select.named_selects if query is None else query.named_selects
    diagnostics = [
        f"{file.shown}:{file.header.line(loc)}: {loc[0]}: the query gives no column {column!r}{meant(column, selected)}"
        for loc, column in _columns_named(header)
        if query is not None and column not in selected
    ]
    read = {table.schema for table in file.tables}
    diagnostics += [
        f"{file.shown}:{file.header.line(('optional',))}: optional: nothing of {name!r} is read{meant(name, read)}"
        for name in header.optional
        if name not in read
    ]
    diagnostics += _history_diagnostics(file, header, selected)
    doubled = sorted({column for column in selected if column and selected.count(column) > 1})
    if doubled or "" in selected:
        what = f"column {doubled[0]!r} comes twice" if doubled else "a column has no name; write `… AS name`"
        diagnostics.append(f"{file.shown}:1: {what}")
    if diagnostics:
        raise DeclarationError(diagnostics)
    grain = _grain(file, header, query, keys)
    return Model(
        name=file.name,
        shown=file.shown,
        description=header.description,
        materialized=header.materialized,
        owners=header.owners,
        columns={column: header.columns.get(column, "") for column in selected if column != "*"},
        checks=header.checks,
        inputs=file.tables,
        loads=None if file.overridden else loads_read(file.select),
        optional=optional,
        sql=file.sql,
        lineage={} if query is None else column_lineage(query),
        history=header.history,
        key=_key(header),
        grain=grain,
    )


def _grain(file: SqlFile, header: Header, query: exp.Query | None, keys: Keys) -> Grain | None:
    """Return how the model's rows are built by its grain; None without one, or if nobody can say: an input is missing.

    Raises:
        DeclarationError: leat can't prove which rows a changed row concerns.
    """
    if not header.grain or query is None:
        return None
    where = f"{file.shown}:{file.header.line(('grain',))}: grain: "
    if header.materialized == "view":
        raise DeclarationError([where + "a view has no rows of its own. Next: remove `materialized: view`, or `grain`"])
    try:
        return find_grain(file, query, header.grain, keys)
    except NoGrain as why:
        text = f"{why}. Next: see docs/warehouse.md for what leat can prove, name other columns, or remove `grain`"
        raise DeclarationError([where + text]) from why


def _key(header: Header) -> tuple[str, ...]:
    return next((check.unique for check in header.checks if check.unique), ())


def _history_diagnostics(file: SqlFile, header: Header, selected: Iterable[str]) -> Iterable[str]:
    if not header.history:
        return
    where = f"{file.shown}:{file.header.line(('history',))}: history: "
    if not _key(header):
        yield where + "which row is which? Next: add a check, for example `- unique: [id]`"
    if header.materialized == "view":
        yield where + "a view has no rows of its own. Next: remove `materialized: view`"
    for name in {"valid_from", "valid_to"} & set(selected):
        yield where + f"the model has a column {name} of its own. Next: give it another name"


def _columns_named(header: Header) -> Iterable[tuple[tuple[str | int, ...], str]]:
    yield from ((("columns", column), column) for column in header.columns)
    yield from ((("grain", i), column) for i, column in enumerate(header.grain))
    for i, check in enumerate(header.checks):
        if check.kind != "row_count":
            yield from ((("checks", i, check.kind, column), column) for column in getattr(check, check.kind))


def qualified(file: SqlFile, columns_of: ColumnsOf) -> exp.Query | None:
    """Return the query with tables and columns spelt out; None when a table or its columns don't exist."""
    if not all(columns_of.get(table.schema, {}).get(table.name) for table in file.tables):
        return None
    schema: dict[str, Any] = {}
    for table in file.tables:
        columns = columns_of[table.schema][table.name]
        schema.setdefault(table.schema, {})[table.name] = dict.fromkeys(columns, "unknown")
    try:
        query = qualify(
            present(file.select), dialect="duckdb", schema=MappingSchema(schema, normalize=False), identify=False
        )
    except SqlglotError as error:
        match = re.search(r"'(\w+)'|: (\w+)$", str(error).split("\n", maxsplit=1)[0])
        column = (match.group(1) or match.group(2)) if match else "?"
        lines = [c.this.meta.get("line", 1) for c in file.select.find_all(exp.Column) if c.name == column]
        near = meant(column, {c for table in file.tables for c in columns_of[table.schema][table.name]})
        text = f"column {column!r} isn't in one table that the query reads{near}"
        raise DeclarationError([f"{file.shown}:{lines[0] if lines else 1}: {text}"]) from error
    return query if isinstance(query, exp.Query) else None
