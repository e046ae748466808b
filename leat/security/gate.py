"""The gate: asks for a decision and records it in the audit log: every deny, and what is allowed on personal data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leat.control.actor import Actor
from leat.security.access import Decision, Forbidden, Resource, Verb, validate_access
from leat.security.policy import Policy
from leat.security.principal import Principal

if TYPE_CHECKING:  # SQLAlchemy takes long to import, and most decisions record nothing
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Gate:
    """What every entrance asks.

    Attributes:
        policy: what holds.
        store: returns the control store; called only when there is something to record.
    """

    policy: Policy
    store: Callable[[], Engine]

    def decide(self, principal: Principal, resource: Resource, verb: Verb) -> Decision:
        """Decide and record nothing: for menus and lists, which show only what one may."""
        return validate_access(principal, resource, verb, self.policy)

    def require(self, principal: Principal, resource: Resource, verb: Verb, session: Session | None = None) -> Decision:
        """Decide, record the decision where it has to be, and raise if it is a deny.

        Call it before you open a transaction: on SQLite, a deny would wait for the end of yours.

        Args:
            principal: who asks.
            resource: what for.
            verb: what they want to do with it.
            session: a transaction that an allow is recorded in; a deny always has its own, which is committed.

        Raises:
            Forbidden: it isn't allowed.
        """
        decision = self.decide(principal, resource, verb)
        if not decision.allowed:
            self._record("access.denied", principal, resource, verb, decision)
            raise Forbidden(principal, resource, verb, decision)
        if "personal" in resource.tags and session is not None:
            _note(session, "access.allowed", principal, resource, verb, decision)
        elif "personal" in resource.tags:
            self._record("access.allowed", principal, resource, verb, decision)
        return decision

    def _record(self, event: str, by: Principal, resource: Resource, verb: Verb, decision: Decision) -> None:
        from leat.control.engine import writing

        with writing(self.store()) as session:
            _note(session, event, by, resource, verb, decision)


def _note(session: Session, event: str, by: Principal, resource: Resource, verb: Verb, decision: Decision) -> None:
    from leat.control.audit_events import note

    detail: dict[str, Any] = {
        "verb": verb,
        "resource": {"kind": resource.kind, "name": resource.name, "integration": resource.integration,
                     "stream": resource.stream, "tags": sorted(resource.tags)},
        "rule": decision.rule,
        "policy": decision.policy_hash,
        "role": by.role,
        "authenticated_by": by.authenticated_by,
    }  # fmt: skip
    people: Mapping[str, Actor] = {"owner": Actor(resource.owner, resource.owner)} if resource.owner else {}
    if by.person != by.id:
        people = {**people, "person": Actor(by.person, by.name)}
    note(session, event, detail, by=by.actor, people=people)
