"""Which rows a check of a model has to look at when only rows of some values of its grain were built again.

Rows that weren't built again are as they were when the check last held, so they can break it only with rows that were:

- one row breaks ``not_null``, ``accepted_values`` or ``range`` by itself: the rows that were built are looked at;
- rows that break ``unique`` have the same values: all rows with the values of rows that were built are looked at, which
  are those rows themselves where the grain is among the columns;
- a row breaks ``foreign_key`` if the target lacks its value: the rows that were built are looked at if the target has
  only got more rows;
- the number of rows is that of the build.

A check that didn't hold, or that was about other rows than those before this build, looks at the whole model. That is
said by the version that is stored with a result: what the rows of the model, and of the target, were of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load.results import CheckResult, RebuiltRows
from leat.pipelines.load.state import SCHEMA
from leat.quality.checks import CheckedTable, TableCheck
from leat.quality.stored_results import Stored
from leat.warehouse.session import Session, quote

ALONE = {"not_null", "accepted_values", "range"}
"""The kinds of checks that a row breaks by itself."""
_HOLDS = ": it holds"
_STREAM = "integration = ? AND stream IN (?, ?) AND inserted + updated + deleted + COALESCE(purged, 0) > 0"


@dataclass(frozen=True, slots=True)
class Past:
    """What was said of a model before, and what has happened to it since.

    Attributes:
        table: the model with its checks.
        stored: the last results by name of the check; empty if the model is to be checked whole.
        now: the fingerprint of the model now.
        rebuilt: the rows that were built again; None if no row was, or all were.
        unchanged: whether no row was.
    """

    table: CheckedTable
    stored: Mapping[str, Stored]
    now: str | None
    rebuilt: RebuiltRows | None
    unchanged: bool

    @property
    def total(self) -> int | None:
        """How many rows the model has; None if they are to be counted."""
        return self.rebuilt.total if self.rebuilt else None

    def version(self, session: Session, check: TableCheck) -> str | None:
        """Return the version of what a check looks at now; None if nothing can go on from its result."""
        target = version_of(session, check.target) if check.target else ""
        return None if self.now is None or target is None else f"{self.now} {target}"

    def still(self, session: Session, check: TableCheck) -> CheckResult | None:
        """Return the last result of a check if nothing that it looks at has changed since."""
        stored = self.stored.get(check.name) if self.unchanged else None
        if stored is None or stored.version is None or stored.version != self.version(session, check):
            return None
        return stored.result

    def rows(self, session: Session, check: TableCheck) -> str | None:
        """Return the query of the rows that can break a check; None if all can."""
        stored, rebuilt = self.stored.get(check.name), self.rebuilt
        if rebuilt is None or stored is None or stored.version is None:
            return None
        fingerprint, _, target = stored.version.partition(" ")
        if not still_holds(stored.result) or fingerprint != rebuilt.before:
            return None
        built = f"SELECT * FROM {quote(rebuilt.table)}"
        if check.kind in ALONE:
            return built
        if check.kind == "unique":
            columns = ", ".join(map(quote, check.columns))
            among = f"({columns}) IN (SELECT {columns} FROM {quote(rebuilt.table)})"
            whole = f"SELECT * FROM {quote(self.table.schema, self.table.table)} WHERE {among}"
            return built if {*rebuilt.grain} <= {*check.columns} else whole
        return built if check.target and only_grew(session, check.target, target) else None


def still_holds(result: CheckResult) -> bool:
    """Return whether a result says that rows were looked at, and none of them broke the check."""
    return result.ok and not result.failing and result.detail.endswith(_HOLDS)


def version_of(session: Session, target: tuple[str, str, str]) -> str | None:
    """Return what changes when rows of a target do; None where nothing says so."""
    schema, table, _ = target
    if schema == ANALYTICS:
        rows = session.execute("SELECT fingerprint FROM leat.models WHERE model = ?", (table,))
        return str(rows[0][0]) if rows else None
    if schema in (SCHEMA, "catalog"):
        return None
    ((count, newest),) = session.execute(
        f"SELECT count(*), max(load_id) FROM leat.load_streams WHERE {_STREAM}",
        (schema, table, table.removesuffix("_history")),
    )
    return f"{count} {newest}" if count else None


def only_grew(session: Session, target: tuple[str, str, str], before: str) -> bool:
    """Return whether a target is as it was at a version, or has only got more rows."""
    if version_of(session, target) == before:
        return True
    schema, table, _ = target
    count, _, newest = before.partition(" ")
    if schema == ANALYTICS or not count.isdigit():
        return False
    where = (schema, table, table.removesuffix("_history"))
    ((there,),) = session.execute(
        f"SELECT count(*) FROM leat.load_streams WHERE {_STREAM} AND load_id <= ?", (*where, newest)
    )
    more = session.execute(
        "SELECT 1 FROM leat.load_streams AS s LEFT JOIN leat.loads AS l "
        "ON l.integration = s.integration AND l.load_id = s.load_id "
        "WHERE s.integration = ? AND s.stream IN (?, ?) AND s.load_id > ? AND (l.kind IS NULL OR l.kind <> 'sync' "
        "OR s.updated + s.deleted + COALESCE(s.purged, 0) > 0) LIMIT 1",
        (*where, newest),
    )
    return int(there) == int(count) and not more
