"""Two people of each role and every operation of the API: nobody reaches what belongs to the other.

OWASP API Security 2023: API1 (objects), API3 (properties), API5 (functions; by role in ``tests/serve/test_api.py``).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from leat.control.engine import writing
from leat.runs import callers, people
from leat.security.people import Identity, save_person
from leat.security.principal import ROLES, Role
from leat.security.sessions import create_session
from tests.kit.api import InProcess, api_in_process
from tests.kit.command import tally_project, then
from tests.kit.project import row, rows

LOWER: tuple[Role, ...] = ("viewer", "analyst", "operator")
SECRETS = ("secret_hash", "id_hash", "sealed", "refresh_token", "verifier", "nonce")
"""Columns that no answer has."""


@dataclass
class Somebody:
    """A person with a session and a token of theirs."""

    person: str
    cookie: str
    session: str
    token: str


@dataclass
class Two:
    """The API, and two people of each role."""

    api: InProcess
    people: dict[tuple[Role, str], Somebody]

    def ask(self, who: Somebody, method: str, path: str, **more: Any) -> Any:
        headers = {"Cookie": f"leat={who.cookie}", "Origin": "http://127.0.0.1", **more.pop("headers", {})}
        return self.api.client.request(method, path, headers=headers, **more)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    leat = tally_project(tmp_path_factory.mktemp("two"))
    then(leat, rows("fed", row(1, "one")))
    assert leat("run").returncode == 0
    with api_in_process(leat.folder) as api:
        yield Two(api, {(role, name): somebody(api, role, name) for role in ROLES for name in ("ada", "bob")})


def somebody(api: InProcess, role: Role, name: str) -> Somebody:
    now = datetime.now(UTC)
    store = api.workspace.store
    with writing(store) as session:
        one = save_person(session, Identity("https://id.example", f"{role}-{name}", f"{name}-{role}"), role, now)
        person = one.id
        cookie = create_session(session, one, "oidc", now)
    current = callers.session_of(api.workspace, cookie)
    assert current is not None
    expires = now + timedelta(days=1)
    token, _ = callers.create_token(api.workspace, current.principal, "mine", expires, role=role, scopes=[])
    (listed,) = people.sessions(api.workspace, person)
    return Somebody(person, cookie, listed.id, token.id)


def operations(two: Two) -> Iterator[tuple[str, str]]:
    for path, methods in two.api.app.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), path


OF_PEOPLE = ("token_id", "session_id", "person_id")


def test_nobody_reaches_the_objects_of_somebody_of_the_same_role(two: Two) -> None:
    """API1: every operation that names an object of a person, for each role below administrators, both ways."""
    tried = 0
    for method, path in operations(two):
        if not any(f"{{{name}}}" in path for name in OF_PEOPLE):
            continue
        for role, (mine, other) in itertools.product(LOWER, (("ada", "bob"), ("bob", "ada"))):
            asks, owner = two.people[role, mine], two.people[role, other]
            address = path.format(token_id=owner.token, session_id=owner.session, person_id=owner.person)
            answer = two.ask(asks, method, address)
            assert answer.status_code == 403, (method, path, role, answer.text)
            assert owner.cookie not in answer.text
            tried += 1
    assert tried == 4 * 6
    for who in two.people.values():
        assert two.ask(who, "GET", "/v1/me").status_code == 200, "the session is still there"
        assert [each["id"] for each in two.ask(who, "GET", "/v1/tokens").json()["data"]] == [who.token]


def test_lists_have_nothing_of_somebody_else(two: Two) -> None:
    """API1: every list, and every way to ask for more of it."""
    for method, path in operations(two):
        if method != "GET" or "{" in path:
            continue
        for role, query in itertools.product(LOWER, ("", "?mine=false", "?limit=100")):
            asks, other = two.people[role, "ada"], two.people[role, "bob"]
            answer = two.ask(asks, method, path + query)
            assert answer.status_code in (200, 403, 422), (path, query, role, answer.text)
            for theirs in (other.token, other.session, other.person, other.cookie):
                assert theirs not in answer.text, (path, query, role)


def test_no_answer_has_properties_that_are_nobodys_business(two: Two) -> None:
    """API3: not even for administrators."""
    admin = two.people["admin", "ada"]
    for method, path in operations(two):
        if method == "GET":
            named = {"token_id": admin.token, "session_id": admin.session, "person_id": admin.person, "name": "tally",
                     "schema": "tally", "table": "fed", "seq": "1"}  # fmt: skip
            answer = two.ask(admin, method, path.format_map(_Any(named)))
            for name in SECRETS:
                assert f'"{name}' not in answer.text, (path, name)


class _Any(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "none"


MORE = {"role": "admin", "owner": "local:root", "person": "x", "id": "x", "scopes": ["all"], "status": "confirmed",
        "approved_by": "x", "created_at": "2030-01-01T00:00:00Z", "is_admin": True}  # fmt: skip


def test_properties_that_an_operation_doesnt_have_change_nothing(two: Two) -> None:
    """API3: what isn't described is refused, or has no effect; nobody gives themselves a role."""
    viewer = two.people["viewer", "ada"]
    expires = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    answer = two.ask(viewer, "POST", "/v1/tokens", json={"name": "more", "expires_at": expires, "role": "admin"})
    assert answer.status_code == 422, answer.text
    described = two.api.app.openapi()
    for method, path in operations(two):
        body = described["paths"][path][method.lower()].get("requestBody")
        if body is None:
            continue
        schema = body["content"]["application/json"]["schema"]
        name = schema.get("$ref", "").rpartition("/")[2]
        known = described["components"]["schemas"].get(name, {}).get("properties", {})
        more = {key: value for key, value in MORE.items() if key not in known}
        answer = two.ask(viewer, method, path.format_map(_Any()), json=more)
        assert answer.status_code in (403, 404, 409, 415, 422), (method, path, answer.text)
        assert answer.status_code < 200 or answer.status_code >= 400
    assert two.ask(viewer, "GET", "/v1/me").json()["role"] == "viewer"


def test_a_token_of_somebody_does_no_more_than_they_may(two: Two) -> None:
    """API5: the API takes no role from a request: neither by a header, nor by a parameter."""
    viewer = two.people["viewer", "ada"]
    for headers in (
        {"X-Forwarded-User": "admin"},
        {"X-User-Id": two.people["admin", "ada"].person},
        {"X-HTTP-Method-Override": "GET"},
        {"X-Original-URL": "/v1/me"},
        {"Authorization": "Bearer leat_x_y"},
    ):
        answer = two.ask(viewer, "GET", "/v1/audit", headers=headers)
        assert answer.status_code in (401, 403), (headers, answer.text)
    assert two.ask(viewer, "GET", "/v1/audit?role=admin").status_code == 422, "there is no such parameter"


def test_clients_of_two_people_share_no_answer(two: Two) -> None:
    """Answers that are given again belong to whoever asked, whatever the cache knows."""
    answers = {}
    for name in ("ada", "bob", "ada", "bob"):
        who = two.people["analyst", name]
        text = two.ask(who, "GET", "/v1/me").text
        assert answers.setdefault(name, text) == text
    assert json.loads(answers["ada"])["id"] != json.loads(answers["bob"])["id"]
    with TestClient(two.api.front, base_url="http://127.0.0.1") as nobody:
        assert nobody.get("/v1/me").status_code == 401
