"""Which rows a check of a stream has to look at after a load, and which results still say how it is.

Each row that a load has added or changed has the load's id, and ``leat.load_streams`` says which loads have changed a
stream. So the rows that have changed since a check last held are those of newer loads, and only they can break it, or
break it with rows that are as they were:

- one row breaks ``not_null``, ``accepted_values`` or ``range`` by itself: the rows of newer loads are looked at;
- rows that break ``unique`` have the same values: all rows with the values of rows of newer loads are looked at;
- a row breaks ``foreign_key`` if the target lacks its value: the rows of newer loads are looked at if the target has
  only got more rows;
- a check of a stream that no load has changed, and whose target is as it was, says what it said.

Everything is looked at if the check or the schema of the stream has changed, if the check didn't hold, or after other
loads than ordinary ones and those of retention: an erasure changes rows of earlier loads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from leat.pipelines.load.plan import SYNC
from leat.pipelines.load.results import CheckResult
from leat.pipelines.load.retention import RETENTION
from leat.quality.checks import CheckedTable, TableCheck
from leat.quality.narrowed import ALONE, only_grew, still_holds, version_of
from leat.quality.stored_results import Stored, read_results
from leat.warehouse.session import Session, literal, quote

_CHANGED = "s.inserted + s.updated + s.deleted + COALESCE(s.purged, 0) > 0"


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """What was said of a stream before, and what has happened to it since.

    Attributes:
        table: the stream with its checks.
        stored: the last results by name of the check.
        now: how many loads have changed the stream, and the newest of them.
        schema: of the stream's table, as it is stored.
    """

    table: CheckedTable
    stored: Mapping[str, Stored]
    now: str
    schema: str

    @property
    def total(self) -> None:
        """How many rows there are: they are counted."""
        return

    def version(self, session: Session, check: TableCheck) -> str | None:
        """Return the version of a check and of what it looks at now; None if nothing can go on from its result."""
        target = version_of(session, check.target) if check.target else ""
        return None if target is None else f"{self._definition(session, check)}|{self.now}|{target}"

    def still(self, session: Session, check: TableCheck) -> CheckResult | None:
        """Return the last result of a check if nothing that it looks at has changed since."""
        stored = self.stored.get(check.name)
        if stored is None or stored.version is None or stored.version != self.version(session, check):
            return None
        return stored.result

    def rows(self, session: Session, check: TableCheck) -> str | None:
        """Return the query of the rows that can break a check; None if all can."""
        stored = self.stored.get(check.name)
        if stored is None or stored.version is None or not still_holds(stored.result):
            return None
        definition, before, target = stored.version.split("|")
        if definition != self._definition(session, check) or not self._goes_on_from(session, before):
            return None
        if check.target and not only_grew(session, check.target, target):
            return None
        into = quote(self.table.schema, self.table.table)
        newer = f"FROM {into} WHERE _deleted_at IS NULL AND _load_id > {literal(before.partition(' ')[2])}"
        if check.kind in ALONE or check.target:
            return f"SELECT * {newer}"
        columns = ", ".join(map(quote, check.columns))
        return f"SELECT * FROM {into} WHERE _deleted_at IS NULL AND ({columns}) IN (SELECT {columns} {newer})"

    def _definition(self, session: Session, check: TableCheck) -> str:
        there = session.columns(*check.target[:2]).get(check.target[2]) if check.target else None
        said = repr((astuple(check), self.schema, there))
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def _goes_on_from(self, session: Session, before: str) -> bool:
        """Return whether the rows that were looked at are as they were, but for those of newer ordinary loads."""
        count, _, newest = before.partition(" ")
        where = (self.table.schema, self.table.table)
        ((older, others),) = session.execute(
            "SELECT count(*) FILTER (WHERE s.load_id <= ?), count(*) FILTER (WHERE s.load_id > ? AND (l.kind IS NULL "
            f"OR l.kind NOT IN ('{SYNC}', '{RETENTION}'))) FROM leat.load_streams AS s LEFT JOIN leat.loads AS l "
            "ON l.integration = s.integration AND l.load_id = s.load_id WHERE s.integration = ? AND s.stream = ? "
            f"AND {_CHANGED}",
            (newest, newest, *where),
        )
        return int(older) == int(count) and not others


def pasts(session: Session, integration: str, tables: Sequence[CheckedTable]) -> list[ChangedRows]:
    """Return what was said of each stream of an integration, and what has happened to it since."""
    rows = session.execute(
        f"SELECT stream, count(*), max(load_id) FROM leat.load_streams AS s WHERE integration = ? AND {_CHANGED} "
        "GROUP BY stream",
        (integration,),
    )
    changes = {stream: f"{count} {newest}" for stream, count, newest in rows}
    rows = session.execute(
        f"SELECT stream, CAST(table_schema AS {session.dialect.sql_type('string')}) FROM leat.streams "
        "WHERE integration = ?",
        (integration,),
    )
    schemas = {stream: schema for stream, schema in rows}
    stored = read_results(session, f"{integration}.")
    return [
        ChangedRows(
            table,
            {each.result.check: each for each in stored.get(table.subject, ())},
            changes.get(table.table, "0 "),
            schemas.get(table.table, ""),
        )
        for table in tables
    ]
