"""Dagster's UI behind sign-in: every mutation by every transport and role, forged headers, odd paths, a run that lands.

Dagster's process is the real one, started once; the web process's part runs in a thread behind its real front.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import httpx2
import pytest
import requests
from dagster_graphql.schema import create_schema
from sqlalchemy import select
from sqlalchemy.orm import Session
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect, unix_connect
from websockets.typing import Subprotocol

from leat.control.audit_tables import AuditEvent
from leat.control.engine import writing
from leat.dagster_project.ui import IDLE, end_when_idle
from leat.runs.dagster_graphql import ALLOWED, REFUSED_AS
from leat.runs.dagster_process import (
    GRAPHQL,
    HEADER,
    May,
    meeting_folder,
    socket_path,
    vouch,
)
from leat.runs.workspace import Workspace, open_workspace
from leat.security.people import Identity, save_person
from leat.security.principal import local_principal
from leat.security.sessions import create_session
from leat.security.tokens import create_token
from leat.serve.app import create_app
from leat.serve.current import Current
from leat.serve.dagster_ui.process import DagsterProcess
from leat.serve.health import Health
from leat.serve.limits import Buckets
from tests.kit.command import Leat, tally_project, then
from tests.kit.dagster_ui import KEY, LAUNCH, ask_inside, dagster_of
from tests.kit.graphql_documents import mutations_of
from tests.kit.project import row, rows
from tests.kit.serving import exchange, fronted

ROLES = ("viewer", "analyst", "operator", "admin")
POLICY = "rules:\n  - {permit: read, from: analyst, on: {kind: dagster}}\n"
"""So that each way to be treated has a role: not at all, read-only, and everything twice."""
NAMED = {"repositoryLocationName": "nowhere", "repositoryName": "__repository__"}
MUTATIONS = mutations_of(create_schema().graphql_schema, NAMED)
UNCHECKED = {"logTelemetry", "setNuxSeen"}
"""Mutations for which Dagster asks for no permission; they change nothing of a project."""
TYPENAME = "{ __typename }"
SELECTOR = {"repositoryName": "__repository__", "repositoryLocationName": "leat", "jobName": "tally_job",
            "assetSelection": [{"path": ["tally", "fed"]}], "assetCheckSelection": []}  # fmt: skip
FOLLOW = """subscription S($r: ID!) { pipelineRunLogs(runId: $r, cursor: null) {
 ... on PipelineRunLogsSubscriptionSuccess { messages { __typename } } } }"""
ENDS = {"RunSuccessEvent", "RunFailureEvent", "RunCanceledEvent"}


@dataclass
class Ui:
    """Dagster's UI as clients see it.

    Attributes:
        workspace: the project.
        port: of the front.
        tokens: by role.
        cookies: of sessions, by role.
        wanted: has an item for each time that web asked for Dagster's process; True if it had failed.
    """

    workspace: Workspace
    port: int
    tokens: dict[str, str]
    cookies: dict[str, str] = field(default_factory=dict)
    wanted: list[bool] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __call__(self, method: str, path: str, role: str | None, **more: Any) -> requests.Response:
        given = {} if role is None else {"Authorization": f"Bearer {self.tokens[role]}"}
        headers = {**given, **more.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=60, allow_redirects=False, **more)

    def ask(self, role: str | None, query: str, **variables: Any) -> requests.Response:
        return self("POST", GRAPHQL, role, json={"query": query, "variables": variables})

    @contextlib.contextmanager
    def socket(self, role: str | None, path: str = GRAPHQL, **more: str) -> Iterator[ClientConnection]:
        cookie = {} if role is None else {"Cookie": f"leat={self.cookies[role]}"}
        headers = {"Origin": self.url, **cookie, **more}
        url = f"ws://127.0.0.1:{self.port}{path}"
        with connect(
            url, additional_headers=headers, subprotocols=[Subprotocol("graphql-ws")], proxy=None
        ) as connection:
            yield connection

    def inside(self, header: str | None, method: str = "POST", path: str = GRAPHQL, **more: Any) -> httpx2.Response:
        """Ask Dagster's process itself, past the web process."""
        return ask_inside(meeting_folder(self.workspace.project), header, method, path, **more)

    @contextlib.contextmanager
    def stream_inside(self, header: str) -> Iterator[ClientConnection]:
        """Open a WebSocket to Dagster's process itself."""
        path = socket_path(meeting_folder(self.workspace.project))
        with unix_connect(path, f"ws://x{GRAPHQL}", additional_headers={HEADER: header},
                          subprotocols=[Subprotocol("graphql-ws")]) as connection:  # fmt: skip
            yield connection

    def audited(self, event: str) -> list[dict[str, Any]]:
        with Session(self.workspace.store) as session:
            chosen = select(AuditEvent.detail).where(AuditEvent.event == event).order_by(AuditEvent.id)
            return [json.loads(each) for each in session.scalars(chosen)]


@pytest.fixture(scope="module")
def leat(tmp_path_factory: pytest.TempPathFactory) -> Leat:
    leat = tally_project(tmp_path_factory.mktemp("dagster"))
    (leat.folder / "policies").mkdir()
    (leat.folder / "policies" / "dagster.yaml").write_text(POLICY)
    return leat


@pytest.fixture(scope="module")
def ui(leat: Leat) -> Iterator[Ui]:
    workspace = open_workspace(leat.folder)
    expires, now = datetime.now(UTC) + timedelta(days=1), datetime.now(UTC)
    tokens = {role: create_token(workspace.store, local_principal(), role, expires, role=role)[1] for role in ROLES}
    with dagster_of(leat, workspace):
        app = create_app(Health(workspace), Current(workspace), Buckets(failures=1_000_000))
        with fronted(app, app) as port:
            ui = Ui(workspace, port, tokens)
            app.state.dagster = DagsterProcess(meeting_folder(workspace.project), KEY, ui.wanted.append)
            with writing(workspace.store) as session:
                for role in ROLES:
                    person = save_person(session, Identity("https://id.example", role, role), role, now, [role])
                    ui.cookies[role] = create_session(session, person, "oidc", now)
            yield ui
    workspace.close()


def test_every_mutation_of_dagster_has_been_looked_at() -> None:
    assert ALLOWED | REFUSED_AS.keys() == MUTATIONS.keys()
    assert not ALLOWED & REFUSED_AS.keys()


def test_mutations_by_role(ui: Ui) -> None:
    for name, document in MUTATIONS.items():
        refused = len(ui.audited("dagster.refused")), len(ui.audited("dagster.changed"))
        for role in (None, *ROLES):
            answer = ui.ask(role, document)
            if role in {"operator", "admin"} and name in ALLOWED:
                assert "data" in answer.json(), (name, role, answer.text)
                assert "Unauthorized" not in answer.text, (name, role)
            else:
                assert answer.status_code == (401 if role is None else 403), (name, role, answer.text)
        after = len(ui.audited("dagster.refused")), len(ui.audited("dagster.changed"))
        recorded = (0, 2) if name in ALLOWED else (2, 0)
        assert (after[0] - refused[0], after[1] - refused[1]) == recorded, name


def test_no_mutation_by_another_transport(ui: Ui) -> None:
    for name, document in MUTATIONS.items():
        for role in (None, *ROLES):
            refused = {401} if role is None else {403} if role == "viewer" else {405, 415}
            got = ui("GET", GRAPHQL, role, params={"query": document})
            assert got.status_code in refused, (name, role)
            for kind, body in (
                ("text/plain", json.dumps({"query": document})),
                ("application/graphql", document),
                ("application/x-www-form-urlencoded", f"query={document}"),
                ("text/plain; application/json", json.dumps({"query": document})),
            ):
                answer = ui("POST", GRAPHQL, role, data=body, params={"query": document},
                            headers={"Content-Type": kind})  # fmt: skip
                assert answer.status_code in refused, (name, role, kind, answer.text)


def test_no_mutation_by_websocket(ui: Ui) -> None:
    for role in (None, "viewer"):
        with pytest.raises(InvalidHandshake), ui.socket(role):
            pass
    for name, document in MUTATIONS.items():
        for role in ROLES[1:]:
            with ui.socket(role) as connection:
                connection.send(json.dumps({"type": "start", "id": "1", "payload": {"query": document}}))
                with pytest.raises(ConnectionClosed) as closed:
                    connection.recv(30)
                assert closed.value.rcvd is not None, name
                assert closed.value.rcvd.code == 1008, (name, role)


def test_dagsters_process_refuses_the_same(ui: Ui) -> None:
    """The second gate: it would hold if the first one failed."""
    for name, document in MUTATIONS.items():
        rights: tuple[May, ...] = ("read",) if name in ALLOWED else ("read", "run")
        for may in rights:
            answer = ui.inside(vouch(KEY, may, "POST", GRAPHQL), json={"query": document})
            assert (answer.status_code, answer.json()["data"]) == (403, None), (name, may)
    with ui.stream_inside(vouch(KEY, "run", "WS", GRAPHQL)) as connection:
        for number, document in enumerate((*MUTATIONS.values(), TYPENAME)):
            connection.send(json.dumps({"type": "start", "id": str(number), "payload": {"query": document}}))
            assert json.loads(connection.recv(30))["type"] == "error", document
    for header in ("", vouch(KEY, "run", "POST", GRAPHQL)):
        with pytest.raises(InvalidHandshake), ui.stream_inside(header):
            pass


def test_who_isnt_leats_web_process_is_nobody(ui: Ui) -> None:
    query = {"query": TYPENAME}
    right = vouch(KEY, "run", "POST", GRAPHQL)
    assert ui.inside(right, json=query).json() == {"data": {"__typename": "Query"}}
    _may, at, signature = right.split(".")
    for header in (None, "", "run", f"run.{at}.", f"admin.{at}.{signature}", f"read.{at}.{signature}",
                   f"run.{int(at) + 1}.{signature}", vouch(b"another key", "run", "POST", GRAPHQL),
                   vouch(KEY, "run", "GET", GRAPHQL), vouch(KEY, "run", "POST", "/dagster/"),
                   vouch(KEY, "run", "POST", GRAPHQL, lambda: 1_000_000_000), f"run.nan.{signature}"):  # fmt: skip
        answer = ui.inside(header, json=query)
        assert (answer.status_code, answer.text) == (403, "this is for leat's web process"), header
    assert ui.inside(vouch(KEY, "run", "GET", GRAPHQL), "GET").status_code == 403
    path = "/dagster/report_asset_materialization/tally/fed"
    assert ui.inside(vouch(KEY, "run", "POST", path), path=path).status_code == 403
    forged = ui("POST", GRAPHQL, "analyst", json={"query": "{ permissions { permission value } }"},
                headers={HEADER: right})  # fmt: skip
    assert not any(each["value"] for each in forged.json()["data"]["permissions"])
    folder = meeting_folder(ui.workspace.project)
    assert oct(folder.stat().st_mode)[-3:] == "700"
    assert oct((folder / "dagster.sock").stat().st_mode)[-3:] == "600"


def test_pages_by_role(ui: Ui) -> None:
    html = {"accept": "text/html"}
    for path in ("/dagster/", "/dagster/runs", "/dagster/assets/tally/fed"):
        assert ui("GET", path, None, headers=html).headers["location"].startswith("/sign-in?return_to=%2Fdagster")
        assert "You may not do this" in ui("GET", path, "viewer", headers=html).text
        for role in ROLES[1:]:
            answer = ui("GET", path, role, headers=html)
            assert (answer.status_code, "__NEXT_DATA__" in answer.text) == (200, True), (path, role)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'; script-src 'nonce-" in policy
            assert "unsafe-eval" not in policy
    assert ui("GET", "/dagster", "analyst", headers=html).headers["location"] == "/dagster/"
    for role in ROLES:
        menu = 'href="/dagster/"' in ui("GET", "/", role, headers=html).text
        assert menu is (role != "viewer"), role
    permitted = {role: {each["permission"] for each in ui.ask(role, "{ permissions { permission value } }")
                 .json()["data"]["permissions"] if each["value"]} for role in ROLES[1:]}  # fmt: skip
    assert permitted["analyst"] == set()
    assert permitted["operator"] == permitted["admin"] >= {"launch_pipeline_execution", "terminate_pipeline_execution"}
    assert "wipe_assets" not in permitted["admin"]


def test_odd_requests_get_nothing(ui: Ui) -> None:
    query = "query=%7B__typename%7D"
    for path in (f"/dagster/../v1/me?{query}", f"/dagster/%2e%2e/dagster/graphql?{query}", f"/dagster//graphql?{query}",
                 f"/dagster/./graphql?{query}", f"/dagster/%67raphql?{query}", f"/dagster/graphql%3F{query}",
                 f"/dagster/graphql/?{query}", f"/dagster/graphql;x?{query}", f"/dagster/GRAPHQL?{query}",
                 f"/dagster%2fgraphql?{query}", f"/dagster/x\\..\\graphql?{query}", f"//dagster/graphql?{query}",
                 "/dagster/notebook?path=x.ipynb&repoLocName=leat", "/dagster/dagit/notebook?path=x"):  # fmt: skip
        connection = http.client.HTTPConnection("127.0.0.1", ui.port, timeout=30)
        connection.putrequest("GET", path)
        connection.putheader("Authorization", f"Bearer {ui.tokens['operator']}")
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        assert b'"data"' not in body, (path, body)
        assert answer.status in {400, 404, 405} or b"__NEXT_DATA__" in body, (path, answer.status, body)
        connection.close()
    for path in ("report_asset_materialization/tally/fed", "report_asset_check/tally/fed", "x", "graphql/"):
        assert ui("POST", f"/dagster/{path}", "admin", json={}).status_code in {404, 405}, path
    assert ui("PUT", GRAPHQL, "admin", json={"query": TYPENAME}).status_code == 405
    wrong: list[Any] = [[], [{"query": TYPENAME}], {"query": 1}, {"query": TYPENAME, "variables": []},
                        {"query": TYPENAME * 2}, {"query": "{" * 2000}, {"query": "x"}, {"query": "type A { b: C }"},
                        {"query": f"query A {TYPENAME} mutation B {{ setNuxSeen }}", "operationName": "B"}]  # fmt: skip
    for value in wrong:
        assert ui("POST", GRAPHQL, "operator", json=value).status_code == 400, value
    for hidden in ("mutation { a: wipeAssets(assetPartitionRanges: []) { __typename } }",
                   "mutation { ... { setNuxSeen } }", "mutation { ...F } fragment F on Mutation { ...G } "
                   "fragment G on Mutation { ...F setNuxSeen }", "subscription { __typename }",
                   "mutation @skip(if: true) { reloadWorkspace { __typename } setNuxSeen }"):  # fmt: skip
        assert ui.ask("operator", hidden).status_code == 403, hidden


def test_other_sites_get_nothing(ui: Ui) -> None:
    cookie = {"Cookie": f"leat={ui.cookies['operator']}"}
    body = {"query": TYPENAME}
    own = ui("POST", GRAPHQL, None, json=body, headers={**cookie, "Origin": ui.url})
    assert own.json() == {"data": {"__typename": "Query"}}
    for headers in ({"Origin": "https://evil.example"}, {}, {"Origin": "null"},
                    {"Origin": ui.url, "Sec-Fetch-Site": "cross-site"}):  # fmt: skip
        assert ui("POST", GRAPHQL, None, json=body, headers={**cookie, **headers}).status_code == 403, headers
    for changed in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": ""},
                    {"Origin": f"http://localhost:{ui.port}"}, {"Sec-Fetch-Site": "cross-site"}):  # fmt: skip
        with pytest.raises(InvalidHandshake), ui.socket("operator", **changed):
            pass
    for path in ("/dagster/", "/v1/me", "/dagster/graphql/", "/dagster/%67raphql", "/"):
        with pytest.raises(InvalidHandshake), ui.socket("operator", path):
            pass
    lines = ("GET /dagster/graphql HTTP/1.1", "Host: evil.example", "Origin: http://evil.example", "Upgrade: websocket",
             "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
             "Sec-WebSocket-Protocol: graphql-ws", f"Cookie: leat={ui.cookies['operator']}", "", "")  # fmt: skip
    assert exchange(ui.port, "\r\n".join(lines).encode()).startswith(b"HTTP/1.1 403")


def test_an_operator_materializes_an_asset_and_follows_it(ui: Ui, leat: Leat) -> None:
    then(leat, rows("fed", row(1, "one"), row(2, "two")))
    given = {"selector": SELECTOR, "mode": "default", "executionMetadata": {"tags": []}, "runConfigData": {}}
    assert ui.ask("analyst", LAUNCH, p=given).status_code == 403
    launched = ui.ask("operator", LAUNCH, p=given).json()["data"]["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess"
    run = launched["run"]["runId"]
    with ui.socket("analyst") as connection:  # who may only read follows it
        connection.send(json.dumps({"type": "connection_init", "payload": {}}))
        assert json.loads(connection.recv(30)) == {"type": "connection_ack"}
        payload = {"query": FOLLOW, "variables": {"r": run}}
        connection.send(json.dumps({"type": "start", "id": "1", "payload": payload}))
        seen: list[str] = []
        while not ENDS & set(seen):
            data = json.loads(connection.recv(120))["payload"]["data"]
            seen += [each["__typename"] for each in data["pipelineRunLogs"]["messages"]]
    assert "RunSuccessEvent" in seen
    assert json.loads(leat("query", "--json", "SELECT COUNT(*) AS n FROM tally.fed").stdout)["rows"] == [{"n": 2}]
    changed = ui.audited("dagster.changed")[-1]
    assert changed == {"fields": ["launchRun"], "concerns": ["nothing"]} | {"concerns": changed["concerns"]}
    assert {"leat", "tally_job", "tally.fed"} == set(changed["concerns"])
    history = ui("GET", "/v1/runs", "viewer").json()["data"]
    assert (history[0]["trigger"], history[0]["dagster_run"]) == ("dagster", run)
    html = {"accept": "text/html", "sec-fetch-mode": "navigate"}
    link, page = f'<a href="/dagster/runs/{run}">', f"/runs/{history[0]['id']}"
    assert link in ui("GET", page, "analyst", headers=html).text
    assert link not in ui("GET", page, "viewer", headers=html).text
    assert ui("GET", f"/dagster/runs/{run}", "analyst", headers=html).status_code == 200


class _Watched:
    def __init__(self, idle: float) -> None:
        self.should_exit, self.idle = False, idle

    def idle_seconds(self) -> float:
        return self.idle


def test_it_ends_when_nobody_uses_it_and_nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(IDLE, "0.01")

    async def watch(watched: Any, instance: dg.DagsterInstance) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(end_when_idle(watched, watched, instance), 0.3)
        return bool(watched.should_exit)

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert not asyncio.run(watch(_Watched(0), instance))
        run = instance.create_run_for_job(dg.GraphDefinition("g").to_job(), status=dg.DagsterRunStatus.STARTED)
        assert not asyncio.run(watch(_Watched(1), instance))
        instance.delete_run(run.run_id)
        assert asyncio.run(watch(_Watched(1), instance))
