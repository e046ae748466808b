"""What a file ``policies/*.yaml`` may hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from leat.pipelines.declare.diagnostics import meant
from leat.pipelines.declare.json_schema import without_titles
from leat.pipelines.declare.keys import AnyKeys, is_over_tls
from leat.pipelines.declare.project_policy import ProjectPolicy
from leat.pipelines.declare.values import Duration, Flag, Names
from leat.security.access import KINDS, VERBS, ResourceKind, Verb
from leat.security.grants_declaration import GrantsDeclared
from leat.security.principal import ROLES, Role
from leat.sources.identity import parse_identity
from leat.sources.settings import Secret, Setting


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _one_of(names: Sequence[str], what: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value not in names:
            msg = f"{str(value)[:40]!r} is no {what}{meant(str(value)[:40], names)}; valid: {', '.join(names)}"
            raise ValueError(msg)
        return value

    return BeforeValidator(check)


_AnyVerb = Literal["all", Verb]
_Verb = Annotated[_AnyVerb, _one_of((*VERBS, "all"), "verb")]
_Kind = Annotated[ResourceKind, _one_of(KINDS, "kind of resource")]
_Role = Annotated[Role, _one_of(ROLES, "role")]
_Verbs = Annotated[tuple[_Verb, ...], BeforeValidator(_listed, json_schema_input_type=_AnyVerb | tuple[_AnyVerb, ...])]
_Kinds = Annotated[
    tuple[_Kind, ...], BeforeValidator(_listed, json_schema_input_type=ResourceKind | tuple[ResourceKind, ...])
]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeclaredSelector(_Declared):
    """Which resources a rule is about: those that match all the keys given, each by one of its values."""

    kind: _Kinds = Field(default=(), description="Kinds of resources, such as stream or action.")
    name: Names = Field(default=(), description="Names: of a model, a rule, a report, an automation.")
    integration: Names = Field(default=(), description="Integrations that they belong to.")
    stream: Names = Field(default=(), description="Streams that they belong to, as integration.stream.")
    tag: Names = Field(default=(), description="They have one of these tags: personal, money.")
    without: Names = Field(default=(), description="They have none of these tags.")
    own: Flag = Field(default=False, description="They belong to the person who asks: their tokens and sessions.")


class DeclaredRule(_Declared):
    """One rule: what a role may do, or may not do despite all other rules."""

    permit: _Verbs = Field(default=(), description="What the role, and those above it, may do.")
    forbid: _Verbs = Field(
        default=(), description="What the role, and those below it, may not do, whatever else permits it."
    )
    from_: _Role | None = Field(default=None, alias="from", description="With permit: this role and those above it.")
    up_to: _Role | None = Field(default=None, description="With forbid: this role and those below it.")
    on: DeclaredSelector = Field(
        default_factory=DeclaredSelector, description="With which resources; with all if left out."
    )
    because: str = Field(default="", description="Why; whoever is stopped by the rule reads it.")

    @model_validator(mode="after")
    def _one_effect(self) -> DeclaredRule:
        if bool(self.permit) == bool(self.forbid):
            msg = "write either permit or forbid"
            raise ValueError(msg)
        if self.permit and (self.from_ is None or self.up_to is not None):
            msg = "permit needs from: the role from which on it is permitted"
            raise ValueError(msg)
        if self.forbid and (self.up_to is None or self.from_ is not None):
            msg = "forbid needs up_to: the role up to which it is forbidden"
            raise ValueError(msg)
        return self


class SignInDeclared(_Declared):
    """How people sign in: an identity provider that speaks OpenID Connect."""

    issuer: Setting = Field(description="Address of the provider, as its discovery document has it.")
    client_id: Setting = Field(description="Name of leat at the provider.")
    client_secret: Secret | None = Field(default=None, description="Its secret; none for a public client.")
    scopes: Names = Field(default=("openid", "profile", "email", "groups"), description="Scopes to request.")
    groups_claim: str = Field(default="groups", description="Claim that lists the groups of a person.")
    acr: Names = Field(
        default=(),
        description="Strengths of sign-in that are accepted, as the provider calls them (acr); any if left out.",
    )
    max_age: Duration | None = Field(
        default=None, description="How long ago people may have proved who they are to the provider, such as PT12H."
    )
    untyped_logout: Flag = Field(
        default=False,
        description="Whether logout tokens of the type JWT are accepted, too; older providers don't send logout+jwt.",
    )
    roles: dict[str, _Role] = Field(min_length=1, description="Role of each group; the highest one counts, and who has "
                                   "none of these groups gets no access.")  # fmt: skip


def _over_tls(address: Setting) -> Setting:
    if isinstance(address, str) and not is_over_tls(address):
        msg = "has to begin with https://, for events name people; http:// is for this machine alone"
        raise ValueError(msg)
    return address


_LogAddress = Annotated[Setting, AfterValidator(_over_tls)]


class AuditDeclared(_Declared):
    """Where the audit log is sent, and where its checkpoints go."""

    checkpoints: Setting | None = Field(
        default=None,
        description="File that signed checkpoints are appended to, where the owner of the control store can't write.",
    )
    every: Duration = Field(default=timedelta(minutes=15), description="How often at most, such as PT15M.")
    send_to: _LogAddress | None = Field(
        default=None, description="Address of a system that takes the events as lines of JSON (OCSF) by HTTP POST."
    )
    authorization: Secret | None = Field(
        default=None, description="Value of the header Authorization for that system, such as `Bearer …`."
    )

    @model_validator(mode="after")
    def _says_something(self) -> AuditDeclared:
        if self.checkpoints is None and self.send_to is None:
            msg = "write checkpoints: where they go, or send_to: where the events are sent"
            raise ValueError(msg)
        return self


def _identity(value: Any) -> Any:
    parse_identity(str(value))
    return value


class DeclaredHold(_Declared):
    """A legal hold: somebody whose rows neither retention nor an erasure removes."""

    person: Annotated[str, AfterValidator(_identity)] = Field(
        description="Who: an address, or another identity such as customer@payments:cus_1."
    )
    also: tuple[Annotated[str, AfterValidator(_identity)], ...] = Field(
        default=(), description="Other identities of the same person that no row links to the first."
    )
    reason: str = Field(min_length=1, description="Why, such as the number of a case; it is in the audit log.")
    until: date | None = Field(
        default=None, description="The last day of the hold, in UTC; until it is removed if left out."
    )


class PolicyFile(_Declared):
    """A file in policies/: who may do what, how people sign in, where checkpoints of the audit log go, and the key."""

    rules: tuple[DeclaredRule, ...] = Field(default=(), description="Rules, in addition to those of other files.")
    defaults: Flag = Field(default=True, description="Whether the rules that leat comes with hold as well.")
    local_accounts: dict[str, _Role] = Field(
        default_factory=dict,
        description="Role of user accounts of the machine by name; default is for all others. Without it, admin.",
    )
    sign_in: SignInDeclared | None = Field(default=None, description="How people sign in; in one file only.")
    audit: AuditDeclared | None = Field(default=None, description="Checkpoints of the audit log; in one file only.")
    keys: AnyKeys | None = Field(default=None, description="Where the key-encryption key is; in one file only.")
    grants: GrantsDeclared | None = Field(
        default=None, description="What people may read who connect to the warehouse itself; in one file only."
    )
    holds: tuple[DeclaredHold, ...] = Field(
        default=(), description="Legal holds, in addition to those of other files and of `leat subject hold`."
    )
    project: ProjectPolicy | None = Field(
        default=None, description="What the project may do; where several files say something, all of them hold."
    )


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of files in ``policies/`` (draft 2020-12), for editors."""
    whole: dict[str, Any] = without_titles(PolicyFile.model_json_schema(mode="validation"))
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "title": "Policies of a leat project", **whole}
