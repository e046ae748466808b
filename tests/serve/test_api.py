"""The API of a running `leat serve`: who may what, runs that are followed, queries, errors, pages, idempotency."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import requests
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from leat.runs.access import Principal, Resource
from leat.runs.query_tables import Unreadable, resources_of
from leat.runs.requests import RequestedRun
from leat.runs.workspace import open_workspace
from leat.security.links import make_link, redeem_link
from leat.security.principal import local_principal
from leat.security.tokens import create_token
from leat.serve.api.guard import Guard, GuardedRoute, answered
from leat.serve.api.queries import FORMS, READ
from leat.serve.app import NAMES, ROUTERS, create_app
from leat.serve.current import Current
from leat.serve.health import Health
from tests.kit.api import RULE
from tests.kit.child import wait_until
from tests.kit.command import ROOT, Leat, tally_project, then
from tests.kit.project import row, rows
from tests.kit.serving import Served, served

ROLES = ("viewer", "analyst", "operator", "admin")
DESCRIPTION = ROOT / "docs" / "openapi.json"
MODEL = "/* ---\ndescription: A row with a label.\ngrain: [id]\n--- */\nSELECT shelf, id, label FROM tally.fed"


@dataclass
class Api:
    """The API, asked with the token of a role."""

    served: Served
    leat: Leat
    tokens: dict[str, str]

    def __call__(self, method: str, path: str, role: str = "admin", **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.tokens[role]}", **more.pop("headers", {})}
        return requests.request(method, self.served.url + path, headers=headers, timeout=60, **more)

    def query(self, sql: str, role: str = "admin", accept: str = "application/json", **more: Any) -> requests.Response:
        return self("POST", "/v1/queries", role, json={"sql": sql, **more}, headers={"Accept": accept})


@pytest.fixture(scope="module")
def leat(tmp_path_factory: pytest.TempPathFactory) -> Leat:
    leat = tally_project(tmp_path_factory.mktemp("api"))
    (leat.folder / "quality" / "rules").mkdir(parents=True)
    (leat.folder / "quality" / "rules" / "labels.sql").write_text(RULE)
    (leat.folder / "assets" / "models").mkdir(parents=True)
    (leat.folder / "assets" / "models" / "labelled.sql").write_text(MODEL)
    then(leat, rows("fed", row(1, "one"), row(2, "=2+2"), row(3, "three")))
    assert leat("run").returncode == 0
    return leat


@pytest.fixture(scope="module")
def api(leat: Leat) -> Iterator[Api]:
    tokens = {role: leat.json("tokens", "create", role, "--expires", "P1D", "--role", role)["token"] for role in ROLES}
    with served(leat) as one:
        yield Api(one, leat, tokens)


@pytest.fixture(scope="module")
def app(leat: Leat) -> FastAPI:
    workspace = open_workspace(leat.folder)
    return create_app(Health(workspace), Current(workspace))


LOWEST = {
    "GET /v1/me": "viewer",
    "GET /v1/tokens": "viewer",
    "POST /v1/tokens": "viewer",
    "DELETE /v1/tokens/{token_id}": "viewer",
    "GET /v1/audit": "admin",
    "GET /v1/integrations": "viewer",
    "GET /v1/integrations/{name}": "viewer",
    "POST /v1/drafts": "admin",
    "GET /v1/drafts/{draft_id}": "admin",
    "POST /v1/drafts/{draft_id}:test": "admin",
    "POST /v1/drafts/{draft_id}:save": "admin",
    "DELETE /v1/drafts/{draft_id}": "admin",
    "GET /v1/runs": "viewer",
    "POST /v1/runs": "operator",
    "GET /v1/runs/{run_id}": "viewer",
    "GET /v1/runs/{run_id}/events": "viewer",
    "GET /v1/violations": "viewer",
    "GET /v1/violations/{key}": "viewer",
    "POST /v1/violations/{key}:acknowledge": "analyst",
    "GET /v1/actions": "viewer",
    "POST /v1/actions": "analyst",
    "GET /v1/verbs": "viewer",
    "GET /v1/tables": "viewer",
    "GET /v1/tables/{schema}.{table}": "viewer",
    "GET /v1/lineage": "viewer",
    "GET /v1/actions/{action_id}": "viewer",
    "POST /v1/actions/{action_id}:approve": "viewer",  # as far as that it isn't there
    "POST /v1/actions/{action_id}:reject": "viewer",
    "POST /v1/actions/{action_id}:cancel": "viewer",
    "POST /v1/actions/{action_id}:undo": "viewer",
    "GET /v1/automations": "viewer",
    "POST /v1/automations/{name}:enable": "operator",
    "POST /v1/automations/{name}:disable": "operator",
    "POST /v1/queries": "analyst",
    "GET /v1/hooks/deliveries": "operator",
    "GET /v1/hooks/deliveries/{seq}": "operator",
    "POST /v1/hooks/deliveries/{seq}:replay": "operator",
    "GET /v1/people": "admin",
    "GET /v1/people/{person_id}": "admin",
    "POST /v1/people/{person_id}:sign-out": "admin",
    "GET /v1/sessions": "viewer",
    "DELETE /v1/sessions/{session_id}": "viewer",  # as far as that it isn't there
    "GET /v1/endpoints": "operator",
    "GET /v1/endpoints/{name}": "operator",
    "POST /v1/endpoints/{name}:pause": "operator",
    "POST /v1/endpoints/{name}:enable": "operator",
    "POST /v1/endpoints/{name}:test": "operator",
    "POST /v1/endpoints/{name}:replay": "operator",
    "GET /v1/deliveries": "operator",
    "GET /v1/deliveries/{delivery_id}": "operator",
    "POST /v1/deliveries/{delivery_id}:replay": "operator",
}
"""The lowest role that isn't refused, by operation."""


def test_each_operation_refuses_roles_below_its_own(api: Api, app: FastAPI) -> None:
    described = app.openapi()["paths"]
    assert {f"{method.upper()} {path}" for path, methods in described.items() for method in methods} == LOWEST.keys()
    violation = api("GET", "/v1/violations").json()["data"][0]["key"]
    run = api("POST", "/v1/runs", json={"integrations": ["tally"]}).json()["id"]
    named = {"name": "tally", "run_id": run, "key": violation, "seq": "1", "token_id": "none", "action_id": "none",
             "delivery_id": "none", "person_id": "none", "session_id": "none", "draft_id": "none",
             "schema": "tally", "table": "fed"}  # fmt: skip
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    bodies: dict[str, Any] = {
        "/v1/runs": {"integrations": ["tally"]},
        "/v1/queries": {"sql": "SELECT 1 AS one"},
        "/v1/drafts": {"name": "shop", "declaration": {}},
        "/v1/actions": {"integration": "tally", "verb": "none"},
        "/v1/tokens": {"name": "x", "expires_at": later},
        "/v1/violations/{key}:acknowledge": {"until": later},
    }
    for operation, lowest in LOWEST.items():
        method, path = operation.split()
        for role in ROLES:
            answer = api(method, path.format(**named), role, json=bodies.get(path))
            refused = ROLES.index(role) < ROLES.index(lowest)
            assert (answer.status_code == 403) is refused, (operation, role, answer.text)
            assert answer.status_code < 500, (operation, role, answer.text)
        anonymous = requests.request(method, api.served.url + path.format(**named), timeout=30)
        assert anonymous.status_code in (401, 429), operation


def test_a_route_that_does_not_ask_answers_nothing(app: FastAPI, leat: Leat) -> None:
    """Every route but those of health and mails goes through the guard, and the guard insists."""
    public = {"/livez", "/readyz", "/unsubscribe/{token}", "/c/{token}", "/o/{token}"}  # of mails: tokens are signed
    assert {route.path for route in app.routes if isinstance(route, APIRoute)} == public
    routes = [route for router in ROUTERS for route in router.routes]
    assert {type(route) for route in routes} == {GuardedRoute}
    assert len(routes) == len(LOWEST) + 1  # that of the description

    async def silent(_request: Request) -> Response:
        return Response("what nobody was asked for")

    request = Request({"type": "http", "method": "GET", "path": "/v1/new", "headers": [], "query_string": b""})
    workspace = open_workspace(leat.folder)
    guard = Guard(workspace, Principal("local:ada", "ada", "person", frozenset({"admin"}), "local"))
    with pytest.raises(RuntimeError, match="hasn't asked for access"):
        asyncio.run(answered(request, guard, silent))
    guard.require("read", Resource("overview"))
    assert asyncio.run(answered(request, guard, silent)).status_code == 200
    workspace.close()


def test_the_committed_description_is_fresh(app: FastAPI) -> None:
    """To renew it: LEAT_WRITE_OPENAPI=1 and this test."""
    text = json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("LEAT_WRITE_OPENAPI"):
        DESCRIPTION.write_text(text)
    assert DESCRIPTION.read_text() == text
    assert json.loads(text)["openapi"].startswith("3.1")


def test_tokens_are_checked(api: Api) -> None:
    for header in ("", "Bearer", "Bearer leat_x_y", "Basic abc", f"Bearer {api.tokens['admin']}x"):
        answer = api("GET", "/v1/me", headers={"Authorization": header})
        assert answer.status_code in (401, 429), header
    assert api("GET", "/v1/me").json()["role"] == "admin"
    (leat_token,) = [one for one in api("GET", "/v1/tokens").json()["data"] if one["name"] == "operator"]
    assert api("GET", "/v1/me", "operator").status_code == 200
    assert api("DELETE", f"/v1/tokens/{leat_token['id']}").status_code == 204
    assert api("GET", "/v1/me", "operator").status_code in (401, 429)
    revoked = api.leat.json("tokens", "create", "x", "--expires", "P1D")
    for _ in range(2):
        assert api("GET", "/v1/me", headers={"Authorization": f"Bearer {revoked['token']}"}).status_code == 200
    api.leat("tokens", "revoke", revoked["details"]["id"])  # by another process
    answer = api("GET", "/v1/me", headers={"Authorization": f"Bearer {revoked['token']}"})
    assert answer.status_code in (401, 429)
    api.tokens["operator"] = api.leat.json("tokens", "create", "operator", "--expires", "P1D", "--role", "operator")[
        "token"
    ]


def test_a_new_token_is_stored_nowhere(api: Api) -> None:
    workspace = open_workspace(api.leat.folder)
    session = redeem_link(workspace.store, make_link(workspace.store, local_principal()), "admin")
    workspace.close()
    made = requests.post(
        f"{api.served.url}/v1/tokens",
        json={"name": "x", "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()},
        headers={"Idempotency-Key": "t1", "Origin": api.served.url},
        cookies={"leat": str(session)},
        timeout=60,
    )
    assert made.status_code == 201, made.text
    secret = made.json()["token"].rpartition("_")[2]
    files = [path for path in (api.leat.folder / ".leat").rglob("*") if path.is_file()]
    assert [path for path in files if secret.encode() in path.read_bytes()] == []


def test_a_run_is_followed_to_its_end(api: Api) -> None:
    then(api.leat, rows("fed", row(4, "four")))
    key = {"Idempotency-Key": "once"}
    asked = api("POST", "/v1/runs", json={"integrations": ["tally"]}, headers=key)
    again = api("POST", "/v1/runs", json={"integrations": ["tally"]}, headers=key)
    assert (asked.status_code, again.json()) == (202, asked.json())
    assert again.headers["idempotent-replayed"] == "true"
    other = api("POST", "/v1/runs", json={"integrations": ["tally", "tally"]}, headers=key)
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    where = asked.headers["location"]
    events = api("GET", f"{where}/events").text.split("\n\n")
    names = [
        line.removeprefix("event: ") for event in events for line in event.split("\n") if line.startswith("event:")
    ]
    assert (names[0], names[-2:]) == ("phase", ["ended", "state"])
    assert "result" in names
    rest = api("GET", f"{where}/events", headers={"Last-Event-ID": "3"}).text
    assert rest.startswith("id: 4\n")
    assert api("GET", where).json()["state"] == "ok"
    assert api("GET", "/v1/runs?integration=tally").json()["data"][0]["trigger"] == "serve"
    assert api.query("SELECT label FROM tally.fed WHERE id = 4").json()["rows"] == [{"label": "four"}]


def test_a_run_builds_all_rows_of_models_if_it_is_asked_to(api: Api) -> None:
    def built_after(**asked: object) -> tuple[bool, str]:
        answer = api("POST", "/v1/runs", json={"integrations": ["tally"], **asked})
        assert answer.status_code == 202, answer.text
        api("GET", f"{answer.headers['location']}/events")
        assert api("GET", answer.headers["location"]).json()["state"] == "ok"
        return answer.json()["full_refresh"], api.query("SELECT built_at FROM leat.models").json()["rows"][0][
            "built_at"
        ]

    said, before = built_after()
    assert said is False
    assert built_after(full_refresh=False) == (False, before)
    said, after = built_after(full_refresh=True)
    assert said is True
    assert after > before
    assert api("POST", "/v1/runs", json={"integrations": ["tally"], "full_refresh": "yes"}).status_code == 422
    assert api("GET", "/v1/tables/analytics.labelled").json()["grain"] == "id"


def test_rows_come_in_each_form(api: Api) -> None:
    sql = "SELECT id, label FROM tally.fed WHERE id < 3 ORDER BY id"
    expected = [{"id": 1, "label": "one"}, {"id": 2, "label": "=2+2"}]
    assert api.query(sql).json() == {"columns": ["id", "label"], "rows": expected}
    lines = api.query(sql, accept="application/x-ndjson").text.splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert api.query(sql, accept="text/csv").text == "id,label\r\n1,one\r\n2,'=2+2\r\n"
    arrow = api.query(sql, accept="application/vnd.apache.arrow.stream")
    assert pa.ipc.open_stream(arrow.content).read_all().to_pylist() == expected
    assert api.query(sql, rows=1).json()["rows"] == expected[:1]
    assert api.query(sql, accept="image/png").status_code == 406


def test_rows_as_a_file_need_the_right_to_export(api: Api, app: FastAPI) -> None:
    sql, tomorrow = "SELECT id FROM tally.fed", datetime.now(UTC) + timedelta(days=1)
    store, owner = app.state.current.workspace().store, local_principal()
    for role in ROLES:
        reads = 403 if role == "viewer" else 200
        without = f"{role} who may not export"
        api.tokens[without] = create_token(store, owner, without, tomorrow, role=role, scopes=["read", "query"])[1]
        assert api.query(sql, without).status_code == reads
        assert api.query(sql, role, rows=READ + 1).status_code == reads
        assert api.query(sql, role, "text/csv").status_code == reads
        refused = [api.query(sql, without, form) for form in FORMS if form != "application/json"]
        for answer in (*refused, api.query(sql, without, rows=READ + 1)):
            assert answer.status_code == 403, (role, answer.text)
            assert f"may not {'query' if role == 'viewer' else 'export'}" in answer.json()["detail"]


def test_a_query_that_takes_too_long_is_stopped_and_others_go_on(api: Api) -> None:
    endless = "SELECT count(*) FROM range(100000000000) AS a, range(1000) AS b"
    stopped = api.query(endless, seconds=0.5)
    assert (stopped.status_code, "stopped" in stopped.json()["detail"]) == (422, True)
    assert api.query("SELECT 1 AS one").json()["rows"] == [{"one": 1}]


def test_a_query_is_answered_again_for_its_idempotency_key(api: Api) -> None:
    for _ in range(2):
        answer = api("POST", "/v1/queries", json={"sql": "SELECT 1 AS one"}, headers={"Idempotency-Key": "query"})
        assert (answer.status_code, answer.json()["rows"]) == (200, [{"one": 1}]), answer.text


def test_clients_that_go_before_the_first_row_leave_nothing_running(api: Api) -> None:
    slow = "SELECT count(*) AS n FROM range(40000000) AS a, range(10) AS b"
    for _ in range(2):
        for _ in range(4):  # so many may run at a time
            with contextlib.suppress(requests.Timeout):
                requests.post(
                    f"{api.served.url}/v1/queries",
                    json={"sql": slow, "seconds": 3},
                    headers={"Authorization": f"Bearer {api.tokens['admin']}"},
                    timeout=0.3,
                )
        wait_until(lambda: api.query("SELECT 1 AS one").status_code == 200, 30)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "DROP TABLE tally.fed",
        "COPY tally.fed TO 'live/x'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM query('SELECT * FROM tally.fed')",
        "SELECT * FROM query_table('tally.fed')",
        "SELECT ts_stat('SELECT to_tsvector(label) FROM tally.fed')",
        "SELECT a.* FROM range(1), LATERAL json_execute_serialized_sql(json_serialize_sql('SELECT 1')) AS a",
        "SELECT * FROM (WITH \"live/1.ndjson\" AS (SELECT 1) SELECT 1) AS a, \"live/1.ndjson\"",
        "SELECT * FROM fed",
        "SELECT * FROM other.tally.fed",
        "SUMMARIZE tally.fed",
        "SET memory_limit = '1TB'",
        "WITH",
        "",
    ],
)  # fmt: skip
def test_what_hides_what_it_reads_is_refused(api: Api, leat: Leat, sql: str) -> None:
    with pytest.raises(Unreadable):
        resources_of(open_workspace(leat.folder), sql)
    assert api.query(sql).status_code == 422


def test_a_query_asks_for_each_table(leat: Leat) -> None:
    workspace = open_workspace(leat.folder)

    def named(sql: str) -> set[tuple[str, str, bool]]:
        return {(each.kind, each.name, "personal" in each.tags) for each in resources_of(workspace, sql)}

    fed = {("stream", "fed", True)}
    for sql in (
        "SELECT * FROM tally.fed",
        "FROM TALLY.Fed",
        "WITH a AS (SELECT * FROM warehouse.tally.fed) SELECT * FROM a",
        "SELECT 1 WHERE EXISTS (SELECT * FROM tally.fed_history)",
        "EXPLAIN ANALYZE SELECT * FROM tally.fed_as_of('2030-01-01')",
        "SELECT (SELECT max(id) FROM tally.fed) UNION ALL SELECT 1",
    ):
        assert named(sql) == fed, sql
    assert named("SELECT * FROM leat.loads") == {("catalog", "leat.loads", False)}
    assert resources_of(workspace, "SELECT * FROM leat.quarantine") == [
        Resource("stream", integration="tally", tags=frozenset({"personal"}))
    ]
    assert named("SELECT * FROM hooks.events") == {("hook", "", False)}
    assert named("SELECT * FROM analytics.people") == {("model", "people", True)}
    workspace.close()


def test_violations_are_listed_in_pages_and_acknowledged(api: Api) -> None:
    seen: list[str] = []
    path = "/v1/violations?limit=1"
    while path:
        page = api("GET", path)
        seen += [one["key"] for one in page.json()["data"]]
        path = page.links["next"]["url"] if "next" in page.links else ""
    assert len(seen) == len(set(seen)) >= 3
    assert api("GET", "/v1/violations?cursor=eHg").json()["type"] == "/problems/bad-cursor"
    one = f"/v1/violations/{seen[0]}"
    assert api("GET", one, "viewer").json()["evidence"] is None
    assert api("GET", one, "analyst").json()["evidence"]["id"]
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    done = api("POST", f"{one}:acknowledge", "analyst", json={"until": until, "note": "on it"})
    assert (done.json()["state"], done.json()["acknowledged_note"]) == ("acknowledged", "on it")
    assert api("POST", f"{one}:acknowledge", json={"until": "2020-01-01T00:00:00Z"}).status_code == 422


def test_an_unchanged_answer_is_not_sent_again(api: Api) -> None:
    first = api("GET", "/v1/integrations/tally")
    again = api("GET", "/v1/integrations/tally", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")
    assert first.headers["cache-control"] == "private, no-cache"


def test_mistakes_are_listed(api: Api) -> None:
    answer = api("POST", "/v1/runs", json={"integrations": [], "extra": 1})
    assert answer.json()["type"] == "/problems/invalid"
    assert {error["at"] for error in answer.json()["errors"]} == {"body.integrations", "body.extra"}
    misspelt = api("GET", "/v1/runs?integratoin=tally&limit=1&limit=2").json()["errors"]
    assert misspelt[0] == {"at": "query.integratoin", "message": 'no such parameter; did you mean "integration"?'}
    assert misspelt[1]["at"] == "query.limit"
    for nul in (api("GET", "/v1/runs?integration=%00"), api("POST", "/v1/runs", json={"integrations": ["\0"]})):
        assert (nul.status_code, nul.json()["errors"][0]["message"]) == (422, "has the character NUL")
    assert api("GET", "/v1/audit?before=99999999999999999999").status_code == 422
    broken = api("POST", "/v1/runs", data="{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 422
    assert api("POST", "/v1/runs", json={"integrations": ["nope"]}).json()["type"] == "/problems/no-such-integration"


def test_each_type_of_problem_is_documented() -> None:
    folder = ROOT / "leat" / "serve"
    code = "".join(
        path.read_text() for path in (*folder.glob("*.py"), *folder.glob("api/*.py")) if path.stem != "links"
    )
    raised = {(int(status), name) for status, name in re.findall(r'\bProblem\(\s*(\d+),\s*"([a-z-]+)"', code)}
    raised |= set(NAMES.items())
    lines = re.findall(r"^\| ([0-9, ]+) \| (.*) \|$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    documented = {
        (int(status), name)
        for statuses, names in lines
        for status in statuses.split(", ")
        for name in re.findall(r"`([a-z-]+)`", names)
    }
    assert raised - documented == set()
    assert {name for _, name in documented} == {name for _, name in raised}


def test_a_page_of_another_site_cannot_use_a_session(api: Api) -> None:
    def post(**headers: str) -> int:
        given = {"Cookie": "leat=abc", **{name.replace("_", "-"): value for name, value in headers.items()}}
        url = f"{api.served.url}/v1/runs"
        return requests.post(url, json={"integrations": ["tally"]}, headers=given, timeout=30).status_code

    own = api.served.url
    assert post() == 403
    assert post(Origin="https://evil.example") == 403
    assert post(Origin=own, Sec_Fetch_Site="cross-site") == 403
    assert post(Origin=own, Sec_Fetch_Site="same-origin") in (401, 429)  # that session isn't there


def test_a_changed_policy_counts_within_seconds(api: Api) -> None:
    path = api.leat.folder / "policies" / "no_queries.yaml"
    path.parent.mkdir()
    assert api.query("SELECT 1 AS one", "analyst").status_code == 200
    path.write_text("rules:\n  - {forbid: query, up_to: analyst, because: of the test}\n")
    wait_until(lambda: api.query("SELECT 1 AS one", "analyst").status_code == 403)
    path.unlink()
    wait_until(lambda: api.query("SELECT 1 AS one", "analyst").status_code == 200)


def test_a_run_that_waits_in_a_file_of_an_earlier_version_is_carried_out(api: Api) -> None:
    asked = RequestedRun("run_0123456789abcdef", ["tally"], "ada", datetime.now(UTC))
    folder = Path(api.leat.folder, ".leat", "requests")
    folder.mkdir(mode=0o700)
    for each in (asked, replace(asked, id="run_0", state="ok")):
        (folder / f"{each.id}.json").write_text(json.dumps(asdict(each), default=str))
    (folder / f"{asked.id}.queued").touch()
    api.served.kill("worker")
    wait_until(lambda: api("GET", f"/v1/runs/{asked.id}").json().get("state") == "ok")
    assert api("GET", "/v1/runs/run_0").status_code == 404
    assert not folder.exists()
