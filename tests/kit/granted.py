"""What somebody sees who connects to the warehouse itself, compared with what the policies permit.

On Postgres each role has a login role of its own, which connects; on DuckDB each role has its file, which is opened.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
            for role in ROLES:
                with self.connect(role) as read:
                    for table in tables:
                        for column in table.types:
                            tried += 1
                            mask = rules.grants.mask_of(str(table), column, role)
                            may = decide_column(rules, role, table, column).allowed
                            self._check(session.execute, read, Asked(role, table, column), may, mask is not None, rules)
        workspace.close()
        return tried

    def _check(self, everything: Read, read: Read, asked: Asked, may: bool, masked: bool, rules: Any) -> None:
        column, table = quote(asked.column), quote(asked.table.schema, asked.table.name)
        wheres = [rule.where for rule in rules.grants.rows_of(str(asked.table), asked.role)]
        limited = f" WHERE {' AND '.join(wheres)}" if wheres else ""
        seen = _sorted(read, f"SELECT {column} FROM {table}")
        through = self._through(read, asked)
        if not may:
            assert seen is None, f"{asked} is read and may not be"
            assert through is None, f"{asked} is read through a view and may not be"
        elif masked:
            assert self.url is None or seen is None, f"{asked} is read unmasked"
            real = _sorted(everything, f"SELECT {column} FROM {table}{limited}")
            shown = through if self.url is not None else seen
            assert shown is not None, f"{asked} can't be read, not even masked"
            assert len(shown) == len(real or []), f"{asked} has {len(shown)} rows instead of {len(real or [])}"
            assert all(value == "None" or value.endswith(f"{SHOWN}") for value in shown), f"{asked}: {shown}"
        else:
            real = _sorted(everything, f"SELECT {column} FROM {table}{limited}")
            assert seen is not None or through is not None, f"{asked} can't be read"
            assert all(got in (None, real) for got in (seen, through)), f"{asked} reads other rows: {seen}, {through}"

    def _through(self, read: Read, asked: Asked) -> list[str] | None:
        view = quote(f"{asked.table.schema}__{asked.role}", asked.table.name)
        return _sorted(read, f"SELECT {quote(asked.column)} FROM {view}") if self.url is not None else None


@dataclass(frozen=True)
class Asked:
    """A column, and as whom it is read."""

    role: Role
    table: TableFacts
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column} as {self.role}"


def _sorted(read: Read, sql: str) -> list[str] | None:
    try:
        return sorted(str(value) for (value,) in read(sql))
    except Denied:
        return None


def _nothing(_sql: str) -> list[tuple[Any, ...]]:
    msg = "there is no file"
    raise Denied(msg)
