"""A declared query: one ``.sql`` file with a YAML header, one SELECT in DuckDB's dialect, transpiled where need be.

::

    /* ---
    description: Meetings by person and week.
    --- */
    SELECT … FROM calendar.events

Tables are ``integration.stream``, ``leat.table``, or a model: ``analytics.model`` or just ``model``. What can't be
transpiled to Postgres is written a second time in ``name.postgres.sql``, without a header. ``$name`` is a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import sqlglot
from pydantic import BaseModel, ValidationError
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError, UnsupportedError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
from sqlglot.optimizer.scope import traverse_scope

from leat.limits import DECLARATION_BYTES as MAX_BYTES
from leat.pipelines.declare.declaration import NAME
from leat.pipelines.declare.diagnostics import validation_diagnostics
from leat.pipelines.declare.portable import is_made_up, past_of, unportable
from leat.pipelines.declare.reaching import reaching
from leat.pipelines.declare.table_names import ANALYTICS, TableName
from leat.pipelines.declare.transpile import as_postgres, made_equal
from leat.pipelines.declare.yaml_file import DeclarationError, YamlFile, parse_yaml
from leat.warehouse.dialect import Dialect, DialectName
from leat.warehouse.session import quote

Header = TypeVar("Header", bound=BaseModel)
OVERRIDE = ".postgres.sql"
_HEADER = re.compile(r"\s*/\* ---[ \t]*\n(.*?)\n?[ \t]*--- \*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SqlFile:
    """A parsed file.

    Attributes:
        path: the file.
        shown: how messages call it.
        header: its YAML header, with line numbers of the file.
        select: the query, in DuckDB's dialect; names of models are qualified.
        tables: the tables that it reads, each once.
        sql: its text per dialect, with parameters as :func:`parameter` writes them.
        parameters: the names of its parameters, with the line that names each first.
        overridden: whether its text for Postgres was written by hand.
    """

    path: Path
    shown: str
    header: YamlFile
    select: exp.Query
    tables: tuple[TableName, ...]
    sql: Mapping[DialectName, str]
    parameters: Mapping[str, int]
    overridden: bool

    @property
    def name(self) -> str:
        """The name of what the file declares."""
        return self.path.stem


def sql_paths(folder: Path) -> list[Path]:
    """Return the declared files of a folder, sorted; overrides are no files of their own."""
    return sorted(path for path in folder.glob("*.sql") if not path.name.endswith(OVERRIDE))


def read_sql(path: Path, shown: str) -> SqlFile:
    """Parse a file.

    Raises:
        DeclarationError: it can't be read, lacks a header, or isn't one SELECT that both engines can run.
    """
    if not NAME.fullmatch(path.stem):
        raise DeclarationError([f"{shown}: the file's name must be a lower-case identifier, like churn.sql"])
    text = _read(path, shown)
    match = _HEADER.match(text)
    if match is None:
        how = "begin the file with a line /* ---, keys such as `description: …`, and a line --- */"
        raise DeclarationError([f"{shown}:1: the header is missing; {how}"])
    before = text[: match.start(1)].count("\n")
    header = parse_yaml("\n" * before + match.group(1), path, shown)
    if not isinstance(header.value, dict):
        raise DeclarationError([f"{shown}:{before + 1}: expected keys such as `description: …` in the header"])
    skipped = text[: match.end()].count("\n")
    return _parsed("\n" * skipped + text[match.end() :], path, shown, header)


def read_query(text: str, path: Path, shown: str) -> SqlFile:
    """Parse a query without a header; ``path`` is its own ``.sql`` file, or the file that quotes it.

    Raises:
        DeclarationError: it isn't one SELECT that both engines can run.
    """
    return _parsed(text, path, shown, YamlFile(path, {}, {}))


def _parsed(body: str, path: Path, shown: str, header: YamlFile) -> SqlFile:
    select = _parse(body, shown)
    _refuse_functions(select, shown)
    tables = tuple(_qualify(select))
    override = path.with_name(path.stem + OVERRIDE)
    if override.exists():
        postgres, duckdb = _overridden(override, shown, select), select
    else:
        postgres, duckdb = _postgres(shown, select, override), made_equal(select)
    sql = {"duckdb": duckdb.sql("duckdb", identify=True, comments=False), "postgres": postgres}
    named = {column.name[1:] for column in select.find_all(exp.Column) if column.name.startswith("$")}
    lines = {name: body[: body.find(f"${name}")].count("\n") + 1 for name in sorted(named)}
    texts = cast("Mapping[DialectName, str]", sql)
    return SqlFile(path, shown, header, select, tables, texts, lines, override.exists())


def parameter(name: str) -> str:
    """Return how a parameter is written in the text of a query: as a name that no column has."""
    return f'"${name}"'


def without(sql: str, dialect: Dialect, absent: Mapping[str, Mapping[str, str]]) -> str:
    """Return a query that reads tables that aren't there as if they were empty.

    Args:
        sql: the query.
        dialect: of the query.
        absent: per table (``schema.table``) the leat type of each of its columns.
    """
    query = sqlglot.parse_one(sql, dialect=dialect.name)
    for table in list(query.find_all(exp.Table)):
        columns = absent.get(f"{table.db}.{table.name}")
        if columns is not None:
            nulls = ", ".join(f"CAST(NULL AS {dialect.sql_type(kind)}) AS {quote(n)}" for n, kind in columns.items())
            empty = sqlglot.parse_one(f"SELECT {nulls or 'NULL AS nothing'} WHERE FALSE", dialect=dialect.name)
            table.replace(exp.Subquery(this=empty, alias=exp.TableAlias(this=exp.to_identifier(table.alias_or_name))))
    return query.sql(dialect.name, identify=True)


def read_header(file: SqlFile, model: type[Header]) -> Header:
    """Validate the header of a file.

    Raises:
        DeclarationError: with every mistake in it.
    """
    try:
        return model.model_validate(file.header.value)
    except ValidationError as error:
        raise DeclarationError(validation_diagnostics(file.header, file.shown, error, model, ())) from error


def _read(path: Path, shown: str) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeclarationError([f"{shown}: can't be read: {error}"]) from error
    if len(text) > MAX_BYTES:
        raise DeclarationError([f"{shown}: larger than {MAX_BYTES} bytes; is it a query?"])
    return text


def _parse(text: str, shown: str, dialect: DialectName = "duckdb") -> exp.Query:
    try:
        statements = [statement for statement in sqlglot.parse(text, dialect=dialect) if statement is not None]
    except SqlglotError as error:
        detail = getattr(error, "errors", None) or [{}]
        line, what = detail[0].get("line") or 1, detail[0].get("description") or str(error).split("\n", maxsplit=1)[0]
        what, near = what.split(" but got <Token", maxsplit=1)[0], detail[0].get("highlight")
        raise DeclarationError(
            [f"{shown}:{line}: not SQL{f', near {near!r}' if near else ''}: {what}. Next: try the SELECT in DuckDB"]
        ) from error
    if len(statements) != 1:
        what = "there is no SELECT" if not statements else f"there are {len(statements)} statements; write one per file"
        raise DeclarationError([f"{shown}:1: {what}"])
    statement = statements[0]
    if not isinstance(statement, exp.Query) or statement.find(exp.Into, exp.DML, exp.DDL, exp.Command):
        raise DeclarationError([f"{shown}:1: {statement.key.upper()} isn't a SELECT; a file is one SELECT that reads"])
    statement = normalize_identifiers(statement, dialect="postgres")  # DuckDB doesn't mind the case
    return cast("exp.Query", statement.transform(_as_parameter, copy=False))


def _as_parameter(node: exp.Expression) -> exp.Expression:
    """Write a parameter alike in both dialects, which parse it differently."""
    if isinstance(node, exp.Placeholder | exp.Parameter) and node.name:
        return exp.column(exp.to_identifier(f"${node.name}", quoted=True))
    return node


def _qualify(select: exp.Query) -> Iterator[TableName]:
    """Put the schema of models before bare names, and yield every table once."""
    seen: set[tuple[str, str]] = set()
    for scope in traverse_scope(select):
        for source in scope.sources.values():
            past = past_of(source) if isinstance(source, exp.Table) else None
            if isinstance(source, exp.Table) and (past or isinstance(source.this, exp.Identifier)):
                name = past or source.name
                if not source.db:
                    source.set("db", exp.to_identifier(ANALYTICS))
                if (source.db, name) not in seen:
                    seen.add((source.db, name))
                    yield TableName(source.db, name, source.this.meta.get("line", 1), past is not None)


def present(select: exp.Query) -> exp.Query:
    """Return the query with tables in the place of the functions that give their past, for the columns are the same."""
    select = select.copy()
    for table in list(select.find_all(exp.Table)):
        past = past_of(table)
        if past is not None:
            table.set("this", exp.to_identifier(past))
    return select


def _refuse_functions(select: exp.Query, shown: str) -> None:
    """Refuse table functions that don't read tables: what they give changes without a load, and has no lineage."""
    wrong = [
        f"{shown}:{table.this.meta.get('line', 1)}: {table.this.sql('duckdb')[:60]} isn't a table, and nothing "
        "says when it changes. Next: name a table, the past of one as schema.table_as_of(moment), or declare a source"
        for table in select.find_all(exp.Table)
        if isinstance(table.this, exp.Func) and past_of(table) is None and not is_made_up(table.this)
    ]
    if wrong:
        raise DeclarationError(wrong)


def _postgres(shown: str, select: exp.Query, override: Path) -> str:
    diagnostics = [
        f"{shown}:{line}: {text}. Next: rewrite it, or add {override.name}" for line, text in unportable(select)
    ]
    if diagnostics:
        raise DeclarationError(diagnostics)
    try:
        return as_postgres(select).sql("postgres", identify=True, comments=False, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        what = str(error).split("\n", maxsplit=1)[0]
        raise DeclarationError([f"{shown}:1: {what}. Next: rewrite it, or add {override.name}"]) from error


def _overridden(override: Path, shown: str, select: exp.Query) -> str:
    name = str(Path(shown).with_name(override.name))
    text = _read(override, name)
    if wrong := [
        f"{name}:{line}: {word} isn't for queries: it reaches past the tables" for line, word in reaching(text)
    ]:
        raise DeclarationError(wrong)
    other = _parse(text, name, "postgres")
    others, tables = ({str(table) for table in _qualify(query)} for query in (other, select))
    if others != tables:
        listed = ", ".join(sorted(others ^ tables))
        raise DeclarationError([f"{name}:1: it has to read the same tables as {shown}; different: {listed}"])
    return other.sql("postgres", comments=False)
