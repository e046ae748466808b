"""``leat preview``: a look that writes nothing, and what it proposes for endpoints without columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from leat.pipelines.declare.project import Project, load_declaration
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.preview import ROWS, Preview, preview
from leat.sources.rest_api.preview.infer_columns import infer_columns, infer_key
from tests.kit.command import Leat, differs, documented_json, tally_project, then
from tests.kit.project import row, rows
from tests.sources.rest_answers import Answers, Asked, answering
from tests.sources.rest_shop import Reader

RECORDS: list[dict[str, Any]] = [
    {
        "id": number,
        "orderNumber": f"ORD-{number}",
        "createdAt": f"2026-03-01T10:00:{number % 60:02d}Z",
        "updated": 1_767_225_600 + number,
        "day": "2026-03-01",
        "total": number if number % 2 else number + 0.5,
        "paid": number % 3 == 0,
        "code": 10**30,
        "note": None,
        "address": {"city": "Paris"},
    }
    for number in range(1, 46)
]
SIZE = 20


@pytest.fixture
def server() -> Iterator[Answers]:
    with answering() as started:
        yield started


def project(folder: Path) -> Project:
    return Project(folder, folder / ".leat", None, f"sqlite:///{folder}/.leat/control.db")


def look(folder: Path, server: Answers, endpoints: Mapping[str, Any], *streams: str, **more: Any) -> list[Preview]:
    """Declare an API, and look at its streams."""
    path = folder / "pipelines" / "shop.yaml"
    path.parent.mkdir(exist_ok=True)
    connection = {"url": server.url, "endpoints": endpoints}
    path.write_text(yaml.safe_dump({"source": "rest_api", "driver": "http", "connection": connection, **more}))
    declaration = load_declaration(path, "pipelines/shop.yaml", draft=True)
    names = streams or tuple(endpoints)
    return list(preview(project(folder), declaration, names, lambda _what, _count: None))


def part(asked: Asked, name: str) -> tuple[list[dict[str, Any]], int]:
    """Return the records from a place on that the query names, and where the next begin; 0 at the end."""
    at = int(asked.query.get(name, 0))
    following = at + SIZE
    return RECORDS[at:following], following if following < len(RECORDS) else 0


def by_cursor(asked: Asked) -> Any:
    actual, following = part(asked, "cursor")
    return {"data": actual, "meta": {"next_cursor": str(following) if following else None}}


def by_token(asked: Asked) -> Any:
    actual, following = part(asked, "pageToken")
    return {"items": actual, **({"nextPageToken": f"{following}"} if following else {})}


def by_address(asked: Asked) -> Any:
    actual, following = part(asked, "from")
    return {"results": actual, "next": f"http://{asked.headers['Host']}/list?from={following}" if following else None}


def by_header(asked: Asked) -> Any:
    page = int(asked.query.get("page", 1))
    links = [f'<http://{asked.headers["Host"]}/list?page=1>; rel="first"']
    if page * SIZE < len(RECORDS):
        links.append(f'<http://{asked.headers["Host"]}/list?page={page + 1}>; rel="next"')
    return 200, {"Link": ", ".join(links)}, RECORDS[(page - 1) * SIZE : page * SIZE]


def by_offset(asked: Asked) -> Any:
    actual, _ = part(asked, "startAt")
    return {"startAt": int(asked.query.get("startAt", 0)), "maxResults": SIZE, "total": len(RECORDS), "issues": actual}


def by_page(asked: Asked) -> Any:
    page = int(asked.query.get("page", 1))
    return {"page": page, "total": len(RECORDS), "rows": RECORDS[(page - 1) * SIZE : page * SIZE]}


def by_last(asked: Asked) -> Any:
    actual, following = part(asked, "starting_after")
    return {"object": "list", "data": actual, "has_more": bool(following)}


def by_entry(asked: Asked) -> Any:
    actual, following = part(asked, "from")
    links = [{"relation": "self", "url": "x"}]
    if following:
        links.append({"relation": "next", "url": f"http://{asked.headers['Host']}/list?from={following}"})
    return {"resourceType": "Bundle", "link": links, "entry": actual}


def by_nested_address(asked: Asked) -> Any:
    actual, following = part(asked, "from")
    more = {"next": {"href": f"/list?from={following}"}} if following else {}
    return {"_links": {"self": {"href": "/list"}, **more}, "_embedded": {"orders": actual}}


def by_odd_name(asked: Asked) -> Any:
    actual, following = part(asked, "$skiptoken")
    more = {"@odata.nextLink": f"http://{asked.headers['Host']}/list?$skiptoken={following}"} if following else {}
    return {"@odata.context": "x", "value": actual, **more}


def at_once(_asked: Asked) -> Any:
    return RECORDS


def deep(_asked: Asked) -> Any:
    return {"status": "fine", "result": {"tags": ["a", "b"], "orders": {"nodes": RECORDS}}}


@pytest.mark.parametrize(
    "answer",
    [
        by_cursor,
        by_token,
        by_address,
        by_header,
        by_offset,
        by_page,
        by_last,
        by_entry,
        by_nested_address,
        by_odd_name,
        at_once,
        deep,
    ],
)
def test_what_is_proposed_loads_every_record(tmp_path: Path, server: Answers, answer: Callable[[Asked], Any]) -> None:
    server.answer = answer
    (seen,) = look(tmp_path, server, {"orders": {"path": "list"}})
    assert seen.error is None
    assert (len(seen.rows), seen.quarantined) == (ROWS, ())
    assert seen.more or seen.complete
    assert len(server.asked) <= 5, "a page that was read isn't asked for again"
    declared = yaml.safe_load(seen.proposed)
    assert declared["orders"]["columns"] == {
        "id": "integer", "order_number": {"type": "string", "field": "orderNumber"},
        "created_at": {"type": "timestamp", "field": "createdAt"}, "updated": {"type": "timestamp", "unix": "s"},
        "day": "date", "total": "float", "paid": "boolean", "code": {"type": "string", "convert": True},
        "note": "string", "address": {"type": "json", "personal": True},
    }  # fmt: skip
    assert declared["orders"]["key"] == "id"
    assert "# incremental: {column: updated, param: …} (or created_at)" in seen.proposed
    assert any("note" in note for note in seen.notes)
    reader = Reader(tmp_path, declared, server.url)
    reader.run()
    assert reader.keys() == [record["id"] for record in RECORDS]
    assert reader.refused() == []


def test_a_search_by_post_is_paged_in_its_body(tmp_path: Path, server: Answers) -> None:
    def answer(asked: Asked) -> Any:
        at = int(asked.body.get("after", 0))
        assert (asked.method, asked.body["filters"]) == ("POST", [{"name": "a"}])
        following = at + SIZE
        paging = {"paging": {"next": {"after": str(following), "link": "x"}}} if following < len(RECORDS) else {}
        return {"total": len(RECORDS), "results": RECORDS[at:following], **paging}

    server.answer = answer
    body = {"filters": [{"name": "a"}]}
    (seen,) = look(tmp_path, server, {"orders": {"path": "search", "method": "POST", "body": body}})
    declared = yaml.safe_load(seen.proposed)
    assert declared["orders"]["paging"] == {"kind": "cursor", "field": "paging.next.after", "param": "after"}
    reader = Reader(tmp_path, declared, server.url)
    reader.run()
    assert len(reader.keys()) == len(RECORDS)


DECLARED = {
    "path": "list",
    "records": "data",
    "paging": {"kind": "cursor", "field": "meta.next_cursor"},
    "key": "id",
    "columns": {"id": "integer", "order_number": {"type": "string", "field": "orderNumber", "personal": True}},
}


def test_two_pages_of_a_declared_list_are_read(tmp_path: Path, server: Answers) -> None:
    server.answer = by_cursor
    columns = {**DECLARED["columns"], "note": "integer", "paid": "integer"}
    (seen,) = look(tmp_path, server, {"orders": {**DECLARED, "columns": columns}}, streams={"orders": {"mask": True}})
    assert len(server.asked) == 2
    assert seen.read == "2 pages with 20 and 20 records"
    assert (seen.more, seen.good, len(seen.quarantined), seen.proposed) == (True, 0, 1, "")
    ((reason, count),) = seen.quarantined
    assert (count, "paid takes integer, not true or false" in reason, "ORD" in reason) == (40, True, False)


def test_masked_values_are_not_shown(tmp_path: Path, server: Answers) -> None:
    server.answer = by_cursor
    (seen,) = look(tmp_path, server, {"orders": DECLARED}, streams={"orders": {"mask": True}})
    assert [row[:2] for row in seen.rows[:2]] == [(1, "(masked)"), (2, "(masked)")]
    assert "ORD-1" not in str(seen)


@pytest.mark.parametrize("draft", [True, False])
def test_one_child_is_asked_and_lists_in_records_are_read(tmp_path: Path, server: Answers, draft: bool) -> None:
    def answer(asked: Asked) -> Any:
        if asked.path.endswith("/lines"):
            number = int(asked.path.split("/")[2])
            return [{"position": place, "what": f"{number}-{place}"} for place in range(3)]
        return [{"id": n, "tags": [{"name": "a"}, {"name": "b"}]} for n in (7, 8)]

    server.answer = answer
    order = {} if draft else {"key": "id", "columns": {"id": "integer"}}
    more: list[dict[str, Any]] = [
        {} if draft else {"key": ["order", name], "columns": {name: kind, "order": {"type": "integer", "parent": "id"}}}
        for name, kind in (("position", "integer"), ("name", "string"))
    ]
    endpoints = {
        "orders": {"path": "orders", **order},
        "lines": {"path": "orders/{o}/lines", "parent": {"endpoint": "orders", "values": {"o": "id"}}, **more[0]},
        "tags": {"path": "orders", "nested_in": "orders", "records": "tags", **more[1]},
    }
    seen = {each.stream: each for each in look(tmp_path, server, endpoints)}
    assert server.paths() == ["/orders", "/orders/7/lines"]
    assert [each.error for each in seen.values()] == [None] * 3
    assert "for one row of orders: o=7" in seen["lines"].notes
    assert len(seen["lines"].rows) == 3
    if draft:
        declared = {k: v for each in seen.values() for k, v in yaml.safe_load(each.proposed).items()}
        assert declared["lines"]["key"] == ["order_id", "position"]
        assert declared["tags"]["key"] == ["order_id", "name"]
        reader = Reader(tmp_path, declared, server.url)
        reader.run()
        assert reader.keys("lines") == [(n, place) for n in (7, 8) for place in range(3)]
        assert reader.keys("tags") == [(7, "a"), (7, "b"), (8, "a"), (8, "b")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {}, {"error": "no"}), "404"),
        ({"data": [{"id": 1}], "has_more": True}, "has_more, which nothing reads"),
        ("<html>", "not JSON"),
        ({"data": [{"id": 1}], "meta": {}}, "no page has meta.next_cursor"),
    ],
)
def test_what_a_load_would_refuse_is_said_with_what_was_read(
    tmp_path: Path, server: Answers, answer: Any, said: str
) -> None:
    server.answer = lambda _asked: answer
    paging = {} if "has_more" in said else {"paging": DECLARED["paging"]}
    endpoint = {**{k: v for k, v in DECLARED.items() if k != "paging"}, **paging}
    (seen,) = look(tmp_path, server, {"orders": endpoint})
    assert said in str(seen.error)
    assert "Next: " in str(seen.error)
    assert len(seen.rows) == (1 if isinstance(answer, dict) else 0)


def test_only_a_preview_takes_endpoints_without_columns(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(
        "source: rest_api\ndriver: http\nconnection:\n  url: http://127.0.0.1:9/\n  endpoints:\n"
        "    orders:\n      path: orders\n    lines:\n      path: lines\n      columns: {id: integer}\n"
        "    tags:\n      path: tags/{order}\n      parent: {endpoint: ordrs, values: {order: id}}\n"
    )
    with pytest.raises(DeclarationError) as caught:
        load_declaration(path, "shop.yaml")
    assert caught.value.diagnostics == [
        "shop.yaml:13: connection.endpoints.tags.parent.endpoint: 'ordrs' is no endpoint with a list of its own above "
        "this one",
        "shop.yaml:6: connection.endpoints.orders.columns: declare columns; `leat preview` reads two pages and prints "
        "them",
        "shop.yaml:8: connection.endpoints.lines.key: name the columns that identify a row, for example key: id",
        "shop.yaml:11: connection.endpoints.tags.columns: declare columns; `leat preview` reads two pages and prints "
        "them",
    ]
    with pytest.raises(DeclarationError) as caught:
        load_declaration(path, "shop.yaml", draft=True)
    assert len(caught.value.diagnostics) == 1


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, None], {"type": "integer"}), ([1, 2.5], {"type": "float"}), ([True], {"type": "boolean"}),
        (["2026-01-01"], {"type": "date"}), (["2026-01-01", "x"], {"type": "string"}), ([], {"type": "string"}),
        (["2026-01-01T10:00:00+01:00"], {"type": "timestamp"}), (["2026-01-01 10:00:00"], {"type": "datetime"}),
        ([1, "a"], {"type": "string", "convert": True}), ([[1]], {"type": "json"}), ([{}], {"type": "json"}),
        ([1, {"a": 1}], {"type": "json"}), ([*[1] * 19, "n/a"], {"type": "integer"}),
        ([2**63], {"type": "string", "convert": True}),
        (["2026-02-30"], {"type": "string"}), (["12:00"], {"type": "string"}), ([True, 1], {"type": "json"}),
    ],
)  # fmt: skip
def test_types_are_those_of_the_values(values: list[Any], kind: dict[str, Any]) -> None:
    (column,) = infer_columns([{"thing": value} for value in [*values, None]]).values()
    assert column.model_dump(exclude_defaults=True) == kind


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("createdAt", "created_at"), ("@odata.etag", "odata_etag"), ("HTTPStatus", "http_status"), ("1st", "field_1st"),
        ("extra", "field_extra"), ("größe", "gr_e"), ("", "field"), ("x" * 60, "x" * 41), ("User ID", "user_id"),
    ],
)  # fmt: skip
def test_names_become_identifiers(field: str, column: str) -> None:
    assert list(infer_columns([{field: 1}])) == [column]


def test_names_that_become_the_same_stay_apart() -> None:
    assert list(infer_columns([{"userId": 1, "user_id": 2, "UserID": 3}])) == ["user_id", "user_id_2", "user_id_3"]


@pytest.mark.parametrize(
    ("records", "key"),
    [
        ([{"name": "a", "id": 1}, {"name": "b", "id": 2}], ("id",)),
        ([{"group": "a", "user": 1}, {"group": "a", "user": 2}, {"group": "b", "user": 1}], ("group", "user")),
        ([{"id": None, "order_id": 1}, {"id": 2, "order_id": 2}], ("order_id",)),
        ([{"total": 1.5}, {"total": 2.5}], ()),
        ([*({"n": n} for n in range(19)), {"n": [1]}], ("n",)),
        ([], ()),
    ],
)
def test_a_key_is_what_differs_in_each_record(records: list[dict[str, Any]], key: tuple[str, ...]) -> None:
    assert infer_key([records], infer_columns(records)) == key


def test_any_source_is_read_to_its_first_rows_and_nothing_is_written(tmp_path: Path) -> None:
    leat = tally_project(tmp_path, "{fed: {mask: true}}")
    bad = {"do": "quarantine", "stream": "fed", "key": "k", "reason": "column weight is odd", "record": "{}"}
    then(leat, bad, *(rows("fed", row(i, label="x")) for i in range(9)), {"do": "fail", "transient": False})
    done = leat("preview", "tally.fed")
    assert (done.returncode, done.stderr) == (0, "")
    for said in ("the first 5 rows; more follow", "5 fit, 1 would be quarantined", "column weight is odd", "(masked)"):
        assert said in done.stdout, done.stdout
    assert "read         no rows" in leat("preview", "tally.scanned").stdout
    failed = leat("preview", "tally.kept")
    assert (failed.returncode, "Next: take the step out" in failed.stdout) == (1, True)
    assert sorted(path.name for path in (tmp_path / ".leat").iterdir()) == ["logs", "sources"]
    assert list((tmp_path / ".leat" / "sources").iterdir()) == []
    said = leat.json("preview", "tally.fed")
    assert said["streams"][0].pop("rows")[0]["label"] == "(masked)"
    said["streams"][0]["rows"] = []  # keyed by columns
    assert differs(said, documented_json()["preview"]) == []
    assert 'did you mean "fed"' in leat("preview", "tally.fd").stderr
    assert 'did you mean "tally"' in leat("preview", "taly").stderr


def test_what_is_proposed_is_printed_as_it_is_to_be_written(tmp_path: Path, server: Answers) -> None:
    server.answer = by_cursor
    (tmp_path / "pipelines").mkdir()
    text = f"source: rest_api\ndriver: http\nconnection:\n  url: {server.url}\n  endpoints:\n"
    path = tmp_path / "pipelines" / "shop.yaml"
    path.write_text(f"{text}    orders:\n      path: list\n")
    leat = Leat(tmp_path)
    assert "`leat preview` reads two pages" in leat("run").stderr
    printed = leat("preview", "shop", COLUMNS="80").stdout
    proposed = printed[printed.index("    orders:\n") :].rstrip()
    path.write_text(text + proposed + "\n")
    assert load_declaration(path, "shop.yaml").selected()[0].key == ("id",)
    assert json.loads(leat("run", "--json").stdout)["integrations"][0]["streams"][0]["total"] == len(RECORDS)


ODD = [None, True, 0, -1, 1.5, 10**400, "", "x", "\x00", "\ud800", "2026-01-01", [], [[]], {}, {"": {"": None}}, "[0]"]
NAMES = [
    "",
    "id",
    "ID",
    "a.b",
    "a\n# b: c",
    "['x']",
    "extra",
    "_",
    "é",
    "x" * 300,
    "1",
    "on",
    "null",
    "- a",
    "{x}",
    "a: b",
]


@pytest.mark.parametrize("shift", range(4))
def test_odd_records_give_a_proposal_that_can_be_read(tmp_path: Path, server: Answers, shift: int) -> None:
    records = [
        {"n": number, **{name: ODD[(place + number * (shift + 1)) % len(ODD)] for place, name in enumerate(NAMES)}}
        for number in range(len(ODD))
    ]
    content = json.dumps({"the list": records, "next": None}, allow_nan=False)
    server.answer = lambda _asked: (200, {}, content)
    (seen,) = look(tmp_path, server, {"orders": {"path": "list"}})
    declared = yaml.safe_load(seen.proposed)["orders"]
    assert declared["records"] == "the list"
    assert len(declared["columns"]) == len(NAMES) + 1
    reader = Reader(tmp_path, {"orders": declared}, server.url)
    reader.run()
    assert reader.events
