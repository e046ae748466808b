"""Adding a system by the API: a draft is tried, shows its first rows, and becomes a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit.api import InProcess, api_in_process
from tests.kit.child import wait_until
from tests.kit.command import tally_project
from tests.sources.rest_answers import Answers, Asked, answering


def orders(_asked: Asked) -> Any:
    return {"orders": [{"id": number, "customer_email": f"c{number}@example.com"} for number in range(1, 4)]}


@pytest.fixture(scope="module")
def server() -> Iterator[Answers]:
    with answering() as started:
        started.answer = orders
        yield started


@pytest.fixture
def api(tmp_path: Path) -> Iterator[InProcess]:
    tally_project(tmp_path)
    with api_in_process(tmp_path) as one:
        yield one


def declaration(server: Answers, **more: Any) -> dict[str, Any]:
    endpoints = {"orders": {"path": "v1/orders", **more}}
    return {"source": "rest_api", "driver": "http", "connection": {"url": server.url, "endpoints": endpoints}}


def tried(api: InProcess, at: str) -> dict[str, Any]:
    wait_until(lambda: api("GET", at).json()["state"] == "tried")
    shown: dict[str, Any] = api("GET", at).json()
    return shown


def test_a_draft_is_tried_and_saved(api: InProcess, server: Answers) -> None:
    answer = api("POST", "/v1/drafts", json={"name": "shop", "declaration": declaration(server)})
    assert (answer.status_code, answer.json()["streams"]) == (202, []), answer.text
    at = answer.headers["location"]
    shown = tried(api, at)
    assert shown["ok"], shown
    (stream,) = shown["streams"]
    assert [row["customer_email"] for row in stream["rows"]] == [f"c{number}@example.com" for number in range(1, 4)]
    assert yaml.safe_load(shown["yaml"])["connection"]["endpoints"]["orders"]["key"] == "id"
    assert api("POST", f"{at}:test").status_code == 202
    assert tried(api, at)["ok"]
    saved = api("POST", f"{at}:save")
    assert (saved.status_code, saved.json()) == (201, {"integration": "shop", "file": "pipelines/shop.yaml"})
    assert api("GET", saved.headers["location"]).json()["integration"] == "shop"
    assert api("GET", at).status_code == 404


def test_mistakes_are_named(api: InProcess, server: Answers) -> None:
    wrong = api("POST", "/v1/drafts", json={"name": "shop", "declaration": declaration(server, pth="x")})
    assert wrong.status_code == 422
    assert wrong.json()["type"] == "/problems/invalid-declaration"
    assert "pth" in wrong.json()["errors"][0]["message"]
    taken = api("POST", "/v1/drafts", json={"name": "tally", "declaration": declaration(server)})
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/name-taken")
    elsewhere = api("POST", "/v1/drafts", json={"name": "../x", "declaration": declaration(server)})
    assert elsewhere.status_code == 409


def test_a_draft_is_its_owners_until_they_remove_it(api: InProcess, server: Answers) -> None:
    at = api("POST", "/v1/drafts", json={"name": "shop", "declaration": declaration(server)}).headers["location"]
    assert [api("GET", at, role).status_code for role in ("viewer", "analyst", "operator")] == [403, 403, 403]
    tried(api, at)
    assert api("DELETE", at).status_code == 204
    assert api("GET", at).json()["type"] == "/problems/no-such-draft"
    assert not (api.workspace.project.folder / "pipelines" / "shop.yaml").exists()
