"""Why somebody may read a table of the warehouse or may not, and what enforces it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leat.runs.clearance import tables_of
from leat.runs.granting import plan
from leat.runs.workspace import Workspace
from leat.security.principal import ROLES, Role

if TYPE_CHECKING:
    from leat.security.clearance import Rules
    from leat.security.table_access import TableFacts


class NotThere(Exception):
    """There is no such person or table; the text says what there is.

    Attributes:
        name: what was asked for.
        choices: what there is.
        what: what the choices are.
    """

    def __init__(self, what: str, name: str, choices: Iterable[str]) -> None:
        super().__init__(f"there is no {what} {name!r}")
        self.what, self.name, self.choices = what, name, sorted(choices)


@dataclass(frozen=True, slots=True)
class ColumnView:
    """Whether a column may be read: by which rule and why, and what is shown instead of its values."""

    column: str
    allowed: bool
    rule: str | None
    reason: str
    shown: str | None
    shown_by: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What somebody may read of a table.

    Attributes:
        person: who.
        role: their role; None for none.
        role_from: what gives it to them.
        table: the table.
        columns: its columns.
        rows: the conditions of the rows, with the places that declare them.
        enforced_by: what enforces it on the warehouse; None where nothing is granted.
    """

    person: str
    role: Role | None
    role_from: str
    table: str
    columns: list[ColumnView]
    rows: list[tuple[str, str]]
    enforced_by: str | None


def explain(workspace: Workspace, person: str, what: str) -> Explanation:
    """Return what somebody may read of a table or a column, and why.

    Args:
        workspace: the project.
        person: a login, an address, an account of the server or the machine, or a role.
        what: ``schema.table`` or ``schema.table.column``.

    Raises:
        NotThere: there is no such person, table or column.
        DeclarationError: a file in ``policies/`` has a mistake.
    """
    role, role_from = _role_of(workspace, person)
    with workspace.warehouse.snapshot() as session:
        tables = {str(each): each for each in tables_of(session, workspace.declarations)}
    table, columns = _chosen(tables, what)
    rules = workspace.decider.rules()
    views = [_view(rules, role, table, column) for column in columns]
    limits = [] if role is None else rules.grants.rows_of(str(table), role)
    return Explanation(person, role, role_from, str(table), views, [(each.where, each.name) for each in limits],
                       _enforced_by(workspace, role))  # fmt: skip


def _view(rules: Rules, role: Role | None, table: TableFacts, column: str) -> ColumnView:
    from leat.security.clearance import decide_column

    if role is None:
        return ColumnView(column, False, None, "this account has no role", None, None)
    decision = decide_column(rules, role, table, column)
    mask = rules.grants.mask_of(str(table), column, role) if decision.allowed else None
    shown, by = (None, None) if mask is None else (mask.show, mask.name)
    return ColumnView(column, decision.allowed, decision.rule, decision.reason, shown, by)


def _role_of(workspace: Workspace, person: str) -> tuple[Role | None, str]:
    from leat.security.people import LOCAL, list_people

    security = workspace.security
    people = [row for row in list_people(workspace.store) if row.issuer != LOCAL]
    for row in people:
        if person.casefold() in {name.casefold() for name in (row.name, row.email) if name}:
            return (None, "deactivated") if row.deactivated_at else (row.role, f"member of {row.role_from or 'none'}")
    members = security.grants.members if security.grants is not None else {}
    if person in members:
        return members[person], f"grants.members, {security.grants.name if security.grants else ''}"
    if person in security.policy.local_roles:
        return security.policy.local_roles[person], "local_accounts"
    if person in ROLES:
        return person, "the role itself"
    choices = {*(row.name for row in people), *members, *security.policy.local_roles, *ROLES}
    raise NotThere("person", person, choices)  # noqa: EM101 - the class makes the text of it


def _chosen(tables: dict[str, TableFacts], what: str) -> tuple[TableFacts, list[str]]:
    if what in tables:
        return tables[what], list(tables[what].types)
    name, _, column = what.rpartition(".")
    if name not in tables:
        raise NotThere("table", what, tables)  # noqa: EM101 - likewise
    if column not in tables[name].types:
        raise NotThere("column", column, tables[name].types)  # noqa: EM101 - likewise
    return tables[name], [column]


def _enforced_by(workspace: Workspace, role: Role | None) -> str | None:
    if workspace.security.grants is None or role is None:
        return None
    return plan(workspace).plan.names.get(role)
