"""What every run of a project needs, and what is asked of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.load.cells import DataKeys
from leat.pipelines.load.held_rows import NOBODY, Held
from leat.pipelines.load.results import CheckResult
from leat.pipelines.load.writing import writing
from leat.sources.http.calls import ApiCall
from leat.sources.tombstones import Tombstones
from leat.warehouse.lease import Lease
from leat.warehouse.session import Session, Warehouse

Audit = Callable[[Session, Declaration], tuple[CheckResult, ...]]
"""Checks an integration's tables inside the transaction that changed them."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What every run needs.

    Attributes:
        project: the project.
        warehouse: where the tables are.
        declarations: the declared integrations by name.
        audit: checks the tables of an integration before its load is committed.
        observe: called with an integration and the phase that begins: ``started``, ``extracting``, ``extracted``,
            ``normalized``, ``landed``, ``applying``, ``checking``, ``committing``, ``applied``, ``purging``.
        progress: called with an integration, what is being read, and how many records since the last call.
        called: called with an integration and each HTTP request that it sent, from whichever thread sent it.
        attempts: how often a transient error is tried.
        tombstones: returns who is erased, when a load is extracted.
        held: returns whose data is on hold, when retention is enforced in an open transaction.
        column_keys: returns the keys that columns are encrypted with; called only when some are.
        lease: the right to run the integration that is being run.
    """

    project: Project
    warehouse: Warehouse
    declarations: Mapping[str, Declaration]
    audit: Audit = field(default=lambda _session, _declaration: ())
    observe: Callable[[str, str], None] = field(default=lambda _integration, _phase: None)
    progress: Callable[[str, str, int], None] = field(default=lambda _integration, _what, _count: None)
    called: Callable[[str, ApiCall], None] = field(default=lambda _integration, _call: None)
    attempts: int = 3
    tombstones: Callable[[], Tombstones] = field(default=lambda: Tombstones(b""))
    held: Callable[[Session], Held] = field(default=lambda _session: NOBODY)
    column_keys: Callable[[], DataKeys | None] = field(default=lambda: None)
    lease: Lease | None = None

    def writing(self, integration: str) -> AbstractContextManager[Session]:
        """Open a transaction that writes an integration; see :func:`leat.pipelines.load.writing.writing`."""
        return writing(self.warehouse, integration, self.lease)

    def held_by(self, lease: Lease) -> Engine:
        """Return the engine of the run that has a lease; it notices when it loses that."""

        def observe(integration: str, phase: str) -> None:
            lease.work()
            self.observe(integration, phase)

        def progress(integration: str, what: str, count: int) -> None:
            lease.work()
            self.progress(integration, what, count)

        return replace(self, lease=lease, observe=observe, progress=progress)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a run.

    Attributes:
        allow_deletes: whether full scans may delete any share of a table.
        reset: streams to load again from the start; None for an ordinary run.
        forced: whether a load is applied although checks of severity error fail; they are reported.
        only: by integration, the streams that are wanted; all where it isn't named. The cursor then stays.
        since: for a backfill, from when on to read; nothing is deleted and the cursor stays.
        dry: whether everything is taken back at the end.
        wanted: asked with its name when nobody else runs an integration any more; one that isn't wanted ends as busy.
        full_refresh: whether all rows of all models are built, changed or not.
    """

    allow_deletes: bool = False
    reset: frozenset[str] | None = None
    forced: bool = False
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    since: datetime | None = None
    dry: bool = False
    wanted: Callable[[str], bool] | None = None
    full_refresh: bool = False
