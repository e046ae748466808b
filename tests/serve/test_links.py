"""The links of mails on the real server: a GET never unsubscribes, and a link leads only where the mail said."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import select
from sqlalchemy.orm import Session

from leat.control.mail_tables import TrackingEvent
from leat.control.outbox import ActionRow, read_body
from leat.control.suppressions import read_suppressions
from leat.runs.workspace import open_workspace
from leat.serve.app import create_app
from leat.serve.health import Health
from tests.kit.offices import Desk, desk_of
from tests.kit.serving import fronted

ROOT = Path(__file__).parents[2]
SENDING = {
    "host": "127.0.0.1:1",
    "security": "none",
    "from": "shop@x.example",
    "signing_key": {"env": "SIGNING_KEY"},
    "public_url": "https://mail.x.example",
}
CONNECTION = {"host": "127.0.0.1:1", "security": "none", "username": "shop", "password": {"env": "SIGNING_KEY"}}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("SIGNING_KEY", "planted-signing-key-1234")
    declared = {"source": "email", "driver": "imap", "connection": {**CONNECTION, "send": SENDING}}
    with desk_of(tmp_path, "email", declared) as desk:
        shutil.copytree(ROOT / "templates", tmp_path / "templates")
        yield desk


@pytest.fixture
def url(desk: Desk) -> Iterator[str]:
    app = create_app(Health(open_workspace(desk.office.project.folder)))
    with fronted(app, app) as port:
        yield f"http://127.0.0.1:{port}"


def links_of(desk: Desk, row: ActionRow) -> dict[str, str]:
    """Return the paths of the links in a mail that waits, by their first letter."""
    content = read_body(desk.office.store, row.plan["bodies"]["message.eml"]).replace(b"=\r\n", b"")
    paths = re.findall(r"https://mail\.x\.example(/(\w)\w*/[a-z0-9-]+)", content.decode())
    return {letter: path for path, letter in paths}


def test_links_of_a_mail(desk: Desk, url: str) -> None:
    data = {"title": "News", "paragraphs": ["Text"], "link": "https://a.example/?x=1"}
    wanted = {"to": "ann@x.example", "template": "notice", "data": data, "bulk": True}
    row = desk.plan("send", **wanted, track_clicks=True, track_opens=True)
    store, links = desk.office.store, links_of(desk, row)
    assert set(links) == {"u", "c", "o"}

    asked = requests.get(url + links["u"], timeout=5)
    assert (asked.status_code, "<button" in asked.text) == (200, True)
    assert "form-action 'self'" in asked.headers["content-security-policy"]
    assert requests.head(url + links["u"], timeout=5).status_code == 405
    assert read_suppressions(store) == []
    left = requests.post(url + links["u"], data={"List-Unsubscribe": "One-Click"}, timeout=5)
    assert (left.status_code, "You are unsubscribed" in left.text) == (200, True)
    assert [(each.address, each.reason) for each in read_suppressions(store)] == [("ann@x.example", "opt_out")]

    click = requests.get(url + links["c"], timeout=5, allow_redirects=False)
    assert (click.status_code, click.headers["location"]) == (302, data["link"])
    picture = requests.get(url + links["o"], timeout=5, headers={"Sec-Purpose": "prefetch"})
    assert (picture.content[:6], picture.headers["cache-control"]) == (b"GIF89a", "no-store")
    with Session(store) as session:
        events = [(each.kind, each.because) for each in session.scalars(select(TrackingEvent))]
    assert events == [("click", "its program is no browser or mail program"), ("open", "it loads in advance")]

    for kind, path in links.items():
        wrong = path[:-1] + ("a" if path[-1] != "a" else "b")
        for method in ("GET", "POST") if kind == "u" else ("GET",):
            answer = requests.request(method, url + wrong, timeout=5, allow_redirects=False)
            assert answer.status_code == (200 if kind == "o" else 404)
    assert requests.get(f"{url}/c/{links['u'].rpartition('/')[2]}", timeout=5).status_code == 404
    with Session(store) as session:
        assert len(list(session.scalars(select(TrackingEvent)))) == 2
