"""Rules of access, compiled: deny by default, and a rule that forbids overrides all that permit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Literal

from leat.security.principal import ROLES, Principal, Role, from_role_up
from leat.security.resource import VERBS, Decision, Resource, ResourceKind, Verb


@dataclass(frozen=True, slots=True)
class Selector:
    """Which resources a rule is about: those that match all that is given, each by one of its values.

    Attributes:
        kinds: kinds of resources.
        names: their names.
        integrations: integrations that they belong to.
        streams: streams that they belong to, as ``integration.stream``.
        tags: they have one of these tags.
        without: they have none of these tags.
        own: they belong to the principal who asks.
    """

    kinds: frozenset[ResourceKind] = frozenset()
    names: frozenset[str] = frozenset()
    integrations: frozenset[str] = frozenset()
    streams: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    own: bool = False

    def matches(self, resource: Resource, principal: Principal) -> bool:
        """Return whether a resource is one of them for a principal."""
        return (
            (not self.kinds or resource.kind in self.kinds)
            and (not self.names or resource.name in self.names)
            and (not self.integrations or resource.integration in self.integrations)
            and (not self.streams or f"{resource.integration}.{resource.stream}" in self.streams)
            and (not self.tags or not self.tags.isdisjoint(resource.tags))
            and self.without.isdisjoint(resource.tags)
            and (not self.own or resource.owner == principal.person)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: where it is: file and line, or the name of a default.
        effect: what it does.
        roles: for whom, by their highest role.
        verbs: what they may or may not do.
        on: with which resources.
        because: why, for those whom it stops.
    """

    name: str
    effect: Literal["permit", "forbid"]
    roles: frozenset[Role]
    verbs: frozenset[Verb]
    on: Selector = field(default_factory=Selector)
    because: str = ""


@dataclass(frozen=True)
class Policy:
    """What holds.

    Attributes:
        rules: all rules; their order doesn't matter for what is allowed.
        local_roles: role of a user account of the machine, by its name; ``default`` for all others.
    """

    rules: tuple[Rule, ...]
    local_roles: Mapping[str, Role] = field(default_factory=dict)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all that decides; the names and reasons of rules don't."""
        rules = sorted(
            json.dumps({name: _plain(value) for name, value in asdict(rule).items() if name not in ("name", "because")},
                       sort_keys=True)
            for rule in self.rules
        )  # fmt: skip
        return hashlib.sha256(json.dumps([rules, sorted(self.local_roles.items())]).encode()).hexdigest()

    @cached_property
    def _by_question(self) -> Mapping[tuple[Role, Verb], tuple[Rule, ...]]:
        """Rules of a role and a verb, those that forbid first."""
        ordered = sorted(self.rules, key=lambda rule: rule.effect)  # "forbid" sorts before "permit"
        return {
            (role, verb): tuple(rule for rule in ordered if role in rule.roles and verb in rule.verbs)
            for role in ROLES
            for verb in VERBS
        }

    def decide(self, principal: Principal, role: Role, resource: Resource, verb: Verb) -> Decision:
        """Return the decision of the first rule that matches."""
        for rule in self._by_question[role, verb]:
            if rule.on.matches(resource, principal):
                allowed = rule.effect == "permit"
                reason = rule.because or f"{rule.name} {'permits' if allowed else 'forbids'} it"
                return Decision(allowed, rule.name, self.hash, reason)
        return Decision(False, None, self.hash, self._who_may(resource, verb))

    def local_role(self, name: str) -> Role:
        """Return the role of a user account of the machine."""
        return self.local_roles.get(name) or self.local_roles.get("default", "admin")

    def _who_may(self, resource: Resource, verb: Verb) -> str:
        for role in ROLES:
            anyone = Principal("", "", "person", frozenset({role}), "local")
            rules = [rule for rule in self._by_question[role, verb] if rule.on.matches(resource, anyone)]
            if rules and rules[0].effect == "permit":
                return f"no rule permits it for this role; it takes the role {role}"
        return "no rule permits it for any role"


def permit(name: str, role: Role, verbs: Iterable[Verb], on: Selector | None = None) -> Rule:
    """Return a rule that permits something to a role and those above it."""
    return Rule(name, "permit", from_role_up(role), frozenset(verbs), on or Selector())


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return {key: _plain(each) for key, each in value.items()} if isinstance(value, dict) else value
