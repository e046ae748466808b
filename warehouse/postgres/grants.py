"""Makes the rights on the tables of a Postgres warehouse what the roles may read, in the transaction of its caller.

The rights that there are, are compared with those that are wanted, and what differs is changed. So it doesn't matter
which statement made, replaced or altered a table: whatever that did to its rights is put right before the commit.

::

    columns that a role may read    GRANT SELECT on the table, or on these columns
    rows                            row security, and one policy for each role
    masked values                   a view of the same name in the schema SCHEMA__ROLE, with security_barrier
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from leat.warehouse.clearance import Clearances, Table, TableClearance
from leat.warehouse.postgres.rights import (
    POLICY,
    PUBLIC,
    Actual,
    Right,
    read_masking_schemas,
    read_rights,
    read_roles,
)
from leat.warehouse.postgres.roles import masking_schema, role_names
from leat.warehouse.session import Session, WarehouseError, literal, quote

_MARK = re.compile(r"leat [0-9a-f]{32}")
_ALTERS = re.compile(r'\s*(?:ALTER|DROP) (?:TABLE|VIEW) (?:IF EXISTS )?("(?:[^"]|"")+"\."(?:[^"]|"")+")')
_HOLDING = """SELECT DISTINCT 1, format('DROP VIEW %I.%I', n.nspname, v.relname) FROM pg_depend AS d
JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid JOIN pg_class AS v ON v.oid = r.ev_class
JOIN pg_namespace AS n ON n.oid = v.relnamespace
WHERE d.refobjid = to_regclass(?) AND v.oid <> d.refobjid AND n.nspname ~ '__(viewer|analyst|operator|admin)$'
UNION ALL SELECT 2, format('DROP POLICY %I ON %s', p.polname, p.polrelid::regclass) FROM pg_policy AS p
WHERE p.polrelid = to_regclass(?) AND starts_with(p.polname, ?) ORDER BY 1, 2"""


def grant(session: Session, clearances: Clearances, schemas: Sequence[str] = ()) -> None:
    """Make the rights of the roles that are there what they have to be; a role that isn't there has none.

    Args:
        session: an open transaction.
        clearances: what each role may read.
        schemas: those with the tables whose rights are made; others are those of other transactions. None for all.

    Raises:
        WarehouseError: leat's own role may not.
    """
    names, there = role_names(session, clearances), read_roles(session)
    present = {role: name for role, name in names.items() if name in there}
    if present:
        if schemas:
            clearances = clearances.of_schemas(schemas)
        execute_grants(session, grant_statements(session, clearances, present, set(there), schemas))


def execute_grants(session: Session, statements: list[str]) -> None:
    """Execute statements that change rights.

    Raises:
        WarehouseError: leat's own role may not.
    """
    import psycopg2

    try:
        for statement in statements:
            session.execute(statement)
    except psycopg2.errors.InsufficientPrivilege as error:
        what = str(error).split("\n", maxsplit=1)[0]
        msg = (
            f"{what}, so the rights of `grants:` can't be given, and nothing was committed. Next: let the role of "
            "LEAT_WAREHOUSE own the tables and have CREATEROLE, or let an administrator of the server run what "
            "`leat access plan` prints"
        )
        raise WarehouseError(msg) from error


def release(session: Session, statement: str) -> list[str]:
    """Return what has to be dropped before a statement may change a table: it is made again before the commit.

    A column that a row policy or a view reads can't be altered or dropped. Views come first: whoever reads one locks
    the view before the table, and in the other order both would wait for each other.
    """
    match = _ALTERS.match(statement)
    if match is None or "ROW LEVEL SECURITY" in statement:
        return []
    return [drop for _, drop in session.execute(_HOLDING, (match[1], match[1], POLICY))]


def grant_statements(
    session: Session,
    clearances: Clearances,
    names: Mapping[str, str],
    there: set[str],
    schemas: Sequence[str] = (),
) -> list[str]:
    """Return the statements that make the rights what they have to be.

    Args:
        session: an open transaction.
        clearances: what each role may read.
        names: the name on the server of each role that has to have it.
        there: the names of all roles of the server.
        schemas: those whose views for masked values may be changed; none for all.
    """
    masking = [name for name in read_masking_schemas(session) if not schemas or name.rpartition("__")[0] in schemas]
    actual = read_rights(session, list(dict.fromkeys([*clearances.schemas, *masking])))
    wanted = _Wanted(clearances, names, clearances.unmanaged & there, actual)
    return [*_view_statements(wanted, masking), *_policy_statements(wanted), *_privilege_statements(wanted)]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The rights that there have to be, and those that there are."""

    clearances: Clearances
    names: Mapping[str, str]
    unmanaged: frozenset[str]
    actual: Actual

    def tables(self) -> Iterator[tuple[str, Table, TableClearance]]:
        for role in self.names:
            for table, clearance in self.clearances.roles[role].items():
                yield role, table, clearance

    def is_behind(self, table: Table, clearance: TableClearance) -> bool:
        """Return whether a role reads a view of a view: a view has no row policies."""
        return clearance.rows is not None and table in self.actual.views

    def views(self) -> dict[Table, tuple[str, str]]:
        """Return the masking views: their role and their query."""
        made = {}
        for role, (schema, table), clearance in self.tables():
            if clearance.masked or self.is_behind((schema, table), clearance):
                listed = ", ".join(
                    quote(name) if instead is None else f"{instead} AS {quote(name)}"
                    for name, instead in clearance.columns.items()
                )
                where = f" WHERE {clearance.rows}" if clearance.rows else ""
                query = f"SELECT {listed} FROM {quote(schema, table)}{where}"
                made[masking_schema(schema, role), table] = (role, query)
        return made

    def policies(self) -> dict[tuple[Table, str], tuple[str, str]]:
        """Return the row policies: the names of their roles, and their conditions."""
        limited = {table for _, table, clearance in self.tables() if clearance.rows is not None}
        limited -= set(self.actual.views)
        made = {}
        for role, table, clearance in self.tables():
            if table in limited:
                made[table, f"{POLICY}{role}"] = (quote(self.names[role]), clearance.rows or "true")
        if self.unmanaged:
            others = ", ".join(quote(name) for name in sorted(self.unmanaged))
            made |= {(table, f"{POLICY}unmanaged"): (others, "true") for table in limited}
        return made

    def rights(self) -> dict[tuple[Table, str], Right]:
        """Return the right of each role to each table and schema."""
        made: dict[tuple[Table, str], Right] = {}
        select = frozenset({"SELECT"})
        whole, use = Right(select), Right(frozenset({"USAGE"}))
        for role, (schema, table), clearance in self.tables():
            columns = clearance.clear
            if columns and not self.is_behind((schema, table), clearance):
                every = clearance.every_column and not clearance.masked
                made[(schema, ""), self.names[role]] = use
                right = whole if every else Right(columns=dict.fromkeys(columns, select))
                made[(schema, table), self.names[role]] = right
        for (schema, table), (role, _) in self.views().items():
            made[(schema, ""), self.names[role]] = use
            made[(schema, table), self.names[role]] = whole
        return made


def _view_statements(wanted: _Wanted, masking: Sequence[str]) -> Iterator[str]:
    views, there = wanted.views(), wanted.actual.views
    for table in sorted(there):
        if table[0] in masking and _is_made(there[table]) and table not in views:
            yield f"DROP VIEW {quote(*table)}"
    for schema in sorted({schema for schema, _ in views} - set(masking)):
        yield f"CREATE SCHEMA {quote(schema)}"
    for table, (_, query) in views.items():
        if there.get(table) != _mark(query):
            yield f"DROP VIEW IF EXISTS {quote(*table)}"
            yield f"CREATE VIEW {quote(*table)} WITH (security_barrier) AS {query}"
            yield f"COMMENT ON VIEW {quote(*table)} IS {literal(_mark(query))}"


def _policy_statements(wanted: _Wanted) -> Iterator[str]:
    policies, actual = wanted.policies(), wanted.actual
    limited, secured = {table for table, _ in policies}, set(actual.secured)
    if not wanted.names:  # what others have made is none of leat's business then
        secured &= {table for table, name in actual.policies if name.startswith(POLICY)}
    for table, name in sorted(actual.policies):
        if (table, name) not in policies and (wanted.names or name.startswith(POLICY)):
            yield f"DROP POLICY {quote(name)} ON {quote(*table)}"
    for table in sorted(secured - limited):
        yield f"ALTER TABLE {quote(*table)} DISABLE ROW LEVEL SECURITY"
    for table in sorted(limited - secured):
        yield f"ALTER TABLE {quote(*table)} ENABLE ROW LEVEL SECURITY"
    for (table, name), (roles, condition) in policies.items():
        mark = _mark(f"{roles} {condition}")
        if actual.policies.get((table, name)) == mark:
            continue
        if (table, name) in actual.policies:
            yield f"DROP POLICY {quote(name)} ON {quote(*table)}"
        yield f"CREATE POLICY {quote(name)} ON {quote(*table)} FOR SELECT TO {roles} USING ({condition})"
        yield f"COMMENT ON POLICY {quote(name)} ON {quote(*table)} IS {literal(mark)}"


def _privilege_statements(wanted: _Wanted) -> Iterator[str]:
    rights, views, actual = wanted.rights(), wanted.views(), wanted.actual
    made = {table for table, (_, query) in views.items() if actual.views.get(table) != _mark(query)}
    gone = {table for table, comment in actual.views.items() if _is_made(comment)} - set(views)
    for key, right in sorted(actual.tables.items(), key=lambda each: each[0]):
        table, role = key
        if role not in wanted.unmanaged and table not in made | gone and rights.get(key) != right:
            yield f"REVOKE ALL ON {_what(table)} FROM {_grantee(role)} CASCADE"
    for (table, role), right in rights.items():
        if table in made or actual.tables.get((table, role)) != right:
            yield f"GRANT {_privilege(right)} ON {_what(table)} TO {_grantee(role)}"


def _is_made(comment: str | None) -> bool:
    return comment is not None and _MARK.fullmatch(comment) is not None


def _privilege(right: Right) -> str:
    if right.whole:
        return ", ".join(sorted(right.whole))
    return f"SELECT ({', '.join(quote(column) for column in right.columns)})"


def _what(table: Table) -> str:
    return f"TABLE {quote(*table)}" if table[1] else f"SCHEMA {quote(table[0])}"


def _grantee(role: str) -> str:
    return "PUBLIC" if role == PUBLIC else quote(role)


def _mark(text: str) -> str:
    return f"leat {hashlib.sha256(text.encode()).hexdigest()[:32]}"
