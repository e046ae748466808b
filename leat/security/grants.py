"""``grants:`` of ``policies/``, compiled: who belongs to which role, and which rows and values a role doesn't see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leat.pipelines.declare.system_columns import HISTORY_COLUMNS, SYSTEM_COLUMNS
from leat.pipelines.declare.table_names import ANALYTICS
from leat.security.principal import Role, up_to_role

if TYPE_CHECKING:
    from leat.pipelines.declare.declaration import Declaration
    from leat.pipelines.declare.project import Project
    from leat.pipelines.declare.yaml_file import YamlFile
    from leat.security.grants_declaration import GrantsDeclared, Way

HISTORY = "_history"


@dataclass(frozen=True, slots=True)
class RowRule:
    """Rows that roles are limited to.

    Attributes:
        name: where it is: file and line.
        table: ``schema.table``; its history is meant as well.
        roles: whom it limits.
        where: the condition, in DuckDB's dialect.
    """

    name: str
    table: str
    roles: frozenset[Role]
    where: str


@dataclass(frozen=True, slots=True)
class MaskRule:
    """Columns that roles see only masked; the attributes are those of :class:`RowRule`."""

    name: str
    table: str
    columns: frozenset[str]
    roles: frozenset[Role]
    show: Way


@dataclass(frozen=True, slots=True)
class Grants:
    """What holds for people who connect to the warehouse itself, besides the rules.

    Attributes:
        name: where it is: file and line.
        members: role of login roles of the server, by name.
        people: whether login roles that are called like a person who signs in have the role of that person.
        rows: which rows roles are limited to.
        masks: which columns roles see masked.
        prefix: beginning of the names of roles; None for one that is made of the name of the database.
        unmanaged: roles of the server that leat leaves alone.
        folder: of the files of roles; None for the default.
        groups: of the operating system, that may read the file of a role.
    """

    name: str
    members: Mapping[str, Role] = field(default_factory=dict)
    people: bool = False
    rows: tuple[RowRule, ...] = ()
    masks: tuple[MaskRule, ...] = ()
    prefix: str | None = None
    unmanaged: frozenset[str] = frozenset()
    folder: str | None = None
    groups: Mapping[Role, str] = field(default_factory=dict)

    def rows_of(self, table: str, role: Role) -> list[RowRule]:
        """Return what limits the rows of a table, or of the history of one, for a role."""
        return [rule for rule in self.rows if role in rule.roles and _is_of(rule.table, table)]

    def mask_of(self, table: str, column: str, role: Role) -> MaskRule | None:
        """Return what masks a column for a role; what shows least if there are several."""
        rules = [
            rule for rule in self.masks if role in rule.roles and column in rule.columns and _is_of(rule.table, table)
        ]
        return min(rules, key=lambda rule: rule.show != "hidden", default=None)


def _is_of(declared: str, table: str) -> bool:
    return table in (declared, declared + HISTORY)


def compile_grants(file: YamlFile, shown: str, declared: GrantsDeclared) -> Grants:
    """Return the grants of a file."""

    def place(*loc: str | int) -> str:
        return f"{shown}:{file.line(('grants', *loc))}"

    return Grants(
        place(),
        dict(declared.members),
        declared.people,
        tuple(
            RowRule(place("rows", i), rule.table, up_to_role(rule.up_to), rule.where)
            for i, rule in enumerate(declared.rows)
        ),
        tuple(
            MaskRule(place("masks", i), rule.table, frozenset(rule.columns), up_to_role(rule.up_to), rule.show)
            for i, rule in enumerate(declared.masks)
        ),
        declared.prefix,
        frozenset(declared.unmanaged),
        declared.files.folder,
        dict(declared.files.groups),
    )


def grant_diagnostics(grants: Grants, declarations: Mapping[str, Declaration], project: Project) -> Iterator[str]:
    """Yield, with file and line, what can't be meant: tables and columns that aren't there, unusable conditions."""
    from leat.security.row_condition import BadCondition, check_condition

    for rule in grants.rows:
        there, wrong = _columns(rule.table, declarations, project)
        if wrong is not None:
            yield f"{rule.name}: table: {wrong}"
            continue
        try:
            check_condition(rule.where, None if there is None else [*there, *SYSTEM_COLUMNS])
        except BadCondition as error:
            yield f"{rule.name}: where: {error}"
    for mask in grants.masks:
        there, wrong = _columns(mask.table, declarations, project)
        if wrong is not None:
            yield f"{mask.name}: table: {wrong}"
            continue
        for column in sorted(mask.columns):
            yield from (f"{mask.name}: columns: {text}" for text in _mask_diagnostics(column, mask.show, there))


def _mask_diagnostics(column: str, show: Way, there: Mapping[str, str] | None) -> Iterator[str]:
    from leat.pipelines.declare.diagnostics import meant

    if column in SYSTEM_COLUMNS or column in HISTORY_COLUMNS:
        yield f"{column} is a column of leat itself, which can't be masked"
    elif there is not None and column not in there:
        yield f"the table has no column {column!r}{meant(column, there)}"
    elif there is not None and show != "hidden" and there[column] != "string":
        yield f"{column} is no text, so it has no {show}; write show: hidden"


def _columns(
    table: str, declarations: Mapping[str, Declaration], project: Project
) -> tuple[dict[str, str] | None, str | None]:
    """Return the leat types of the columns of a table, None for a model; or what is wrong with its name."""
    from leat.pipelines.declare.diagnostics import meant

    tables: dict[str, dict[str, str] | None] = {
        f"{each.name}.{stream.name}": {column.name: column.type for column in each.columns(stream)}
        for each in declarations.values()
        for stream in each.selected()
    }
    models = (project.folder / "assets" / "models").glob("*.sql")
    tables |= dict.fromkeys(f"{ANALYTICS}.{path.stem}" for path in models if "." not in path.stem)
    if table in tables:
        return tables[table], None
    if table.endswith(HISTORY) and table.removesuffix(HISTORY) in tables:
        return None, f"name the table, {table.removesuffix(HISTORY)}: what is said of it holds for its history"
    return None, f"there is no table {table!r}{meant(table, tables)}; write integration.stream, or analytics.model"
