"""What the published warehouse says of its own tables, for pages: read again when it has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leat.catalog.site.contents import Contents, Name
from leat.runs.catalog_entries import published_version, read_catalog
from leat.serve.api.guard import Guard
from leat.serve.api.integrations import status_of
from leat.serve.pages.overview import freshness, may_read
from leat.serve.pages.violations import open_by_integration
from leat.warehouse.session import WarehouseError


@dataclass(frozen=True, slots=True)
class Input:
    """An integration that a report or a table reads, and whether it can be trusted.

    Attributes:
        integration: its name.
        fresh: fresh, stale, never, or no age limit.
        violations: how many of its violations are open.
    """

    integration: str
    fresh: str
    violations: int


def contents_of(guard: Guard) -> Contents | None:
    """Return the catalog as readers see it; None before the first load."""
    try:
        return guard.recent.get(
            "catalog", lambda: read_catalog(guard.workspace), version=published_version(guard.workspace)
        )
    except WarehouseError:
        return None


def inputs_of(guard: Guard, contents: Contents, tables: Sequence[Name]) -> list[Input]:
    """Return the integrations that tables are made of, over whatever models, as far as a caller may see them."""
    wanted = origins(contents, tables)
    return [each for each in all_inputs(guard) if each.integration in wanted]


def all_inputs(guard: Guard) -> list[Input]:
    """Return the integrations that a caller may see: read the violations once for a page with many reports."""
    violations = open_by_integration(guard)
    return [
        Input(one.integration, freshness(one), violations[one.integration])
        for one in status_of(guard).integrations
        if may_read(guard, one)
    ]


def origins(contents: Contents, tables: Sequence[Name]) -> set[str]:
    """Return the names of the integrations that tables are made of."""
    seen: set[Name] = set()
    left = list(tables)
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += contents.reads.get(name, [])
    return {schema for schema, _ in seen} & contents.integrations.keys()
