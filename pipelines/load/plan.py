"""What one load needs, decided before it starts: what to read and from where on, and how the rows are applied.

A plan is written next to the rows that are landed, so that another process can apply them after a kill. Only the key of
the hash for masked values isn't in it, for it is a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load import retention
from leat.pipelines.load.engine import Request
from leat.pipelines.load.state import ColumnKey, State
from leat.pipelines.load.table_schema import TableSchema, declared_schema, needs_backfill
from leat.sources.stream import Stream

SYNC, RESET, BACKFILL = "sync", "reset", "backfill"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One load of one integration.

    Attributes:
        declaration: whose load it is.
        tables: the declared table schema of every selected stream.
        kind: ``sync`` moves the cursor; ``reset`` is a complete extraction: rows that it did not name are deleted;
            ``backfill`` has rows from a date on, and deletes nothing.
        streams: names of the streams that are extracted.
        start: the state of the integration that the load starts from.
        cursor_stays: whether the cursor stays where it is, for a complete extraction of some streams only.
        rebuild: whether tables whose schema can't be migrated are built again.
        any_share: whether full scans may delete any share of a table.
        since: from when on a backfill reads.
        retention_due: whether this load also enforces what is declared under ``retain:``, if it has all streams.
        forced: whether the load is applied although checks of severity error fail.
        dry: whether everything is rolled back at the end.
        column_key: how columns are encrypted; None where none is.
    """

    declaration: Declaration
    tables: Mapping[str, TableSchema]
    kind: str
    streams: frozenset[str]
    start: State = field(default_factory=State)
    cursor_stays: bool = False
    rebuild: bool = False
    any_share: bool = False
    since: datetime | None = None
    retention_due: bool = False
    forced: bool = False
    dry: bool = False
    column_key: ColumnKey | None = None

    @property
    def cursor(self) -> Mapping[str, Any] | None:
        """Where the extraction goes on; None for everything from the start."""
        return self.start.cursor if self.kind == SYNC else None

    @property
    def extracted(self) -> list[Stream]:
        """The streams that are extracted, in the order of the declaration."""
        return [stream for stream in self.declaration.selected() if stream.name in self.streams]

    @property
    def encrypts(self) -> bool:
        """Whether a selected stream has encrypted columns."""
        return any(schema.encrypted for schema in self.tables.values())

    @property
    def has_every_stream(self) -> bool:
        """Whether every selected stream is extracted."""
        return self.streams >= self.tables.keys()

    def as_json(self) -> dict[str, Any]:
        """Return what another process needs to apply the landed rows."""
        return {
            "kind": self.kind,
            "streams": {name: self.tables[name].as_json() for name in sorted(self.streams)},
            "cursor_stays": self.cursor_stays,
            "rebuild": self.rebuild,
            "any_share": self.any_share,
            "since": None if self.since is None else self.since.isoformat(),
            "column_key": None if self.column_key is None else asdict(self.column_key),
            "after": {"load_id": self.start.newest_load, "cursor": self.start.cursor},
        }


def stored_plan(
    declaration: Declaration, tables: Mapping[str, TableSchema], value: Mapping[str, Any], request: Request
) -> LoadPlan | None:
    """Return the plan that :meth:`LoadPlan.as_json` gave; None when a stream of it is declared otherwise by now."""
    if any(name not in tables or tables[name].as_json() != schema for name, schema in value["streams"].items()):
        return None
    return LoadPlan(
        declaration=declaration,
        tables=tables,
        kind=value["kind"],
        streams=frozenset(value["streams"]),
        start=State(cursor=value["after"]["cursor"], newest_load=value["after"]["load_id"]),
        cursor_stays=value["cursor_stays"],
        rebuild=value["rebuild"],
        any_share=value["any_share"],
        since=None if value["since"] is None else datetime.fromisoformat(value["since"]),
        forced=request.forced,
        column_key=_column_key(value.get("column_key")),
    )


def _column_key(value: Mapping[str, Any] | str | None) -> ColumnKey | None:
    if isinstance(value, str):  # as an earlier version of leat has written it
        return ColumnKey(value, binds=False)
    return None if value is None else ColumnKey(**value)


def declared_tables(declaration: Declaration) -> dict[str, TableSchema]:
    """Return the declared table schema of every selected stream."""
    return {stream.name: declared_schema(declaration, stream) for stream in declaration.selected()}


def plan_loads(
    declaration: Declaration, tables: Mapping[str, TableSchema], current: State, request: Request, now: datetime
) -> list[LoadPlan]:
    """Return the loads that a run needs, in order.

    The cursor of some streams can't move without that of the others, so a run of some streams leaves it: the next run
    reads what they have brought once more.
    """
    every = frozenset(tables)
    chosen = request.only.get(declaration.name, every)
    whole = LoadPlan(
        declaration,
        tables,
        SYNC,
        chosen,
        current,
        cursor_stays=chosen != every,
        any_share=request.allow_deletes,
        retention_due=retention.is_due(current, declaration, now),
        forced=request.forced,
        dry=request.dry,
    )
    if request.since is not None:
        return [replace(whole, kind=BACKFILL, cursor_stays=True, any_share=False, since=request.since)]
    if request.reset is not None:
        part = request.reset != every
        return [replace(whole, kind=RESET, streams=request.reset, cursor_stays=part, rebuild=True, any_share=True)]
    if current.cursor is None:
        return [replace(whole, kind=RESET)]
    old = {name: TableSchema.of_json(schema) for name, schema in current.schemas.items()}
    missing = chosen & {
        name for name, schema in tables.items() if needs_backfill(old.get(name), schema) or name not in current.covered
    }
    backfill = [replace(whole, kind=RESET, streams=missing, cursor_stays=True)] if missing else []
    return [*backfill, whole]


def continued(plan: LoadPlan, current: State, failed: frozenset[str], now: datetime) -> LoadPlan:
    """Return a plan of a run as it goes on from the state that the load before it has left.

    Streams that failed in the run are left out; a stream that couldn't be read from the start doesn't go on from the
    cursor.
    """
    streams = plan.streams - failed
    if plan.kind == SYNC:
        streams &= current.covered
    due = retention.is_due(current, plan.declaration, now)
    return replace(plan, streams=streams, start=current, retention_due=due)
