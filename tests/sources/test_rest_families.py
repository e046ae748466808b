"""Endpoints below endpoints: grandchildren, nested lists, listed values; and which streams fail when one can't be read."""

# ruff: noqa: E501 - a case is a line
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leat.sources.errors import Unauthenticated, Unavailable
from leat.sources.events import Delete, Failed, FullScan
from tests.sources.rest_answers import Answers, Asked, answering
from tests.sources.rest_shop import Reader

ORGS = {"path": "orgs", "key": "org", "columns": {"org": "string"}}
REPOS = {
    "path": "orgs/{o}/repos",
    "parent": {"endpoint": "orgs", "values": {"o": "org"}},
    "key": ["org", "repo"],
    "columns": {"org": {"type": "string", "parent": "org"}, "repo": "string"},
}
PULLS = {
    "path": "repos/{o}/{r}/pulls",
    "parent": {"endpoint": "repos", "values": {"o": "org", "r": "repo"}},
    "key": ["org", "repo", "n"],
    "columns": {
        "org": {"type": "string", "parent": "org"},
        "repo": {"type": "string", "parent": "repo"},
        "n": "integer",
    },
}
LABELS = {
    "path": "repos",
    "nested_in": "repos",
    "records": "labels",
    "key": ["org", "repo", "name"],
    "columns": {
        "org": {"type": "string", "parent": "org"},
        "repo": {"type": "string", "parent": "repo"},
        "name": "string",
    },
}
HUB = {"orgs": ORGS, "repos": REPOS, "pulls": PULLS, "labels": LABELS}


@pytest.fixture(scope="module")
def running() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@pytest.fixture
def server(running: Answers) -> Answers:
    running.asked.clear()
    return running


class Hub:
    """Organisations with repositories, which have labels and pull requests."""

    def __init__(self) -> None:
        self.orgs: dict[str, dict[str, tuple[list[str], list[int]]]] = {
            "a": {"x": (["red"], [1, 2]), "y": ([], [])},
            "b": {"x": (["blue", "red"], [1])},
        }
        self.status: dict[str, int] = {}

    def __call__(self, asked: Asked) -> Any:
        parts = asked.path.strip("/").split("/")
        if asked.path in self.status:
            return self.status[asked.path], {}, {}
        if parts == ["orgs"]:
            return [{"org": org} for org in self.orgs]
        if parts[0] == "orgs":
            repos = self.orgs[parts[1]]
            return [{"repo": repo, "labels": [{"name": n} for n in names]} for repo, (names, _) in repos.items()]
        return [{"n": number} for number in self.orgs[parts[1]][parts[2]][1]]

    def keys(self, stream: str) -> list[Any]:
        repos = [(org, repo, *more) for org, repos in self.orgs.items() for repo, more in repos.items()]
        keys_of = {
            "orgs": list(self.orgs),
            "repos": [(org, repo) for org, repo, *_ in repos],
            "labels": [(org, repo, name) for org, repo, names, _ in repos for name in names],
            "pulls": [(org, repo, number) for org, repo, _, numbers in repos for number in numbers],
        }
        return sorted(keys_of[stream])


def same(shop: Reader, hub: Hub) -> bool:
    return all(shop.keys(name) == hub.keys(name) for name in HUB)


def test_grandchildren_and_nested_lists_follow_their_parents(server: Answers, tmp_path: Path) -> None:
    hub = server.answer = Hub()
    shop = server.reader(tmp_path, HUB)
    shop.run()
    assert same(shop, hub)
    assert shop.run() == []
    hub.orgs["a"]["x"] = (["green"], [2, 3])
    hub.orgs["a"]["z"] = (["red"], [9])
    del hub.orgs["a"]["y"]
    shop.run()
    assert same(shop, hub)
    del hub.orgs["b"]
    shop.run()
    assert same(shop, hub)
    assert shop.run() == []


def test_a_grandchild_can_be_wanted_alone(server: Answers, tmp_path: Path) -> None:
    hub = server.answer = Hub()
    shop = server.reader(tmp_path, HUB)
    shop.streams = frozenset({"pulls"})
    shop.run()
    assert shop.keys("pulls") == hub.keys("pulls")
    assert set(shop.tables) == {"pulls"}


@pytest.mark.parametrize("status", [404, 500, 403])
def test_a_child_that_fails_fails_alone_with_what_is_below_it(server: Answers, tmp_path: Path, status: int) -> None:
    hub = server.answer = Hub()
    shop = server.reader(tmp_path, {**HUB, "other": {**ORGS, "path": "orgs"}})
    shop.lenient = True
    shop.run()
    before = {name: shop.keys(name) for name in HUB}
    hub.status = {"/orgs/b/repos": status}
    hub.orgs["a"]["x"] = (["green"], [7])
    hub.orgs["c"] = {}
    shop.run()
    assert {event.stream for event in shop.events if isinstance(event, Failed)} == {"repos", "pulls", "labels"}
    assert [shop.keys(name) for name in ("repos", "pulls", "labels")] == [
        before[n] for n in ("repos", "pulls", "labels")
    ]
    assert shop.keys("orgs") == shop.keys("other") == ["a", "b", "c"]
    hub.status = {}
    shop.run()
    assert same(shop, hub)


def test_a_parent_that_fails_fails_its_children_and_no_other(server: Answers, tmp_path: Path) -> None:
    hub = server.answer = Hub()
    shop = server.reader(
        tmp_path,
        {**HUB, "other": {**ORGS, "path": "orgs/a/repos", "columns": {"org": {"type": "string", "field": "repo"}}}},
    )
    shop.lenient = True
    hub.status = {"/orgs": 404}
    shop.run()
    assert {event.stream for event in shop.events if isinstance(event, Failed)} == set(HUB)
    assert shop.keys("other") == ["x", "y"]


def test_refused_credentials_stop_everything(server: Answers, tmp_path: Path) -> None:
    hub = server.answer = Hub()
    hub.status = {"/orgs/b/repos": 401}
    shop = server.reader(tmp_path, HUB)
    shop.lenient = True
    with pytest.raises(Unauthenticated):
        shop.run()


def test_a_server_that_is_away_stops_everything(tmp_path: Path) -> None:
    with answering() as gone:
        shop = gone.reader(tmp_path, {"orgs": ORGS, "other": ORGS}, timeout=1)
    shop.lenient = True
    with pytest.raises(Unavailable):
        shop.run()


NEWS = {
    "path": "news",
    "key": "id",
    "columns": {"id": "integer", "at": "timestamp"},
    "incremental": {"column": "at", "param": "since"},
}
NOTES = {
    "path": "news/{n}/notes",
    "parent": {"endpoint": "news", "values": {"n": "id"}},
    "key": ["id", "note"],
    "columns": {"id": {"type": "integer", "parent": "id"}, "note": "integer"},
}


def news(status: dict[str, int], *ids: int) -> Any:
    def answer(asked: Asked) -> Any:
        if asked.path in status:
            return status[asked.path], {}, {}
        if asked.path == "/news":
            records = [{"id": n, "at": f"2026-01-{n:02d}T00:00:00Z"} for n in ids]
            return [each for each in records if each["at"] >= asked.query.get("since", "")]
        return [{"note": 1}]

    return answer


def test_what_is_new_is_asked_for_again_while_a_child_fails(server: Answers, tmp_path: Path) -> None:
    server.answer = news({}, 1)
    shop = server.reader(tmp_path, {"news": NEWS, "notes": NOTES})
    shop.lenient = True
    shop.run()
    server.answer = news({"/news/2/notes": 404}, 1, 2, 3)
    shop.run()
    assert (shop.keys("news"), shop.keys("notes")) == ([1, 2, 3], [(1, 1)])
    server.answer = news({}, 1, 2, 3, 4)
    shop.run()
    assert (shop.keys("news"), shop.keys("notes")) == ([1, 2, 3, 4], [(n, 1) for n in (1, 2, 3, 4)])


def test_a_child_that_was_not_selected_for_a_while_loses_nothing(server: Answers, tmp_path: Path) -> None:
    shop = server.reader(tmp_path, {"news": {**NEWS, "deletes": "never"}, "notes": {**NOTES, "deletes": "never"}})
    for ids, streams in (((1,), {"news", "notes"}), ((1, 2, 3), {"news"}), ((1, 2, 3, 4), {"news", "notes"})):
        server.answer = news({}, *ids)
        shop.streams = frozenset(streams)
        shop.run()
    assert shop.keys("notes") == [(n, 1) for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("meaning", ["skip", "empty"])
def test_a_status_of_a_child_can_mean_something(server: Answers, tmp_path: Path, meaning: str) -> None:
    hub = server.answer = Hub()
    endpoints = {"orgs": ORGS, "repos": {**REPOS, "on_status": {404: meaning, 410: meaning}}}
    shop = server.reader(tmp_path, endpoints)
    shop.run()
    hub.status = {"/orgs/b/repos": 410}
    shop.run()
    assert shop.keys("repos") == [("a", "x"), ("a", "y"), *([("b", "x")] if meaning == "skip" else [])]
    assert not [event for event in shop.events if isinstance(event, Failed)]


def test_a_status_that_is_skipped_at_first_proves_nothing(server: Answers, tmp_path: Path) -> None:
    hub = server.answer = Hub()
    hub.status = {"/orgs/b/repos": 404}
    shop = server.reader(tmp_path, {"orgs": ORGS, "repos": {**REPOS, "on_status": {404: "skip"}}})
    shop.run()
    assert not [event for event in shop.events if isinstance(event, FullScan) and event.stream == "repos"]


def test_an_endpoint_is_asked_for_each_listed_value(server: Answers, tmp_path: Path) -> None:
    shops = {"de": [1, 2], "fr": [1]}
    server.answer = lambda asked: [{"id": n} for n in shops[asked.query["site"]]]
    columns = {"site": {"type": "string", "parent": "site"}, "id": "integer"}
    endpoint = {
        "path": "orders",
        "params": {"site": "{site}"},
        "parent": {"each": {"site": ["de", "fr"]}},
        "key": ["site", "id"],
        "columns": columns,
    }
    shop = server.reader(tmp_path, {"orders": endpoint})
    shop.run()
    assert shop.keys("orders") == [("de", 1), ("de", 2), ("fr", 1)]
    assert shop.run() == []
    shops["de"] = [2]
    shop.run()
    assert shop.keys("orders") == [("de", 2), ("fr", 1)]
    shop.endpoints = {"orders": {**endpoint, "parent": {"each": {"site": ["fr"]}}}}
    shop.run()
    assert shop.keys("orders") == [("fr", 1)]


@pytest.mark.parametrize(
    "odd", ["..", ".", "", "%2e%2e", "%2E", "%252e%252e", "..;x=1", "../..", "/", "\\", "./", "..\t"]
)
@pytest.mark.parametrize("path", ["tags/{t}/items", "tags/{t}", "{t}/items"])
def test_a_value_of_a_parent_leads_nowhere_else(server: Answers, tmp_path: Path, odd: str, path: str) -> None:
    server.answer = lambda asked: [{"name": odd}, {"name": "ok"}] if asked.path == "/all" else [{"k": 1}]
    tags = {"path": "all", "key": "name", "columns": {"name": "string"}}
    items = {
        "path": path,
        "parent": {"endpoint": "tags", "values": {"t": "name"}},
        "key": ["tag", "k"],
        "columns": {"tag": {"type": "string", "parent": "name"}, "k": "integer"},
    }
    shop = server.reader(tmp_path, {"tags": tags, "items": items})
    shop.run()
    asked = [each.path for each in server.asked if each.path != "/all"]
    assert len(asked) - 1 == len(shop.keys("items")) - 1 == 1 - len(shop.refused())
    assert all(each.count("/") == path.count("/") + 1 for each in asked), asked
    if shop.refused():
        assert [(each.stream, each.reason) for each in shop.refused()] == [
            ("items", "{t} in the path would be empty or made of dots alone, which leads to another path")
        ]
        assert shop.run() == [], "it is told once"
        assert not [event for event in shop.events if isinstance(event, Delete | FullScan)]


def test_a_body_is_filled_for_each_parent(server: Answers, tmp_path: Path) -> None:
    server.answer = lambda asked: [{"id": 1}, {"id": 2}] if asked.path == "/orgs" else [{"asked": asked.body}]
    members = {
        "path": "search",
        "method": "POST",
        "body": {"filter": [{"org": "{o}"}], "text": "org {o} of {unknown}", "query": "{ issues {id} }"},
        "parent": {"endpoint": "orgs", "values": {"o": "id"}},
        "key": ["org"],
        "columns": {"org": {"type": "integer", "parent": "id"}, "asked": "json"},
    }
    shop = server.reader(tmp_path, {"orgs": {**ORGS, "key": "id", "columns": {"id": "integer"}}, "members": members})
    shop.run()
    assert [each.body["filter"] for each in server.asked if each.body] == [[{"org": 1}], [{"org": 2}]]
    assert server.asked[-1].body["text"] == "org 2 of {unknown}"
    assert server.asked[-1].body["query"] == "{ issues {id} }"
