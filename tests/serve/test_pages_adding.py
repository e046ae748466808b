"""Adding a system in the browser: who may, what a draft may name, the tests and first rows, and the file."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditEvent
from leat.pipelines.declare.project import load_declarations
from leat.runs.connecting.reach import reach_of
from leat.runs.workspace import open_workspace
from leat.serve.app import create_app
from leat.serve.current import Current
from leat.serve.health import Health
from leat.serve.pages import adding
from leat.sources.driver import driver_names, source_names
from tests.kit.child import wait_until
from tests.serve.test_pages import ROLES, URL, Judge, Pages
from tests.sources.rest_answers import Answers, Asked, answering

AT = "/integrations/-"
REST = f"{AT}/add/rest_api/http"
PROVIDER = """sign_in:
  issuer: https://id.example
  client_id: leat
  client_secret: {env: PROVIDER_SECRET}
  roles: {group-of-viewer: viewer, group-of-analyst: analyst, group-of-operator: operator, group-of-admin: admin}
"""


def by_page(asked: Asked) -> Any:
    if asked.headers.get("Authorization") != "Bearer of the shop":
        return 401, {}, {}
    first = 20 * (int(asked.query.get("page", 1)) - 1)
    orders = [{"id": n, "mail": f"c{n}@example.com", "total": n / 2} for n in range(first + 1, min(first + 20, 45) + 1)]
    return {"page": asked.query.get("page", 1), "total": 45, "orders": orders}


@pytest.fixture(scope="module")
def server() -> Iterator[Answers]:
    with answering() as started:
        started.answer = by_page
        yield started


def opened(folder: Path, *networks: str, policy: str = "") -> Iterator[Pages]:
    """Open a dashboard of a project without integrations."""
    (folder / "pipelines").mkdir()
    if policy:
        (folder / "policies").mkdir()
        (folder / "policies" / "sign_in.yaml").write_text(policy)
    workspace = open_workspace(folder, may_be_empty=True)
    yield Pages(create_app(Health(workspace), Current(workspace), public_url=URL, private_networks=networks), workspace)
    workspace.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    yield from opened(tmp_path_factory.mktemp("adding"))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Pages]:
    yield from opened(tmp_path)


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """Open a dashboard whose people sign in at an identity provider: they don't run leat."""
    folder = tmp_path_factory.mktemp("restricted")
    (folder / "pipelines").mkdir()
    text = "source: payments\ndriver: stripe\nconnection: {api_key: {env: SHOP_STRIPE_KEY}}\n"
    (folder / "pipelines" / "payments.yaml").write_text(text)
    (folder / "policies").mkdir()
    (folder / "policies" / "sign_in.yaml").write_text(PROVIDER)
    workspace = open_workspace(folder)
    yield Pages(create_app(Health(workspace), Current(workspace), public_url=URL), workspace)
    workspace.close()


def form_for(server: Answers, **more: str) -> dict[str, str]:
    variable = {"auth": "bearer", "auth.token": "SHOP_TOKEN", "auth.token:from": "env"}
    return {"name": "shop", "url": f"{server.url}v1/orders?expand=1", "url:from": "value", **variable, **more}


def tried(pages: Pages, form: Mapping[str, str], at: str = REST) -> tuple[str, str]:
    """Send a form; return the address of its draft, and the page when everything was tried."""
    answer = pages(at, "admin", dict(form))
    assert answer.status_code == 303, re.findall(r'class="wrong"[^>]*>(.*?)</p>|role="alert">(.*?)</div>', answer.text)
    return answer.headers["location"], ended(pages, answer.headers["location"])


def ended(pages: Pages, draft: str) -> str:
    wait_until(lambda: "Test again" in pages(draft).text)
    return str(pages(draft).text)


def lines_of(text: str) -> list[str]:
    """Return the ticks of a page as text."""
    items = re.findall(r"<li>(<span class=\"badge.*?)</li>", text, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", item)).split()) for item in items]


@pytest.fixture(scope="module")
def token() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_TOKEN", "of the shop")
        yield


@pytest.fixture(scope="module")
def draft(pages: Pages, server: Answers, token: None) -> tuple[str, str]:
    return tried(pages, form_for(server))


def test_only_administrators_see_and_do_any_of_it(pages: Pages, draft: tuple[str, str]) -> None:
    at = draft[0]
    wanted = {
        f"{AT}/add": f"{AT}/add", f"{AT}/add/{{source}}/{{driver}}": REST, f"{AT}/{{draft_id}}": at,
        f"{AT}/{{draft_id}}/live": f"{at}/live", f"{AT}/{{draft_id}}/file": f"{at}/file",
    }  # fmt: skip
    routes = [route for route in adding.router.routes if isinstance(route, APIRoute)]
    assert {route.path for route in routes if "GET" in route.methods} == wanted.keys()
    for address in wanted.values():
        for role in ROLES:
            answer = pages(address, role)
            assert answer.status_code == (200 if role == "admin" else 403), (address, role)
            if address.endswith("/live"):
                continue
            judge = Judge(answer.text)
            assert (judge.wrong, judge.headings) == ([], 1), (address, role)
            assert judge.controls <= judge.labels, (address, judge.controls - judge.labels)
        assert pages(address, None).headers["location"].startswith("/sign-in"), address
    written = [route.path for route in routes if "POST" in route.methods]
    assert len(written) == 4
    for path in written:
        address = path.replace("{source}/{driver}", "rest_api/http").replace(f"{AT}/{{draft_id}}", at)
        for role in ROLES[:3]:
            assert pages(address, role, {"name": "shop"}).status_code == 403, (address, role)
        assert pages(address, None, {}).headers["location"].startswith("/sign-in"), address
        assert pages(address, "admin", {}, origin="https://evil.example").status_code == 403, address
        assert pages(address, "admin", {}, **{"sec-fetch-site": "cross-site"}).status_code == 403, address
    assert list((pages.workspace.project.folder / "pipelines").iterdir()) == []


def test_the_first_pages_lead_there(pages: Pages) -> None:
    for path in ("/", "/integrations"):
        assert f'href="{AT}/add"' in pages(path).text
        assert f'href="{AT}/add"' not in pages(path, "operator").text
        assert "An administrator can add one here" in pages(path, "operator").text
    text = pages(f"{AT}/add").text
    for source in source_names():
        for driver in driver_names(source):
            assert (f'href="{AT}/add/{source}/{driver}"' in text) is (source != "platform"), (source, driver)
    for at in ("nothing/here", "rest_api/smtp", "platform/sql"):
        assert pages(f"{AT}/add/{at}").status_code == 404
        assert pages(f"{AT}/add/{at}", "admin", {"name": "x"}).status_code == 404
    assert "isn&#39;t there any more" in pages(f"{AT}/draft_0").text


def test_a_rest_api_is_tried_and_proposed_from_the_address_of_a_list(draft: tuple[str, str]) -> None:
    _, text = draft
    assert "It works: shop can be read." in text
    assert [line.partition(" 1 ")[0][:24] for line in lines_of(text)] == [
        "ok Variable SHOP_TOKEN i", "ok Reachable http://127.", "ok Authenticated the API", "ok May read orders",
        "ok Reads orders 2 pages ",
    ]  # fmt: skip
    assert "c1@example.com" in text
    assert "of the shop" not in text
    assert 'name="key:orders" value="id"' in text
    assert "(leat takes as personal: mail)" in text


def test_the_parts_of_a_trial_come_as_events_until_it_ends(pages: Pages, draft: tuple[str, str]) -> None:
    answer = pages(f"{draft[0]}/live")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "data: <h1>It works" in answer.text
    assert answer.text.endswith("event: done\ndata: done\n\n")


def test_streams_are_chosen_and_hashed_columns_are_hidden(pages: Pages, draft: tuple[str, str]) -> None:
    chosen = {"load:orders": "yes", "key:orders": "id", "hash:orders": "mail", "schedule": "0 3 * * *"}
    answer = pages(f"{draft[0]}/streams", "admin", chosen)
    assert answer.headers["location"] == f"{draft[0]}/file"
    shown = re.search(r'<pre id="yaml"[^>]*>(.*?)</pre>', pages(f"{draft[0]}/file").text, re.DOTALL)
    assert shown is not None
    document = yaml.safe_load(unescape(shown[1]))
    assert document["streams"] == {"orders": {"mask": ["mail"]}}
    assert document["schedule"] == "0 3 * * *"
    assert document["connection"]["auth"] == {"kind": "bearer", "token": {"env": "SHOP_TOKEN"}}
    assert document["connection"]["endpoints"]["orders"] == {
        "path": "orders", "params": {"expand": "1"}, "records": "orders", "paging": {"kind": "pages", "total": "total"},
        "key": "id", "columns": {"id": "integer", "mail": {"type": "string", "personal": True}, "total": "float"},
    }  # fmt: skip
    assert "(masked)" in pages(draft[0]).text
    assert "c1@example.com" not in pages(draft[0]).text


def saved(pages: Pages, draft: str, **form: str) -> Any:
    return pages(f"{draft}/save", "admin", form)


def test_a_draft_is_saved_once_checked_and_never_over_a_file(
    empty: Pages, server: Answers, token: None, tmp_path: Path
) -> None:
    drafts = [tried(empty, form_for(server))[0] for _ in range(2)]
    answer = saved(empty, drafts[0])
    assert (answer.status_code, answer.headers["location"]) == (303, "/integrations/shop?done=added"), answer.text
    assert empty(answer.headers["location"]).status_code == 200
    path = tmp_path / "pipelines" / "shop.yaml"
    before = path.read_bytes()
    assert "leat follows it from now on" in empty(answer.headers["location"]).text
    again = saved(empty, drafts[1])
    assert (again.status_code, "is there already" in again.text) == (409, True)
    assert (path.read_bytes(), [each.name for each in path.parent.iterdir()]) == (before, ["shop.yaml"])
    assert set(load_declarations(empty.workspace.project)) == {"shop"}
    with Session(empty.workspace.store) as session:
        added = session.scalars(select(AuditEvent.detail).where(AuditEvent.event == "integration.added"))
        events = [json.loads(detail) for detail in added]
    assert events == [{"integration": "shop", "source": "rest_api", "driver": "http"}]


def test_of_two_who_save_the_same_name_at_once_one_wins(
    empty: Pages, server: Answers, token: None, tmp_path: Path
) -> None:
    forms = [form_for(server, description=f"number {n}") for n in range(4)]
    drafts = [tried(empty, form)[0] for form in forms]
    answers: list[int] = []
    threads = [threading.Thread(target=lambda at=at: answers.append(saved(empty, at).status_code)) for at in drafts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, 409, 409, 409]
    assert len(list((tmp_path / "pipelines").iterdir())) == 1


def test_a_file_that_cant_be_written_is_offered_to_copy(
    empty: Pages, server: Answers, token: None, tmp_path: Path
) -> None:
    at, _ = tried(empty, form_for(server))
    (tmp_path / "pipelines" / "shop.yaml").symlink_to(tmp_path / "elsewhere" / "shop.yaml")
    answer = saved(empty, at)
    assert (answer.status_code, "source: rest_api" in answer.text) == (409, True)
    assert not (tmp_path / "elsewhere").exists()


def test_nothing_is_saved_while_another_declaration_has_a_mistake(
    empty: Pages, server: Answers, token: None, tmp_path: Path
) -> None:
    at, _ = tried(empty, form_for(server))
    (tmp_path / "pipelines" / "other.yaml").write_text("source: nothing\n")
    answer = saved(empty, at)
    assert (answer.status_code, "pipelines/other.yaml:1" in answer.text) == (422, True)
    assert not (tmp_path / "pipelines" / "shop.yaml").exists()


@pytest.mark.parametrize("name", ["", "../shop", "a/b", "Shop", "leat", "landing_shop", "shop.yaml", "-", "x" * 42])
def test_a_name_that_no_file_may_have_is_refused(pages: Pages, server: Answers, name: str) -> None:
    answer = pages(REST, "admin", form_for(server, name=name))
    assert (answer.status_code, 'id="e-name"' in answer.text) == (422, True)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"url": "shop.example.com/orders"}, "url"),
        ({"url": "https://u:p@shop.example.com/orders"}, "url"),
        ({"lists": "https://other.example.com/orders"}, "lists"),
        ({"auth.token": ""}, "auth.token"),
        ({"auth.token:from": "value", "auth.token": "typed"}, "auth.token"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": "-1"}, "timeout"),
    ],
)
def test_a_mistake_is_shown_at_its_field(pages: Pages, server: Answers, more: dict[str, str], field: str) -> None:
    answer = pages(REST, "admin", form_for(server, **more))
    assert (answer.status_code, f'id="e-{field}"' in answer.text) == (422, True), answer.text
    assert Judge(answer.text).wrong == []
    assert 'value="shop"' in answer.text


def test_what_is_missing_is_said_with_its_fix_and_can_be_tried_again(
    empty: Pages, server: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAT_VARIABLES_OF_FILE", "")
    monkeypatch.delenv("LATE_TOKEN", raising=False)
    at, text = tried(empty, form_for(server, **{"auth.token": "LATE_TOKEN"}))
    assert lines_of(text) == [
        "failed Variable LATE_TOKEN is there it is not set "
        "What to do: write a line LATE_TOKEN=… into the project's .env file, then test again."
    ]
    for value, said in (("wrong", "failed Authenticated"), ("of the shop", "ok Reads orders")):
        (tmp_path / ".env").write_text(f"LATE_TOKEN={value}\n")
        assert empty(f"{at}/test", "admin", {}).headers["location"] == at
        text = ended(empty, at)
        assert any(line.startswith(said) for line in lines_of(text)), (value, lines_of(text))
    assert empty(f"{REST}?draft={at.rpartition('/')[2]}").text.count("LATE_TOKEN") == 1
    monkeypatch.delenv("LATE_TOKEN", raising=False)


def test_a_draft_is_only_its_owners(pages: Pages, draft: tuple[str, str]) -> None:
    pages.sign_in("admin", "other")
    assert pages(draft[0], "other").status_code == 200, "another session of the same person"
    workspace = pages.workspace
    found = pages.app.state.drafts.find(draft[0].rpartition("/")[2], "person_somebody_else")
    assert found is None
    assert workspace.declarations == {}


# Somebody who signs in at a provider.


def refused(restricted: Pages, at: str, **form: str) -> str:
    answer = restricted(at, "admin", {"name": "shop", **form})
    assert answer.status_code == 422, answer.headers
    return " ".join(re.findall(r'class="wrong" id="e-([\w.]+)"', answer.text))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/orders", "http://localhost:{port}/orders", "http://2130706433:{port}/orders",
        "http://0x7f000001:{port}/orders", "http://[::ffff:127.0.0.1]:{port}/orders", "http://127.1:{port}/orders",
        "http://169.254.169.254/latest", "http://10.0.0.7/orders", "http://100.64.0.1/orders", "http://[::1]:{port}/x",
    ],
)  # fmt: skip
def test_only_public_addresses_are_connected_to(restricted: Pages, server: Answers, url: str) -> None:
    asked = len(server.asked)
    address = url.format(port=server.url.rstrip("/").rpartition(":")[2])
    _, text = tried(restricted, {"name": "shop", "url": address, "auth": "none"})
    assert "is not a public address" in text
    assert "--private-network" in text
    assert len(server.asked) == asked


@pytest.mark.parametrize(
    ("at", "form"),
    [
        ("calendar/caldav", {"url": "http://127.0.0.1:{port}/"}),
        ("cloud_storage/webdav", {"url": "http://127.0.0.1:{port}/"}),
        ("sso/scim", {"url": "http://127.0.0.1:{port}/", "auth": "none"}),
        ("email/imap", {"host": "localhost:{port}", "username": "x"}),
        ("version_control/git", {"repositories": "http://127.0.0.1:{port}/x.git"}),
    ],
)
def test_no_driver_gets_further(restricted: Pages, at: str, form: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        port = str(listening.getsockname()[1])
        filled = {name: value.replace("{port}", port) for name, value in form.items()}
        _, text = tried(restricted, {"name": "shop", **filled}, f"{AT}/add/{at}")
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert "is not a public address" in text


def test_a_token_is_asked_for_at_public_addresses_alone(
    restricted: Pages, server: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SECRET", "secret")
    grant = {"auth": "oauth2_client_credentials", "auth.token_url": f"{server.url}token", "auth.client_id": "shop",
             "auth.client_secret": "SHOP_SECRET"}  # fmt: skip
    asked = len(server.asked)
    _, text = tried(restricted, {"name": "shop", "url": "https://192.0.2.1/orders", **grant})
    assert "is not a public address" in text
    assert len(server.asked) == asked


def test_a_permitted_network_is_connected_to(server: Answers, token: None, tmp_path: Path) -> None:
    for pages in opened(tmp_path, "127.0.0.0/8", policy=PROVIDER):
        at, text = tried(pages, form_for(server))
        assert "It works" in text
        assert "allow_private" not in pages(f"{at}/file").text


def test_only_what_is_meant_for_the_system_is_named(restricted: Pages) -> None:
    bearer = {"url": "https://shop.example.com/orders", "auth": "bearer", "auth.token:from": "env"}
    for name in (
        "PAYMENTS_API_KEY",
        "LEAT_MASK_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "SHOP",
        "SHOPPING_KEY",
        "SHOP_STRIPE_KEY",
    ):
        assert refused(restricted, REST, **bearer, **{"auth.token": name}) == "auth.token", name
    named = {**bearer, "auth.token:from": "file"}
    for path in ("/etc/passwd", ".env", "secrets/payments", "secrets/../.env", "secrets/shop/../../.env", "shop",
                 ".leat/mask.key", "secrets/shopping"):  # fmt: skip
        assert refused(restricted, REST, **named, **{"auth.token": path}) == "auth.token", path
    git = f"{AT}/add/version_control/git"
    for repository in ("/srv/git/secret.git", "git@github.com:a/b.git", "ssh://host/x.git", "file:///srv/x.git"):
        assert refused(restricted, git, repositories=repository) == "repositories", repository
    assert refused(restricted, f"{AT}/add/cloud_storage/s3", name="objects") == "access_key"


def test_settings_of_the_machine_are_not_offered(restricted: Pages, pages: Pages) -> None:
    for at, setting in (("calendar/caldav", "storage"), ("email/imap", "attachments"),
                        ("sso/scim", "canaille_log"), ("version_control/git", "allow_local_paths")):  # fmt: skip
        assert f'id="f-{setting}"' not in restricted(f"{AT}/add/{at}").text
        assert f'id="f-{setting}"' in pages(f"{AT}/add/{at}").text
    form = {"name": "code", "repositories": "https://192.0.2.1/x.git", "allow_local_paths": "true"}
    at, _ = tried(restricted, form, f"{AT}/add/version_control/git")
    assert "allow_local_paths: false" in restricted(f"{at}/file").text


def test_a_mapped_address_is_the_one_inside() -> None:
    reach = reach_of(anything=False, networks=["10.0.0.0/8"])
    assert reach.permits is not None
    allowed = {address for address in ("::ffff:10.1.2.3", "10.1.2.3", "93.184.215.14", "127.0.0.1", "::ffff:127.0.0.1")
               if reach.permits(address)}  # fmt: skip
    assert allowed == {"::ffff:10.1.2.3", "10.1.2.3", "93.184.215.14"}
