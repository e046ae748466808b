"""Who asks: a person, a token of a person, or leat itself; each has roles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from leat.control.actor import Actor, local_actor

Role = Literal["viewer", "analyst", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From the one that may least to the one that may most."""

Kind = Literal["person", "token", "system"]
Authentication = Literal["local", "oidc", "link", "token", "system"]
"""local: an account of the machine; oidc: an identity provider; link: a one-time link; token: an API token."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody or something that asks for access.

    Attributes:
        id: identity that never changes: ``person_…``, ``local:ada``, ``tok_…``, ``system:leat``.
        name: what rows such as those of actions record; of a token, the name of its owner.
        kind: what it is.
        roles: what it has; the highest one decides. None means no access.
        authenticated_by: how it has proved who it is.
        person: id of the person behind it; the same as ``id`` except for a token.
        scopes: verbs, or ``verb:integration``, that a token is limited to; None for no limit.
    """

    id: str
    name: str
    kind: Kind
    roles: frozenset[Role]
    authenticated_by: Authentication
    person: str = ""
    scopes: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if not self.person:
            object.__setattr__(self, "person", self.id)

    @property
    def role(self) -> Role | None:
        """The highest of its roles."""
        return highest(self.roles)

    @property
    def actor(self) -> Actor:
        """The principal as rows and the audit log name it; pass it to :func:`leat.control.actor.acting_as`."""
        return Actor(self.id, self.name)


SYSTEM = Principal("system:leat", "leat", "system", frozenset({"admin"}), "system")
"""leat itself: schedules, the worker, automations that may approve their own actions."""


def local_principal(role: Role | None = "admin") -> Principal:
    """Return the principal of who runs this process: ``LEAT_USER``, or else the user account.

    Whoever has a shell with access to the control store can change everything there anyway, so the role only protects
    against mistakes.
    """
    actor = local_actor()
    return Principal(actor.id, actor.name, "person", frozenset({role} if role else ()), "local")


def highest(roles: Iterable[Role]) -> Role | None:
    """Return the highest of these roles, None when there are none."""
    return max(roles, key=ROLES.index, default=None)


def lowest(first: Role, second: Role) -> Role:
    """Return the lower of two roles."""
    return min(first, second, key=ROLES.index)


def from_role_up(role: Role) -> frozenset[Role]:
    """Return a role and those above it."""
    return frozenset(ROLES[ROLES.index(role) :])


def up_to_role(role: Role) -> frozenset[Role]:
    """Return a role and those below it."""
    return frozenset(ROLES[: ROLES.index(role) + 1])
