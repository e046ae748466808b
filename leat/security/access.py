"""The question that the command line, actions, API and pages ask: may this principal do this with that."""

from __future__ import annotations

from leat.security.default_policy import DEFAULT_POLICY
from leat.security.policy import Policy
from leat.security.principal import ROLES, Principal
from leat.security.resource import KINDS, VERBS, Decision, Resource, ResourceKind, Verb

__all__ = ["KINDS", "VERBS", "Decision", "Forbidden", "Resource", "ResourceKind", "Verb", "validate_access"]


class Forbidden(Exception):
    """A principal may not do something; the text says what, why, and who may."""

    def __init__(self, principal: Principal, resource: Resource, verb: Verb, decision: Decision) -> None:
        what = " ".join(dict.fromkeys((verb, str(resource))))
        super().__init__(f"{principal.name} may not {what}: {decision.reason}")
        self.principal, self.resource, self.verb, self.decision = principal, resource, verb, decision


def validate_access(principal: Principal, resource: Resource, verb: Verb, policy: Policy = DEFAULT_POLICY) -> Decision:
    """Decide whether a principal may do something; nothing is read, written or recorded.

    Nothing is allowed that no rule permits, and a rule that forbids overrides all that permit.
    :meth:`leat.security.gate.Gate.require` also records the decision.

    Args:
        principal: who asks.
        resource: what for.
        verb: what they want to do with it.
        policy: what holds; by default that of a project without ``policies/``.
    """
    role = principal.role
    if role is None:
        return Decision(False, None, policy.hash, "this account has no role; an administrator can map a group to one")
    if principal.scopes is not None and not principal.scopes & {verb, f"{verb}:{resource.integration}"}:
        return Decision(False, "scopes of the token", policy.hash, f"the token's scopes don't include {verb}")
    if verb == "approve" and resource.least is not None and ROLES.index(role) < ROLES.index(resource.least):
        reason = f"its automation declares that it takes the role {resource.least}"
        return Decision(False, "approve of the automation", policy.hash, reason)
    return policy.decide(principal, role, resource, verb)
