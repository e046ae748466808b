"""What a model is: one ``.sql`` file in ``assets/models/`` that becomes the table ``analytics.<name>``.

Its header says ``description``, ``materialized`` (table or view), ``owners``, ``columns`` (name: description) and
``checks``, which are written as in a declaration. ``optional`` names integrations that the model can do without: while
one isn't declared or loaded, its tables count as empty. ``history: true`` stores every version of a row. ``grain``
names columns by which the rows are rebuilt that a change concerns (:mod:`leat.assets.grain`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter
from sqlglot import exp

from leat.assets import grain, lineage, model, own_loads, parse_model, pushdown
from leat.assets.model import Header, Model
from leat.assets.parse_model import ColumnsOf
from leat.pipelines.declare import portable, sql_file, table_names, transpile
from leat.pipelines.declare.cache import digest, get_or_compute
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.sql_file import SqlFile, read_header, read_sql, sql_paths
from leat.pipelines.declare.table_names import ANALYTICS, table_diagnostics
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.readable_tables import column_types, readable_columns, stream_keys
from leat.sources.driver import source_names

_OWN = tuple(
    Path(module)
    for module in (
        __file__,
        model.__file__,
        parse_model.__file__,
        lineage.__file__,
        grain.__file__,
        pushdown.__file__,
        own_loads.__file__,
        sql_file.__file__,
        portable.__file__,
        table_names.__file__,
        transpile.__file__,
    )
)
"""What makes models of files: another version of it may make others."""


def load_models(project: Project, declarations: Mapping[str, Declaration], *, cache: bool = False) -> tuple[Model, ...]:
    """Return the models of a project, inputs before those that read them.

    While neither their files nor the declared columns change, they come from the cache; ``cache`` says whether to
    write models parsed now to it.

    Raises:
        DeclarationError: with all mistakes of all files.
    """
    paths = sorted((project.folder / "assets" / "models").glob("*.sql"))
    would = {name: column_types(name) for name in source_names() if name not in declarations}
    columns = {name: column_types(name, declaration) for name, declaration in declarations.items()}
    keys = stream_keys(declarations, would)
    key = digest([*paths, *_OWN], version("sqlglot"), readable_columns(declarations), columns, would, keys)
    adapter = TypeAdapter(tuple[Model, ...])
    return get_or_compute(project, "models", key, adapter, lambda: _load_models(project, declarations), write=cache)


def read_models(
    project: Project, declarations: Mapping[str, Declaration], *, cache: bool = False
) -> tuple[tuple[Model, ...], dict[str, str]]:
    """Return the models as :func:`load_models` does, without those whose files have mistakes; and these, with why."""
    broken: dict[str, str] = {}
    while True:
        try:
            if not broken:
                return load_models(project, declarations, cache=cache), broken
            return _load_models(project, declarations, broken), broken
        except DeclarationError as error:
            result: dict[str, str] = {}
            for path in sql_paths(project.folder / "assets" / "models"):
                override = project.shown(path.with_name(path.stem + sql_file.OVERRIDE))
                own = [m for m in error.diagnostics if m.startswith((f"{project.shown(path)}:", f"{override}:"))]
                if own and path.stem not in broken:
                    result[path.stem] = "; ".join(own)
            if not result:
                raise
            broken |= result


def _load_models(
    project: Project, declarations: Mapping[str, Declaration], without: Collection[str] = ()
) -> tuple[Model, ...]:
    files: dict[str, SqlFile] = {}
    headers: dict[str, Header] = {}
    diagnostics: list[str] = []
    for path in sql_paths(project.folder / "assets" / "models"):
        shown = project.shown(path)
        if path.stem in without:
            continue
        try:
            files[path.stem] = read_sql(path, shown)
            headers[path.stem] = read_header(files[path.stem], Header)
        except DeclarationError as error:
            diagnostics += error.diagnostics
    columns_of: dict[str, dict[str, list[str]]] = {
        **readable_columns(declarations),
        ANALYTICS: {name: [] for name in (*files, *without)},
    }
    absent = {name for header in headers.values() for name in header.optional if name not in declarations}
    would = {name: column_types(name) for name in sorted(absent)}
    columns_of |= {
        name: {table: list(columns) for table, columns in tables.items()} for name, tables in would.items() if tables
    }
    diagnostics += [
        text
        for n, file in files.items()
        for text in table_diagnostics(file.shown, file.tables, _named(columns_of, headers.get(n)))
    ]
    diagnostics += [
        f"{files[name].shown}:{files[name].header.line(('history',))}: history: it would be called {name}_history, "
        "as another model is. Next: rename one"
        for name, header in headers.items()
        if header.history and f"{name}_history" in files
    ]
    if diagnostics:
        raise DeclarationError(diagnostics)
    models = []
    keys = stream_keys(declarations, absent)
    for name in _order(files):
        try:
            optional = _optional(files[name], headers[name], declarations)
            parsed = parse_model.parse_model(files[name], headers[name], columns_of, optional, keys)
        except DeclarationError as error:
            diagnostics += error.diagnostics
        else:
            columns_of[ANALYTICS][name] = list(parsed.columns)
            keys |= {f"{ANALYTICS}.{name}": ()} if parsed.grain else {}
            models.append(parsed)
    if diagnostics:
        raise DeclarationError(diagnostics)
    return tuple(models)


def _named(columns_of: ColumnsOf, header: Header | None) -> ColumnsOf:
    """Return the tables that a model may name: of an optional integration that declares its own streams, any."""
    own = [name for name in (header.optional if header else ()) if name in columns_of and not column_types(name)]
    return {schema: tables for schema, tables in columns_of.items() if schema not in own}


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


def _optional(file: SqlFile, header: Header, declarations: Mapping[str, Declaration]) -> dict[str, Mapping[str, str]]:
    """Return the columns of the tables of optional integrations: those that are used, where no others are declared."""
    result: dict[str, Mapping[str, str]] = {}
    for table in file.tables:
        if table.schema in header.optional:
            columns = column_types(table.schema, declarations.get(table.schema)).get(table.name)
            used = {column.name for column in file.select.find_all(exp.Column)}
            result[str(table)] = columns or dict.fromkeys(sorted(used), "string")
    return result
