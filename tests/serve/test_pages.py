"""The dashboard: sign-in by a link, who sees what, forms, headers, and that only own files of leat run."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from leat.control.engine import writing
from leat.control.security_tables import Person
from leat.runs.acting import office_of
from leat.runs.between import next_due
from leat.runs.signing_in import link
from leat.runs.workspace import Workspace, open_workspace
from leat.security.people import Identity, save_person
from leat.security.sessions import create_session
from leat.serve.app import create_app
from leat.serve.current import Current
from leat.serve.front import Front
from leat.serve.health import Health
from leat.serve.metrics import Metrics
from leat.serve.pages import adding, audit, automations, dagster, endpoints, people, webhooks
from leat.serve.pages.menu import PAGES
from leat.serve.pages.render import ASSETS
from tests.kit.acting import Desk, desk_server, planned
from tests.kit.command import tally_project, then
from tests.kit.project import row, rows

URL = "http://127.0.0.1:8765"
ROLES = ("viewer", "analyst", "operator", "admin")
ELSEWHERE = (audit.router, automations.router, people.router, webhooks.router, endpoints.router)
"""Routers that test_pages_of_operators.py tests; test_pages_adding.py tests another one."""
NOT_FOR_VIEWERS = ("/actions.csv", "/violations.csv", "/reports/{area}/{name}.csv", "/query", "/query/{query_id}")
RULE = """/* ---
title: Every label is right
description: A label.
next_step: Correct the label.
owner: shop
key: [id]
sides: {tally: [label], desk: [other]}
--- */
SELECT id, label, CAST(NULL AS VARCHAR) AS other FROM tally.fed WHERE _deleted_at IS NULL
"""
MODEL = """/* ---
description: Labels and how often there are some.
grain: [label]
columns: {day: Day., currency: Currency., label: A label., number: How many., amount: How much.}
--- */
SELECT CAST('2026-11-02' AS DATE) AS day, 'EUR' AS currency, label, CAST(1 AS BIGINT) AS number,
  CAST(250 AS BIGINT) AS amount
FROM tally.fed WHERE _deleted_at IS NULL
"""
REPORT = """title: Shop
description: What is in the shop.
figures:
  labels: {title: Labels, sentence: 'Most are {top_label} ({top} of {total}).', model: labels, by: label,
           value: COUNT(*), chart: bars, personal: true}
  days: {title: Days, sentence: 'On {last_label}, {last}.', model: labels, by: day, value: SUM(amount), unit: money,
         chart: columns}
  rate: {title: Rate, sentence: '{last}.', model: labels, by: day, value: SUM(number) / COUNT(*), unit: percent,
         chart: line}
  all: {title: All, sentence: 'All are {last}.', model: labels, value: COUNT(*), chart: number}
  none: {title: None, sentence: '{last}', model: labels, value: SUM(number), where: number > 5, chart: number}
  absent: {title: Absent, sentence: '{last}', model: nowhere, value: COUNT(*), chart: number}
"""


class Pages:
    """The dashboard in process, asked as a browser would."""

    def __init__(self, app: FastAPI, workspace: Workspace) -> None:
        self.app, self.workspace = app, workspace
        self.front = Front(app, app, frozenset({"127.0.0.1", "leat.example"}), Metrics())
        self.cookies: dict[str, str] = {}
        for role in ROLES:
            self.sign_in(role, role)

    def sign_in(self, role: str, cookie: str) -> None:
        """Open one more session of the person who has a role."""
        now = datetime.now(UTC)
        with writing(self.workspace.store) as session:
            identity, groups = Identity("https://id.example", role, role), [f"group-of-{role}"]
            person = save_person(session, identity, role, now, groups)  # type: ignore[arg-type]
            self.cookies[cookie] = create_session(session, person, "oidc", now)

    def __call__(
        self, path: str, role: str | None = "admin", form: dict[str, str] | None = None, content: bytes | None = None,
        method: str | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        headers = {"accept": "text/html", "origin": URL, **more}
        if role is not None:
            headers["cookie"] = f"leat={self.cookies[role]}"

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.front)
            async with httpx.AsyncClient(transport=transport, base_url=URL, trust_env=False) as client:
                if method is not None:
                    return await client.request(method, path, headers=headers)
                return await (client.get(path, headers=headers) if form is None and content is None
                              else client.post(path, data=form, content=content, headers=headers))  # fmt: skip

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with desk_server() as server:
        yield server


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, desk: Desk) -> Iterator[Pages]:
    leat = tally_project(tmp_path_factory.mktemp("pages"))
    folder = leat.folder
    (folder / "pipelines" / "desk.yaml").write_text(
        f"source: desk\ndriver: book\nconnection: {{url: '{desk.url}'}}\nenabled: false\nschedule: '30 3 * * *'\n"
    )
    (folder / "quality" / "rules").mkdir(parents=True)
    (folder / "quality" / "rules" / "labels.sql").write_text(RULE)
    for path, text in (("assets/models/labels.sql", MODEL), ("assets/reports/shop.yaml", REPORT)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    then(leat, rows("fed", row(1, "<script>alert(1)</script>"), row(2, "=2+2")))
    done = leat("run")
    assert done.returncode == 0, done.stdout
    workspace = open_workspace(folder)
    app = create_app(Health(workspace), Current(workspace), public_url=URL)
    yield Pages(app, workspace)
    workspace.close()


def first(pages: Pages, path: str, pattern: str) -> str:
    found = re.search(pattern, pages(path).text)
    assert found is not None, path
    return found[1]


@pytest.fixture(scope="module")
def addresses(pages: Pages) -> dict[str, str]:
    """Every page that can be read, by its route."""
    action = planned(office_of(pages.workspace), "pay", "shelf", 3).id
    asked = pages("/integrations/tally/run", "operator", {}).headers["location"]
    named = {
        "key": first(pages, "/violations", r'href="/violations/([0-9a-f]+)"'),
        "action_id": action,
        "name": "tally",
    }
    saved = pages("/query/save", "admin", {"name": "Mine", "sql": "SELECT 1"}).headers["location"].partition("?")[0]
    history = first(pages, "/runs", r'href="/runs/(\d[^"]+)"')
    return {
        "/": "/", "/violations": "/violations", "/violations.csv": "/violations.csv",
        "/violations/{key}": f"/violations/{named['key']}", "/actions": "/actions", "/actions.csv": "/actions.csv",
        "/actions/{action_id}": f"/actions/{action}", "/integrations": "/integrations",
        "/integrations/{name}": "/integrations/tally", "/runs": "/runs", "/runs.csv": "/runs.csv",
        "/runs/{run_id}": f"/runs/{history}", "/runs/{run_id}/live": f"{asked}/live", "/preferences": "/preferences",
        "/query": "/query?sql=SELECT+1", "/query/columns": "/query/columns?table=tally.fed",
        "/query/{query_id}": saved,
        "/catalog": "/catalog?q=label", "/catalog/{schema}": "/catalog/tally",
        "/catalog/{schema}/{table}": "/catalog/tally/fed",
        "/reports": "/reports", "/reports/{area}": "/reports/shop",
        "/reports/{area}/{name}": "/reports/shop/days",
        "/reports/{area}/{name}.csv": "/reports/shop/days.csv",
    }  # fmt: skip


class Judge(HTMLParser):
    """Notes what a strict content security policy or a screen reader would object to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.labels: set[str] = set()
        self.controls: set[str] = set()
        self.headings = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        self.wrong += [f"{tag} {name}" for name in has if name == "style" or re.match(r"on|hx-on", name)]
        if tag == "style" or (tag == "script" and not str(has.get("src")).startswith("/assets/")):
            self.wrong.append(tag)
        if tag == "link" and not str(has.get("href")).startswith("/assets/"):
            self.wrong.append(str(has))
        self.headings += tag == "h1"
        if tag == "label":
            self.labels.add(str(has["for"]))
        if tag in ("select", "textarea") or (tag == "input" and has.get("type") != "hidden"):
            self.controls.add(str(has.get("id")))


def test_every_page_is_valid_for_every_role_and_runs_only_own_files(pages: Pages, addresses: dict[str, str]) -> None:
    here = [router for router in PAGES[1:] if router not in (*ELSEWHERE, adding.router, dagster.router)]
    routes = [route for router in here for route in router.routes if isinstance(route, APIRoute)]
    assert {route.path for route in routes if "GET" in route.methods} == addresses.keys()
    for path, address in addresses.items():
        if path.endswith("/live") or path == "/query/columns":
            continue  # parts of a page; the first one ends with the run
        for role in ROLES:
            answer = pages(address, role)
            wanted = 403 if role == "viewer" and path in NOT_FOR_VIEWERS else 200
            if path.endswith(".csv"):
                assert answer.status_code == wanted, (address, role)
                continue
            assert answer.status_code == wanted, (address, role, answer.text)
            judge = Judge(answer.text)
            assert (judge.wrong, judge.headings) == ([], 1), (address, role)
            assert judge.controls <= judge.labels, address
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy, policy
            assert "default-src 'none'; script-src 'self'" in policy
        answer = pages(address, None)
        assert (answer.status_code, urlsplit(answer.headers["location"]).path) == (303, "/sign-in"), address
        assert parse_qs(urlsplit(answer.headers["location"]).query) == {"return_to": [address]}


def test_buttons_are_there_for_whoever_may_press_them(pages: Pages, addresses: dict[str, str]) -> None:
    wanted = {
        "/violations/{key}": ("Acknowledge</button>", "analyst"),
        "/actions/{action_id}": ("Approve</button>", "operator"),
        "/integrations/{name}": ("Sync now</button>", "operator"),
        "/violations": ("Save as CSV", "analyst"),
    }
    for path, (button, lowest) in wanted.items():
        for role in ROLES:
            shown = button in pages(addresses[path], role).text
            assert shown is (ROLES.index(role) >= ROLES.index(lowest)), (path, role)
    refused = {
        f"{addresses['/violations/{key}']}/acknowledge": ({"note": "x", "days": "7"}, "viewer"),
        f"{addresses['/actions/{action_id}']}/approve": ({}, "analyst"),
        "/integrations/tally/run": ({}, "analyst"),
    }
    for path, (form, role) in refused.items():
        answer = pages(path, role, form)
        assert (answer.status_code, "You may not do this" in answer.text) == (403, True), path
        assert pages(path, None, form).headers["location"].startswith("/sign-in"), path
        other = pages(path, "admin", form, origin="https://evil.example")
        assert other.status_code == 403, path
        assert pages(path, "admin", form, **{"sec-fetch-site": "cross-site"}).status_code == 403, path


def test_a_violation_shows_both_sides_and_is_acknowledged(pages: Pages, addresses: dict[str, str]) -> None:
    at = addresses["/violations/{key}"]
    text = pages(at).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text or "=2+2" in text
    assert re.search(r"<h3><a href=\"/integrations/desk\">desk</a></h3><dl><dt>other</dt><dd><span class=none>", text)
    assert "may not see the rows" in pages(at, "viewer").text
    assert "alert(1)" not in pages("/violations", "viewer").text
    assert pages(f"{at}/acknowledge", "analyst", {"note": "", "days": "7"}).status_code == 422
    done = pages(f"{at}/acknowledge", "analyst", {"note": "the shop asks", "days": "7"})
    assert done.status_code == 303, done.text
    text = pages(done.headers["location"]).text
    assert "analyst looks after it until" in text
    assert "the shop asks" in text
    assert len(re.findall("<tr><th scope", pages("/violations?state=acknowledged").text)) == 1
    assert "No violation is like that" in pages("/violations?integration=desk&text=zzz").text
    assert '""label"": ""=2+2""' in pages("/violations.csv").text


def test_an_action_is_approved_and_a_second_decision_is_refused(pages: Pages) -> None:
    action = planned(office_of(pages.workspace), "natural", "hall", 4).id
    at = f"/actions/{action}"
    assert f'href="{at}"' in pages("/actions?view=waiting").text
    assert pages(f"{at}/approve", "operator", {"note": "fine"}).headers["location"] == f"{at}?done=approve"
    assert "Approved." in pages(f"{at}?done=approve").text
    again = pages(f"{at}/reject", "operator", {})
    assert (again.status_code, "possible now" in again.text) == (409, True)
    assert pages(f"{at}/bribe", "operator", {}).status_code == 404


def test_the_overview_says_whether_to_trust(pages: Pages) -> None:
    text = pages("/").text
    assert "Mostly, with care." in text
    assert text.count("<li><a class=") == 5
    assert "<title id=" in text
    assert "Show as table" in text
    at = next_due(pages.workspace, "desk", datetime(2030, 1, 1, 12, 0, tzinfo=UTC))
    assert at is None  # it isn't enabled


def test_a_link_signs_in_once_and_signing_out_ends_it(pages: Pages) -> None:
    made = link(pages.workspace, URL)
    assert made is not None
    secret = parse_qs(urlsplit(made).query)["secret"][0]
    path = made.removeprefix(URL)
    assert secret in pages(path, None).text
    assert pages("/sign-in/link", None, {"secret": secret}, origin="https://evil.example").status_code == 403
    elsewhere = {"host": "leat.example", "origin": "https://leat.example"}
    assert (
        "works only at the address of the machine" in pages("/sign-in/link", None, {"secret": secret}, **elsewhere).text
    )
    done = pages("/sign-in/link", None, {"secret": secret})
    cookie = done.headers["set-cookie"]
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "leat serve --link" in pages("/sign-in/link", None, {"secret": secret}).text
    pages.cookies["link"] = re.match("leat=([^;]+)", cookie)[1]  # type: ignore[index]
    assert pages("/", "link").status_code == 200
    assert pages("/sign-out", "link", {}, origin="null").status_code == 403
    assert "You are signed out" in pages("/sign-out", "link", {}).text
    assert pages("/", "link").status_code == 303


def test_a_session_gets_another_id_when_the_role_changes(pages: Pages) -> None:
    with writing(pages.workspace.store) as session:
        person = save_person(session, Identity("https://id.example", "eve", "eve"), "viewer", datetime.now(UTC))
        pages.cookies["eve"] = create_session(session, person, "oidc", datetime.now(UTC))
        person_id = person.id
    assert "set-cookie" not in pages("/", "eve").headers
    with writing(pages.workspace.store) as session:
        session.get_one(Person, person_id).role = "operator"
    answer = pages("/", "eve")
    found = re.match("leat=([^;]+); HttpOnly", answer.headers["set-cookie"])
    assert found is not None
    assert "your role is operator" in answer.text
    assert pages("/", "eve").status_code == 303, "the id that was known before is worth nothing"
    pages.cookies["eve"] = found[1]
    assert "set-cookie" not in pages("/", "eve").headers


def test_errors_and_times_are_for_people(pages: Pages) -> None:
    for path in ("/nothing", "/runs/none", "/violations/none", "/integrations/none"):
        answer = pages(path)
        assert (answer.status_code, "<h1>There is nothing here</h1>" in answer.text) == (404, True), path
    assert pages("/nothing", accept="application/json").headers["content-type"].startswith("application/problem")
    saved = pages("/preferences", "viewer", {"zone": "Asia/Kolkata", "theme": "dark"})
    assert saved.status_code == 303
    assert pages("/preferences", "viewer", {"zone": "../etc", "theme": "dark"}).status_code == 422
    cookie = f"leat={pages.cookies['admin']}; leat_zone=Asia/Kolkata; leat_theme=dark"
    text = pages("/runs", None, cookie=cookie).text
    assert 'data-theme="dark"' in text
    shown = re.search(
        r'<time datetime="[^"]+" title="[-\d]+ (\d\d):(\d\d):\d\d UTC">\d+ \w+ (\d\d):(\d\d)</time>', text
    )
    assert shown is not None
    utc, local = (int(shown[each]) * 60 + int(shown[each + 1]) for each in (1, 3))
    assert (local - utc) % 1440 == 330


def test_files_of_pages_are_small_and_stored_for_long(pages: Pages) -> None:
    assert (ASSETS / "leat.css").stat().st_size <= 15_000
    path = re.search(r'href="(/assets/[0-9a-f]+/leat.css)"', pages("/sign-in", None).text)
    assert path is not None
    answer = pages(path[1], None)
    assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
    assert pages("/assets/000000000000/leat.css", None).status_code == 404
    assert {path.name for path in Path(ASSETS).glob("htmx*")} == {"htmx-4.0.1.min.js", "htmx-LICENSE.txt"}


def test_search_engines_are_asked_to_leave_out_what_they_can_reach(pages: Pages) -> None:
    assert '<meta name="robots" content="noindex">' in pages("/sign-in", None).text
    assert "noindex" not in pages("/", "viewer").text, "they can't get there"
