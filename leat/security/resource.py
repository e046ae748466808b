"""What somebody asks for, and the answer: verbs, resources, decisions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

Verb = Literal[
    "read", "query", "export", "decrypt", "acknowledge", "plan", "approve", "stop",
    "run", "publish", "force", "configure", "administer",
]  # fmt: skip
"""
- read: see it. query: run SQL of one's own on it. export: take its rows away as a file. decrypt: see what is encrypted.
- acknowledge: a violation. plan: an action. approve: or reject, cancel, undo one. stop: the kill switch.
- run: load it now. publish: let readers have it. force: publish despite a failed check.
- configure: declarations, automations, hooks. administer: people, sessions, tokens, keys, secrets, the audit log.
"""
VERBS: tuple[Verb, ...] = get_args(Verb)

ResourceKind = Literal[
    "overview", "integration", "stream", "column", "model", "rule", "violation", "run", "report", "catalog", "query",
    "action", "automation", "hook", "endpoint", "token", "session", "person", "policy", "audit", "dagster",
    "key", "secret", "subject",
]  # fmt: skip
KINDS: tuple[ResourceKind, ...] = get_args(ResourceKind)


@dataclass(frozen=True, slots=True)
class Resource:
    """What somebody wants to do something with.

    A rule that names an integration, a stream or a tag never matches a resource that doesn't say so. Therefore name all
    that apply, and ask once for each stream that a query reads.

    Attributes:
        kind: what it is.
        name: which one, such as the id of an action or the name of a model; empty for all of the kind.
        integration: the integration that it belongs to.
        stream: the stream that it belongs to, without the integration.
        tags: ``personal`` for personal data, ``money`` for an action that moves money.
        owner: id of the person whom it belongs to: tokens, sessions, saved queries.
        least: the role that approving it takes, whatever the policy permits to others; None for none in particular.
    """

    kind: ResourceKind
    name: str = ""
    integration: str | None = None
    stream: str | None = None
    tags: frozenset[str] = field(default_factory=frozenset)
    owner: str | None = None
    least: str | None = None

    def __str__(self) -> str:
        """Return it as messages call it."""
        where = ".".join(each for each in (self.integration, self.stream) if each)
        return " ".join(dict.fromkeys(each for each in (self.kind, where, self.name) if each))


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something is allowed.

    Attributes:
        allowed: whether it is.
        rule: the rule that decided: file and line, or the name of a default; None when no rule permits it.
        policy_hash: SHA-256 of the policy that was in force.
        reason: why, for the person who asked.
    """

    allowed: bool
    rule: str | None
    policy_hash: str
    reason: str
