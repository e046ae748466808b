"""How a listing ends: for a reason that was seen, or as an error that names the page and what to declare."""

# ruff: noqa: E501 - a case is a line
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leat.sources.errors import NotFound, Rejected, UnexpectedShape
from leat.sources.events import FullScan
from tests.sources.rest_answers import Answers, Asked, answering
from tests.sources.rest_shop import Reader


@pytest.fixture(scope="module")
def running() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@pytest.fixture
def server(running: Answers) -> Answers:
    running.asked.clear()
    return running


def listed(server: Answers, folder: Path, paging: dict[str, Any] | None = None, **more: Any) -> Reader:
    """Return a reader of one endpoint, ``things``, whose list is in ``items``."""
    thing = {"path": "things", "records": "items", "key": "id", "columns": {"id": "integer"}, **more}
    if paging is not None:
        thing["paging"] = paging
    if more.get("records", "") is None:
        del thing["records"]
    return server.reader(folder, {"things": thing})


def rows(*ids: int) -> list[dict[str, int]]:
    return [{"id": each} for each in ids]


def pages_of(*bodies: Any) -> Callable[[Asked], Any]:
    """Answer one after the other; the last again and again."""
    return lambda asked: bodies[min(asked.number, len(bodies) - 1)]


def because(shop: Reader) -> list[str]:
    return [event.because for event in shop.events if isinstance(event, FullScan)]


CURSOR = {"kind": "cursor", "field": "next", "param": "c"}
SIZED = {**CURSOR, "size_param": "n", "size": 3}
LINK = {"kind": "next_link", "field": "next"}
PAGES = {"kind": "pages", "size": 2, "size_param": "n", "total": "total"}
OFFSET = {"kind": "offset", "size": 2, "total": "total"}
NEVER = {"deletes": "never"}


@pytest.mark.parametrize(
    ("paging", "bodies", "count", "why"),
    [
        (None, [{"items": rows(1, 2)}], 2, "the answer is the whole list"),
        (None, [{"items": None}], 0, "the answer is the whole list"),
        (None, [{}], 0, "the answer is the whole list"),
        (None, [(204, {}, "")], 0, "the answer is the whole list"),
        (None, [{"items": rows(1), "next": None, "has_more": False, "total": 1, "isLast": True}], 1, "the answer is"),
        (CURSOR, [{"items": rows(1), "next": 0}, {"items": rows(2), "next": 7}, {"items": rows(3), "next": None}], 3, ""),
        (CURSOR, [{"items": rows(1), "next": "a"}, {"items": rows(2)}], 2, "no next after pages that had one"),
        (CURSOR, [{"items": rows(1), "next": None}], 1, "next is empty on the only page"),
        (CURSOR, [{"items": []}], 0, "the only page is empty"),
        (SIZED, [{"items": rows(1)}], 1, "one page of 1, fewer than the 3 asked for"),
        (SIZED, [{"items": rows(1, 2)}, (400, {}, {})], 2, "one page of 2, fewer than the 3 asked for"),
        (SIZED, [{"items": rows(1, 2)}, {"items": rows(1), "next": "x"}], 2, "no next, which the API gives when"),
        (SIZED, [{"items": rows(1, 2, 3)}, {"items": rows(1, 2), "next": "x"}], 3, "no next, which the API gives when"),
        ({**CURSOR, "more": "m"}, [{"items": rows(1), "next": "a", "m": 1}, {"items": rows(2), "m": "false"}], 2, "m says"),
        ({**CURSOR, "last": "isLast"}, [{"items": rows(1), "next": "a", "isLast": False}, {"items": rows(2), "isLast": True}], 2, "isLast says"),
        ({**CURSOR, "total": "n"}, [{"items": rows(1, 2), "n": 2}], 2, "total reached"),
        (LINK, [{"items": rows(1), "next": "/things?p=2"}, {"items": rows(2), "next": None}], 2, "next is empty"),
        ({**LINK, "field": "_links.next.href"}, [{"items": rows(1), "_links": {"self": {"href": "x"}}}], 1, ""),
        ({**LINK, "field": "link[relation=next].url"}, [{"items": rows(1), "link": [{"relation": "next", "url": "/things?p=2"}]}, {"items": rows(2), "link": [{"relation": "self", "url": "/"}]}], 2, "link[relation=next].url is empty"),
        ({"kind": "cursor", "last_record": "id", "param": "starting_after", "more": "has_more"}, [{"items": rows(1), "has_more": True}, {"items": rows(2), "has_more": False}], 2, "has_more says"),
        ({"kind": "cursor", "last_record": "id", "param": "starting_after"}, [{"items": rows(1)}, {"items": rows(2)}, {"items": []}], 2, "empty page after 2 pages"),
        ({"kind": "pages", "first": 5, "total": "total", "total_pages": "pages"}, [{"items": rows(1), "pages": 2, "total": 2}, {"items": rows(2), "pages": 2}, (404, {}, {})], 2, "total of 2 reached"),
        (PAGES, [{"items": rows(1, 2), "total": 3}, {"items": rows(3)}, {"items": []}], 3, "total of 3 reached, and nothing"),
        (PAGES, [{"items": rows(1, 2), "total": "3"}, {"items": rows(3), "total": "3"}, {"items": []}], 3, "total of 3"),
        (PAGES, [{"items": rows(1, 2), "total": 2}, (404, {}, {})], 2, "total of 2 reached, and HTTP 404 after it"),
        (PAGES, [{"items": rows(1, 2), "total": 2}, {"items": rows(1, 2), "total": 2}], 2, "reached, and page 2 repeats page 1"),
        (PAGES, [{"items": [], "total": 0}], 0, "total of 0 reached"),
        ({**PAGES, "more": "more"}, [{"items": rows(1, 2), "total": 3, "more": True}, {"items": rows(3), "more": False}], 3, "more says"),
        (OFFSET, [{"items": rows(1, 2), "total": 3}, {"items": rows(3), "total": 3}, {"items": []}], 3, "total of 3"),
    ],
)  # fmt: skip
def test_a_listing_ends_for_a_reason(
    server: Answers, tmp_path: Path, paging: dict[str, Any] | None, bodies: list[Any], count: int, why: str
) -> None:
    server.answer = pages_of(*bodies)
    shop = listed(server, tmp_path, paging)
    shop.run()
    assert len(shop.keys("things")) == count
    assert [why in text for text in because(shop)] == [True], because(shop)


@pytest.mark.parametrize(
    ("paging", "bodies", "words"),
    [
        (CURSOR, [{"items": rows(1, 2)}], r"no page has next, and the first has 2 records. Next: correct the field"),
        (SIZED, [{"items": rows(1, 2)}], "no page has next, and the first has 2 records, nor has it when n is 1"),
        (SIZED, [{"items": rows(1, 2)}, {"items": rows(1)}], "no page has next, and the first has 2 records, nor has it when n is 1"),
        (SIZED, [{"items": rows(1, 2, 3)}], "no page has next, and the first has 3 records"),
        (SIZED, [{"items": rows(1), "scroll_position": "x"}], "no page has next, but the first has scroll_position"),
        ({**CURSOR, "more": "m"}, [{"items": rows(1), "next": None, "m": True}], "says that there are more, and has no next"),
        ({**CURSOR, "more": "m"}, [{"items": rows(1), "next": "a"}, {"items": rows(2), "next": None}], "no page has m"),
        ({**CURSOR, "more": "m"}, [{"items": rows(1), "next": "a", "m": "perhaps"}], "m is neither true nor false"),
        (CURSOR, [{"items": rows(1), "next": {"a": 1}}], "next on page 1 is a dict"),
        (CURSOR, [{"items": rows(1), "next": None, "has_more": True}], "but has has_more, which nothing reads"),
        (LINK, [{"items": rows(1, 2)}], "no page has next"),
        ({**LINK, "field": "_links.next.href"}, [{"items": rows(1), "_links": {"forth": {"href": "x"}}}], "no page has _links.next.href"),
        ({"kind": "link_header"}, [{"items": rows(1)}], "no page has next in a header Link"),
        ({"kind": "next_header"}, [{"items": rows(1)}], "no page has header X-Next-Page"),
        (PAGES, [{"items": rows(1, 2)}, {"items": []}], "no page has total"),
        (PAGES, [{"items": rows(1, 2), "total": "many"}], "total is no number"),
        (PAGES, [{"items": rows(1, 2), "total": 2}, {"items": rows(3, 4), "total": 2}, {"items": []}], "4 records where it says 2"),
        (PAGES, [{"items": rows(1, 2), "total": 4}, {"items": rows(3), "total": 4}, {"items": []}], "3 records where it says 4"),
        (PAGES, [{"items": [], "total": 4}], "0 records where it says 4"),
        ({**CURSOR, "total": "total"}, [{"items": rows(1), "total": 4, "next": None}], "1 records where it says 4"),
        ({"kind": "pages", "size": 3, "size_param": "n"}, [{"items": rows(1)}, {"items": rows(2, 3)}], "page 1 has 1 records, fewer than the 3 asked for, and page 2 has 2"),
        ({"kind": "pages"}, [{"items": rows(1), "has_more": True}, {"items": [], "has_more": True}], "page 2 is the last by what is declared, but has has_more"),
        ({"kind": "pages"}, [{"items": rows(1)}, {"items": rows(2)}, {"items": rows(1)}], "page 3 is the same page as page 1"),
        ({"kind": "pages", "max_pages": 2}, [{"items": rows(n)} for n in range(9)], "more than 2 pages. Next: raise paging.max_pages"),
        ({"kind": "pages"}, [{"items": rows(1), "total_count": 5}, {"items": [], "total_count": 5}], "but has total_count"),
        ({"kind": "pages", "more": "m"}, [{"items": rows(1)}, {"items": []}], "no page has m"),
    ],
)  # fmt: skip
def test_a_listing_that_may_go_on_is_an_error(
    server: Answers, tmp_path: Path, paging: dict[str, Any], bodies: list[Any], words: str
) -> None:
    server.answer = lambda asked: bodies[asked.number % len(bodies)]
    never = NEVER if paging["kind"] in ("pages", "offset") else {}
    with pytest.raises(UnexpectedShape, match=words):
        listed(server, tmp_path, paging, **never).run()


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        ({"next": "x"}, "next"),
        ({"next": {"href": "/x"}}, "next"),
        ({"_links": {"next": {"href": "/x"}}}, "_links.next"),
        ({"links": [{"rel": "self", "href": "/"}, {"rel": "next", "href": "/x"}]}, "links"),
        ({"link": [{"relation": "next", "url": "/x"}]}, "link"),
        ({"meta": {"pagination": {"links": {"next": "/x"}}}}, "meta.pagination.links.next"),
        ({"@odata.nextLink": "/x"}, r"\['@odata.nextLink'\]"),
        ({"nextPageToken": "x"}, "nextPageToken"),
        ({"paging": {"next": {"after": "x"}}}, "paging.next"),
        ({"meta": {"next_cursor": "x"}}, "meta.next_cursor"),
        ({"next_page": 2}, "next_page"),
        ({"metadata": {"continue": "x"}}, "metadata.continue"),
        ({"nextRecordsUrl": "/x", "done": False}, "nextRecordsUrl"),
        ({"done": False}, "done"),
        ({"has_more": True}, "has_more"),
        ({"hasMore": "true"}, "hasMore"),
        ({"pageInfo": {"hasNextPage": True, "endCursor": "x"}}, "pageInfo.hasNextPage"),
        ({"isLast": False}, "isLast"),
        ({"last": False}, "last"),
        ({"end_of_stream": False}, "end_of_stream"),
        ({"incomplete_results": True}, "incomplete_results"),
        ({"cursor": "x"}, "cursor"),
        ({"total": 9}, "total"),
        ({"meta": {"total_count": "9"}}, "meta.total_count"),
        ({"totalPages": 2}, "totalPages"),
    ],
)
def test_a_mark_of_another_page_is_never_overlooked(
    server: Answers, tmp_path: Path, extra: dict[str, Any], name: str
) -> None:
    server.answer = lambda _asked: {"items": rows(1, 2), **extra}
    with pytest.raises(
        UnexpectedShape, match=rf"has {name}, which nothing reads\. Next: declare paging by {name}, or name"
    ):
        listed(server, tmp_path).run()


@pytest.mark.parametrize(
    "headers",
    [
        {"Link": '</things?page=2>; rel="next"'},
        {"X-Next-Page": "2"},
        {"X-Next-Cursor": "abc"},
        {"x-ms-continuation": "abc"},
        {"X-Total-Count": "9"},
        {"Content-Range": "items 0-1/9"},
        {"X-WP-TotalPages": "3"},
    ],
)
def test_a_mark_in_the_headers_is_never_overlooked(server: Answers, tmp_path: Path, headers: dict[str, str]) -> None:
    server.answer = lambda _asked: (200, headers, rows(1, 2))
    with pytest.raises(UnexpectedShape, match=r"has the header .*, which nothing reads"):
        listed(server, tmp_path, records=None).run()


@pytest.mark.parametrize(
    "extra",
    [
        {"next": None, "previous": "/x", "first": "/a", "last": "/z"},
        {"next": "", "has_more": False, "done": True, "isLast": True, "end_of_stream": True},
        {"pageInfo": {"hasNextPage": False, "endCursor": "x"}},
        {"links": [{"rel": "self", "href": "/"}], "_links": {"self": {"href": "/"}, "next": {"href": None}}},
        {"cursor": "x", "has_more": False},
        {"total": 2, "totalPages": 1, "page": 1, "nextSyncToken": "x", "next_run": "2026-01-01"},
        {"total": 1050.25, "included": [{"next": "x"}]},
    ],
)
def test_what_is_no_mark_disturbs_nobody(server: Answers, tmp_path: Path, extra: dict[str, Any]) -> None:
    server.answer = lambda _asked: {"items": rows(1, 2), **extra}
    shop = listed(server, tmp_path)
    shop.run()
    assert shop.keys("things") == [1, 2]


def test_a_field_that_only_looks_like_a_mark_can_be_ignored(server: Answers, tmp_path: Path) -> None:
    server.answer = lambda _asked: (200, {"X-Next-Page": "2"}, {"items": rows(1), "meta": {"next": "x", "total": 7}})
    shop = listed(server, tmp_path, {"kind": "none", "ignore": ["meta.next", "meta.total", "X-Next-Page"]})
    shop.run()
    assert shop.keys("things") == [1]


@pytest.mark.parametrize("field", ["page_after", "n"])
def test_a_field_that_the_api_renames_deletes_nothing(server: Answers, tmp_path: Path, field: str) -> None:
    def answer(asked: Asked) -> Any:
        at = int(asked.query.get("c", 0))
        return {"items": rows(*range(at, min(at + 4, 90))), name: at + 4 if at + 4 < 90 else None}

    name, server.answer = "next", answer
    shop = listed(server, tmp_path, {**SIZED, "size": 10})
    shop.run()
    assert len(shop.keys("things")) == 90
    name = field
    with pytest.raises(UnexpectedShape, match="no page has next"):
        shop.run()
    assert len(shop.keys("things")) == 90


@pytest.mark.parametrize("paging", [OFFSET, {"kind": "offset", "size": 2}])
@pytest.mark.parametrize("given", [1, 2, 5])
@pytest.mark.parametrize("in_flight", [1, 4])
def test_an_offset_goes_on_by_what_came(
    server: Answers, tmp_path: Path, paging: dict[str, Any], given: int, in_flight: int
) -> None:
    everything = list(range(11))

    def answer(asked: Asked) -> Any:
        at = int(asked.query["offset"])
        return {"items": rows(*everything[at : at + given]), "total": len(everything)}

    server.answer = answer
    shop = listed(server, tmp_path, {**paging, "ignore": "total"}, **({} if "total" in paging else NEVER))
    shop.more = {"in_flight": in_flight}
    shop.run()
    assert shop.keys("things") == everything


def test_a_list_is_never_cut_by_what_lies_next_to_it(server: Answers, tmp_path: Path) -> None:
    odd = json.dumps([{"id": k, "tags": ["]", "[", '"'], "deep": [[k]]} for k in range(300)])

    def answer(asked: Asked) -> Any:
        at = int(asked.query.get("c", 0))
        mark = json.dumps({"next": str(at + 2) if at < 4 else None, "items": []})
        return f'{{"before": {odd}, "items": {json.dumps(rows(at, at + 1))}, "meta": {mark}, "included": {odd}}}'

    server.answer = answer
    shop = listed(server, tmp_path, {**CURSOR, "field": "meta.next"})
    shop.run()
    assert shop.keys("things") == list(range(6))


@pytest.mark.parametrize(
    "body", ['{"items": [{"id": 1}], "items": []}', '{"items": [{"id": 1}]', '{"items": [{"id": 1}]} ]', "", "<p>"]
)
def test_an_answer_that_is_not_one_json_value_is_an_error(server: Answers, tmp_path: Path, body: str) -> None:
    server.answer = lambda _asked: (200, {}, body)
    with pytest.raises(UnexpectedShape, match="not JSON"):
        listed(server, tmp_path).run()


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ({"ok": False, "items": []}, {}),
        ({"success": False, "items": []}, {}),
        ({"errors": [{"message": "no"}], "items": []}, {}),
        ({"status": "error", "items": []}, {"fails_when": {"status": "error"}}),
        ({"code": 7, "items": []}, {"fails_when": {"code": 7}}),
    ],
)
def test_an_error_with_status_200_is_an_error(
    server: Answers, tmp_path: Path, body: dict[str, Any], more: dict[str, Any]
) -> None:
    server.answer = lambda _asked: {"items": rows(1)}
    shop = listed(server, tmp_path, **more)
    shop.run()
    server.answer = lambda _asked: body
    with pytest.raises(Rejected, match=r"HTTP 200, and .* (is false|says that it failed|isn't empty)"):
        shop.run()
    assert shop.keys("things") == [1]


def test_an_absent_list_is_an_error_unless_declared(server: Answers, tmp_path: Path) -> None:
    server.answer = lambda _asked: {"kind": "list"}
    with pytest.raises(UnexpectedShape, match="items has to be a list, and is nothing"):
        listed(server, tmp_path).run()
    shop = listed(server, tmp_path, absent_is_empty=True)
    shop.run()
    assert because(shop) == ["the answer is the whole list"]


@pytest.mark.parametrize(
    ("stop_on", "end", "why"),
    [
        (404, (404, {}, {}), "HTTP 404 after 2 pages"),
        ("repeat", {"items": rows(3, 4)}, "page 3 repeats page 2"),
    ],
)
def test_other_ends_can_be_declared(server: Answers, tmp_path: Path, stop_on: int | str, end: Any, why: str) -> None:
    server.answer = pages_of({"items": rows(1, 2)}, {"items": rows(3, 4)}, end)
    shop = listed(server, tmp_path, {"kind": "pages", "stop_on": stop_on}, **NEVER)
    shop.run()
    assert shop.keys("things") == [1, 2, 3, 4]
    server.answer = lambda _asked: (404, {}, {})
    with pytest.raises(NotFound):
        shop.run()


def test_a_total_may_be_in_a_header(server: Answers, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Any:
        at = (int(asked.query["page"]) - 1) * 2
        return 200, {"X-WP-Total": "5", "X-WP-TotalPages": "3"}, rows(*range(at, min(at + 2, 5)))

    server.answer = answer
    paging = {"kind": "pages", "total": "X-WP-Total", "total_pages": "X-WP-TotalPages"}
    shop = listed(server, tmp_path, paging, records=None)
    shop.run()
    assert shop.keys("things") == [0, 1, 2, 3, 4]
    assert because(shop) == ["total of 5 reached, and nothing after it"]


def test_a_cursor_that_repeats_can_be_the_end(server: Answers, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Any:
        at = {"*": 0, "A": 2, "B": 4}[asked.query["mark"]]
        return {"items": rows(*range(at, min(at + 2, 4))), "next": ["A", "B", "B"][at // 2]}

    server.answer = answer
    paging = {"kind": "cursor", "field": "next", "param": "mark", "stop_on": "repeat"}
    shop = listed(server, tmp_path, paging, params={"mark": "*"})
    shop.run()
    assert shop.keys("things") == [0, 1, 2, 3]
    assert because(shop) == ["page 3 leads back to one that was read"]


def test_a_cursor_goes_into_a_nested_body(server: Answers, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Any:
        at = int(asked.body["variables"]["after"] or 0)
        info = {"endCursor": str(at + 2), "hasNextPage": at + 2 < 5}
        return {"data": {"issues": {"nodes": rows(*range(at, min(at + 2, 5))), "pageInfo": info}}}

    server.answer = answer
    paging = {"kind": "cursor", "field": "data.issues.pageInfo.endCursor", "more": "data.issues.pageInfo.hasNextPage"}
    body = {
        "query": "query ($after: String) { issues(after: $after) { nodes {id} } }",
        "variables": {"first": 2, "after": None},
    }
    more = {"method": "POST", "body": body, "records": "data.issues.nodes"}
    shop = listed(server, tmp_path, {**paging, "param": "variables.after"}, **more)
    shop.run()
    assert shop.keys("things") == [0, 1, 2, 3, 4]
    assert [each.body["variables"] for each in server.asked] == [{"first": 2, "after": at} for at in (None, "2", "4")]
    assert {each.body["query"] for each in server.asked} == {body["query"]}


@pytest.mark.parametrize("method", [None, "GET"])
def test_the_next_link_of_a_post(server: Answers, tmp_path: Path, method: str | None) -> None:
    def answer(asked: Asked) -> Any:
        at = int(asked.query.get("at", 0))
        return {"items": rows(at, at + 1), "next": f"/things?at={at + 2}" if at < 4 else None}

    server.answer = answer
    paging = {"kind": "next_link", **({"method": method} if method else {})}
    shop = listed(server, tmp_path, paging, method="POST", body={"a": 1})
    shop.run()
    assert shop.keys("things") == [0, 1, 2, 3, 4, 5]
    assert [(each.method, each.body) for each in server.asked[1:]] == [
        (method or "POST", None if method else {"a": 1})
    ] * 2


def test_pages_and_params_of_a_post_can_go_into_its_query(server: Answers, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Any:
        at = int(asked.query["offset"])
        return {"items": rows(*range(at, min(at + 2, 5))), "total": 5}

    server.answer = answer
    more = {"method": "POST", "body": {"a": 1}, "params": {"state": ["x", "y"]}, "params_in": "query"}
    shop = listed(server, tmp_path, OFFSET, **more)
    shop.run()
    assert shop.keys("things") == [0, 1, 2, 3, 4]
    assert {(str(each.body), str(each.every["state"])) for each in server.asked} == {("{'a': 1}", "['x', 'y']")}


def test_pages_that_alternate_with_fresh_cursors_end(server: Answers, tmp_path: Path) -> None:
    server.answer = lambda asked: {"items": rows(asked.number % 2), "next": str(asked.number)}
    with pytest.raises(UnexpectedShape, match="page 3 is the same page as page 1"):
        listed(server, tmp_path, CURSOR).run()
