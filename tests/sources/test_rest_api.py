"""What is peculiar to declared REST APIs: paging of every style, what is new, broken records, users' complaints."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.declare.project import load_declaration
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.sources.errors import (
    Forbidden,
    NotFound,
    RateLimited,
    TimedOut,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from leat.sources.events import Cursor, FullScan, Rows
from tests.servers.api_server.handler import ApiServer, serving
from tests.servers.api_server.state import Fault, Rate, State
from tests.sources.rest_shop import ORDERS, order, reader

ROOT = Path(__file__).parents[2]
STYLES: dict[str, dict[str, Any]] = {
    "none": {"params": {"limit": 1000}},
    "pages": {"paging": {"kind": "pages", "size": 7, "size_param": "per_page", "total": "total"}},
    "pages without total": {"paging": {"kind": "pages"}, "deletes": "never", "params": {"per_page": 7}},
    "offset": {"paging": {"kind": "offset", "size": 7, "total": "total"}},
    "cursor": {"paging": {"kind": "cursor", "field": "next_cursor"}, "params": {"limit": 7}},
    "cursor and more": {
        "paging": {"kind": "cursor", "field": "next_cursor", "more": "has_more"},
        "params": {"limit": 7},
    },
    "next_link": {"paging": {"kind": "next_link"}, "params": {"per_page": 7}},
    "link_header": {"paging": {"kind": "link_header"}, "params": {"per_page": 7}},
    "next_header": {"paging": {"kind": "next_header"}, "params": {"per_page": 7}},
}
NEW = {"incremental": {"column": "updated_at", "param": "updated_since"}, "params": {"limit": 1000}}


@pytest.fixture(scope="module")
def running() -> Iterator[ApiServer]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running: ApiServer) -> ApiServer:
    running.state = State(collections={"orders": [order(number) for number in range(40)]})
    return running


@pytest.mark.parametrize("style", STYLES)
def test_every_style_of_paging_reads_all_and_ends(server: ApiServer, tmp_path: Path, style: str) -> None:
    shop = reader(tmp_path, server, STYLES[style])
    shop.run()
    assert shop.keys() == list(range(40))
    assert len(server.state.seen) == (1 if style == "none" else len({str(s.query) for s in server.state.seen}))
    assert shop.run() == []
    server.state.collections["orders"] = []
    if style != "pages without total":
        shop.run()
        assert shop.keys() == []


def test_values_are_typed(server: ApiServer, tmp_path: Path) -> None:
    more = {"number": 'a "quoted" \u00e9 \\ text', "new": {"b": 1, "a": [None]}, "none": None}
    server.state.collections["orders"] = [order(1, **more), order(2, address=None, lines=None, updated_at=None)]
    shop = reader(tmp_path, server)
    shop.run()
    row = shop.row(1)
    assert row["number"] == more["number"]
    assert row["updated_at"] == datetime(2026, 3, 1, 10, 0, 1, tzinfo=UTC)
    assert (row["total"], row["paid"], str(row["day"]), row["city"]) == (11.5, False, "2026-03-01", "Paris")
    assert row["lines"] == '[{"sku":"A","quantity":1}]'
    assert json.loads(row["extra"]) == {"new": {"b": 1, "a": [None]}}
    assert shop.row(2) == {**shop.row(2), "city": None, "lines": None, "updated_at": None, "extra": None}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("total", "12"),
        ("total", True),
        ("number", 5),
        ("paid", "yes"),
        ("id", None),
        ("id", 1.5),
        ("id", 2**63),
        ("updated_at", "yesterday"),
        ("updated_at", "2026-03-01T10:00:00"),
        ("updated_at", 5),
        ("day", "2026-02-30"),
        ("local", "2026-03-01T10:00:00Z"),
    ],
)
def test_a_broken_record_is_quarantined_alone(server: ApiServer, tmp_path: Path, field: str, value: Any) -> None:
    shop = reader(tmp_path, server)
    shop.run()
    server.state.collections["orders"][7][field] = value
    server.state.collections["orders"][9]["total"] = 5.0
    shop.run()
    (refused,) = shop.refused()
    assert field in refused.reason
    assert json.loads(refused.record)["number"] in ("ORD-7", 5)
    assert shop.row(9)["total"] == 5.0, "the rest is loaded"
    assert shop.row(7), "its last good row stays"
    assert not [event for event in shop.events if isinstance(event, FullScan)]
    assert shop.run() == [], "and it is told once"


@pytest.mark.parametrize("record", [5, "text", None, [1]])
def test_a_record_that_is_no_object_is_quarantined(server: ApiServer, tmp_path: Path, record: Any) -> None:
    server.state.faults = [Fault("text", body=json.dumps({"data": [order(1), record, order(2)]}))]
    shop = reader(tmp_path, server)
    shop.run()
    assert shop.keys() == [1, 2]
    assert [each.reason for each in shop.refused()] == ["a record has to be a JSON object"]


@pytest.mark.parametrize("odd", ["\ud800", "a\x00b", "\ufffe", "\U0001f600", "x" * 3_000_000])
def test_odd_text_is_stored_as_far_as_possible(server: ApiServer, tmp_path: Path, odd: str) -> None:
    stored = odd.replace("\ud800", "\ufffd").replace("\x00", "\ufffd")
    server.state.collections["orders"][1] = order(1, number=odd, lines=[odd], unknown=odd)
    shop = reader(tmp_path, server)
    shop.run()
    row = shop.row(1)
    assert row["number"] == stored
    assert json.loads(row["lines"]) == [stored]
    assert json.loads(row["extra"]) == {"unknown": stored}
    assert len(shop.keys()) == 40


@pytest.mark.parametrize(
    "body",
    [
        '{"data": [%s], "links": [1, [2]], "meta": {"data": []}}',
        '{"meta": {"data": []}, "data" :\n [%s]\n}',
        '{"note": "\\"data\\": [1]", "data": [%s], "tail": "]}"}',
        '{"data": [%s], "tail": ["' + "x" * 9000 + '", {"data": [1]}]}',
    ],
)
def test_the_list_is_located_in_every_envelope(server: ApiServer, tmp_path: Path, body: str) -> None:
    records = ", ".join(json.dumps(order(n, number="]}", lines=[[n]])) for n in (1, 2))
    server.state.faults = [Fault("text", body=body % records, times=-1)]
    shop = reader(tmp_path, server)
    shop.run()
    assert shop.keys() == [1, 2]
    assert shop.row(2)["number"] == "]}"


@pytest.mark.parametrize("body", ['{"data": 5}', '{"other": []}', "[]", '{"data": {"a": []}}', "null"])
def test_an_answer_without_the_list_fails(server: ApiServer, tmp_path: Path, body: str) -> None:
    server.state.faults = [Fault("text", body=body)]
    with pytest.raises(UnexpectedShape, match="data has to be a list, and is"):
        reader(tmp_path, server).run()


@pytest.mark.parametrize("kind", ["truncated", "html"])
def test_a_page_that_is_no_json_fails(server: ApiServer, tmp_path: Path, kind: str) -> None:
    server.state.faults = [Fault(kind, after=2, times=-1)]
    shop = reader(tmp_path, server, STYLES["cursor"])
    with pytest.raises(UnexpectedShape, match="not JSON"):
        shop.run()
    assert shop.cursor is None


@pytest.mark.parametrize(("status", "error"), [(403, Forbidden), (404, NotFound)])
@pytest.mark.parametrize("style", ["pages", "cursor"])
def test_a_403_or_404_on_any_page_fails_loudly(
    server: ApiServer, tmp_path: Path, style: str, status: int, error: type[Exception]
) -> None:
    """Pain: a 403/404 skipped in silence."""
    shop = reader(tmp_path, server, STYLES[style])
    shop.run()
    server.state.faults = [Fault("status", status=status, after=2, times=-1)]
    with pytest.raises(error, match=f"GET /v1/orders: HTTP {status}. Next: .*take the endpoint out"):
        shop.run()
    assert shop.keys() == list(range(40)), "nothing is taken for gone"


def test_a_404_of_one_child_fails_loudly(server: ApiServer, tmp_path: Path) -> None:
    """Pain: a 403/404 skipped in silence."""
    server.state.faults = [Fault("status", "/v1/orders/7/", status=404)]
    with pytest.raises(NotFound, match="GET /v1/orders/7/lines"):
        reader(tmp_path, server, STYLES["none"], others={"lines": CHILD}).run()


@pytest.mark.parametrize("kind", ["cursor", "next_link", "link_header", "next_header"])
def test_a_cursor_that_loops_ends(server: ApiServer, tmp_path: Path, kind: str) -> None:
    """Pain: cursor loops."""
    bodies = [{"data": [order(n)], "next_cursor": "b", "next": "/v1/orders?cursor=b"} for n in (1, 2, 3)]
    headers = {"Link": '</v1/orders?cursor=b>; rel="next"', "X-Next-Page": "b"}
    server.state.faults = [Fault("text", body=json.dumps(body), headers=headers) for body in bodies]
    with pytest.raises(UnexpectedShape, match="leads back to a page that was read before"):
        reader(tmp_path, server, STYLES[kind]).run()
    assert len(server.state.seen) == 2


def test_pages_that_are_all_the_same_end(server: ApiServer, tmp_path: Path) -> None:
    """Pain: cursor loops; here an API that doesn't know the parameter."""
    server.state.faults = [Fault("text", body=json.dumps({"data": [order(1)]}), times=-1)]
    with pytest.raises(UnexpectedShape, match="page 2 is the same page as page 1"):
        reader(tmp_path, server, STYLES["pages without total"]).run()


def test_ten_empty_pages_end(server: ApiServer, tmp_path: Path) -> None:
    bodies = [json.dumps({"data": [], "next_cursor": str(n)}) for n in range(20)]
    server.state.faults = [Fault("text", body=body) for body in bodies]
    with pytest.raises(UnexpectedShape, match="10 empty pages in a row"):
        reader(tmp_path, server, STYLES["cursor"]).run()
    assert len(server.state.seen) == 10


def test_some_empty_pages_do_not_end_a_list(server: ApiServer, tmp_path: Path) -> None:
    bodies = [{"data": [order(n)] if n in (4, 9) else [], "next_cursor": str(n) if n < 9 else None} for n in range(10)]
    server.state.faults = [Fault("text", body=json.dumps(body)) for body in bodies]
    shop = reader(tmp_path, server, STYLES["cursor"])
    shop.run()
    assert shop.keys() == [4, 9]


def test_the_quota_is_not_eaten(server: ApiServer, tmp_path: Path) -> None:
    """Pain: the whole quota eaten. A share is left to others, and the next run goes on."""
    server.state.rate = Rate(limit=10, window=3600, headers="x")
    shop = reader(tmp_path, server, {**STYLES["cursor"], "params": {"limit": 2}}, reserve=0.3)
    with pytest.raises(RateLimited, match="but for what is left to others") as caught:
        shop.run()
    assert caught.value.retry_after
    assert {call.status for call in shop.calls} == {200}
    assert shop.calls[-1].rate_remaining == 3


def test_an_expired_token_is_reported_clearly(server: ApiServer, tmp_path: Path) -> None:
    """Pain: an expired token with a cryptic message."""
    (tmp_path / "token").write_text("of-last-year")
    server.state.auth, server.state.secrets = "bearer", ["of-this-year"]
    auth = {"kind": "bearer", "token": {"file": "token"}}
    with pytest.raises(Unauthenticated) as caught:
        reader(tmp_path, server, auth=auth).run()
    assert str(caught.value) == (
        "shop: GET /v1/orders: HTTP 401. Next: check connection.auth: the credential is wrong, or has expired or was "
        "revoked; make a new one"
    )
    assert len(server.state.seen) == 1


def test_a_token_that_expires_between_pages_loses_nothing(server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    server.state.auth, server.state.secrets = "token", ["us:secret"]
    server.state.faults = [Fault("status", status=401, after=3)]
    auth = {
        "kind": "oauth2_client_credentials",
        "token_url": f"{server.url}oauth/token",
        "client_id": "us",
        "client_secret": {"file": "secret"},
    }
    shop = reader(tmp_path, server, STYLES["cursor"], auth=auth)
    shop.run()
    assert shop.keys() == list(range(40))
    assert server.state.given == 2


def test_a_server_that_stops_in_the_middle_loses_nothing(server: ApiServer, tmp_path: Path) -> None:
    shop = reader(tmp_path, server, STYLES["cursor"])
    server.state.faults = [Fault("cut", after=3, times=-1)]
    with pytest.raises(Unavailable):
        shop.run()
    assert shop.cursor is None
    assert not list((tmp_path / "sources" / "shop").glob("pages-*"))
    server.state.faults = []
    shop.run()
    assert shop.keys() == list(range(40))


def test_a_page_that_hangs_once_is_read_again(server: ApiServer, tmp_path: Path) -> None:
    server.state.faults = [Fault("hang", after=2)]
    shop = reader(tmp_path, server, STYLES["cursor"], timeout=0.4)
    shop.run()
    assert shop.keys() == list(range(40))
    assert TimedOut.__name__ in [call.error for call in shop.calls]


def test_nothing_new_is_one_conditional_request(server: ApiServer, tmp_path: Path) -> None:
    shop = reader(tmp_path, server, STYLES["none"])
    shop.run()
    assert shop.run() == []
    assert [call.status for call in shop.calls] == [304]
    assert shop.calls[0].received_bytes == 0


def test_nothing_new_without_etags_is_detected_by_digest(server: ApiServer, tmp_path: Path) -> None:
    server.state.etags = False
    shop = reader(tmp_path, server, STYLES["pages"])
    shop.run()
    assert shop.run() == []


@pytest.mark.parametrize("style", [STYLES["pages"], NEW], ids=["whole", "growing"])
def test_nothing_new_imports_nothing_heavy(server: ApiServer, tmp_path: Path, style: dict[str, Any]) -> None:
    shop = reader(tmp_path, server, style)
    shop.run()
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from tests.sources.rest_shop import Reader\n"
        "folder, url, endpoints, cursor = sys.argv[1:]\n"
        "shop = Reader(Path(folder), json.loads(endpoints), url, cursor=json.loads(cursor))\n"
        "assert shop.run() == []\n"
        "print(sorted({'dlt', 'duckdb', 'numpy', 'pandas', 'pyarrow'} & set(sys.modules)))\n"
    )
    arguments = [str(tmp_path), server.url, json.dumps(shop.endpoints), json.dumps(shop.cursor)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_rows_that_go_while_pages_are_read_delete_nothing_else(server: ApiServer, tmp_path: Path) -> None:
    """Pain: inserts and deletes while paging."""
    shop = reader(tmp_path, server, STYLES["offset"], in_flight=1)
    shop.run()
    whole = list(server.state.collections["orders"])
    first = {"data": whole[:7], "total": 40}
    server.state.faults = [Fault("text", body=json.dumps(first))]
    server.state.collections["orders"] = whole[1:]
    shop.run()
    assert shop.keys() in (list(range(1, 40)), list(range(40)))
    assert "listing_changed" in shop.logged()
    shop.run()
    assert shop.keys() == list(range(1, 40))


@pytest.mark.parametrize(
    ("totals", "error", "words"),
    [
        ((2, 3, 2), Unavailable, "1 records where it says 2, 3 times. Next: try later; the list changes"),
        ((2, 2, 2), UnexpectedShape, "1 records where it says 2, 3 times. Next: correct paging.total"),
    ],
)
def test_a_total_that_never_holds_fails(
    server: ApiServer, tmp_path: Path, totals: tuple[int, ...], error: type[Exception], words: str
) -> None:
    bodies = [{"data": rows, "total": total} for total in totals for rows in ([order(1)], [])]
    server.state.faults = [Fault("text", body=json.dumps(body)) for body in bodies]
    paging = {"kind": "pages", "size": 7, "size_param": "per_page", "total": "total"}
    with pytest.raises(error, match=words):
        reader(tmp_path, server, {"paging": paging}, in_flight=1).run()


def test_what_is_new_is_asked_for(server: ApiServer, tmp_path: Path) -> None:
    shop = reader(tmp_path, server, NEW)
    shop.run()
    assert shop.run() == []
    server.state.collections["orders"].append(order(50))
    events = shop.run()
    assert [seen.query.get("updated_since") for seen in server.state.seen] == [
        None,
        "2026-03-01T10:00:39Z",
        "2026-03-01T10:00:39Z",
    ]
    assert sum(event.table.num_rows for event in events if isinstance(event, Rows)) == 2
    assert shop.keys() == [*range(40), 50]
    assert shop.run() == []


def test_records_of_one_timestamp_are_all_read(server: ApiServer, tmp_path: Path) -> None:
    """Pain: equal cursor timestamps; one comes late with the time that was seen last."""
    shop = reader(tmp_path, server, NEW)
    shop.run()
    server.state.collections["orders"].append(order(60, updated_at="2026-03-01T10:00:39Z"))
    shop.run()
    assert shop.keys() == [*range(40), 60]
    assert shop.run() == []


def test_an_overlap_reads_what_became_visible_late(server: ApiServer, tmp_path: Path) -> None:
    shop = reader(tmp_path, server, {**NEW, "incremental": {**NEW["incremental"], "overlap": "PT10S"}})
    shop.run()
    assert shop.run() == []
    server.state.collections["orders"].append(order(60, updated_at="2026-03-01T10:00:31Z"))
    shop.run()
    assert shop.row(60)
    assert server.state.seen[-1].query["updated_since"] == "2026-03-01T10:00:29Z"
    assert shop.run() == []


def test_what_is_gone_from_a_growing_list_is_detected_by_a_scan_a_day(server: ApiServer, tmp_path: Path) -> None:
    shop = reader(tmp_path, server, NEW)
    shop.run()
    del server.state.collections["orders"][3]
    assert shop.run() == []
    tomorrow = datetime.now(UTC) + timedelta(days=1, minutes=1)
    shop.run(tomorrow)
    assert (3,) not in shop.tables["orders"]
    events = shop.run(tomorrow + timedelta(days=2))
    assert [type(event) for event in events] == [Cursor], "the same list again is nothing new"


def test_unix_times_are_read_and_asked_for(server: ApiServer, tmp_path: Path) -> None:
    server.state.collections["orders"] = [{"id": n, "at": 1_772_000_000 + n} for n in range(3)]
    columns = {"id": "integer", "at": {"type": "timestamp", "unix": "s"}}
    shop = reader(tmp_path, server, {"columns": columns, "incremental": {"column": "at", "param": "updated_since"}})
    shop.run()
    assert shop.row(2)["at"] == datetime.fromtimestamp(1_772_000_002, UTC)
    shop.run()
    assert server.state.seen[-1].query["updated_since"] == "1772000002"


CHILD = {
    "path": "v1/orders/{order}/lines",
    "records": "data",
    "parent": {"endpoint": "orders", "values": {"order": "id"}},
    "key": ["order_id", "sku"],
    "columns": {"order_id": {"type": "integer", "parent": "id"}, "sku": "string", "quantity": "integer"},
}
NESTED = {
    "path": "v1/orders",
    "nested_in": "orders",
    "records": "lines",
    "key": ["order_id", "sku"],
    "columns": {"order_id": {"type": "integer", "parent": "id"}, "sku": "string", "quantity": "integer"},
}


@pytest.mark.parametrize("child", [CHILD, NESTED], ids=["asked", "nested"])
@pytest.mark.parametrize("style", [{}, NEW], ids=["whole", "since"])
def test_children_follow_their_parents(
    server: ApiServer, tmp_path: Path, child: dict[str, Any], style: dict[str, Any]
) -> None:
    orders = server.state.collections["orders"] = [order(number) for number in range(9)]
    shop = reader(tmp_path, server, {"params": {"limit": 1000}, **style}, others={"lines": child})
    shop.run()
    assert shop.keys("lines") == [(number, "A") for number in range(9)]
    assert shop.run() == []
    moved = "2026-03-02T00:00:00Z"
    orders[4] = order(4, lines=[{"sku": "B", "quantity": 2}], updated_at=moved)
    orders[5] = order(5, lines=[], updated_at=moved)
    shop.run()
    remaining = [(number, "A") for number in range(9) if number not in (4, 5)]
    assert shop.keys("lines") == sorted([*remaining, (4, "B")])
    assert shop.run() == []


def test_children_are_asked_side_by_side_and_conditionally(server: ApiServer, tmp_path: Path) -> None:
    shop = reader(tmp_path, server, STYLES["none"], others={"lines": CHILD})
    shop.run()
    assert shop.run() == []
    assert [call.status for call in shop.calls if call.path.endswith("lines")] == [304] * 40
    assert {call.path for call in shop.calls} == {"/v1/orders", "/v1/orders/{order}/lines"}


def test_a_lost_cache_of_validators_costs_a_reading_and_loses_nothing(server: ApiServer, tmp_path: Path) -> None:
    shop = reader(tmp_path, server, STYLES["none"], others={"lines": CHILD})
    shop.run()
    shutil.rmtree(tmp_path / "sources" / "shop" / "validators")
    shop.run()
    assert len(shop.keys("lines")) == 40
    assert {call.status for call in shop.calls if call.path.endswith("lines")} == {200}


def test_a_value_of_a_parent_cannot_lead_elsewhere(server: ApiServer, tmp_path: Path) -> None:
    server.state.collections["orders"] = [{"id": 1, "number": "../../_control?x="}]
    columns = {**CHILD["columns"], "of": {"type": "string", "parent": "number"}}
    child = {**CHILD, "parent": {"endpoint": "orders", "values": {"order": "number"}}, "columns": columns}
    with pytest.raises(NotFound):
        reader(tmp_path, server, STYLES["none"], others={"lines": child}).run()
    assert server.state.seen[-1].path == "/v1/orders/..%2F..%2F_control%3Fx%3D/lines"


def test_pages_are_under_way_side_by_side(server: ApiServer, tmp_path: Path) -> None:
    server.state.delay = 0.1
    server.state.collections["orders"] = [order(number) for number in range(112)]
    shop = reader(tmp_path, server, STYLES["pages"], in_flight=8)
    shop.run()
    assert shop.keys() == list(range(112))
    at = sorted(seen.at for seen in server.state.seen)
    assert max(sum(1 for each in at if moment <= each < moment + 0.1) for moment in at) >= 4


def test_a_change_of_the_declaration_reads_everything_again() -> None:
    from leat.sources.rest_api.declaration.endpoint import Endpoint, stream_of

    def version(**more: Any) -> int:
        return stream_of("orders", Endpoint.model_validate({**ORDERS, **more})).schema_version

    assert version() == version(description="Told better.")
    assert version() != version(params={"state": "all"})
    assert version() != version(columns={**ORDERS["columns"], "city": {"type": "string", "field": "address.town"}})


@pytest.mark.parametrize(
    ("line", "text", "words"),
    [
        (8, "key: [nummer]", "connection.endpoints.orders.key[0]: unknown column 'nummer'"),
        (8, "keys: [id]", 'connection.endpoints.orders.keys: unknown key; did you mean "key"?'),
        (9, "columns: {id: number}", "connection.endpoints.orders.columns.id"),
        (10, "paging: {kind: page}", "connection.endpoints.orders.paging"),
        (
            10,
            "paging: {kind: pages}",
            "connection.endpoints.orders.paging: a record that goes while the pages are read",
        ),
        (10, "incremental: {column: at, param: since}", "incremental.column: unknown column 'at'"),
        (
            10,
            "parent: {endpoint: shops, values: {shop: id}}",
            "'shops' is no endpoint with a list of its own above this one",
        ),
        (7, "path: v1/{shop}/orders", "connection.endpoints.orders.path: nothing fills {shop}"),
    ],
)
def test_a_mistake_is_reported_with_its_line(tmp_path: Path, line: int, text: str, words: str) -> None:
    lines = [
        "source: rest_api",
        "driver: http",
        "connection:",
        "  url: https://api.example.com",
        "  endpoints:",
        "    orders:",
        "      path: v1/orders",
        "      key: [id]",
        "      columns: {id: integer}",
        "      records: data",
    ]
    lines[line - 1] = f"      {text}"
    path = tmp_path / "shop.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        load_declaration(path, "pipelines/shop.yaml")
    assert any(
        mistake.startswith(f"pipelines/shop.yaml:{line}: ") and words in mistake for mistake in caught.value.diagnostics
    ), caught.value.diagnostics


@pytest.mark.parametrize("url", ["shop.example/api", "ftp://shop.example/", "https://ann:secret@shop.example/"])
def test_a_written_url_is_checked_without_a_request(tmp_path: Path, url: str) -> None:
    path = tmp_path / "shop.yaml"
    endpoint = "{path: orders, key: id, columns: {id: integer}}"
    text = f"source: rest_api\ndriver: http\nconnection:\n  url: {url}\n  endpoints:\n    orders: {endpoint}\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(
        DeclarationError, match=r"^pipelines/shop.yaml:4: connection.url: it .*; write https://host/path"
    ):
        load_declaration(path, "pipelines/shop.yaml")


def test_options_of_a_declared_stream_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    given = {
        "source": "rest_api",
        "driver": "http",
        "connection": {"url": "https://api.example.com", "endpoints": {"orders": ORDERS}},
        "streams": {"orders": {"exclude": ["citi"]}, "order": {}},
    }
    path.write_text(json.dumps(given), encoding="utf-8")
    with pytest.raises(DeclarationError, match="unknown column 'citi'; did you mean \"city\""):
        load_declaration(path, "pipelines/shop.yaml")
