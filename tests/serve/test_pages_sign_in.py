"""Sign-in to the dashboard at a real identity provider, Canaille, and sign-out here and there."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2 as httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from leat.control.engine import writing
from leat.control.security_tables import Person
from leat.demo.servers.canaille import start_canaille
from leat.demo.servers.process import running
from leat.runs.workspace import Workspace, open_workspace
from leat.security.logout import EVENT
from leat.security.people import list_people
from leat.security.sessions import create_session, provider_tokens
from leat.serve.app import create_app
from leat.serve.current import Current
from leat.serve.front import Front
from leat.serve.health import Health
from leat.serve.metrics import Metrics
from tests.kit.command import tally_project
from tests.security.test_sign_in import ACCOUNTS, SECRET, go_through

URL = "http://127.0.0.1:9"  # where the provider sends browsers back to
POLICY = """sign_in:
  issuer: {issuer}
  client_id: leat
  client_secret: {{env: LEAT_TEST_PAGES_SECRET}}
  roles: {{data: analyst}}
"""


@pytest.fixture
def canaille(tmp_path: Path) -> Iterator[str]:
    with running(start_canaille(tmp_path / "canaille", ACCOUNTS)) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_people_sign_in_at_their_provider(canaille: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAT_TEST_PAGES_SECRET", SECRET)
    (tmp_path / "project" / "policies").mkdir(parents=True)
    leat = tally_project(tmp_path / "project")
    (leat.folder / "policies" / "sign_in.yaml").write_text(POLICY.format(issuer=canaille))
    workspace = open_workspace(leat.folder)
    app = create_app(Health(workspace), Current(workspace), public_url=URL)
    front = Front(app, app, frozenset({"127.0.0.1"}), Metrics())

    async def ask(method: str, path: str, form: dict[str, str] | None, **cookies: str) -> Any:
        headers = {"accept": "text/html", "origin": URL, "cookie": "; ".join(f"{a}={b}" for a, b in cookies.items())}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url=URL, trust_env=False) as client:
            return await client.request(method, path, headers=headers, data=form)

    def browse(method: str, path: str, form: dict[str, str] | None = None, **cookies: str) -> Any:
        return asyncio.run(ask(method, path, form, **cookies))

    def sign_in(person: str) -> Any:
        begun = browse("GET", "/sign-in/begin?return_to=/violations")
        cookie = re.match("leat_sign_in=([^;]+); HttpOnly", begun.headers["set-cookie"])
        assert cookie is not None, begun.headers["set-cookie"]
        response = go_through(canaille, begun.headers["location"], person)
        assert browse("GET", f"/sign-in/finish?{urlencode(response)}").status_code == 403  # in another browser
        return browse("GET", f"/sign-in/finish?{urlencode(response)}", leat_sign_in=cookie[1])

    assert "/sign-in/begin?return_to=/runs" in browse("GET", "/sign-in?return_to=/runs").text
    done = sign_in("ann")
    assert (done.status_code, done.headers["location"]) == (303, "/violations"), done.text
    session = re.search("leat=([^;]+);", done.headers.get_list("set-cookie")[-1])
    assert session is not None
    page = browse("GET", "/", leat=session[1])
    assert (page.status_code, "your role is analyst" in page.text) == (200, True)
    for path in ("/", "/violations", "/actions", "/integrations", "/integrations/tally", "/runs"):
        assert browse("GET", path, leat=session[1]).status_code == 200, path  # although nothing was ever loaded
    assert "has no role here" in sign_in("bob").text
    before = provider_tokens(workspace.store, session[1]).refresh
    monkeypatch.setattr("leat.serve.session.ASKED_EVERY", 0.0)
    assert browse("GET", "/", leat=session[1]).status_code == 200
    assert provider_tokens(workspace.store, session[1]).refresh != before, "the provider was asked again"
    out = browse("POST", "/sign-out", leat=session[1])
    there = re.search(r'href="(http[^"]+)"', out.text)
    assert there is not None
    assert urlsplit(there[1]).netloc == urlsplit(canaille).netloc
    assert browse("GET", "/", leat=session[1]).status_code == 303
    ended_by_the_provider(browse, workspace, tmp_path / "canaille" / "key")
    (leat.folder / "policies" / "sign_in.yaml").unlink()
    app.state.current = Current(open_workspace(leat.folder))
    answer = browse("POST", "/sign-in/logout", {"logout_token": "x"})
    assert answer.status_code == 404, "there is no identity provider any more"
    workspace.close()


def ended_by_the_provider(browse: Callable[..., Any], workspace: Workspace, secret: Path) -> None:
    """Sign somebody out as the provider does, by back-channel logout.

    Canaille sends no logout tokens, so this does: signed with the key of Canaille, which it makes of its secret.
    """
    (ann,) = list_people(workspace.store)
    assert (ann.role, ann.role_from) == ("analyst", "data")
    with writing(workspace.store) as store:
        ids = [create_session(store, store.get_one(Person, ann.id), "oidc", datetime.now(UTC)) for _ in range(2)]
    claims = {"iss": ann.issuer, "aud": "leat", "iat": int(time.time()), "jti": "j1", "sub": ann.subject,
              "events": {EVENT: {}}}  # fmt: skip
    key = OKPKey.derive_key(secret.read_text(), auto_kid=True)

    header = {"alg": "Ed25519", "kid": key.kid, "typ": "logout+jwt"}

    def send(**changes: Any) -> Any:
        token = jwt.encode(header, {**claims, **changes}, key, algorithms=["Ed25519"])
        return browse("POST", "/sign-in/logout", {"logout_token": token})

    for wrong, why in (({"nonce": "n"}, "nonce"), ({"aud": "shop"}, "audience"), ({"events": {}}, "no event")):
        answer = send(**wrong)
        assert (answer.status_code, why in answer.json()["error_description"]) == (400, True), answer.text
    assert browse("POST", "/sign-in/logout").status_code == 400
    assert [browse("GET", "/", leat=each).status_code for each in ids] == [200, 200]
    assert send().status_code == 200
    assert [browse("GET", "/", leat=each).status_code for each in ids] == [303, 303]
    assert send().status_code == 400, "a token counts once"
