"""What each role may read by connecting to the warehouse itself; how that is enforced is up to the engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

Table = tuple[str, str]
"""Schema and name."""


@dataclass(frozen=True, slots=True)
class TableClearance:
    """What a role may read of a table.

    Attributes:
        columns: the columns that it may read, in their order, with the expression of what it sees instead of the
            value; None for the value itself.
        rows: the condition of the rows that it may read; None for all of them.
        every_column: whether the table has no other columns.
    """

    columns: Mapping[str, str | None]
    rows: str | None = None
    every_column: bool = False

    @property
    def clear(self) -> tuple[str, ...]:
        """The columns that it may read as they are."""
        return tuple(name for name, instead in self.columns.items() if instead is None)

    @property
    def masked(self) -> bool:
        """Whether it sees something else than the value of some column."""
        return len(self.clear) < len(self.columns)

    @property
    def complete(self) -> bool:
        """Whether it may read the whole table as it is."""
        return self.every_column and not self.masked and self.rows is None


@dataclass(frozen=True, slots=True)
class Clearances:
    """What all roles may read.

    Attributes:
        roles: the tables that each role may read; a role that may read none has none.
        tables: all tables that leat has made, whether or not somebody may read them.
        prefix: the beginning of the names of roles on a server; None for one made of the database's name.
        unmanaged: accounts of a server whose rights are none of leat's business.
        folder: where the files of roles are; None for the default.
        groups: the group of the operating system that may read the file of a role.
        mark: what decides all of that, apart from what is in the warehouse.
    """

    roles: Mapping[str, Mapping[Table, TableClearance]]
    tables: frozenset[Table] = frozenset()
    prefix: str | None = None
    unmanaged: frozenset[str] = frozenset()
    folder: Path | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    mark: str = ""

    @property
    def schemas(self) -> tuple[str, ...]:
        """All schemas that leat fills."""
        return tuple(sorted({schema for schema, _ in self.tables}))

    def of_schemas(self, schemas: Collection[str]) -> Clearances:
        """Return what they may read of the tables of some schemas."""
        roles = {
            role: {table: each for table, each in tables.items() if table[0] in schemas}
            for role, tables in self.roles.items()
        }
        return replace(self, roles=roles, tables=frozenset(table for table in self.tables if table[0] in schemas))

    def is_whole(self, role: str) -> bool:
        """Return whether a role may read all tables as they are."""
        tables = self.roles[role]
        return len(tables) == len(self.tables) and all(each.complete for each in tables.values())


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """How the access that there is differs from what is wanted.

    Attributes:
        statements: what puts it right: SQL for a server, or what becomes of files.
        names: what each role is called where it is enforced.
        missing: accounts that would belong to a role, but that there aren't.
        above: accounts that read everything, whatever is granted.
    """

    statements: list[str]
    names: Mapping[str, str]
    missing: list[str] = field(default_factory=list)
    above: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Membership:
    """That an account may read what a role may: the role, where that is enforced, and the account."""

    role: str
    enforced_by: str
    account: str


class Nobody:
    """Grants nobody anything."""

    def __call__(self, session: object) -> None:
        """Return None."""

    def mark(self) -> None:
        """Return None."""


NOBODY = Nobody()
