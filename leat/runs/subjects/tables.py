"""The tables of the warehouse, and what each of them says of people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load import state
from leat.pipelines.load.cells import origin_of
from leat.runs.workspace import Workspace
from leat.sources.stream import Column
from leat.sources.subject import Subject
from leat.warehouse.session import Session, quote

if TYPE_CHECKING:
    from leat.assets.model import Model

Kind = Literal["stream", "history", "model", "model history", "webhooks", "system", "other"]
_HISTORY = "_history"
_OTHERS = ("pg_catalog", "information_schema", "catalog")


@dataclass(frozen=True, slots=True)
class PeopleTable:
    """A table that may have values of people.

    Attributes:
        schema: its schema: the integration, for a stream.
        name: its name.
        kind: what it is.
        columns: leat type by name of the columns that it has.
        declared: its columns as they are declared, by name; empty for tables that nobody declares.
        key: the columns that identify a row.
        masked: columns that hold hashes instead of values.
        encrypted: columns that hold ciphertexts instead of values, with the type of these.
    """

    schema: str
    name: str
    kind: Kind
    columns: Mapping[str, str]
    declared: Mapping[str, Column]
    key: tuple[str, ...] = ()
    masked: frozenset[str] = frozenset()
    encrypted: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return its name as SQL has it."""
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        """Its quoted name."""
        return quote(self.schema, self.name)

    @property
    def texts(self) -> list[str]:
        """The columns that hold text or JSON."""
        return [name for name, kind in self.columns.items() if kind in ("string", "json")]

    def kind_of(self, column: str) -> str:
        """Return the leat type of a column's values, in clear where they are encrypted."""
        return self.encrypted.get(column, self.columns[column])

    def origin(self, column: str) -> bytes:
        """Return what the values of an encrypted column say they are of; nothing where it depends on the value."""
        return origin_of(self.schema, self.name.removesuffix(_HISTORY), column) if column in self.encrypted else b""

    def subject(self, column: str) -> Subject | None:
        """Return how a column identifies a person; None if it doesn't."""
        declared = self.declared.get(column)
        return None if declared is None else declared.subject


def people_tables(workspace: Workspace, session: Session) -> list[PeopleTable]:
    """Return all tables that may have values of people, by name; views have none of their own."""
    rows = session.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
        "AND table_catalog = current_database() ORDER BY 1, 2"
    )
    models = {model.name: model for model in workspace.described.models}
    kinds = _kinds(workspace, models)
    tables = []
    for schema, name in rows:
        if schema in _OTHERS or schema.startswith("pg_"):
            continue
        columns = session.columns(schema, name)
        tables.append(_table(workspace, schema, name, columns, models, kinds))
    return tables


def _table(
    workspace: Workspace,
    schema: str,
    name: str,
    columns: Mapping[str, str],
    models: Mapping[str, Model],
    kinds: Mapping[tuple[str, str], Column],
) -> PeopleTable:
    declaration, base = workspace.declarations.get(schema), name.removesuffix(_HISTORY)
    if declaration is not None:
        return _of_stream(declaration, name, columns)
    if schema == ANALYTICS and base in models:
        model = models[base]
        declared = {column: kinds[base, column] for column in columns if (base, column) in kinds}
        kind: Kind = "model" if name == base else "model history"
        return PeopleTable(schema, name, kind, columns, declared, model.key)
    if schema == "hooks":
        return PeopleTable(schema, name, "webhooks", columns, {})
    return PeopleTable(schema, name, "system" if schema == state.SCHEMA else "other", columns, {})


def _of_stream(declaration: Declaration, name: str, columns: Mapping[str, str]) -> PeopleTable:
    streams = {stream.name: stream for stream in declaration.every_stream()}
    stream = streams.get(name) or streams.get(name.removesuffix(_HISTORY))
    if stream is None:
        return PeopleTable(declaration.name, name, "other", columns, {})
    declared = {column.name: column for column in stream.all_columns() if column.name in columns}
    kind: Kind = "stream" if name == stream.name else "history"
    encrypted = {column: how.type for column, how in declaration.encrypted(stream).items() if column in columns}
    return PeopleTable(
        declaration.name, name, kind, columns, declared, stream.key, declaration.masked(stream), encrypted
    )


def _kinds(workspace: Workspace, models: Mapping[str, Model]) -> dict[tuple[str, str], Column]:
    """Return the columns of models with whom they identify, which follows from the columns that they come from."""
    origin_columns: dict[tuple[str, str], Column] = {
        (f"{declaration.name}.{stream.name}{suffix}", column.name): column
        for declaration in workspace.declarations.values()
        for stream in declaration.selected()
        for column in stream.columns
        for suffix in ("", _HISTORY)
    }
    result: dict[tuple[str, str], Column] = {}
    personal = workspace.described.personal
    for name, model in models.items():
        for column in model.columns or ():
            subject = _inherited(origin_columns, model.lineage.get(column, ()))
            made = Column(column, "string", "", column in personal.get(name, ()), subject)
            origin_columns[f"{ANALYTICS}.{name}", column] = result[name, column] = made
    return result


def _inherited(origin_columns: Mapping[tuple[str, str], Column], origins: object) -> Subject | None:
    """Return the subject of a column of a model: that of the columns that it comes from, if they agree on its kind."""
    subjects = list(_subjects(origin_columns, origins))
    kinds = {subject.kind for subject in subjects if subject is not None}
    if len(kinds) != 1 or None in subjects or kinds & {"text"}:
        return None
    strong = any(subject.erases != "value" for subject in subjects if subject is not None)
    return Subject(kinds.pop(), "personal" if strong else "value")


def _subjects(origin_columns: Mapping[tuple[str, str], Column], origins: object) -> Iterator[Subject | None]:
    for origin in origins if isinstance(origins, list | tuple) else ():
        column = origin_columns.get(origin)
        yield None if column is None else column.subject
