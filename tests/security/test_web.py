"""What browsers may do: headers of every answer, cookies, methods, hosts, and which files are served."""

from __future__ import annotations

import asyncio
import re
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import inspect, text
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from leat.control.engine import writing
from leat.runs.access import local_user
from leat.security.links import make_link
from leat.security.people import Identity, save_person
from leat.security.sessions import create_session
from leat.serve.front import Front
from leat.serve.metrics import Metrics
from leat.serve.options import Options
from leat.serve.pages.menu import PAGES
from leat.serve.web import make_config
from tests.kit.api import InProcess, api_in_process
from tests.kit.command import ROOT, tally_project, then
from tests.kit.project import row, rows

HERE, ELSEWHERE = "http://127.0.0.1", "https://leat.example.com"
ASSETS = ROOT / "leat" / "serve" / "pages" / "assets"


class Browser:
    """Asks the front as a browser does, here or through a reverse proxy that speaks TLS."""

    def __init__(self, api: InProcess) -> None:
        self.api = api
        hosts = frozenset({"127.0.0.1", "leat.example.com"})
        self.front = Front(api.app, hook, hosts, Metrics())
        now = datetime.now(UTC)
        with writing(api.workspace.store) as session:
            ada = save_person(session, Identity("https://id.example", "ada", "ada"), "admin", now)
            self.session = create_session(session, ada, "oidc", now)

    def __call__(
        self, path: str, base: str = ELSEWHERE, method: str = "GET", signed_in: bool = True, **more: Any
    ) -> httpx.Response:
        headers = {"accept": "text/html", "origin": base, **more.pop("headers", {})}
        if signed_in:
            headers["cookie"] = f"{'__Host-leat' if base == ELSEWHERE else 'leat'}={self.session}"

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.front)
            async with httpx.AsyncClient(transport=transport, base_url=base, trust_env=False) as client:
                return await client.request(method, path, headers=headers, **more)

        self.api.app.state.public_url = base
        return asyncio.run(ask())


async def hook(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    leat = tally_project(tmp_path_factory.mktemp("web"))
    then(leat, rows("fed", row(1, "one")))
    assert leat("run").returncode == 0
    with api_in_process(leat.folder) as api:
        yield Browser(api)


def addresses(browser: Browser) -> list[str]:
    """Return an address for each path that answers GET: pages, the API, health, links of mails, and some that lack."""
    named = {"schema": "tally", "table": "fed", "name": "tally", "seq": "1"}
    paths = [path for path, methods in browser.api.app.openapi()["paths"].items() if "get" in methods]
    routes = [route for router in PAGES for route in router.routes if isinstance(route, APIRoute)]
    paths += [route.path for route in routes if "GET" in route.methods and "/dagster" not in route.path]
    paths += ["/livez", "/readyz", "/v1/openapi.json", "/no/such/page", "/v1/no-such", "/a//b", "/o/none", "/c/none",
              "/unsubscribe/none", "/hooks/x", "/assets/0/none"]  # fmt: skip
    filled = [re.sub(r"\{(\w+)[^}]*\}", lambda match: named.get(match[1], "none"), path) for path in paths]
    return [path for path in filled if not path.endswith("/live") and "/events" not in path]


def test_every_answer_has_the_headers_that_browsers_need(browser: Browser) -> None:
    asked = addresses(browser)
    assert len(asked) > 60
    for path in asked:
        answer = browser(path)
        assert answer.status_code < 500, (path, answer.text)
        headers = answer.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains", path
        assert "access-control-allow-origin" not in headers, path
        if not path.startswith("/hooks/"):
            assert "base-uri 'none'" in policy, path
            assert "object-src 'none'" in policy, path
            assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "") or path.startswith("/unsub"), path
            assert headers["referrer-policy"] in ("no-referrer", "same-origin"), path
            assert headers["cross-origin-opener-policy"] == "same-origin", path
        assert headers["cache-control"] in ("no-store", "private, no-cache") or path.startswith("/assets/"), path
        if answer.content:
            kind = headers["content-type"]
            assert not kind.startswith("text/") or "charset=utf-8" in kind, (path, kind)
            assert re.match(r"text/(html|plain|csv|css)|application/(problem\+json|json|x-ndjson)|image/", kind), (
                path,
                kind,
            )


def test_plain_http_on_the_machine_promises_no_tls(browser: Browser) -> None:
    assert "strict-transport-security" not in browser("/livez", HERE).headers


def test_scripts_and_styles_have_their_types(browser: Browser) -> None:
    page = browser("/").text
    for ending, kind in (("js", "javascript"), ("css", "text/css; charset=utf-8"), ("svg", "image/svg+xml")):
        address = re.search(rf'"(/assets/[0-9a-f]+/[\w.-]+\.{ending})"', page)
        assert address is not None, ending
        assert kind in browser(address[1]).headers["content-type"]


def cookies_of(answer: httpx.Response) -> list[str]:
    return [value for name, value in answer.headers.multi_items() if name == "set-cookie"]


@pytest.mark.parametrize("base", [HERE, ELSEWHERE])
def test_cookies_are_of_this_host_and_out_of_reach_of_scripts(browser: Browser, base: str) -> None:
    saved = browser("/preferences", base, "POST", data={"zone": "Europe/Berlin", "theme": "dark"})
    assert saved.status_code == 303, saved.text
    left = browser("/sign-out", base, "POST", signed_in=False)
    secret = make_link(browser.api.workspace.store, local_user(browser.api.workspace))
    link = browser("/sign-in/link", HERE, "POST", signed_in=False, data={"secret": secret})
    assert link.status_code == 303, link.text
    for answer, at in ((saved, base), (left, base), (link, HERE)):
        cookies = cookies_of(answer)
        assert cookies, answer.request.url
        for cookie in cookies:
            attributes = cookie.lower()
            assert "httponly" in attributes, cookie
            assert "path=/;" in attributes + ";", cookie
            assert "domain=" not in attributes, cookie
            assert "samesite=lax" in attributes, cookie
            if at == ELSEWHERE and answer is not left:
                assert cookie.startswith("__Host-"), cookie
                assert "secure" in attributes, cookie
    assert browser("/", base).status_code == 200
    plain = browser("/v1/me", ELSEWHERE, signed_in=False, headers={"cookie": f"leat={browser.session}"})
    assert plain.status_code == 401, "over TLS, only the cookie with the prefix counts"


def test_signing_out_clears_what_the_browser_has_stored(browser: Browser) -> None:
    answer = browser("/sign-out", ELSEWHERE, "POST", signed_in=False)
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    script = (ASSETS / "leat.js").read_text(encoding="utf-8")
    assert not re.search(r"localStorage|sessionStorage|indexedDB|serviceWorker|\beval\b|innerHTML|__proto__", script)


def test_another_site_begins_no_session(browser: Browser) -> None:
    for site, wanted in (("cross-site", "/sign-in"), ("same-site", "/sign-in")):
        answer = browser("/sign-in/begin", headers={"sec-fetch-site": site}, signed_in=False)
        assert (answer.status_code, answer.headers["location"]) == (303, wanted)


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "OPTIONS"])
def test_other_methods_are_refused(browser: Browser, method: str) -> None:
    for path in ("/", "/v1/me", "/livez"):
        answer = browser(path, method=method, headers={"access-control-request-method": "DELETE"})
        assert answer.status_code in (404, 405), (path, method)
        assert "planted" not in answer.text
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "path",
    ["/.git/HEAD", "/.git/config", "/.env", "/pipelines/tally.yaml", "/.leat/control.db", "/assets/", "/assets",
     "/assets/0/../../app.py", "/static/", "/docs", "/redoc", "/openapi.json", "/metrics", "/debug", "/server-status",
     "/policies/sign_in.yaml"],
)  # fmt: skip
def test_nothing_but_its_own_files_is_served(browser: Browser, path: str) -> None:
    assert browser(path).status_code in (303, 400, 404), path
    assert browser(path, signed_in=False).status_code in (303, 400, 404), path


def test_the_description_of_the_api_needs_a_session(browser: Browser) -> None:
    assert browser("/v1/openapi.json", signed_in=False).status_code == 401
    assert browser("/v1/openapi.json").status_code == 200


def state(browser: Browser) -> dict[str, Any]:
    store = browser.api.workspace.store
    names = set(inspect(store).get_table_names()) - {"audit_event", "audit_person", "access_session", "api_token"}
    with store.connect() as connection:
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar() for name in names}


def test_what_only_reads_changes_nothing(browser: Browser) -> None:
    before = state(browser)
    for path in addresses(browser):
        browser(path, headers={"sec-fetch-site": "cross-site"})
    assert state(browser) == before


def test_a_parameter_that_is_given_twice_is_one_value(browser: Browser) -> None:
    """A parameter comes from one place: the query isn't the body, nor a header or a cookie."""
    answer = browser("/v1/runs?limit=1&limit=100000", headers={"accept": "application/json"})
    assert answer.status_code == 422, answer.text
    forged = browser("/v1/tokens", headers={"accept": "application/json", "mine": "false", "limit": "0"})
    assert forged.status_code == 200
    body = browser("/v1/tokens?name=x&expires_at=2030-01-01T00:00:00Z", method="POST", json={})
    assert body.status_code == 422, body.text


def test_the_address_of_the_client_is_taken_from_trusted_proxies_alone() -> None:
    front = Front(hook, hook, frozenset({"127.0.0.1"}), Metrics())
    direct = make_config(front, Options(".", trusted_proxies=()))
    assert direct.proxy_headers is False
    behind = make_config(front, Options(".", trusted_proxies=("10.0.0.1",)))
    assert (behind.proxy_headers, behind.forwarded_allow_ips) == (True, ["10.0.0.1"])
    seen: list[tuple[str, str]] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append((scope["client"][0], scope["scheme"]))

    middleware = ProxyHeadersMiddleware(app, trusted_hosts=behind.forwarded_allow_ips)  # what uvicorn puts in front
    for peer, sent in (("10.0.0.1", "192.0.2.7"), ("10.0.0.2", "192.0.2.7"), ("10.0.0.1", "6.6.6.6, 192.0.2.7")):
        scope = {"type": "http", "client": (peer, 1), "scheme": "http",
                 "headers": [(b"x-forwarded-for", sent.encode()), (b"x-forwarded-proto", b"https")]}  # fmt: skip
        asyncio.run(middleware(scope, None, None))  # type: ignore[arg-type]
    assert seen == [("192.0.2.7", "https"), ("10.0.0.2", "http"), ("192.0.2.7", "https")]


def test_links_in_pages_lead_to_leat_or_are_web_addresses(browser: Browser) -> None:
    for path in ("/", "/integrations", "/runs", "/catalog", "/catalog/tally/fed", "/people", "/preferences"):
        for link in re.findall(r'(?:href|action|src)="([^"]*)"', browser(path).text):
            parts = urllib.parse.urlsplit(link)
            assert parts.scheme in ("", "https", "mailto") or link.startswith("data:image/"), (path, link)
