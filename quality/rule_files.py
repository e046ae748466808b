"""What a rule is: one ``.sql`` file in ``quality/rules/``; a row that it selects is a violation, with its evidence.

Its header says ``title``, ``description``, ``next_step``, ``severity`` (warn or error), ``owner`` and ``key``: the
columns that identify a violation, so that it is the same next time. ``sides`` says which columns come from which
system, so that people see them next to each other. ``needs`` names integrations that must have been loaded in addition
to those that the query reads. ``tolerance`` names what the query may overlook, each a parameter of it: ``settle: PT2H``
is the interval ``$settle``, ``amount: 1`` the number ``$amount``. ``$now`` is the time of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from leat.pipelines.declare import portable, sql_file, table_names, transpile
from leat.pipelines.declare.cache import digest, get_or_compute
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.diagnostics import meant
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.sql_file import SqlFile, parameter, read_header, read_sql, sql_paths
from leat.pipelines.declare.table_names import ANALYTICS, TableName, table_diagnostics
from leat.pipelines.declare.values import duration
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.readable_tables import readable_columns
from leat.pipelines.load.results import Severity
from leat.pipelines.load.state import SCHEMA
from leat.warehouse.dialect import Dialect, DialectName
from leat.warehouse.session import literal


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


NOW = "now"
"""The parameter that is the time of the run; it gets its value when the rule runs."""


def _tolerance(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        msg = f"{str(value)[:40]!r} is neither an ISO 8601 duration, such as PT1H, nor a whole number"
        raise ValueError(msg)
    return duration(value) if isinstance(value, str) else value


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    description: str = ""
    next_step: str = Field(min_length=1)
    severity: Severity = "warn"
    owner: str = ""
    key: Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]
    sides: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    needs: tuple[str, ...] = ()
    tolerance: dict[str, Annotated[timedelta | int, BeforeValidator(_tolerance)]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; see the module for what its fields mean.

    Attributes:
        name: the file's name.
        shown: how messages call the file.
        title: what must be true, in a few words.
        needs: the integrations that must have been loaded.
        inputs: the tables that it reads.
        sql: the query per dialect; :func:`at` gives it the time.
        mistakes: what is wrong in its file; it can't be run then.
    """

    name: str
    shown: str
    title: str
    description: str
    next_step: str
    severity: Severity
    owner: str
    key: tuple[str, ...]
    sides: Mapping[str, tuple[str, ...]]
    needs: tuple[str, ...]
    inputs: tuple[TableName, ...]
    sql: Mapping[DialectName, str]
    diagnostics: tuple[str, ...] = ()

    def at(self, now: datetime, dialect: Dialect) -> str:
        """Return the query as it is to be run at that time, UTC."""
        return self.sql[dialect.name].replace(parameter(NOW), literal(now))


def load_rules(
    project: Project, declarations: Mapping[str, Declaration], models: tuple[str, ...] = (), *, cache: bool = False
) -> tuple[Rule, ...]:
    """Return the rules of a project, sorted by name; ``models`` are the names of its models.

    While nothing of that changes, they come from the cache; ``cache`` says whether to write rules parsed now to it.

    Raises:
        DeclarationError: with all mistakes of all files.
    """
    rules = read_rules(project, declarations, models, cache=cache)
    diagnostics = [diagnostic for rule in rules for diagnostic in rule.diagnostics]
    if diagnostics:
        raise DeclarationError(diagnostics)
    return rules


def read_rules(
    project: Project, declarations: Mapping[str, Declaration], models: tuple[str, ...] = (), *, cache: bool = False
) -> tuple[Rule, ...]:
    """Return the rules as :func:`load_rules` does; one whose file has mistakes says so, and hinders no other."""
    paths = sorted((project.folder / "quality" / "rules").glob("*.sql"))
    modules = (__file__, sql_file.__file__, table_names.__file__, portable.__file__, transpile.__file__)
    key = digest([*paths, *map(Path, modules)], version("sqlglot"), readable_columns(declarations), models)
    adapter = TypeAdapter(tuple[Rule, ...])
    return get_or_compute(
        project, "rules", key, adapter, lambda: _read_rules(project, declarations, models), write=cache
    )


def _read_rules(project: Project, declarations: Mapping[str, Declaration], models: tuple[str, ...]) -> tuple[Rule, ...]:
    columns_of: dict[str, dict[str, list[str]]] = {
        **readable_columns(declarations),
        ANALYTICS: {name: [] for name in models},
    }
    paths = sql_paths(project.folder / "quality" / "rules")
    return tuple(_rule(path, project.shown(path), columns_of) for path in paths)


def _rule(path: Path, shown: str, columns_of: Mapping[str, Mapping[str, list[str]]]) -> Rule:
    try:
        file = read_sql(path, shown)
        header = read_header(file, _Header)
    except (DeclarationError, RecursionError) as error:
        diagnostics = error.diagnostics if isinstance(error, DeclarationError) else [f"{shown}:1: nested too deeply"]
        said: dict[str, Any] = {"title": path.stem, "description": "", "next_step": "Correct the file.", "owner": ""}
        said |= {"shown": shown, "diagnostics": tuple(diagnostics)}
        return Rule(path.stem, severity="warn", key=(), sides={}, needs=(), inputs=(), sql={}, **said)
    diagnostics = [*table_diagnostics(file.shown, file.tables, columns_of), *_parameter_diagnostics(file, header)]
    selected = file.select.named_selects
    named = [("key", header.key), *((f"sides.{side}", columns) for side, columns in header.sides.items())]
    for where, columns in named if "*" not in selected else ():
        for column in columns:
            if column not in selected:
                text = f"the query gives no column {column!r}{meant(column, selected)}"
                diagnostics.append(f"{shown}:{file.header.line(tuple(where.split('.', 1)))}: {where}: {text}")
    read = dict.fromkeys(t.schema for t in file.tables if t.schema not in (ANALYTICS, SCHEMA))
    needs = tuple(dict.fromkeys((*read, *header.needs)))
    fields = header.model_dump(exclude={"needs", "tolerance"})
    sql = {dialect: _tolerant(text, header) for dialect, text in file.sql.items()}
    return Rule(file.name, shown, needs=needs, inputs=file.tables, sql=sql, diagnostics=tuple(diagnostics), **fields)


def _parameter_diagnostics(file: SqlFile, header: _Header) -> Iterator[str]:
    names = [*header.tolerance, NOW]
    for name, line in file.parameters.items():
        if name not in names:
            listed = ", ".join(f"${each}" for each in names)
            yield f"{file.shown}:{line}: ${name} isn't declared under tolerance{meant(name, names)}; valid: {listed}"
    for name in header.tolerance:
        if name == NOW:
            yield f"{file.shown}:{file.header.line(('tolerance', name))}: tolerance: $now is the time of the run"
        elif name not in file.parameters:
            where = file.header.line(("tolerance", name))
            yield f"{file.shown}:{where}: tolerance.{name}: the query doesn't use ${name}"


def _tolerant(sql: str, header: _Header) -> str:
    for name, value in header.tolerance.items():
        seconds = value.total_seconds() if isinstance(value, timedelta) else None
        sql = sql.replace(parameter(name), str(value) if seconds is None else f"INTERVAL '{seconds:.0f} seconds'")
    return sql
