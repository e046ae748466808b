"""What rights there are on the tables of a Postgres warehouse: privileges, row policies, masking views, members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from leat.warehouse.clearance import Table
from leat.warehouse.session import Session

PUBLIC = ""
"""The grantee that every role is."""
POLICY = "leat_"
"""The beginning of the names of row policies that leat makes."""

_TABLES = """SELECT n.nspname, c.relname, c.relrowsecurity, c.relkind = 'v', obj_description(c.oid, 'pg_class')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(?) AND c.relkind IN ('r', 'v', 'm', 'p', 'f')"""
_PRIVILEGES = """WITH relations AS (
  SELECT c.oid, n.nspname, c.relname, c.relacl, c.relowner FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY(?) AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
), rights AS (
  SELECT nspname, relname, NULL AS attname, relowner, (aclexplode(relacl)).* FROM relations WHERE relacl IS NOT NULL
  UNION ALL
  SELECT r.nspname, r.relname, a.attname, r.relowner, (aclexplode(a.attacl)).* FROM relations AS r
  JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attacl IS NOT NULL
  UNION ALL
  SELECT nspname, NULL, NULL, nspowner, (aclexplode(nspacl)).* FROM pg_namespace
  WHERE nspname = ANY(?) AND nspacl IS NOT NULL
)
SELECT nspname, relname, attname, COALESCE(g.rolname, ''), privilege_type, is_grantable FROM rights
LEFT JOIN pg_roles AS g ON g.oid = grantee WHERE grantee <> relowner AND COALESCE(g.rolname, '') <> current_user"""
_POLICIES = """SELECT n.nspname, c.relname, p.polname, obj_description(p.oid, 'pg_policy')
FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(?)"""
_MEMBERS = """SELECT r.rolname, m.rolname FROM pg_auth_members AS a JOIN pg_roles AS r ON r.oid = a.roleid
JOIN pg_roles AS m ON m.oid = a.member WHERE r.rolname = ANY(?) AND m.rolname <> current_user"""
_MADE = """SELECT rolname FROM pg_roles
WHERE shobj_description(oid, 'pg_authid') = 'leat: ' || current_database() ORDER BY 1"""
_MASKING = "SELECT nspname FROM pg_namespace WHERE nspname ~ '__(viewer|analyst|operator|admin)$' ORDER BY 1"
_ABOVE = """SELECT rolname FROM pg_roles AS r WHERE rolcanlogin AND rolname <> current_user
AND (rolsuper OR rolbypassrls OR pg_has_role(oid, current_user, 'MEMBER') OR EXISTS (SELECT FROM pg_roles AS a
WHERE a.rolname IN ('pg_read_all_data', 'pg_write_all_data') AND pg_has_role(r.oid, a.oid, 'MEMBER'))) ORDER BY 1"""


@dataclass(frozen=True, slots=True)
class Right:
    """What a role may do with a table, or with a schema: privileges on the whole, and on single columns."""

    whole: frozenset[str] = frozenset()
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Actual:
    """The rights that there are.

    Attributes:
        tables: what each role may do with each table; ``(schema, "")`` is the schema itself.
        secured: the tables with row security.
        views: the views, with their comments.
        policies: the row policies, by table and name, with their comments.
        relations: all tables and views.
    """

    tables: Mapping[tuple[Table, str], Right]
    secured: frozenset[Table]
    views: Mapping[Table, str | None]
    policies: Mapping[tuple[Table, str], str | None]
    relations: frozenset[Table]


def read_rights(session: Session, schemas: Sequence[str]) -> Actual:
    """Return the rights on the tables of some schemas, apart from those of their owner and of leat."""
    listed = list(schemas)
    relations = session.execute(_TABLES, (listed,))
    whole: dict[tuple[Table, str], set[str]] = {}
    columns: dict[tuple[Table, str], dict[str, set[str]]] = {}
    for schema, table, column, role, privilege, grantable in session.execute(_PRIVILEGES, (listed, listed)):
        name = f"{privilege} WITH GRANT OPTION" if grantable else privilege
        key = ((schema, table or ""), role)
        whole.setdefault(key, set())
        if column is None:
            whole[key].add(name)
        else:
            columns.setdefault(key, {}).setdefault(column, set()).add(name)
    rights = {
        key: Right(frozenset(names), {column: frozenset(each) for column, each in columns.get(key, {}).items()})
        for key, names in whole.items()
    }
    return Actual(
        tables=rights,
        secured=frozenset((schema, table) for schema, table, secured, _, _ in relations if secured),
        views={(schema, table): comment for schema, table, _, is_view, comment in relations if is_view},
        policies={((s, t), name): comment for s, t, name, comment in session.execute(_POLICIES, (listed,))},
        relations=frozenset((schema, table) for schema, table, *_ in relations),
    )


def read_members(session: Session, roles: Sequence[str]) -> set[tuple[str, str]]:
    """Return pairs of one of these roles and a member of it, apart from leat itself."""
    return {(role, member) for role, member in session.execute(_MEMBERS, (list(roles),))}


def read_roles(session: Session) -> dict[str, bool]:
    """Return whether a role may log in, by name."""
    return dict(session.execute("SELECT rolname, rolcanlogin FROM pg_roles"))


def read_made(session: Session) -> list[str]:
    """Return the roles that leat has made for this database."""
    return [name for (name,) in session.execute(_MADE)]


def read_masking_schemas(session: Session) -> list[str]:
    """Return the schemas that have the names of those for masking views."""
    return [name for (name,) in session.execute(_MASKING)]


def read_above(session: Session) -> list[str]:
    """Return the login roles that read more than leat grants: superusers, and members of roles that read all data."""
    return [name for (name,) in session.execute(_ABOVE)]
