"""What each role may read of the tables that are in the warehouse, for the transaction that changes one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.table_names import ANALYTICS
from leat.security.table_access import TableFacts, personal_of
from leat.warehouse.clearance import Clearances
from leat.warehouse.session import Session

if TYPE_CHECKING:
    from leat.security.clearance import Rules
    from leat.security.policy_file import Security

_SYSTEM = ("leat", "catalog", "hooks")


@dataclass(frozen=True, slots=True)
class Decider:
    """Decides by ``policies/``, read when it is first called; see :class:`leat.warehouse.session.Decide`.

    Args:
        project: the project.
        security: returns what its policies say.
        declarations: returns its integrations.
    """

    project: Project
    security: Callable[[], Security]
    declarations: Callable[[], Mapping[str, Declaration]]

    def __call__(self, session: Session) -> Clearances | None:
        """Return what each role may read; None where no grants are declared.

        Raises:
            DeclarationError: a file in ``policies/`` has a mistake. Nothing is granted then, nor committed.
        """
        if self.security().grants is None:
            return None
        from leat.security.clearance import decide_clearances

        tables = tables_of(session, self.declarations())
        return decide_clearances(self.rules(), tables, session.dialect, self.project.folder)

    def mark(self) -> str | None:
        """Return what decides, apart from the tables.

        Raises:
            DeclarationError: a file in ``policies/`` has a mistake.
        """
        if self.security().grants is None:
            return None
        from leat.security.clearance import mark_of

        return mark_of(self.rules())

    def rules(self) -> Rules:
        """Return what decides.

        Raises:
            DeclarationError: a file in ``policies/`` has a mistake.
        """
        from leat.pipelines.declare.yaml_file import DeclarationError
        from leat.security.clearance import Rules
        from leat.security.grants import Grants, grant_diagnostics

        security, declarations = self.security(), self.declarations()
        grants = security.grants or Grants("")
        diagnostics = list(grant_diagnostics(grants, declarations, self.project))
        if diagnostics:
            raise DeclarationError(diagnostics)
        hooked = tuple(name for name, each in declarations.items() if each.hooks is not None)
        return Rules(security.policy, grants, tuple(declarations), hooked)


def tables_of(session: Session, declarations: Mapping[str, Declaration]) -> list[TableFacts]:
    """Return the tables that leat has made, with which of their columns hold personal data.

    Those of an integration that is no longer declared count as personal as a whole. Of models, the catalog says it,
    which is written in the transaction that builds them.
    """
    integrations = {*declarations, *_loaded(session)}
    by_table: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, columns in session.tables((*_SYSTEM, ANALYTICS, *sorted(integrations))):
        by_table[schema, table] = columns
    of_models = _personal_of_models(session)
    return [_facts_of(*table, columns, declarations, of_models) for table, columns in by_table.items()]


def _facts_of(
    schema: str,
    table: str,
    types: Mapping[str, str],
    declarations: Mapping[str, Declaration],
    of_models: Mapping[str, Mapping[str, bool]],
) -> TableFacts:
    if schema in _SYSTEM:
        return TableFacts(schema, table, table, types, frozenset())
    if schema == ANALYTICS:
        listed = of_models.get(table, {})
        personal = frozenset(column for column in types if listed.get(column, True))
        return TableFacts(schema, table, table.removesuffix("_history"), types, personal)
    declaration = declarations.get(schema)
    streams = () if declaration is None else [each.name for each in declaration.selected()]
    stream = table if table in streams else table.removesuffix("_history")
    return TableFacts(schema, table, stream, types, personal_of(declaration, stream, types))


def _loaded(session: Session) -> Iterator[str]:
    if session.columns("leat", "streams"):
        yield from (name for (name,) in session.execute("SELECT DISTINCT integration FROM leat.streams"))


def _personal_of_models(session: Session) -> dict[str, dict[str, bool]]:
    personal: dict[str, dict[str, bool]] = {}
    if session.columns("catalog", "columns"):
        rows = session.execute(
            "SELECT table_name, column_name, personal OR masked FROM catalog.columns WHERE schema_name = ?",
            (ANALYTICS,),
        )
        for table, column, is_personal in rows:
            personal.setdefault(table, {})[column] = bool(is_personal)
    return personal
