"""What somebody has to be allowed to do so that SQL of their own may read a column of a table of the warehouse."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leat.pipelines.declare.table_names import ANALYTICS
from leat.security.resource import Resource, Verb
from leat.sources.stream import EXTRA

if TYPE_CHECKING:
    from leat.pipelines.declare.declaration import Declaration

ROWS_OF_ALL = frozenset({"quarantine", "violations", "checks", "log", "cursors"})
"""Tables of leat itself with values of rows, of whatever integration."""
PEOPLE = frozenset({"access_grants"})
"""Tables of leat itself that name who has access."""
PERSONAL = frozenset({"personal"})


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table that is in the warehouse.

    Attributes:
        schema: its schema.
        name: its name there.
        of: the stream or model that it is, or has the versions of.
        types: leat type by column.
        personal: its columns with personal data.
    """

    schema: str
    name: str
    of: str
    types: Mapping[str, str]
    personal: frozenset[str]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def personal_of(declaration: Declaration | None, stream: str, columns: Collection[str]) -> frozenset[str]:
    """Return the columns of a stream's table that hold personal data; all when nothing declares it any longer.

    What a stream doesn't know may be personal as well, where the rest of the record is.
    """
    declared = None if declaration is None else {each.name: each for each in declaration.selected()}.get(stream)
    if declaration is None or declared is None:
        return frozenset(columns)
    masked = declaration.masked(declared)
    personal = {each.name for each in declared.columns if each.personal}
    return frozenset({*personal, *([EXTRA] if personal else [])} - masked)


def verb_of(resource: Resource) -> Verb:
    """Return what somebody has to be allowed to do with a resource, so that their query may read it."""
    return "read" if resource.kind in ("catalog", "hook", "person") else "query"


def system_resources(
    schema: str, table: str, integrations: Collection[str], hooked: Collection[str]
) -> list[Resource] | None:
    """Return what a table of leat itself takes; None for a table of a stream or a model."""
    if schema == "hooks":
        return [Resource("hook"), *(Resource("hook", name, integration=name) for name in hooked)]
    if schema == "leat" and table in ROWS_OF_ALL:
        return [Resource("stream", integration=name, tags=PERSONAL) for name in integrations]
    if schema == "leat" and table in PEOPLE:
        return [Resource("person")]
    return [Resource("catalog", f"{schema}.{table}")] if schema in ("leat", "catalog") else None


def column_resources(table: TableFacts, column: str, *, masked: bool = False) -> list[Resource]:
    """Return what a column of a stream's table or of a model takes: both that table and that column.

    Args:
        table: the table.
        column: its column.
        masked: whether its values are masked, so that they are no personal data any longer.
    """
    tags = PERSONAL if column in table.personal and not masked else frozenset()
    if table.schema == ANALYTICS:
        return [Resource("model", table.of, tags=tags), Resource("column", column, tags=tags)]
    return [
        Resource("stream", table.of, integration=table.schema, stream=table.of, tags=tags),
        Resource("column", column, integration=table.schema, stream=table.of, tags=tags),
    ]
