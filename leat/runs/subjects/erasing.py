"""``leat subject erase``: everything of a person is erased, in an order that a kill at any point can't harm.

::

    tombstones   first, so that nothing of the person is loaded from now on
    memory       what drivers remember and what was landed is removed; no integration runs meanwhile
    warehouse    all tables, in one transaction
    keys         the person's own keys are destroyed, so that backups can't be read either
    models       built again, and published
    store        the control store, then files
    proof        every place is searched

The identities stay in the control store until the proof, so that the same command continues after a kill.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from leat.control import subject_sweep as store
from leat.control.keys.people import destroy_keys, ids_of
from leat.control.subjects import RequestRow, begin_erasure, end_erasure, find_requests
from leat.control.subjects import lift as lift_tombstones
from leat.pipelines.load.sealed_texts import SealedTexts
from leat.runs.run import refresh_and_publish
from leat.runs.subjects.erased_loads import note_loads, rename_violations
from leat.runs.subjects.files import NamedFile, erase_files, forget_memory
from leat.runs.subjects.identities import is_loaded
from leat.runs.subjects.looking import Seen, apart, find
from leat.runs.subjects.opened import Asked, mask_of, masks_of, may, texts_of
from leat.runs.subjects.proving import Left, search_everywhere
from leat.runs.subjects.rewriting import Erased, Eraser
from leat.runs.subjects.tables import people_tables
from leat.runs.workspace import Workspace
from leat.sources.identity import Identity, shown
from leat.sources.tombstones import Tombstones, tombstones_of
from leat.warehouse.publication import rewrite_next_version


class NotErasable(Exception):
    """A person can't be erased now; the text says why and what to do next."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an erasure would do: where the person is, and what is in its way, besides legal holds."""

    seen: Seen
    in_flight: list[str]
    running: RequestRow | None


@dataclass(slots=True)
class Report:
    """What an erasure did.

    Attributes:
        erasure: its id.
        identities: of the person, as people write them.
        tables: what was erased in each table.
        stored: what was erased in the control store.
        files: what became of files that named the person.
        memory: folders of drivers that were removed.
        keys: how many keys of the person were destroyed.
        published: whether readers have the new version.
        withheld: why they don't.
        left: what still names the person where it should not.
    """

    erasure: str
    identities: list[str]
    tables: list[Erased] = field(default_factory=list)
    stored: list[store.StoredIn] = field(default_factory=list)
    files: list[NamedFile] = field(default_factory=list)
    memory: list[str] = field(default_factory=list)
    keys: int = 0
    published: bool = True
    withheld: str | None = None
    left: list[Left] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether nothing is left that should have been erased."""
        return self.published and not any(each.why is None for each in self.left)


def plan_erasure(workspace: Workspace, given: Identity, also: Sequence[Identity] = (), *, follow: bool = True) -> Plan:
    """Return what erasing a person would do, and what is in its way.

    Raises:
        Forbidden: who runs this process may not erase people.
    """
    may(workspace, "administer")
    running = _running(workspace, given)
    seen = find(workspace, given, [*also, *(running.identities if running else ())], follow=follow)
    names = Asked(seen.person, {}, texts_of(workspace)).names()
    return Plan(seen, store.in_flight(workspace.store, names), running)


def erase(
    workspace: Workspace, plan: Plan, observe: Callable[[str], None] = lambda _what: None, now: datetime | None = None
) -> Report:
    """Erase the person of a plan, everywhere.

    Args:
        workspace: the project.
        plan: from :func:`plan_erasure`.
        observe: called with what is being done.
        now: the time.

    Raises:
        Forbidden: who runs this process may not erase people.
        NotErasable: the person is on hold, or an action that names them is being sent.
        Busy: an integration runs, or another process writes the warehouse.
    """
    may(workspace, "administer")
    now = now or datetime.now(UTC)
    _check(plan)
    person = plan.seen.person
    with contextlib.ExitStack() as no_integration_runs:
        for name in sorted(workspace.declarations):
            no_integration_runs.enter_context(workspace.warehouse.exclusive(name))
        observe("writing tombstones")
        request = begin_erasure(workspace.store, person.given, person.listed, now)
        report = Report(request.id, list(map(shown, request.identities)))
        person.identities = dict.fromkeys(request.identities, "") | person.identities
        who = Asked(person, masks_of(workspace, person.listed), _texts(workspace, person.listed))
        stones = _tombstones(workspace, person.listed)
        observe("erasing rows")
        renamed = _erase_rows(workspace, who, stones, report, now)
        report.keys = destroy_keys(workspace.store, person.listed, now)
    observe("building models, publishing")
    _refresh(workspace, report)
    workspace.warehouse.compact(_with_earlier_rows(workspace, plan, report))
    observe("erasing the control store and files")
    if renamed:
        store.rename_violations(workspace.store, renamed)
    report.stored = store.erase_stored(workspace.store, who.names(stones), now)
    report.files = erase_files(workspace.project.state, who.searcher, apart(workspace))
    observe("searching everywhere")
    store.compact(workspace.store)
    report.left = search_everywhere(workspace, who)
    if report.done:
        end_erasure(workspace.store, request.id, _summary(report), now)
        store.compact(workspace.store)
    return report


def lift(workspace: Workspace, given: Identity, reason: str, now: datetime | None = None) -> int:
    """Lift the tombstones of a person: the next complete listing loads them again; returns how many there were.

    Raises:
        Forbidden: who runs this process may not do that.
    """
    may(workspace, "administer")
    at = now or datetime.now(UTC)
    requests = find_requests(workspace.store, given)
    return sum(lift_tombstones(workspace.store, request.id, reason, at) for request in requests)


def _texts(workspace: Workspace, identities: Sequence[Identity]) -> SealedTexts | None:
    texts = texts_of(workspace)
    return None if texts is None else replace(texts, ending=ids_of(workspace.store, identities))


def _running(workspace: Workspace, given: Identity) -> RequestRow | None:
    return next((each for each in find_requests(workspace.store, given) if each.state == "running"), None)


def _check(plan: Plan) -> None:
    for hold in plan.seen.holds:
        next_step = (
            f"remove it from {hold.placed_by} when the reason has gone"
            if hold.declared
            else "`leat subject release` when the reason has gone"
        )
        msg = (
            f"{shown(plan.seen.person.given)} is on hold since {hold.placed_at:%Y-%m-%d} by {hold.placed_by}: "
            f"{hold.reason}. Next: {next_step}"
        )
        raise NotErasable(msg)
    if plan.in_flight:
        msg = (
            f"action {plan.in_flight[0]} names the person and may have been sent. Next: `leat actions` shows it; "
            "erase again when its outcome is certain"
        )
        raise NotErasable(msg)


def _tombstones(workspace: Workspace, identities: Sequence[Identity]) -> Tombstones:
    """Return the tombstones of one person, with the key of all."""
    from leat.control.subjects import read_tombstones

    return tombstones_of(read_tombstones(workspace.store).key, identities)


def _erase_rows(workspace: Workspace, who: Asked, stones: Tombstones, report: Report, now: datetime) -> dict[str, str]:
    """Erase the person from all tables, while no integration runs; returns the new keys of violations."""
    eraser = Eraser(who.who, stones, mask_of(workspace))
    report.memory = forget_memory(workspace.project.state, sorted(workspace.declarations), who.searcher)
    rewrite_next_version(workspace.warehouse)
    with workspace.warehouse.transaction() as session:
        if not is_loaded(session):
            return {}
        for table in people_tables(workspace, session):
            if (table.schema, table.name) != ("leat", "cursors"):
                erased = eraser.erase(session, table)
                report.tables += [] if erased is None else [erased]
        renamed = rename_violations(workspace, session) if report.tables else {}
        note_loads(workspace, session, report.tables, now)
    return renamed


def _with_earlier_rows(workspace: Workspace, plan: Plan, report: Report) -> list[str]:
    """Return the tables whose files have rows of before; an attempt that was interrupted may have changed any."""
    if plan.running is None:
        return [each.table for each in report.tables]
    with workspace.warehouse.snapshot() as session:
        return [str(table) for table in people_tables(workspace, session)] if is_loaded(session) else []


def _refresh(workspace: Workspace, report: Report) -> None:
    refreshed, publication = refresh_and_publish(workspace, always=True)
    report.published = publication.withheld is None
    report.withheld = publication.explanation
    del refreshed


def _summary(report: Report) -> dict[str, object]:
    """Return what the control store remembers of an erasure: numbers, and nothing about the person."""
    return {
        "tables": {each.table: [each.deleted, each.changed] for each in report.tables},
        "stored": {f"{each.table}.{each.column}": each.rows for each in report.stored},
        "files": len(report.files),
        "keys": report.keys,
    }
