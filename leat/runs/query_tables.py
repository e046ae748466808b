"""Which tables a reader's query reads, as resources of access: each of them has to be asked for.

A function that takes a query or the name of a table as text would read what nobody asked for, so only table functions
that read no tables are accepted, and those of a table's past.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from leat.runs.access import Resource
from leat.runs.workspace import Workspace
from leat.security.table_access import PERSONAL, system_resources, verb_of

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["Unreadable", "resources_of", "resources_of_table", "verb_of"]

_HARMLESS = frozenset({"unnest", "generate_series", "range", "json_each", "json_tree"})
_ENGINES = frozenset({"information_schema", "pg_catalog"})
_MASKING = re.compile(r"(.+)__(?:viewer|analyst|operator|admin)")
"""The schemas of views with masked values (docs/security/grants.md)."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HIDING = re.compile(
    r"query|query_table|json_execute_serialized_sql|ts_stat|ts_rewrite|crosstab\w*|connectby|xpath_table|glob|sniff_csv|getenv|\w+_to_xml\w*|dblink\w*|lo_\w+"
    r"|(read|parquet|duckdb|pg_read|pg_ls|pragma|sqlite|postgres|mysql|st_read)_?\w*"
)
"""Functions that read what the query doesn't name."""


class Unreadable(Exception):
    """What a query reads can't be determined; the text says why."""


def resources_of(workspace: Workspace, sql: str) -> list[Resource]:
    """Return what a query reads.

    Raises:
        Unreadable: it isn't one SELECT, or reads something that has no schema.
    """
    import sqlglot
    from sqlglot import exp

    dialect = workspace.warehouse.dialect.name
    text = _without_explain(sql)
    try:
        statements = [each for each in sqlglot.parse(text, read=dialect) if each is not None]
    except sqlglot.errors.SqlglotError as error:
        msg = f"the query can't be read: {str(error).splitlines()[0][:300]}"
        raise Unreadable(msg) from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        msg = "a query is one SELECT or EXPLAIN"
        raise Unreadable(msg)
    named = {cte.alias for cte in statements[0].find_all(exp.CTE)}
    resources: dict[Resource, None] = {}
    for function in statements[0].find_all(exp.Func):
        name = _name_of(function)
        if _HIDING.fullmatch(name) or (isinstance(function.parent, exp.Lateral) and name not in _HARMLESS):
            msg = f"{name}() isn't accepted: it reads what the query doesn't name"
            raise Unreadable(msg)
    for table in statements[0].find_all(exp.Table):
        resources |= dict.fromkeys(_of_table(workspace, table, named))
    return list(resources)


def _of_table(workspace: Workspace, table: exp.Table, named: set[str]) -> list[Resource]:
    from sqlglot import exp

    if isinstance(table.this, exp.Func):
        function = table.this
        name = _name_of(function)
        if name in _HARMLESS:
            return []
        if table.db and name.endswith("_as_of"):
            return resources_of_table(workspace, table.db, name.removesuffix("_as_of"))
        msg = f"the table function {name} isn't accepted"
        raise Unreadable(msg)
    if not table.db:
        if table.name in named and _PLAIN.fullmatch(table.name):
            return []
        msg = f"the table {table.name} has no schema"
        raise Unreadable(msg)
    if table.catalog and table.catalog != "warehouse":
        msg = f"{table.catalog} is another database"
        raise Unreadable(msg)
    return resources_of_table(workspace, table.db, table.name)


def _name_of(function: exp.Func) -> str:
    from sqlglot import exp

    return (function.name if isinstance(function, exp.Anonymous) else function.sql_name()).lower()


def resources_of_table(workspace: Workspace, schema: str, table: str) -> list[Resource]:
    """Return what somebody has to be allowed to query, so that they may read a table."""
    schema, table = schema.lower(), table.lower()
    if schema == "analytics":
        return [Resource("model", table, tags=PERSONAL)]
    hooked = [name for name, declaration in workspace.declarations.items() if declaration.hooks is not None]
    of_leat = system_resources(schema, table, workspace.declarations, hooked)
    if of_leat is not None:
        return of_leat
    if schema in _ENGINES:
        return [Resource("catalog", f"{schema}.{table}")]
    masking = _MASKING.fullmatch(schema)
    if (
        masking is not None and workspace.security.grants is not None
    ):  # the server lets nobody read it but that role, which sees no personal data there
        if masking[1] == "analytics":
            return [Resource("model", table)]
        stream = table.removesuffix("_history")
        return [Resource("stream", stream, integration=masking[1], stream=stream)]
    return [_of_stream(workspace, schema, table)]


def _of_stream(workspace: Workspace, schema: str, table: str) -> Resource:
    declaration = workspace.declarations.get(schema)
    stream = table.removesuffix("_history")
    personal = declaration is None or any(
        column.personal
        for each in declaration.selected()
        if each.name == stream
        for column in each.columns
        if column.name not in declaration.masked(each)
    )
    tags = frozenset({"personal"} if personal else ())
    return Resource("stream", stream, integration=schema, stream=stream, tags=tags)


def _without_explain(sql: str) -> str:
    from leat.warehouse.query import explained

    return explained(sql)
