"""Asking for what is new: first values, windows, formats, templates, tokens; and what a request can hold."""

# ruff: noqa: E501 - a case is a line
from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.sources.errors import UnexpectedShape
from leat.sources.events import Cursor, Delete, FullScan
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.http.driver import Connection
from leat.sources.rest_api.reading.watermark import spans_of
from tests.sources.rest_answers import Answers, Asked, answering
from tests.sources.rest_shop import Reader

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@pytest.fixture
def server(running: Answers) -> Answers:
    running.asked.clear()
    return running


def tickets(server: Answers, folder: Path, incremental: dict[str, Any] | None = None, **more: Any) -> Reader:
    columns = {"id": "integer", "at": more.pop("at", "timestamp")}
    endpoint = {"path": "tickets", "key": "id", "columns": columns, "deletes": "never", **more}
    if incremental is not None:
        endpoint["incremental"] = {"column": "at", **incremental}
    return server.reader(folder, {"tickets": endpoint})


class Tickets:
    """Answers with the tickets between two bounds, and excludes both."""

    def __init__(self, *at: str) -> None:
        self.at = list(at)

    def __call__(self, asked: Asked) -> Any:
        since, until = asked.query.get("since", ""), asked.query.get("until", "9")
        return [{"id": n, "at": at} for n, at in enumerate(self.at) if since < at < until]


def test_windows_lose_nothing_at_their_bounds(server: Answers, tmp_path: Path) -> None:
    asked = server.answer = Tickets(*[f"2026-01-{day:02d}T00:00:00Z" for day in range(2, 30)])
    shop = tickets(
        server,
        tmp_path,
        {"param": "since", "until_param": "until", "start": "2026-01-01", "step": "P7D", "overlap": "PT1S"},
    )
    shop.run(NOW)
    assert shop.keys("tickets") == list(range(28))
    bounds = [(each.query["since"], each.query["until"]) for each in server.asked]
    assert bounds[0] == ("2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z")
    assert bounds[1] == ("2026-01-07T23:59:59Z", "2026-01-15T00:00:00Z")
    assert bounds[-1][1] == "2026-03-01T12:00:00Z"
    asked.at.append("2026-02-20T00:00:00Z")
    server.asked.clear()
    shop.run(NOW + timedelta(days=1))
    assert shop.keys("tickets") == list(range(29))
    assert server.asked[0].query["since"] == "2026-01-28T23:59:59Z"


@pytest.mark.parametrize(
    ("kind", "incremental", "since", "expected"),
    [
        ("timestamp", {}, "2026-02-01T10:00:00Z", [{"since": "2026-02-01T10:00:00Z", "until": "2026-03-01T12:00:00Z"}]),
        ("timestamp", {}, None, [{"until": "2026-03-01T12:00:00Z"}]),
        ("timestamp", {"format": "s"}, "2026-02-01T10:00:00Z", [{"since": "1769940000", "until": "1772366400"}]),
        ("timestamp", {"format": "ms"}, "2026-02-01T10:00:00.5Z", [{"since": "1769940000500", "until": "1772366400000"}]),
        ("timestamp", {"format": "date"}, "2026-02-01T10:00:00Z", [{"since": "2026-02-01", "until": "2026-03-02"}]),
        ("timestamp", {"format": "%Y-%m-%d %H:%M", "zone": "Europe/Paris"}, "2026-02-01T23:30:00Z", [{"since": "2026-02-02 00:30", "until": "2026-03-01 13:00"}]),
        ("timestamp", {"start": "2026-02-27", "step": "P1D", "format": "date"}, None, [{"since": "2026-02-27", "until": "2026-02-28"}, {"since": "2026-02-27", "until": "2026-03-01"}, {"since": "2026-02-28", "until": "2026-03-02"}, {"since": "2026-03-01", "until": "2026-03-02"}]),
        ("date", {"start": "2026-02-28", "step": "P1D"}, None, [{"since": "2026-02-28", "until": "2026-03-01"}, {"since": "2026-02-28", "until": "2026-03-02"}, {"since": "2026-03-01", "until": "2026-03-03"}]),
        ("integer", {"start": 17}, None, [{"since": "17"}]),
        ("integer", {"start": 17}, "30", [{"since": "30"}]),
        ("timestamp", {"start": "2027-01-01", "step": "P1D"}, None, [{"since": "2027-01-01T00:00:00Z", "until": "2026-03-01T12:00:00Z"}]),
    ],
)  # fmt: skip
def test_bounds_are_written_as_the_api_takes_them(
    kind: str, incremental: dict[str, Any], since: str | None, expected: list[dict[str, str]]
) -> None:
    declared = {"column": "at", "param": "since", "until_param": "until", **incremental}
    endpoint = Endpoint.model_validate(
        {"path": "x", "key": "id", "columns": {"id": "integer", "at": kind}, "incremental": declared}
    )
    assert spans_of(endpoint, since, NOW)[: len(expected)] == expected


def test_a_value_goes_into_a_template_and_a_nested_body(server: Answers, tmp_path: Path) -> None:
    server.answer = lambda _asked: [{"id": 1, "at": "2026-02-01T10:00:00Z"}]
    body = {"filters": [{"property": "lastmodified", "operator": "GTE", "value": "{since}"}]}
    shop = tickets(
        server,
        tmp_path,
        {"start": "2020-01-01", "format": "ms"},
        method="POST",
        body=body,
        params={"day": "{today}", "query": "updated >= {since}"},
        headers={"If-Modified-Since": "{now}", "X-Kind": "tickets"},
        params_in="query",
    )
    shop.run(NOW)
    shop.run(NOW)
    first, second = server.asked
    assert [first.body["filters"][0]["value"], second.body["filters"][0]["value"]] == ["1577836800000", "1769940000000"]
    assert (first.query, second.query["query"]) == (
        {"day": "2026-03-01", "query": "updated >= 1577836800000"},
        "updated >= 1769940000000",
    )
    assert (first.headers["If-Modified-Since"], first.headers["X-Kind"]) == ("2026-03-01T12:00:00Z", "tickets")
    assert list(first.body) == ["filters"]


def test_a_parameter_is_repeated(server: Answers, tmp_path: Path) -> None:
    shop = tickets(server, tmp_path, params={"state": ["open", "closed"], "deep": True})
    server.answer = lambda _asked: []
    shop.run()
    assert server.asked[0].every == {"state": ["open", "closed"], "deep": ["true"]}


def test_a_record_from_the_future_holds_nothing_up(server: Answers, tmp_path: Path) -> None:
    asked = server.answer = Tickets("2026-02-01T00:00:00Z", "2062-02-01T00:00:00Z")
    shop = tickets(server, tmp_path, {"param": "since", "overlap": "PT1S"})
    shop.run(NOW)
    assert "records_in_the_future" in shop.logged()
    asked.at.append("2026-02-02T00:00:00Z")
    shop.run(NOW)
    assert shop.keys("tickets") == [0, 1, 2]
    assert shop.run(NOW) == []
    asked.at = ["2062-02-01T00:00:00Z"]
    alone = tickets(server, tmp_path, {"param": "since"})
    alone.run(NOW)
    assert alone.keys("tickets") == [0]


def test_local_time_is_read_again_where_the_clock_goes_back(server: Answers, tmp_path: Path) -> None:
    asked = server.answer = Tickets("2026-10-25T02:50:00")
    shop = tickets(server, tmp_path, {"param": "since"}, at="datetime")
    shop.run(NOW.replace(month=11))
    asked.at.append("2026-10-25T02:00:01")
    shop.run(NOW.replace(month=11))
    assert shop.keys("tickets") == [0, 1]
    assert shop.run(NOW.replace(month=11)) == []


def test_each_parent_goes_on_from_where_its_list_was(server: Answers, tmp_path: Path) -> None:
    lists = {1: Tickets("2026-01-01T00:00:00Z"), 2: Tickets("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z")}

    def answer(asked: Asked) -> Any:
        return [{"id": n} for n in lists] if asked.path == "/shops" else lists[int(asked.path.split("/")[2])](asked)

    server.answer = answer
    endpoints = {
        "shops": {"path": "shops", "key": "id", "columns": {"id": "integer"}},
        "tickets": {
            "path": "shops/{s}/tickets",
            "parent": {"endpoint": "shops", "values": {"s": "id"}},
            "incremental": {"column": "at", "param": "since", "overlap": "PT1S"},
            "key": ["shop", "id"],
            "columns": {"shop": {"type": "integer", "parent": "id"}, "id": "integer", "at": "timestamp"},
        },
    }
    shop = server.reader(tmp_path, endpoints)
    shop.run(NOW)
    assert shop.keys("tickets") == [(1, 0), (2, 0), (2, 1)]
    server.asked.clear()
    assert shop.run(NOW) == []
    assert [each.query.get("since") for each in server.asked] == [None, "2025-12-31T23:59:59Z", "2026-02-01T23:59:59Z"]
    lists[1].at.append("2026-02-05T00:00:00Z")
    lists[2].at[0] = "2025-01-01T00:00:00Z"
    lists[3] = Tickets("2026-02-01T00:00:00Z")
    shop.run(NOW)
    assert shop.keys("tickets") == [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0)]
    del lists[2]
    lists[1].at = lists[1].at[:1]
    shop.run(NOW + timedelta(days=2))
    assert shop.keys("tickets") == [(1, 0), (3, 0)]


class Feed:
    """A delta feed: everything, then changes since a token; a token is the number of changes so far."""

    def __init__(self, style: str) -> None:
        self.style = style
        self.changes: list[tuple[int, bool]] = []
        self.oldest = 0
        self.renamed = False

    def __call__(self, asked: Asked) -> Any:
        token = asked.query.get("token")
        since = int((token or "0").partition("-")[0])
        if token is not None and since < self.oldest:
            return 410, {}, {}
        at = int(asked.query.get("skip", 0))
        changed = self.changes[since:] if token else sorted(set(self._now()))
        shown = [self._record(n, live) for n, live in changed[at : at + 2]]
        more = at + 2 < len(changed)
        link = f"/feed?token={token}&skip={at + 2}" if token else f"/feed?skip={at + 2}"
        fresh = f"{len(self.changes)}-{asked.number}"
        end = f"/feed?token={fresh}" if self.style == "link" else fresh
        last = "renamed" if self.renamed else "@delta.link"
        return {"value": shown, **({"@next.link": link} if more else {last: end})}

    def _now(self) -> list[tuple[int, bool]]:
        live = dict(self.changes)
        return [(n, True) for n, alive in live.items() if alive]

    def _record(self, n: int, live: bool) -> dict[str, Any]:
        return {"id": n} if live else {"id": n, "@removed": {"reason": "deleted"}}


@pytest.mark.parametrize("style", ["link", "param"])
def test_a_token_gives_what_has_changed(server: Answers, tmp_path: Path, style: str) -> None:
    feed = server.answer = Feed(style)
    feed.changes = [(n, True) for n in range(5)]
    delta = {"field": "['@delta.link']", "removed": "['@removed']", **({"param": "token"} if style == "param" else {})}
    endpoint = {
        "path": "feed",
        "records": "value",
        "paging": {"kind": "next_link", "field": "['@next.link']", "size_param": "top", "size": 3},
        "delta": delta,
        "key": "id",
        "columns": {"id": "integer"},
    }
    shop = server.reader(tmp_path, {"feed": endpoint})
    shop.run(NOW)
    assert shop.keys("feed") == [0, 1, 2, 3, 4]
    assert [event.because for event in shop.events if isinstance(event, FullScan)] == [
        "['@delta.link'] comes with the last page"
    ]
    assert shop.run(NOW) == []
    feed.changes += [(7, True), (1, False), (8, True), (8, False), (2, False), (2, True)]
    shop.run(NOW)
    assert shop.keys("feed") == [0, 2, 3, 4, 7]
    assert {event.where["id"] for event in shop.events if isinstance(event, Delete)} == {1, 8}
    assert shop.run(NOW) == []
    assert [type(event) for event in shop.run(NOW + timedelta(days=2))] == [Cursor], "tokens don't grow too old"
    feed.changes += [(3, False)]
    feed.oldest = 99
    feed.changes += [(n, True) for n in range(20, 22)]
    shop.run(NOW)
    assert shop.keys("feed") == [0, 2, 4, 7, 20, 21]
    assert "token_expired" in shop.logged()
    feed.oldest, feed.renamed = 0, True
    feed.changes += [(0, False)]
    with pytest.raises(UnexpectedShape, match=r"the last, has no \['@delta.link'\]"):
        shop.run(NOW)
    assert 0 in shop.keys("feed")


def test_the_cursor_of_an_export_is_its_token(server: Answers, tmp_path: Path) -> None:
    rows = list(range(5))

    def answer(asked: Asked) -> Any:
        assert ("cursor" in asked.query) != ("start_time" in asked.query)
        at = int(asked.query.get("cursor", 0))
        records = [{"id": n, "status": "deleted" if n == 6 else "open"} for n in rows[at : at + 2]]
        return {"tickets": records, "after_cursor": str(at + len(records)), "end_of_stream": at + 2 >= len(rows)}

    server.answer = answer
    endpoint = {
        "path": "incremental/tickets",
        "records": "tickets",
        "paging": {"kind": "cursor", "field": "after_cursor", "param": "cursor", "last": "end_of_stream"},
        "delta": {
            "field": "after_cursor",
            "param": "cursor",
            "start": {"start_time": 1},
            "removed": "status",
            "removed_is": "deleted",
        },
        "key": "id",
        "columns": {"id": "integer", "status": "string"},
    }
    shop = server.reader(tmp_path, {"tickets": endpoint})
    shop.run(NOW)
    assert shop.keys("tickets") == [0, 1, 2, 3, 4]
    assert shop.run(NOW) == []
    rows += [5, 6]
    shop.run(NOW)
    assert shop.keys("tickets") == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("more", "where", "words"),
    [
        ({"incremental": {"column": "at"}}, "param", "name the parameter, or write {since}"),
        ({"incremental": {"column": "at"}, "params": {"q": "x>{since}"}}, "start", "declare its first value"),
        ({"incremental": {"column": "at", "param": "s", "step": "P1D"}}, "step", "declare start"),
        ({"incremental": {"column": "at", "param": "s", "start": "2026-01-01", "step": "P1D"}}, "step", "name until_param"),
        ({"incremental": {"column": "at", "param": "s", "start": "soon"}}, "start", "it is no timestamp"),
        ({"incremental": {"column": "at", "param": "s", "zone": "Paris"}}, "zone", "unknown time zone 'Paris'"),
        ({"incremental": {"column": "id", "param": "s", "format": "s"}}, "format", "which is no time"),
        ({"params": {"q": "{since}"}}, "params", "declare incremental"),
        ({"params": {"q": "{x}"}}, "params", "nothing fills {x}"),
        ({"params": {"q": [1, 2]}, "method": "POST"}, "params", "only a query repeats"),
        ({"params_in": "query"}, "params_in", "leave it out, or write method: POST"),
        ({"delta": {"field": "d"}, "incremental": {"column": "at", "param": "s"}}, "delta", "declare one of the two"),
        ({"delta": {"field": "d", "removed_is": "x"}}, "removed_is", "as removed"),
        ({"paging": {"kind": "cursor"}}, "paging", "name the cursor by field"),
        ({"records": "r", "paging": {"kind": "cursor", "field": "x", "more": "m", "last": "l"}}, "last", "name one of both"),
        ({"paging": {"kind": "next_link"}}, "records", "the answer is the list itself and has no field next"),
        ({"parent": {}}, "parent", "name the endpoint that gives the rows"),
        ({"parent": {"each": {"s": ["a"]}}}, "s", "nothing uses {s}"),
        ({"parent": {"endpoint": "tickets", "values": {"s": "id"}}}, "endpoint", "'tickets' is no endpoint"),
        ({"method": "POST", "body": {"a": ["{o}"]}}, "body", "nothing fills {o}"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_place(more: dict[str, Any], where: str, words: str) -> None:
    endpoint = {"path": "x", "key": "id", "columns": {"id": "integer", "at": "timestamp"}, **more}
    made = Connection.model_validate({"url": "https://api.example.com", "endpoints": {"tickets": endpoint}})
    assert [loc[-1] for loc, text in made.diagnostics() if words in text] == [where], list(made.diagnostics())


@pytest.mark.parametrize(
    ("column", "at", "since"),
    [
        ({"type": "timestamp", "zone": "America/New_York"}, "2026-02-01T10:00:00", "2026-02-01T09:00:00"),
        (
            {"type": "timestamp", "format": "%d/%m/%Y %H:%M", "zone": "America/New_York"},
            "01/02/2026 10:00",
            "01/02/2026 09:00",
        ),
        (
            {"type": "timestamp", "format": "%Y-%m-%d %H:%M:%S %z"},
            "2026-02-01 10:00:00 +0100",
            "2026-02-01 09:00:00 +0000",
        ),
        ({"type": "date", "format": "%Y%m%d"}, 20260201, "20260201"),
    ],
)
def test_an_api_is_asked_in_the_form_in_which_it_writes(
    server: Answers, tmp_path: Path, column: dict[str, Any], at: Any, since: str
) -> None:
    """Local times are asked for from an hour before: that hour comes twice in autumn."""
    server.answer = lambda _asked: [{"id": 1, "at": at}]
    shop = tickets(server, tmp_path, {"param": "since"}, at=column)
    shop.run()
    assert shop.run() == []
    assert server.asked[-1].query["since"] == since
