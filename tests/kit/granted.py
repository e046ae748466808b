"""What somebody sees who connects to the warehouse itself, compared with what the policies permit.

On Postgres each role has a login role of its own, which connects; on DuckDB each role has its file, which is opened.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import psycopg2

from leat.pipelines.declare.project import Project
from leat.runs.clearance import tables_of
from leat.runs.workspace import Workspace
from leat.security.clearance import SHOWN, decide_column
from leat.security.principal import ROLES, Role
from leat.security.table_access import TableFacts
from leat.warehouse.session import WarehouseError, quote

Read = Callable[[str], list[tuple[Any, ...]]]
"""Returns the rows of a query; raises :class:`Denied` for what may not be read."""
Values = list[str] | None
"""The values of a column, sorted; None where it may not be read."""
_DENIED = (
    psycopg2.errors.InsufficientPrivilege,
    psycopg2.errors.UndefinedTable,
    psycopg2.errors.UndefinedColumn,
)
PASSWORD = "of-the-tests"

POLICIES = """\
rules:
  - permit: [read, query]
    from: viewer
    on: {kind: [query, stream, column, model, catalog], without: personal}
  - forbid: query
    up_to: analyst
    on: {stream: tally.scanned}
  - forbid: query
    up_to: viewer
    on: {kind: column, name: weight}
local_accounts: {default: admin, vera: viewer, anna: analyst, olga: operator}
grants:
  members: {MEMBERS}
  rows:
    - {table: tally.fed, up_to: analyst, where: "shelf = 'a'"}
    - {table: analytics.sizes, up_to: viewer, where: "pieces > 1"}
  masks:
    - {table: tally.fed, columns: [label], up_to: viewer, show: initial}
    - {table: tally.kept, columns: [label, revision], up_to: viewer}
"""
"""Rules with everything that takes a table, a column, a row or a value away from a role."""


class Denied(Exception):
    """It may not be read."""


@dataclass(frozen=True)
class Doors:
    """The ways into a warehouse of a project without leat.

    Attributes:
        folder: of the project.
        url: of the warehouse; None for DuckDB.
        owner: the URL of the server's superuser, if that is another one.
    """

    folder: Path
    url: str | None
    owner: str | None = None

    def workspace(self) -> Workspace:
        """Open the project as it is declared now."""
        return Workspace(
            Project(self.folder, self.folder / ".leat", self.url, f"sqlite:///{self.folder}/.leat/control.db")
        )

    def declare(self, policies: str = POLICIES) -> None:
        """Write the policies, and let the server have a login role for each role."""
        members = "{}"
        if self.url is not None:
            members = "{" + ", ".join(f"{self.login(role)}: {role}" for role in ROLES) + "}"
            for role in ROLES:
                self.make_login(self.login(role))
        (self.folder / "policies").mkdir(exist_ok=True)
        (self.folder / "policies" / "access.yaml").write_text(policies.replace("{MEMBERS}", members))

    def login(self, role: str) -> str:
        """Return the login role of a role: servers have roles of all databases."""
        return f"{role}_of_{str(self.url).rpartition('/')[2]}"

    def make_login(self, name: str) -> None:
        """Make a login role."""
        self.as_owner(f"DROP ROLE IF EXISTS {name}", f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")

    def as_owner(self, *statements: str) -> None:
        """Execute statements as the superuser of the server."""
        with contextlib.closing(psycopg2.connect(self.owner or self.url)) as connection:
            connection.autocommit = True
            for statement in statements:
                connection.cursor().execute(statement)

    @contextlib.contextmanager
    def connect(self, role: str) -> Iterator[Read]:
        """Connect as a role, with a client that knows nothing of leat."""
        with self._postgres(role) if self.url is not None else self._duckdb(role) as read:
            yield read

    @contextlib.contextmanager
    def _postgres(self, role: str) -> Iterator[Read]:
        credentials = {"user": self.login(role), "password": PASSWORD}
        with contextlib.closing(psycopg2.connect(self.url, **credentials)) as connection:
            connection.autocommit = True

            def read(sql: str) -> list[tuple[Any, ...]]:
                cursor = connection.cursor()
                try:
                    cursor.execute(sql)
                except _DENIED as error:
                    raise Denied(str(error)) from error
                return list(cursor.fetchall())

            yield read

    @contextlib.contextmanager
    def _duckdb(self, role: str) -> Iterator[Read]:
        path = self.file(role)
        if path is None:
            yield _nothing
            return
        with duckdb.connect(path, read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")

            def read(sql: str) -> list[tuple[Any, ...]]:
                try:
                    return connection.execute(sql).fetchall()
                except (duckdb.CatalogException, duckdb.BinderException) as error:
                    raise Denied(str(error)) from error

            yield read

    def file(self, role: str) -> Path | None:
        """Return the file of a role on DuckDB; None where it has none."""
        workspace = self.workspace()
        try:
            return workspace.warehouse._files.path_of(role)  # type: ignore[attr-defined] # of DuckDB alone
        except WarehouseError:
            return None

    def check(self) -> int:
        """Compare what each role reads with what it may; return how many columns were tried.

        Raises:
            AssertionError: somebody reads less or more than they may.
        """
        workspace = self.workspace()
        rules = workspace.decider.rules()
        tried = 0
        with workspace.warehouse.published() as session:
            tables = tables_of(session, workspace.declarations)
            everything = cache(session.execute)
            for role in ROLES:
                with self.connect(role) as read:
                    for table in tables:
                        tried += len(table.types)
                        self._check_table(everything, read, role, table, rules)
        workspace.close()
        return tried

    def _check_table(self, everything: Read, read: Read, role: Role, table: TableFacts, rules: Any) -> None:
        columns = list(table.types)
        may = {column for column in columns if decide_column(rules, role, table, column).allowed}
        masked = {column for column in columns if rules.grants.mask_of(str(table), column, role) is not None}
        wheres = [rule.where for rule in rules.grants.rows_of(str(table), role)]
        limited = f" WHERE {' AND '.join(wheres)}" if wheres else ""
        name, view = quote(table.schema, table.name), quote(f"{table.schema}__{role}", table.name)
        plain = [column for column in columns if column in may and column not in masked]
        others = [column for column in columns if column not in plain]
        seen = _together(read, name, plain) | _each(read, name, others)
        through: dict[str, Values] = dict.fromkeys(columns)
        if self.url is not None:
            through = _together(read, view, plain) | _each(read, view, others)
        real = _together(everything, f"{name}{limited}", columns)
        for column in columns:
            asked, right = Asked(role, table, column), real[column] or []
            self._check(asked, seen[column], through[column], right, may=column in may, masked=column in masked)

    def _check(
        self, asked: Asked, seen: Values, through: Values, real: Sequence[str], *, may: bool, masked: bool
    ) -> None:
        if not may:
            assert seen is None, f"{asked} is read and may not be"
            assert through is None, f"{asked} is read through a view and may not be"
        elif masked:
            assert self.url is None or seen is None, f"{asked} is read unmasked"
            shown = through if self.url is not None else seen
            assert shown is not None, f"{asked} can't be read, not even masked"
            assert len(shown) == len(real), f"{asked} has {len(shown)} rows instead of {len(real)}"
            assert all(value == "None" or value.endswith(f"{SHOWN}") for value in shown), f"{asked}: {shown}"
        else:
            assert seen is not None or through is not None, f"{asked} can't be read"
            assert all(got in (None, real) for got in (seen, through)), f"{asked} reads other rows: {seen}, {through}"


@dataclass(frozen=True)
class Asked:
    """A column, and as whom it is read."""

    role: Role
    table: TableFacts
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column} as {self.role}"


def _together(read: Read, table: str, columns: Sequence[str]) -> dict[str, Values]:
    """Read columns in one query if they may be read together, which each of them then may; otherwise each by itself."""
    if not columns:
        return {}
    try:
        rows = read(f"SELECT {', '.join(map(quote, columns))} FROM {table}")
    except Denied:
        return _each(read, table, columns)
    return {column: sorted(str(row[place]) for row in rows) for place, column in enumerate(columns)}


def _each(read: Read, table: str, columns: Sequence[str]) -> dict[str, Values]:
    return {column: _sorted(read, f"SELECT {quote(column)} FROM {table}") for column in columns}


def _sorted(read: Read, sql: str) -> Values:
    try:
        return sorted(str(value) for (value,) in read(sql))
    except Denied:
        return None


def _nothing(_sql: str) -> list[tuple[Any, ...]]:
    msg = "there is no file"
    raise Denied(msg)
