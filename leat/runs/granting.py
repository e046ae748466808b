"""Who may read what by connecting to the warehouse itself: the plan, doing it, and why somebody may or may not."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leat.pipelines.load import state
from leat.pipelines.load.error_message import log_error
from leat.pipelines.load.verdict import may_be_published
from leat.runs.access import read_leavers, record
from leat.runs.clearance import tables_of
from leat.runs.workspace import Workspace
from leat.warehouse.clearance import AccessPlan, Clearances, Membership
from leat.warehouse.connect import may_be_there
from leat.warehouse.publication import publish_version
from leat.warehouse.session import Busy, Session

if TYPE_CHECKING:
    from leat.security.principal import Role

log = logging.getLogger("leat.granting")
_TABLE = "access_grants"


@dataclass(frozen=True, slots=True)
class Granting:
    """How the access to the warehouse differs from what ``policies/`` say.

    Attributes:
        declared: whether anything is to be granted at all.
        plan: what differs.
        membership: who belongs to which role now.
    """

    declared: bool
    plan: AccessPlan
    membership: list[Membership]


def plan(workspace: Workspace, *, make: bool = True) -> Granting:
    """Return how the access differs from what is wanted; nothing is changed.

    Args:
        workspace: the project.
        make: whether what enforces a role is to be made where it is missing, as ``leat access apply`` does.

    Raises:
        DeclarationError: a file in ``policies/`` has a mistake.
    """
    with workspace.warehouse.snapshot() as session:
        return _planned(workspace, session, make=make)


def drift(workspace: Workspace) -> str | None:
    """Return that the access differs from what ``policies/`` declare, with what to do; None if it doesn't.

    Raises:
        DeclarationError: a file in ``policies/`` has a mistake.
        WarehouseError: the warehouse can't be read.
    """
    grants, project = workspace.security.grants, workspace.project
    if grants is None or not may_be_there(project.warehouse_url, project.state):
        return None
    try:
        changes = plan(workspace).plan.statements
    except Busy as error:
        return f"{grants.name}: grants: can't be compared with the warehouse now: {error}. Next: check again"
    if not changes:
        return None
    differ = "1 right differs" if len(changes) == 1 else f"{len(changes)} rights differ"
    return (
        f"{grants.name}: grants: in the warehouse, {differ} from this. Next: `leat access plan` shows what, "
        "`leat access apply` changes it"
    )


def apply(workspace: Workspace, now: datetime | None = None, *, make: bool = True) -> Granting:
    """Do what :func:`plan` returns, on a server in one transaction, and record it in the audit log.

    Args:
        workspace: the project.
        now: the time.
        make: as for :func:`plan`.

    Raises:
        Busy: another process writes the warehouse.
        DeclarationError: a file in ``policies/`` has a mistake.
        WarehouseError: leat itself may not.
    """
    warehouse = workspace.warehouse
    with warehouse.snapshot() as session:
        planned = _planned(workspace, session, make=make)
        membership = planned.membership
        remembered = {each for each, _ in _remembered(session)}
    if warehouse.publication is None or set(membership) != remembered:
        with warehouse.transaction() as session:
            state.create_tables(session)
            planned = _planned(workspace, session, make=make)
            warehouse.change_access(session, planned.plan)
            membership = warehouse.read_membership(session, _clearances(workspace, session))
            _remember(session, membership, now or datetime.now(UTC))
    publish_version(warehouse, may_be_published)
    if planned.plan.statements:
        before, after = set(planned.membership), set(membership)
        detail = {"changes": len(planned.plan.statements), "members_added": len(after - before),
                  "members_removed": len(before - after), "policy": workspace.security.policy.hash}  # fmt: skip
        record(workspace, "access.applied", detail)
    return Granting(planned.declared, planned.plan, membership)


def follow_people(workspace: Workspace) -> None:
    """Let whoever has left, or has another role, belong to the role of the warehouse that they have now.

    For each run: it changes nothing before ``leat access apply``, and raises nothing.
    """
    if workspace.security.grants is None:
        return
    try:
        planned = plan(workspace, make=False)
        with workspace.warehouse.snapshot() as session:
            remembered = {membership for membership, _ in _remembered(session)}
        if planned.plan.statements or set(planned.membership) != remembered:
            apply(workspace, make=False)
    except Exception as error:
        log_error(log, error, "people who have left may still read the warehouse")


def query_role(workspace: Workspace, role: Role | None) -> Role | None:
    """Return the role with whose rights the warehouse runs somebody's query; None where nothing is granted."""
    return None if workspace.security.grants is None else role


def _planned(workspace: Workspace, session: Session, *, make: bool) -> Granting:
    clearances, warehouse = _clearances(workspace, session), workspace.warehouse
    grants = workspace.security.grants
    members = _members(workspace, session)
    planned = warehouse.plan_access(session, clearances, members, make=make)
    missing = [name for name in planned.missing if grants is not None and name in grants.members]
    planned = AccessPlan(planned.statements, planned.names, missing, planned.above)
    return Granting(grants is not None, planned, warehouse.read_membership(session, clearances))


def _clearances(workspace: Workspace, session: Session) -> Clearances:
    decided = workspace.warehouse.decide(session)
    if decided is not None:
        return decided
    return Clearances({}, frozenset((each.schema, each.name) for each in tables_of(session, workspace.declarations)))


def _members(workspace: Workspace, session: Session) -> dict[str, Role]:
    """Return the role of each account that may belong to one: those declared, and people who sign in; none has left."""
    grants = workspace.security.grants
    if grants is None:
        return {}
    from leat.security.people import LOCAL, list_people

    people = [row for row in list_people(workspace.store) if row.issuer != LOCAL]
    gone = {name.casefold() for row in people if row.deactivated_at for name in (row.name, row.email) if name}
    gone |= {name.casefold() for name in read_leavers(workspace, session)[0]}
    members: dict[str, Role] = {}
    for row in people if grants.people else ():
        if row.role is not None:
            members |= dict.fromkeys((name for name in (row.name, row.email) if name), row.role)
    return {name: role for name, role in {**members, **grants.members}.items() if name.casefold() not in gone}


def _remembered(session: Session) -> list[tuple[Membership, datetime]]:
    if not session.columns(state.SCHEMA, _TABLE):
        return []
    rows = session.execute(f"SELECT role, enforced_by, account, noticed_at FROM leat.{_TABLE}")
    return [(Membership(role, enforced_by, account), at) for role, enforced_by, account, at in rows]


def _remember(session: Session, membership: Collection[Membership], now: datetime) -> None:
    since: Mapping[Membership, datetime] = dict(_remembered(session))
    if set(since) != set(membership):
        rows = [(each.role, each.account, each.enforced_by, since.get(each, now)) for each in membership]
        state.replace_rows(session, _TABLE, rows)
