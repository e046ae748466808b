"""What ``grants:`` in a file ``policies/*.yaml`` may hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from leat.pipelines.declare.diagnostics import meant
from leat.pipelines.declare.values import Flag, Names
from leat.security.principal import ROLES, Role

Way = Literal["hidden", "initial", "domain"]
"""What somebody sees of a masked value: nothing, its first character, or what follows the @ of an address."""


def _role(value: object) -> object:
    if value not in ROLES:
        msg = f"{str(value)[:40]!r} is no role{meant(str(value)[:40], ROLES)}; valid: {', '.join(ROLES)}"
        raise ValueError(msg)
    return value


_Role = Annotated[Role, BeforeValidator(_role)]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeclaredRows(_Declared):
    """Which rows of a table, and of its history, a role and those below it may read."""

    table: str = Field(description="The table: integration.stream, or analytics.model.")
    up_to: _Role = Field(description="This role and those below it.")
    where: str = Field(min_length=1, description="SQL condition on columns of the table, in DuckDB's dialect.")


class DeclaredMask(_Declared):
    """What a role and those below it see instead of the values of columns, also in the history."""

    table: str = Field(description="The table: integration.stream, or analytics.model.")
    columns: Names = Field(min_length=1, description="The columns.")
    up_to: _Role = Field(description="This role and those below it.")
    show: Way = Field(
        default="hidden",
        description="hidden: nothing of it; initial: its first character; domain: what follows the @ of an address.",
    )


class DeclaredFiles(_Declared):
    """The files of roles on DuckDB."""

    folder: str | None = Field(default=None, description="Their folder; clearance in the state folder if left out.")
    groups: dict[_Role, str] = Field(
        default_factory=dict, description="Group of the operating system that may read the file of a role."
    )


class GrantsDeclared(_Declared):
    """What people may read who connect to the warehouse itself."""

    members: dict[str, _Role] = Field(
        default_factory=dict, description="Role of login roles of the Postgres server, by their name."
    )
    people: Flag = Field(
        default=False,
        description="Whether login roles that are called like somebody who signs in get the role of that person.",
    )
    rows: tuple[DeclaredRows, ...] = Field(default=(), description="Rows that roles are limited to.")
    masks: tuple[DeclaredMask, ...] = Field(default=(), description="Columns that roles see only masked.")
    prefix: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,50}$")] | None = Field(
        default=None, description="Beginning of the names of Postgres roles; leat_DATABASE if left out."
    )
    unmanaged: Names = Field(default=(), description="Roles of the Postgres server whose rights leat leaves alone.")
    files: DeclaredFiles = Field(default_factory=DeclaredFiles, description="The files of roles on DuckDB.")
