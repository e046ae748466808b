"""What a model is: one ``.sql`` file in ``assets/models/`` that becomes the table ``analytics.<name>``.

Its header says ``description``, ``materialized`` (table or view), ``owners``, ``columns`` (name: description) and
``checks``, which are written as in a declaration. ``optional`` names integrations that the model can do without: while
one isn't declared or loaded, its tables are read as if they were empty. ``history: true`` keeps every version of a row.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from leat.assets import lineage, own_loads
from leat.assets.lineage import column_lineage
from leat.assets.own_loads import loads_read
from leat.pipelines.declare import portable, sql_file
from leat.pipelines.declare.cache import digest, kept
from leat.pipelines.declare.declaration import Check, Declaration, Flag, Names
from leat.pipelines.declare.diagnostics import meant
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.sql_file import (
    ANALYTICS,
    SqlFile,
    TableName,
    column_types,
    known_columns,
    present,
    read_header,
    read_sql,
    sql_paths,
    table_mistakes,
)
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.sources.driver import source_names
from leat.warehouse.session import Dialect

Materialized = Literal["table", "view"]
Known = Mapping[str, Mapping[str, list[str]]]
_OWN = tuple(
    Path(module) for module in (__file__, lineage.__file__, own_loads.__file__, sql_file.__file__, portable.__file__)
)
"""What makes models of files: another version of it may make others."""


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = Field(min_length=1)
    materialized: Materialized = "table"
    owners: tuple[str, ...] = ()
    columns: dict[str, str] = Field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    optional: Names = ()
    history: Flag = False


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
        history: whether every version of a row is kept.
        key: the columns of its first check ``unique``; empty when it has none.
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
    sql: Mapping[Dialect, str]
    lineage: Mapping[str, Sequence[tuple[str, str]]]
    history: bool
    key: tuple[str, ...]

    def models(self) -> tuple[str, ...]:
        """Return the names of the models that it reads."""
        return tuple(table.name for table in self.inputs if table.schema == ANALYTICS)


def load_models(project: Project, declarations: Mapping[str, Declaration], *, keep: bool = False) -> tuple[Model, ...]:
    """Return the models of a project, inputs before those that read them.

    As long as neither their files nor the declared columns change, they are read from the cache; with ``keep``, what
    had to be parsed is kept there.

    Raises:
        DeclarationError: with all mistakes of all files.
    """
    paths = sorted((project.folder / "assets" / "models").glob("*.sql"))
    would = {name: column_types(name) for name in source_names() if name not in declarations}
    columns = {name: column_types(name, declaration) for name, declaration in declarations.items()}
    key = digest([*paths, *_OWN], version("sqlglot"), known_columns(declarations), columns, would)
    adapter = TypeAdapter(tuple[Model, ...])
    return kept(project, "models", key, adapter, lambda: _load_models(project, declarations), write=keep)


def read_models(
    project: Project, declarations: Mapping[str, Declaration], *, keep: bool = False
) -> tuple[tuple[Model, ...], dict[str, str]]:
    """Return the models as :func:`load_models` does, without those whose files have mistakes; and these, with why."""
    broken: dict[str, str] = {}
    while True:
        try:
            if not broken:
                return load_models(project, declarations, keep=keep), broken
            return _load_models(project, declarations, broken), broken
        except DeclarationError as error:
            found: dict[str, str] = {}
            for path in sql_paths(project.folder / "assets" / "models"):
                override = project.shown(path.with_name(path.stem + sql_file.OVERRIDE))
                own = [m for m in error.mistakes if m.startswith((f"{project.shown(path)}:", f"{override}:"))]
                if own and path.stem not in broken:
                    found[path.stem] = "; ".join(own)
            if not found:
                raise
            broken |= found


def _load_models(
    project: Project, declarations: Mapping[str, Declaration], without: Collection[str] = ()
) -> tuple[Model, ...]:
    files: dict[str, SqlFile] = {}
    headers: dict[str, _Header] = {}
    mistakes: list[str] = []
    for path in sql_paths(project.folder / "assets" / "models"):
        shown = project.shown(path)
        if path.stem in without:
            continue
        try:
            files[path.stem] = read_sql(path, shown)
            headers[path.stem] = read_header(files[path.stem], _Header)
        except DeclarationError as error:
            mistakes += error.mistakes
    known: dict[str, dict[str, list[str]]] = {
        **known_columns(declarations),
        ANALYTICS: {name: [] for name in (*files, *without)},
    }
    absent = {name for header in headers.values() for name in header.optional if name not in declarations}
    would = {name: column_types(name) for name in sorted(absent)}
    known |= {
        name: {table: list(columns) for table, columns in tables.items()} for name, tables in would.items() if tables
    }
    mistakes += [text for n, file in files.items() for text in table_mistakes(file, _named(known, headers.get(n)))]
    mistakes += [
        f"{files[name].shown}:{files[name].header.line(('history',))}: history: it would be called {name}_history, "
        "as another model is. Next: rename one"
        for name, header in headers.items()
        if header.history and f"{name}_history" in files
    ]
    if mistakes:
        raise DeclarationError(mistakes)
    models = []
    for name in _order(files):
        try:
            model = _model(files[name], headers[name], known, _optional(files[name], headers[name], declarations))
        except DeclarationError as error:
            mistakes += error.mistakes
        else:
            known[ANALYTICS][name] = list(model.columns)
            models.append(model)
    if mistakes:
        raise DeclarationError(mistakes)
    return tuple(models)


def _named(known: Known, header: _Header | None) -> Known:
    """Return the tables that a model may name: of an optional integration that declares its own streams, any."""
    own = [name for name in (header.optional if header else ()) if name in known and not column_types(name)]
    return {schema: tables for schema, tables in known.items() if schema not in own}


def _order(files: Mapping[str, SqlFile]) -> Iterable[str]:
    graph = {
        name: [table.name for table in file.tables if table.schema == ANALYTICS and table.name in files]
        for name, file in files.items()
    }
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        names = error.args[1][::-1]
        shown = files[names[0]].shown
        text = f"{' reads '.join(names)}: models can't read each other in a circle"
        raise DeclarationError([f"{shown}:1: {text}. Next: move what they share into a model of its own"]) from error


def _optional(file: SqlFile, header: _Header, declarations: Mapping[str, Declaration]) -> dict[str, Mapping[str, str]]:
    """Return the columns of the tables of optional integrations: those that are used, where no others are known."""
    found: dict[str, Mapping[str, str]] = {}
    for table in file.tables:
        if table.schema in header.optional:
            columns = column_types(table.schema, declarations.get(table.schema)).get(table.name)
            used = {column.name for column in file.select.find_all(exp.Column)}
            found[str(table)] = columns or dict.fromkeys(sorted(used), "string")
    return found


def _model(file: SqlFile, header: _Header, known: Known, optional: Mapping[str, Mapping[str, str]]) -> Model:
    if file.parameters:
        name, line = next(iter(file.parameters.items()))
        text = f"${name}: a model has no parameters. Next: read the time from leat.loads"
        raise DeclarationError([f"{file.shown}:{line}: {text}"])
    query = _qualified(file, known)
    selected = file.select.named_selects if query is None else query.named_selects
    mistakes = [
        f"{file.shown}:{file.header.line(loc)}: {loc[0]}: the query gives no column {column!r}{meant(column, selected)}"
        for loc, column in _columns_named(header)
        if query is not None and column not in selected
    ]
    read = {table.schema for table in file.tables}
    mistakes += [
        f"{file.shown}:{file.header.line(('optional',))}: optional: nothing of {name!r} is read{meant(name, read)}"
        for name in header.optional
        if name not in read
    ]
    mistakes += _history_mistakes(file, header, selected)
    doubled = sorted({column for column in selected if column and selected.count(column) > 1})
    if doubled or "" in selected:
        what = f"column {doubled[0]!r} comes twice" if doubled else "a column has no name; write `… AS name`"
        mistakes.append(f"{file.shown}:1: {what}")
    if mistakes:
        raise DeclarationError(mistakes)
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
    )


def _key(header: _Header) -> tuple[str, ...]:
    return next((check.unique for check in header.checks if check.unique), ())


def _history_mistakes(file: SqlFile, header: _Header, selected: Iterable[str]) -> Iterable[str]:
    if not header.history:
        return
    where = f"{file.shown}:{file.header.line(('history',))}: history: "
    if not _key(header):
        yield where + "which row is which? Next: add a check, for example `- unique: [id]`"
    if header.materialized == "view":
        yield where + "a view keeps nothing. Next: take `materialized: view` out"
    for name in {"valid_from", "valid_to"} & set(selected):
        yield where + f"the model has a column {name} of its own. Next: give it another name"


def _columns_named(header: _Header) -> Iterable[tuple[tuple[str | int, ...], str]]:
    yield from ((("columns", column), column) for column in header.columns)
    for i, check in enumerate(header.checks):
        if check.kind != "row_count":
            yield from ((("checks", i, check.kind, column), column) for column in getattr(check, check.kind))


def _qualified(file: SqlFile, known: Known) -> exp.Query | None:
    """Return the query with tables and columns spelt out; None when the columns of a table aren't known."""
    if not all(known.get(table.schema, {}).get(table.name) for table in file.tables):
        return None
    schema: dict[str, Any] = {}
    for table in file.tables:
        columns = known[table.schema][table.name]
        schema.setdefault(table.schema, {})[table.name] = dict.fromkeys(columns, "unknown")
    try:
        query = qualify(
            present(file.select), dialect="duckdb", schema=MappingSchema(schema, normalize=False), identify=False
        )
    except SqlglotError as error:
        found = re.search(r"'(\w+)'|: (\w+)$", str(error).split("\n", maxsplit=1)[0])
        column = (found.group(1) or found.group(2)) if found else "?"
        lines = [c.this.meta.get("line", 1) for c in file.select.find_all(exp.Column) if c.name == column]
        near = meant(column, {c for table in file.tables for c in known[table.schema][table.name]})
        text = f"column {column!r} isn't in one table that the query reads{near}"
        raise DeclarationError([f"{file.shown}:{lines[0] if lines else 1}: {text}"]) from error
    return query if isinstance(query, exp.Query) else None
