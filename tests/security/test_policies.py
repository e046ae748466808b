"""Policies: what each role may do, how files are read, and that Cedar decides as leat does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditEvent
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.yaml_file import DeclarationError, parse_yaml
from leat.security.access import KINDS, VERBS, Decision, Forbidden, Resource, Verb, validate_access
from leat.security.default_policy import DEFAULT_POLICY
from leat.security.gate import Gate
from leat.security.policy import Policy, Rule, Selector
from leat.security.policy_declaration import policy_schema
from leat.security.policy_file import Security, load_security
from leat.security.principal import ROLES, Principal, Role, local_principal

PERSONAL = frozenset({"personal"})


def person(role: Role | None, scopes: frozenset[str] | None = None) -> Principal:
    return Principal("person_1", "ada", "person", frozenset({role} if role else ()), "oidc", scopes=scopes)


def allowed(role: Role | None, verb: Verb, resource: Resource, policy: Policy = DEFAULT_POLICY) -> bool:
    return validate_access(person(role), resource, verb, policy).allowed


def roles_that_may(verb: Verb, resource: Resource, policy: Policy = DEFAULT_POLICY) -> list[Role]:
    return [role for role in ROLES if allowed(role, verb, resource, policy)]


@pytest.mark.parametrize(
    ("verb", "resource", "lowest"),
    [
        ("read", Resource("stream", integration="payments", stream="charges"), "viewer"),
        ("read", Resource("stream", integration="sso", stream="users", tags=PERSONAL), "analyst"),
        ("query", Resource("query"), "analyst"),
        ("export", Resource("model", "revenue"), "analyst"),
        ("decrypt", Resource("stream", "users", tags=frozenset({"personal"})), "admin"),
        ("acknowledge", Resource("violation", "r1"), "analyst"),
        ("plan", Resource("action", integration="payments"), "analyst"),
        ("run", Resource("integration", "payments", integration="payments"), "operator"),
        ("approve", Resource("action", "a1", tags=frozenset({"money"})), "operator"),
        ("stop", Resource("action"), "operator"),
        ("configure", Resource("automation", "x"), "operator"),
        ("configure", Resource("integration", "x"), "admin"),
        ("force", Resource("catalog"), "admin"),
        ("read", Resource("audit"), "admin"),
        ("read", Resource("token", "t1", owner="person_1"), "viewer"),
        ("administer", Resource("token", "t1", owner="person_2"), "admin"),
    ],
)
def test_what_each_role_may_without_policies(verb: Verb, resource: Resource, lowest: Role) -> None:
    assert roles_that_may(verb, resource) == list(ROLES[ROLES.index(lowest) :])
    assert not allowed(None, verb, resource)


def test_a_token_may_only_what_its_scopes_say() -> None:
    payments, mail = (Resource("integration", name, integration=name) for name in ("payments", "mail"))
    token = person("admin", frozenset({"read", "run:payments"}))
    may = [validate_access(token, payments, verb).allowed for verb in ("read", "run", "configure")]
    assert may == [True, True, False]
    assert validate_access(token, mail, "run").reason == "the token's scopes don't include run"


def test_a_deny_and_an_allow_on_personal_data_are_recorded(store: Engine) -> None:
    gate, users = Gate(DEFAULT_POLICY, lambda: store), Resource("stream", integration="sso", stream="users")
    personal = Resource("stream", integration="sso", stream="users", tags=PERSONAL)
    gate.require(person("analyst"), users, "read")
    gate.require(person("analyst"), personal, "read")
    with pytest.raises(Forbidden, match=r"ada may not read stream sso.users: no rule .* takes the role analyst"):
        gate.require(person("viewer"), personal, "read")
    with Session(store) as session:
        rows = session.execute(select(AuditEvent.event, AuditEvent.detail).order_by(AuditEvent.id)).all()
    assert [row.event for row in rows] == ["access.allowed", "access.denied"]
    denied = json.loads(rows[1].detail)
    assert (denied["verb"], denied["role"], denied["policy"]) == ("read", "viewer", DEFAULT_POLICY.hash)
    assert "ada" not in rows[1].detail


# -- files ------------------------------------------------------------------------------------------------------------

FILE = """\
rules:
  - permit: read
    from: viewer
    on: {stream: sso.users, tag: personal}
  - forbid: [query, export]
    up_to: operator
    on: {integration: email}
    because: mails are read in the mail program
local_accounts: {default: viewer, ada: operator}
sign_in:
  issuer: https://id.example
  client_id: leat
  client_secret: {env: SECRET}
  roles: {staff: viewer, data: analyst}
audit: {checkpoints: /mnt/audit/checkpoints.jsonl}
"""


def load(folder: Path, *texts: str) -> Security:
    (folder / "policies").mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / "policies" / f"file{number}.yaml").write_text(text)
    return load_security(Project(folder, folder / ".leat", None, ""))


def test_a_file_adds_to_the_defaults_and_a_forbid_wins(tmp_path: Path) -> None:
    security = load(tmp_path, FILE)
    policy = security.policy
    users = Resource("stream", integration="sso", stream="users", tags=PERSONAL)
    mails = Resource("stream", integration="email", stream="messages", tags=PERSONAL)
    assert roles_that_may("read", users, policy) == list(ROLES)
    assert roles_that_may("query", mails, policy) == ["admin"]
    decision = validate_access(person("analyst"), mails, "query", policy)
    assert decision == Decision(False, "policies/file0.yaml:5", policy.hash, "mails are read in the mail program")
    assert [policy.local_role(name) for name in ("ada", "bob")] == ["operator", "viewer"]
    assert security.sign_in is not None
    assert security.sign_in.roles == {"staff": "viewer", "data": "analyst"}
    assert security.audit is not None
    assert policy.hash != DEFAULT_POLICY.hash
    assert policy.hash == load(tmp_path, FILE.replace("mails are read in the mail program", "x")).policy.hash
    own = load(tmp_path, FILE + "defaults: false\n").policy
    assert roles_that_may("run", Resource("integration"), own) == []
    assert load_security(Project(tmp_path / "none", tmp_path, None, "")) == Security()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules:\n  - permit: raed\n    from: viewer\n", "file0.yaml:2: rules[0].permit: 'raed' is no verb; did"),
        ("rules:\n  - permit: read\n    from: vewer\n", "file0.yaml:3: rules[0].from: 'vewer' is no role; did"),
        ("rules:\n  - permit: read\n", "file0.yaml:2: rules[0]: permit needs from"),
        ("rules:\n  - forbid: read\n    from: viewer\n", "file0.yaml:2: rules[0]: forbid needs up_to"),
        ("rules:\n  - from: viewer\n", "file0.yaml:2: rules[0]: write either permit or forbid"),
        ("rules:\n  - permit: read\n    from: viewer\n    on: {tag: personl}\n", "no such tag; did you mean"),
        ("rules:\n  - permit: read\n    from: viewer\n    on: {kind: straem}\n", 'did you mean "stream"?'),
        ("ruels: []\n", 'file0.yaml:1: ruels: unknown key; did you mean "rules"?'),
        ("local_accounts: {ada: root}\n", "'root' is no role"),
        ("sign_in: {issuer: x, client_id: y, client_secret: z, roles: {a: admin}}\n", "a secret is never written here"),
        ("- permit: read\n", "expected keys such as `rules:`"),
    ],
)  # fmt: skip
def test_a_mistake_is_explained_and_nothing_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert len(caught.value.diagnostics) == 1


def test_a_second_sign_in_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"file1.yaml:10: sign_in: is in another file already"):
        load(tmp_path, FILE, FILE)


def test_the_schema_accepts_what_leat_accepts() -> None:
    validator = Draft202012Validator(policy_schema())
    assert list(validator.iter_errors(parse_yaml(FILE, Path("x.yaml"), "x.yaml").value)) == []
    assert list(validator.iter_errors({"rules": [{"permit": "raed", "from": "viewer"}]}))


# -- Cedar as the oracle ----------------------------------------------------------------------------------------------

NAMES, INTEGRATIONS, STREAMS, TAGS = ("a", "b"), ("sso", "payments"), ("users", "charges"), ("personal", "money")
PEOPLE = ("person_1", "person_2")


def some(values: tuple[str, ...]) -> st.SearchStrategy[frozenset[Any]]:
    return st.frozensets(st.sampled_from(values), max_size=2)


selectors = st.builds(
    Selector,
    kinds=some(KINDS[:4]),
    names=some(NAMES),
    integrations=some(INTEGRATIONS),
    streams=some(tuple(f"{i}.{s}" for i in INTEGRATIONS for s in STREAMS)),
    tags=some(TAGS),
    without=some(TAGS),
    own=st.booleans(),
)
rules = st.builds(
    Rule,
    name=st.just("rule"),
    effect=st.sampled_from(["permit", "permit", "forbid"]),
    roles=st.frozensets(st.sampled_from(ROLES), min_size=1),
    verbs=st.frozensets(st.sampled_from(VERBS[:4]), min_size=1),
    on=selectors,
)
resources = st.builds(
    Resource,
    kind=st.sampled_from(KINDS[:4]),
    name=st.sampled_from(("", *NAMES)),
    integration=st.sampled_from((None, *INTEGRATIONS)),
    stream=st.sampled_from((None, *STREAMS)),
    tags=some(TAGS),
    owner=st.sampled_from((None, *PEOPLE)),
)


def literal(values: frozenset[str], wrap: str = "{}") -> str:
    return "[" + ", ".join(wrap.format(json.dumps(value)) for value in sorted(values)) + "]"


def in_cedar(rule: Rule) -> str:
    on = rule.on
    conditions = [
        "context.person == resource.owner" if on.own else "",
        f"{literal(on.kinds)}.contains(resource.kind)" if on.kinds else "",
        f"{literal(on.names)}.contains(resource.name)" if on.names else "",
        f"{literal(on.integrations)}.contains(resource.integration)" if on.integrations else "",
        f"{literal(on.streams)}.contains(resource.stream)" if on.streams else "",
        f"resource.tags.containsAny({literal(on.tags)})" if on.tags else "",
        f"!resource.tags.containsAny({literal(on.without)})" if on.without else "",
        f"{literal(rule.roles)}.contains(context.role)",
    ]
    when = " && ".join(each for each in conditions if each)
    actions = literal(rule.verbs, "Action::{}")
    return f"{rule.effect}(principal, action in {actions}, resource) when {{ {when} }};"


@given(
    st.lists(rules, min_size=1, max_size=8), st.lists(resources, min_size=1, max_size=4), st.sampled_from(ROLES),
    st.sampled_from(PEOPLE),
)  # fmt: skip
def test_cedar_decides_as_leat_does(generated: list[Rule], asked: list[Resource], role: Role, who: str) -> None:
    policy = Policy(tuple(generated))
    principal = Principal(who, "x", "person", frozenset({role}), "oidc")
    text = "\n".join(map(in_cedar, generated))
    questions = [(resource, verb) for resource in asked for verb in VERBS[:4]]
    entities = [{"uid": {"type": "User", "id": who}, "attrs": {}, "parents": []}] + [
        {
            "uid": {"type": "Resource", "id": str(number)},
            "attrs": {"kind": each.kind, "name": each.name, "integration": each.integration or "",
                      "stream": f"{each.integration}.{each.stream}", "tags": sorted(each.tags),
                      "owner": each.owner or ""},
            "parents": [],
        }
        for number, each in enumerate(asked)
    ]  # fmt: skip
    requests = [
        {"principal": f'User::"{who}"', "action": f'Action::"{verb}"', "resource": f'Resource::"{number}"',
         "context": {"role": role, "person": who}}
        for number in range(len(asked)) for verb in VERBS[:4]
    ]  # fmt: skip
    answers = cedarpy.is_authorized_batch(requests, text, entities)
    expected = [answer.decision == cedarpy.Decision.Allow for answer in answers]
    assert not any(answer.diagnostics.errors for answer in answers)
    assert [validate_access(principal, resource, verb, policy).allowed for resource, verb in questions] == expected


def test_the_local_account_is_an_administrator() -> None:
    assert local_principal().role == "admin"
    assert local_principal().id.startswith("local:")
