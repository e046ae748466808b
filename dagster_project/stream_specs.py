"""What Dagster shows of an integration's tables before anything ran: one asset per stream, and its checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from leat.dagster_project.compiled import Compiled, files_version, group_name
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.system_columns import SYSTEM_COLUMNS
from leat.quality.checks import CheckName, check_names
from leat.sources.driver import source_module
from leat.sources.stream import Deletes, Stream

PERSONAL = "personal_data"
"""Tag of columns that hold personal data, and of the tables that have such columns."""

_SHORTEST = timedelta(minutes=1)  # Dagster's own limit
_DELETES: Mapping[Deletes, str] = {
    "feed": "The source reports deletes; the rows stay, with _deleted_at.",
    "full_scan": "A complete listing proves that a row is gone; it stays, with _deleted_at.",
    "never": "Rows of this table are never deleted.",
}
_SYSTEM = {
    "_load_id": "The load that last changed the row.",
    "_synced_at": "When that load was applied, UTC.",
    "_deleted_at": "When leat noticed that the row is gone from the system; null while it exists there.",
}


def stream_specs(compiled: Compiled, declaration: Declaration) -> list[dg.AssetSpec]:
    """Return the assets of an integration, in the order of its source."""
    folder = Path(str(source_module(declaration.source).__file__)).parent
    source = files_version(list(folder.rglob("*.py")))
    return [_spec(compiled, declaration, stream, source) for stream in declaration.selected()]


def stream_check_specs(declaration: Declaration) -> list[dg.AssetCheckSpec]:
    """Return the checks of an integration's tables."""
    return [
        check_spec(dg.AssetKey([declaration.name, stream]), check)
        for stream, checks in check_names(declaration).items()
        for check in checks
    ]


def check_spec(key: dg.AssetKey, check: CheckName) -> dg.AssetCheckSpec:
    """Return a check of a table; one of severity error prevents the steps after it."""
    blocking = check.severity == "error"
    return dg.AssetCheckSpec(check_id(check.name), asset=key, description=check.description, blocking=blocking)


def check_id(name: str) -> str:
    """Return the name of a check as Dagster takes it: columns of models may have any name."""
    return "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)


def table_column(name: str, kind: str, description: str, *, personal: bool, hidden: str = "") -> dg.TableColumn:
    """Return a column as Dagster shows it; ``hidden`` says how its values are."""
    tags = {PERSONAL: hidden} if personal or hidden else {}
    return dg.TableColumn(name, kind, description, tags=tags)


def _spec(compiled: Compiled, declaration: Declaration, stream: Stream, source: str) -> dg.AssetSpec:
    fresh = declaration.options(stream.name).fresh_within
    columns = list(_columns(declaration, stream))
    shown = any(column.tags.get(PERSONAL) == "" for column in columns)
    return dg.AssetSpec(
        key=[declaration.name, stream.name],
        description="\n\n".join([stream.description, *stream.quirks]),
        group_name=group_name(declaration.name),
        kinds={declaration.driver, compiled.storage},
        tags={PERSONAL: ""} if shown else {},
        code_version=f"{declaration.version}.{stream.schema_version}.{source}",
        freshness_policy=None if fresh is None else dg.FreshnessPolicy.time_window(fail_window=max(fresh, _SHORTEST)),
        metadata=_metadata(compiled, declaration, stream, columns),
    )


def _metadata(
    compiled: Compiled, declaration: Declaration, stream: Stream, columns: list[dg.TableColumn]
) -> dict[str, Any]:
    history = declaration.options(stream.name).history
    return {
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/table_name": f"{declaration.name}.{stream.name}",
        "dagster/storage_kind": compiled.storage,
        "key": ", ".join(stream.key),
        "deletes": _DELETES[stream.deletes],
        "declared in": compiled.described.project.shown(declaration.path),
        **({"integration": declaration.description} if declaration.description else {}),
        **({"history": f"{declaration.name}.{stream.name}_history"} if history else {}),
    }


def _columns(declaration: Declaration, stream: Stream) -> Iterable[dg.TableColumn]:
    masked, encrypted = declaration.masked(stream), declaration.encrypted(stream)
    for c in declaration.columns(stream):
        hidden = "masked" if c.name in masked else "encrypted" if c.name in encrypted else ""
        yield table_column(c.name, c.type, c.description, personal=c.personal, hidden=hidden)
    for name, system_kind in SYSTEM_COLUMNS.items():
        yield table_column(name, system_kind, _SYSTEM[name], personal=False)
