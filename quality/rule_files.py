"""What a rule is: one ``.sql`` file in ``quality/rules/``; a row that it selects is a violation, with its evidence.

Its header says ``title``, ``description``, ``severity`` (warn or error), ``owner`` and ``key``: the columns that
identify a violation, so that it is the same one the next time. ``needs`` names integrations that must have been loaded
beside those that the query reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pipelines.declaration import Declaration
from pipelines.mistakes import meant
from pipelines.project import Project
from pipelines.results import Severity
from pipelines.sql_file import (
    ANALYTICS,
    TableName,
    known_columns,
    read_header,
    read_sql,
    sql_paths,
    table_mistakes,
)
from pipelines.state import SCHEMA
from pipelines.yaml_file import DeclarationError
from warehouse.session import Dialect


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    description: str = ""
    severity: Severity = "warn"
    owner: str = ""
    key: Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; see the module for what its fields mean.

    Attributes:
        name: the file's name.
        shown: how messages call the file.
        title: what must be true, in a few words.
        needs: the integrations that must have been loaded.
        inputs: the tables that it reads.
        sql: the query per dialect.
    """

    name: str
    shown: str
    title: str
    description: str
    severity: Severity
    owner: str
    key: tuple[str, ...]
    needs: tuple[str, ...]
    inputs: tuple[TableName, ...]
    sql: Mapping[Dialect, str]


def load_rules(
    project: Project, declarations: Mapping[str, Declaration], models: tuple[str, ...] = ()
) -> tuple[Rule, ...]:
    """Return the rules of a project, sorted by name; ``models`` are the names of its models.

    Raises:
        DeclarationError: with all mistakes of all files.
    """
    known: dict[str, dict[str, list[str]]] = {**known_columns(declarations), ANALYTICS: {name: [] for name in models}}
    rules: list[Rule] = []
    mistakes: list[str] = []
    for path in sql_paths(project.folder / "quality" / "rules"):
        shown = project.shown(path)
        try:
            file = read_sql(path, shown)
            header = read_header(file, _Header)
        except DeclarationError as error:
            mistakes += error.mistakes
            continue
        mistakes += table_mistakes(file, known)
        selected = file.select.named_selects
        for column in header.key if "*" not in selected else ():
            if column not in selected:
                text = f"the query gives no column {column!r}{meant(column, selected)}"
                mistakes.append(f"{shown}:{file.header.line(('key',))}: key: {text}")
        read = dict.fromkeys(t.schema for t in file.tables if t.schema not in (ANALYTICS, SCHEMA))
        needs = tuple(dict.fromkeys((*read, *header.needs)))
        fields = header.model_dump(exclude={"needs"})
        rules.append(Rule(file.name, shown, needs=needs, inputs=file.tables, sql=file.sql, **fields))
    if mistakes:
        raise DeclarationError(mistakes)
    return tuple(rules)
