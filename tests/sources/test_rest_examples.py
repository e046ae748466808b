"""The declarations of public APIs in the docs, read from servers that behave as the vendors' pages say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from leat.sources.rest_api.http.driver import Connection, sample
from leat.sources.sample import Sample
from tests.repository.docs_blocks import blocks
from tests.sources.rest_answers import Answers, answering
from tests.sources.rest_shop import Reader
from tests.sources.rest_vendors import GitHub, Graph, HubSpot

PAGE = Path(__file__).parents[2] / "docs" / "rest_api_examples.md"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@pytest.fixture
def server(running: Answers, monkeypatch: pytest.MonkeyPatch) -> Answers:
    for name in ("GITHUB_TOKEN", "HUBSPOT_TOKEN", "GRAPH_CLIENT_ID", "GRAPH_CLIENT_SECRET"):
        monkeypatch.setenv(name, f"value-of-{name}")
    running.asked.clear()
    return running


def declared(number: int, server: Answers, folder: Path) -> Reader:
    """Return a reader of a declaration in the docs, of a server here."""
    examples = [block.text for block in blocks(PAGE) if block.kind == "yaml"]
    connection: dict[str, Any] = yaml.safe_load(examples[number])["connection"]
    endpoints = connection.pop("endpoints")
    connection |= {"url": server.url}
    connection.pop("rate", None)
    if "token_url" in connection.get("auth", {}):
        connection["auth"]["token_url"] = f"{server.url}token"
    return Reader(folder, endpoints, server.url, connection)


def test_github(server: Answers, tmp_path: Path) -> None:
    hub = server.answer = GitHub()
    for number in range(1, 131):
        hub.issue("tools", number, f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}Z", comments=number % 2)
    hub.issue("docs", 1, "2026-01-02T00:00:00Z", comments=103)
    shop = declared(0, server, tmp_path)
    shop.run(NOW)
    assert len(shop.keys("repositories")) == 3
    assert len(shop.keys("issues")) == 131
    assert len(shop.keys("comments")) == 65 + 103
    assert shop.run(NOW) == []
    server.asked.clear()
    hub.issue("docs", 2, "2026-02-01T00:00:00Z", comments=2)
    hub.issue("docs", 1, "2026-02-02T00:00:00Z", comments=1)
    shop.run(NOW)
    assert len(shop.keys("issues")) == 132
    assert len(shop.keys("comments")) == 65 + 3
    assert not [each for each in server.asked if "tools/issues/" in each.path], "its issues are as they were"
    hub.issues["tools"].pop(0)
    shop.run(NOW + timedelta(days=2))
    assert len(shop.keys("issues")) == 131


def test_hubspot(server: Answers, tmp_path: Path) -> None:
    crm = server.answer = HubSpot()
    crm.cap = 400
    crm.contacts = {f"c{n}": datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=5 * n) for n in range(500)}
    shop = declared(1, server, tmp_path)
    shop.run(NOW)
    assert len(shop.keys("contacts")) == 500
    server.asked.clear()
    assert shop.run(NOW) == []
    assert len(server.asked) < 13
    crm.contacts["c0"] = crm.contacts["new"] = datetime(2026, 2, 1, tzinfo=UTC)
    shop.run(NOW)
    assert len(shop.keys("contacts")) == 501
    assert shop.row("c0", "contacts")["updated_at"] == datetime(2026, 2, 1, tzinfo=UTC)


def test_graph(server: Answers, tmp_path: Path) -> None:
    graph = server.answer = Graph(server.url)
    graph.changes = [(f"user-{n}", True) for n in range(5)]
    shop = declared(2, server, tmp_path)
    shop.run(NOW)
    assert len(shop.keys("users")) == 5
    assert shop.run(NOW) == []
    graph.changes += [("user-1", False), ("user-9", True), ("user-2", True)]
    shop.run(NOW)
    assert shop.keys("users") == ["user-0", "user-2", "user-3", "user-4", "user-9"]
    graph.changes += [("user-3", False)]
    graph.oldest = 99
    shop.run(NOW)
    assert shop.keys("users") == ["user-0", "user-2", "user-4", "user-9"]
    assert "token_expired" in shop.logged()


def looked_at(reader: Reader, *left_out: str) -> dict[str, Sample]:
    """Return what a look at each endpoint finds, without some keys of its declaration."""
    if left_out:
        reader.endpoints = {
            name: {key: value for key, value in each.items() if key not in left_out}
            for name, each in reader.endpoints.items()
        }
    connection = Connection.model_validate({**reader.more, "url": reader.url, "endpoints": reader.endpoints})
    return {each.stream: each for each in sample(connection, replace(reader.sync(), now=NOW))}


@pytest.mark.parametrize("draft", [False, True])
def test_each_is_looked_at_first(server: Answers, tmp_path: Path, draft: bool) -> None:
    left_out, paged = (("columns", "key", "records"), ("paging",)) if draft else ((), ())
    hub = server.answer = GitHub()
    for number in range(1, 131):
        hub.issue("tools", number, f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}Z", comments=2)
    hub.off.clear()
    actual = looked_at(declared(0, server, tmp_path), *left_out, *paged)
    assert {name: each.error for name, each in actual.items()} == dict.fromkeys(("repositories", "issues", "comments"))
    assert all(each.is_good and each.rows for each in actual.values())
    crm = server.answer = HubSpot()
    crm.contacts = {f"c{n}": NOW - timedelta(hours=5 * n) for n in range(500)}
    (contacts,) = looked_at(declared(1, server, tmp_path), *left_out).values()
    assert (contacts.error, contacts.rows > 0) == (None, True)
    graph = server.answer = Graph(server.url)
    graph.changes = [(f"user-{n}", True) for n in range(5)]
    (users,) = looked_at(declared(2, server, tmp_path), *left_out, *paged).values()
    assert (users.error, users.rows) == (None, 4)
    if draft:
        proposed = [yaml.safe_load(each.proposed) for each in (*actual.values(), contacts, users)]
        paging = {name: each.get("paging", {}).get("kind") for one in proposed for name, each in one.items()}
        assert paging == {"repositories": None, "issues": "link_header", "comments": None, "contacts": "cursor",
                          "users": "next_link"}  # fmt: skip
        assert proposed[-1]["users"]["paging"]["field"] == "['@odata.nextLink']"
