"""Pages for operators and administrators: automations, webhooks, people with sessions and tokens, the audit log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text as sql
from sqlalchemy import update
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditEvent
from leat.demo.stripe.webhooks import sign
from leat.hooks.endpoints import read_endpoints
from leat.hooks.segments import SegmentWriter
from leat.runs import hooks
from leat.runs.access import record
from leat.runs.server_number import live_folder
from leat.runs.webhooks_out import Wanted, list_webhooks, send_webhooks
from leat.runs.workspace import open_workspace
from leat.security.people import list_people
from leat.serve.app import create_app
from leat.serve.current import Current
from leat.serve.health import Health
from leat.serve.hooks import HooksApp
from leat.serve.metrics import Metrics
from tests.kit.acting import Desk, desk_server
from tests.kit.command import tally_project, then
from tests.kit.project import row, rows
from tests.kit.receiver import Receiver, new_secret, receiving
from tests.serve.test_pages import ELSEWHERE, ROLES, RULE, URL, Judge, Pages

SECRET = "whsec_of_the_pages"
ENDPOINTS = """endpoints:
  erp: {url: {file: erp-url}, secrets: {file: erp-secret}, events: load.applied, allow_private: true}
  old: {url: {env: LEAT_TEST_NO_SUCH_URL}, secrets: {env: LEAT_TEST_NO_SUCH_SECRET}, required: false}
"""
AUTOMATION = """description: Mark labels.
when: {violation_opened: labels}
do:
  - desk.guarded: {place: "p{{ row.id }}", value: "{{ row.id }}"}
"""


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with desk_server() as server:
        yield server


@pytest.fixture(scope="module")
def erp() -> Iterator[Receiver]:
    with receiving(new_secret("erp-")) as one:
        yield one


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, desk: Desk, erp: Receiver) -> Iterator[Pages]:
    """Open a dashboard with an automation, three webhooks (accepted, unreadable, refused), and one to an endpoint."""
    leat = tally_project(tmp_path_factory.mktemp("pages"))
    folder = leat.folder
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    with (folder / "pipelines" / "tally.yaml").open("a") as file:
        file.write("hooks: {scheme: stripe, secrets: {file: secret}}\n")
    (folder / "pipelines" / "desk.yaml").write_text(f"source: desk\ndriver: book\nconnection: {{url: '{desk.url}'}}\n")
    for path, text in (("quality/rules/labels.sql", RULE), ("automations/mark.yaml", AUTOMATION)):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(text)
    then(leat, rows("fed", row(1, "<script>alert(1)</script>"), row(2, "b")))
    for name, text in (("erp-url", erp.url), ("erp-secret", new_secret("erp-"))):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    (folder / "quality" / "webhooks.yaml").write_text(ENDPOINTS)
    assert leat("webhooks").returncode == 0  # from now on the endpoint gets what happens
    erp.status, erp.body = 500, "<b>no space</b>"
    assert leat("run", "tally").returncode == 0
    workspace = open_workspace(folder)
    hooks.prepare(workspace)
    app = create_app(Health(workspace), Current(workspace), public_url=URL)
    asked = Pages(app, workspace)
    writer = SegmentWriter(live_folder(workspace))
    writer.open()
    asked.front.hooks = HooksApp(read_endpoints(workspace.declarations, folder, URL), writer, Metrics())
    app.state.refused = asked.front.hooks.refused
    for secret, body, status in ((SECRET, b'{"id": "e1", "type": "label.changed", "text": "<b>"}', 200),
                                 (SECRET, b'{"type": "label.lost"}', 200), ("whsec_other", b"{}", 401)):  # fmt: skip
        answer = asked("/hooks/tally", None, content=body, **{"stripe-signature": sign(secret, body)})
        assert answer.status_code == status, answer.text
    yield asked
    writer.close()
    workspace.close()


def delivery_of(pages: Pages) -> str:
    return list_webhooks(pages.workspace, Wanted())[-1].id


def hurry(pages: Pages) -> None:
    """Let deliveries that wait for another attempt be due now."""
    with pages.workspace.store.begin() as connection:
        connection.execute(sql("UPDATE action SET next_at = created_at"))


def id_of(pages: Pages, name: str) -> str:
    return next(person.id for person in list_people(pages.workspace.store) if person.name == name)


def token_of(pages: Pages, owner: str, name: str, **form: str) -> tuple[str, str]:
    """Create a token on the page of a person; return its text and its id."""
    at = f"/people/{id_of(pages, owner)}"
    made = pages(f"{at}/tokens", owner, {"name": name, "days": "7", **form})
    assert made.status_code == 200, made.text
    found = re.search(r"<pre tabindex=\"0\">(leat_([0-9a-f]+)_\S+)</pre>", made.text)
    assert found is not None
    assert found[1] not in pages(at, owner).text, "it is shown once"
    return found[1], found[2]


def test_every_page_is_valid_and_only_for_whoever_may_see_it(pages: Pages) -> None:
    wanted = {
        "/actions/automations": ("/actions/automations", "viewer"),
        "/actions/automations/{name}": ("/actions/automations/mark", "viewer"),
        "/webhooks": ("/webhooks", "operator"),
        "/webhooks/{seq}": ("/webhooks/2", "operator"),
        "/webhooks/out": ("/webhooks/out", "operator"),
        "/webhooks/out/{delivery_id}": (f"/webhooks/out/{delivery_of(pages)}", "operator"),
        "/people": ("/people", "admin"),
        "/people/{person}": (f"/people/{id_of(pages, 'admin')}", "admin"),
        "/audit": ("/audit", "admin"),
        "/audit.csv": ("/audit.csv", "admin"),
        "/audit.jsonl": ("/audit.jsonl", "admin"),
    }
    routes = [route for router in ELSEWHERE for route in router.routes if isinstance(route, APIRoute)]
    assert {route.path for route in routes if "GET" in route.methods} == wanted.keys()
    for path, lowest in [*wanted.values(), ("/people?view=sessions", "admin"), ("/people?view=tokens", "admin"),
                         ("/webhooks?view=quarantined&endpoint=tally", "operator"),
                         ("/webhooks/out?endpoint=erp&status=sent&since=2026-01-01T10:00", "operator"),
                         ("/actions/automations/mark?days=90", "analyst")]:  # fmt: skip
        for role in ROLES:
            answer = pages(path, role)
            may = ROLES.index(role) >= ROLES.index(lowest)
            assert answer.status_code == (200 if may else 403), (path, role, answer.text)
            if "text/html" in answer.headers["content-type"]:
                judge = Judge(answer.text)
                assert (judge.wrong, judge.headings) == ([], 1), (path, role)
                assert judge.controls <= judge.labels, path
                assert "unsafe" not in answer.headers["content-security-policy"]
            if not may:
                assert "<h1>You may not do this</h1>" in answer.text, (path, role)
                assert f"{role.title()} may not " in answer.text, (path, role)
        assert urlsplit(pages(path, None).headers["location"]).path == "/sign-in", path
    for role in ROLES:
        menu = re.findall(r'<li><a href="(/\w*)"', pages("/", role).text)
        for path, lowest in (("/webhooks", "operator"), ("/people", "admin"), ("/audit", "admin")):
            assert (path in menu) is (ROLES.index(role) >= ROLES.index(lowest)), (role, path)
        assert 'href="/docs/api"' in pages("/", role).text
        assert pages("/docs/api", role).status_code == 200
        own = f"/people/{id_of(pages, role)}"
        assert own in pages("/preferences", role).text
        assert "New token" in pages(own, role).text, "everybody sees their own account"


def test_changes_need_the_right_and_a_form_of_leat(pages: Pages) -> None:
    person = id_of(pages, "analyst")
    _, token = token_of(pages, "analyst", "to be left alone")
    session = re.search(rf"/people/{person}/sessions/(\w+)/end", pages(f"/people/{person}", "analyst").text)
    assert session is not None
    wanted = {
        "/actions/automations/{name}/{change}": ("/actions/automations/mark/enable", "analyst"),
        "/webhooks/{seq}/replay": ("/webhooks/2/replay", "analyst"),
        "/webhooks/out/replay": ("/webhooks/out/replay", "analyst"),
        "/webhooks/out/{delivery_id}/replay": (f"/webhooks/out/{delivery_of(pages)}/replay", "analyst"),
        "/webhooks/out/endpoints/{name}/{change}": ("/webhooks/out/endpoints/erp/pause", "analyst"),
        "/people/{person}/tokens": (f"/people/{person}/tokens", "admin"),  # a token is its owner's
        "/people/{person}/tokens/{token}/revoke": (f"/people/{person}/tokens/{token}/revoke", "operator"),
        "/people/{person}/sessions/{session}/end": (f"/people/{person}/sessions/{session[1]}/end", "operator"),
        "/people/{person}/sign-out": (f"/people/{person}/sign-out", "operator"),
        "/audit/verify": ("/audit/verify", "operator"),
    }
    routes = [route for router in ELSEWHERE for route in router.routes if isinstance(route, APIRoute)]
    assert {route.path for route in routes if "POST" in route.methods} == wanted.keys()
    form = {"name": "x", "days": "7"}
    for path, refused in wanted.values():
        answer = pages(path, refused, form)
        assert (answer.status_code, "You may not do this" in answer.text) == (403, True), (path, answer.text)
        assert pages(path, None, form).headers["location"].startswith("/sign-in"), path
        for said in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
            assert pages(path, "admin", form, **said).status_code == 403, (path, said)
    assert pages(f"/people/{person}", "analyst").text.count("Revoke</button>") == 1, "nothing has changed"
    assert "mark" not in [row.name for row in _modes(pages) if row.mode == "enabled"]


def test_an_automation_is_simulated_enabled_and_disabled(pages: Pages) -> None:
    at = "/actions/automations/mark"
    listed = pages("/actions/automations", "viewer").text
    assert "while the rule “labels” is violated" in unescape(listed)
    assert 'href="/actions/automations"' in pages("/actions", "viewer").text
    text = pages(f"{at}?days=30", "analyst").text
    assert "desk.guarded place=p1 value=1" in text
    assert "Now: 2 targets. Nothing is planned or sent." in text
    assert "In 30 days it would have planned 2 actions" in text
    assert "can't see what it would do" in pages(at, "viewer").text
    for role in ROLES:
        assert ("Enable</button>" in pages(at, role).text) is (role in ("operator", "admin")), role
    done = pages(f"{at}/enable", "operator", {})
    assert done.headers["location"] == f"{at}?done=enable"
    text = pages(done.headers["location"]).text
    assert "changed by operator" in text
    assert "Disable</button>" in text
    assert pages(f"{at}/disable", "operator", {}).status_code == 303
    assert [(row.name, row.mode) for row in _modes(pages)] == [("mark", "disabled")]
    assert pages(f"{at}/bribe", "admin", {}).status_code == 404
    assert pages("/actions/automations/none").status_code == 404


def test_webhooks_are_counted_and_a_quarantined_one_is_read_again(pages: Pages) -> None:
    text = pages("/webhooks", "operator").text
    assert f'<code class="soft">{URL}/hooks/tally</code>' in text
    cells = re.search(
        r'data-label="Accepted">1</td>.*?data-label="In quarantine"><a [^>]*>1</a>.*?"Refused">1</td>', text, re.DOTALL
    )
    assert cells is not None, text
    assert "label.changed" in text
    assert "&lt;b&gt;" in pages("/webhooks/1", "operator").text
    problem = pages("/webhooks/2", "operator").text
    assert "It can't be read: the event has no id." in problem
    assert "Read it again</button>" in problem
    again = pages("/webhooks/2/replay", "operator", {})
    assert again.headers["location"] == "/webhooks/2?done=unreadable"
    path = pages.workspace.project.folder / "pipelines" / "tally.yaml"
    declared = path.read_text()
    path.write_text(declared.replace("scheme: stripe", "scheme: hmac, header: x-signature"))
    app_current = Current(open_workspace(pages.workspace.project.folder))
    before, pages.app.state.current = pages.app.state.current, app_current
    try:
        again = pages("/webhooks/2/replay", "operator", {})
        assert again.headers["location"] == "/webhooks/2?done=replayed"
        assert "Read it again" not in pages("/webhooks/2", "operator").text
        assert "No webhook is in quarantine" in pages("/webhooks?view=quarantined").text
    finally:
        path.write_text(declared)
        pages.app.state.current = before
    assert pages("/webhooks/99", "operator").status_code == 404


def test_deliveries_are_shown_with_their_attempts_and_sent_again(pages: Pages, erp: Receiver) -> None:
    [(first, _)] = erp.take()
    assert delivery_of(pages) == first
    text = unescape(pages("/webhooks/out", "operator").text)
    for shown in ("the last attempt failed: ", "HTTP 500: <b>no space</b>", "LEAT_TEST_NO_SUCH_URL isn't set"):
        assert shown in text, shown
    assert "<b>" not in pages("/webhooks/out", "operator").text
    assert 'badge warn">retrying' in text
    one = pages(f"/webhooks/out/{first}", "operator").text
    assert "HTTP 500: &lt;b&gt;no space&lt;/b&gt;" in one
    assert "&#34;load.applied&#34;" in one
    assert "it can be sent again when it is over" in one
    assert pages(f"/webhooks/out/{first}/replay", "operator", {}).status_code == 409
    erp.status, erp.body = 200, "thanks"
    hurry(pages)
    enable = pages("/webhooks/out/endpoints/erp/enable", "operator", {})
    assert enable.headers["location"] == "/webhooks/out?done=endpoint_enable"
    assert send_webhooks(pages.workspace) == 1
    assert "HTTP 200: thanks" in pages(f"/webhooks/out/{first}", "operator").text
    assert "No delivery is like that" in pages("/webhooks/out?status=failed", "operator").text
    assert first in pages("/webhooks/out?status=sent&endpoint=erp", "operator").text
    assert first not in pages("/webhooks/out?status=sent&until=2000-01-01T00:00", "operator").text
    assert "Send this one again" in pages("/webhooks/out?status=sent", "operator").text
    for form in ({"status": "sent", "endpoint": "erp"}, {"status": "sent", "since": "2026-01-01T00:00"}):
        assert pages("/webhooks/out/replay", "operator", form).status_code == 303
        assert send_webhooks(pages.workspace) == 1
    assert pages("/webhooks/out/replay", "operator", {"status": "sent", "until": "2000-01-01T00:00"}).status_code == 303
    assert pages("/webhooks/out/replay", "operator", {}).status_code == 422
    assert pages(f"/webhooks/out/{first}/replay", "operator", {}).status_code == 303
    assert send_webhooks(pages.workspace) == 1
    assert [each for each, _ in erp.take()] == [first] * 4
    assert pages(f"/webhooks/out/{first}", "operator").text.count('badge good">accepted') == 4
    assert pages("/webhooks/out/none", "operator").status_code == 404


def test_an_endpoint_is_tested_paused_and_enabled(pages: Pages, erp: Receiver) -> None:
    at = "/webhooks/out/endpoints/erp"
    erp.status = 200
    assert "erp accepted a test message" in pages(f"{at}/test", "operator", {}).text
    assert erp.take()[0][1]["type"] == "test"
    erp.status, erp.body = 503, "closed"
    assert "hasn't accepted a test message: " in pages(f"{at}/test", "operator", {}).text
    erp.take()
    assert pages(f"{at}/pause", "operator", {}).status_code == 303
    assert "paused by operator" in pages("/webhooks/out", "operator").text
    assert pages(f"{at}/enable", "operator", {}).status_code == 303
    assert "paused by" not in pages("/webhooks/out", "operator").text
    assert pages(f"{at}/bribe", "operator", {}).status_code == 404
    assert pages("/webhooks/out/endpoints/none/pause", "operator", {}).status_code == 404
    assert pages("/webhooks/out/endpoints/old/pause", "operator", {}).status_code == 409
    log = pages("/audit?kind=endpoint").text
    for said in ("endpoint: tested", "endpoint: paused", "endpoint: enabled"):
        assert said in log, said


def test_without_endpoints_the_page_says_how_to_declare_some(pages: Pages) -> None:
    path = pages.workspace.project.folder / "quality" / "webhooks.yaml"
    try:
        path.write_text("endpoints: {erp: {}}")
        wrong = pages("/webhooks/out", "operator")
        assert (wrong.status_code, "quality/webhooks.yaml:1" in wrong.text) == (503, True)
        path.unlink()
        assert "No endpoint is declared" in pages("/webhooks/out", "operator").text
    finally:
        path.write_text(ENDPOINTS)


def test_people_create_and_revoke_their_tokens(pages: Pages) -> None:
    person = id_of(pages, "operator")
    text, token = token_of(pages, "operator", "export <script>", role="analyst", scopes="read export:tally")
    bearer = {"authorization": f"Bearer {text}"}
    assert pages("/v1/me", None, **bearer).json()["role"] == "analyst"
    shown = pages(f"/people/{person}", "operator").text
    assert "export &lt;script&gt;" in shown
    assert "export:tally, read" in shown
    for form, status in (({"name": "", "days": "7"}, 422), ({"name": "x", "days": "9999"}, 422),
                         ({"name": "x", "days": "7", "role": "admin"}, 422),
                         ({"name": "x", "days": "7", "scopes": "fly"}, 422)):  # fmt: skip
        assert pages(f"/people/{person}/tokens", "operator", form).status_code == status, form
    assert pages(f"/people/{person}/tokens", None, {"name": "x", "days": "7"}, **bearer).status_code in (403, 422)
    everybody = pages("/people?view=tokens").text
    assert f"leat_{token}_" in everybody
    assert text not in everybody
    done = pages(f"/people/{person}/tokens/{token}/revoke", "admin", {})
    assert done.headers["location"] == f"/people/{person}?done=revoked"
    assert pages("/v1/me", None, **bearer).status_code == 401
    assert 'badge quiet">revoked' in pages(f"/people/{person}", "operator").text


def test_an_administrator_ends_a_session_and_people_their_own(pages: Pages) -> None:
    person = id_of(pages, "viewer")
    pages.sign_in("viewer", "second")
    listed = pages("/people?view=sessions").text
    assert listed.count(f"/people/{person}/sessions/") == 2
    assert listed.count("this one") == 1
    own = pages(f"/people/{person}", "second").text
    (this,) = re.findall(r"this one.*?/sessions/(\w+)/end", own, re.DOTALL)
    assert pages.cookies["second"] not in own
    done = pages(f"/people/{person}/sessions/{this}/end", "second", {})
    assert done.headers["location"] == f"/people/{person}?done=ended"
    assert pages("/", "second").status_code == 303, "it was this one"
    assert pages(f"/people/{person}/sessions/{this}/end", "admin", {}).status_code == 404
    pages.sign_in("viewer", "third")
    (third,) = re.findall(r"this one.*?/sessions/(\w+)/end", pages(f"/people/{person}", "third").text, re.DOTALL)
    assert pages(f"/people/{id_of(pages, 'admin')}/sessions/{third}/end", "viewer", {}).status_code == 303
    assert pages("/", "third").status_code == 303, "whose page the form was on doesn't matter, whose session it is does"
    assert "member of group-of-viewer" in pages("/people").text


def test_sessions_and_people_by_the_api(pages: Pages) -> None:
    person, json = id_of(pages, "analyst"), {"accept": "application/json"}

    def send(method: str, path: str, role: str, **more: str) -> Any:
        return pages(path, role, method=method, **{"origin": URL, **json, **more})

    pages.sign_in("analyst", "fourth")
    own = send("GET", "/v1/sessions", "analyst").json()["data"]
    assert {each["person"] for each in own} == {person}
    assert len(own) == 2
    assert send("GET", "/v1/sessions?mine=false", "analyst").status_code == 403
    everybody = send("GET", "/v1/sessions?mine=false", "admin").json()["data"]
    assert {each["id"] for each in own} < {each["id"] for each in everybody}
    assert not any(cookie[:24] in str(everybody) for cookie in pages.cookies.values())
    assert send("DELETE", f"/v1/sessions/{own[0]['id']}", "operator").status_code == 403
    listed = {each["name"]: each for each in send("GET", "/v1/people", "admin").json()["data"]}
    assert (listed["analyst"]["role"], listed["analyst"]["why"]) == ("analyst", "member of group-of-analyst")
    [only] = send("GET", "/v1/people?role=analyst", "admin").json()["data"]
    assert only == send("GET", f"/v1/people/{person}", "analyst").json()
    assert send("GET", f"/v1/people/{person}", "operator").status_code == 403
    stale = send("POST", f"/v1/people/{person}:sign-out", "admin", **{"if-match": '"old"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/changed-meanwhile")
    etag = send("GET", f"/v1/people/{person}", "admin").headers["etag"]
    assert send("POST", f"/v1/people/{person}:sign-out", "operator").status_code == 403
    assert send("POST", f"/v1/people/{person}:sign-out", "admin", **{"if-match": etag}).json() == {"sessions": 2}
    for cookie in ("analyst", "fourth"):
        assert send("GET", "/v1/me", cookie).status_code == 401
    pages.sign_in("analyst", "analyst")
    [again] = send("GET", "/v1/sessions", "analyst").json()["data"]
    assert send("DELETE", f"/v1/sessions/{again['id']}", "analyst").status_code == 204
    assert send("GET", "/v1/me", "analyst").status_code == 401
    pages.sign_in("analyst", "analyst")
    pages.sign_in("analyst", "fifth")
    assert "End all 2 sessions" in pages(f"/people/{person}", "analyst").text
    done = pages(f"/people/{person}/sign-out", "admin", {})
    assert done.headers["location"] == f"/people/{person}?done=all_ended"
    assert pages("/", "fifth").status_code == 303
    pages.sign_in("analyst", "analyst")
    assert "session: ended" in pages("/audit?kind=session&by=admin").text


def test_the_audit_log_is_filtered_verified_and_exported(pages: Pages) -> None:
    assert pages("/audit", "viewer").status_code == 403
    text = pages("/audit?kind=access&by=viewer").text
    assert "read audit, as viewer (no rule permits it)" in text
    assert "session: created" not in text
    assert "No event is like that" in pages("/audit?by=nobody").text
    assert pages("/audit?days=x").status_code == 404
    assert pages("/audit/verify", "admin", {}).headers["location"] == "/audit"
    assert "<strong>Intact</strong>" in pages("/audit").text
    events = [json.loads(line) for line in pages("/audit.jsonl").text.splitlines()]
    assert [event["metadata"]["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["activity_name"] == "audit.exported"
    assert pages("/audit.csv?kind=session").text.startswith("seq,at,event,by,detail")
    for _ in range(60):
        record(pages.workspace, "publish.clean", {})
    older = re.search(r'rel="next" href="([^"]+)"', pages("/audit").text)
    assert older is not None
    assert pages(f"/audit{unescape(older[1])}").status_code == 200
    with Session(pages.workspace.store) as session:
        session.execute(update(AuditEvent).where(AuditEvent.seq == 3).values(detail="{}"))
        session.commit()
    pages("/audit/verify", "admin", {})
    text = pages("/audit").text
    assert "<strong>Altered</strong>: event 3 isn" in text


def _modes(pages: Pages) -> Any:
    from leat.runs.automating import modes_of

    return list(modes_of(pages.workspace).values())
