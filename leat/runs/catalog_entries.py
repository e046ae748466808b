"""What the catalog says of tables, columns and lineage, as readers see it, with the right that each table takes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from leat.runs.access import Resource
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.catalog.site.contents import Contents, Entry


def read_catalog(workspace: Workspace) -> Contents:
    """Return the catalog of the published version.

    Raises:
        NothingPublished: nothing has been published, or the catalog hasn't been written.
    """
    from leat.catalog.site.contents import read_contents
    from leat.warehouse.session import NothingPublished

    with workspace.warehouse.published() as session:
        if not session.columns("catalog", "tables"):
            msg = "the warehouse has no catalog yet"
            raise NothingPublished(msg)
        return read_contents(session, {})


def published_version(workspace: Workspace) -> Hashable:
    """Return a value that changes with what readers see; None where they see each commit, as on Postgres."""
    publication = workspace.warehouse.publication
    return None if publication is None else publication.version()


def table_resource(table: Entry) -> Resource:
    """Return a table as a resource: who may know that it is there, and what its columns mean."""
    if table["integration"] is not None and table["stream"] is not None:
        return Resource("stream", table["stream"], integration=table["integration"], stream=table["stream"])
    if table["kind"] == "model":
        return Resource("model", table["table_name"])
    return Resource("catalog", f"{table['schema_name']}.{table['table_name']}")
