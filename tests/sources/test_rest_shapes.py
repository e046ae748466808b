"""Answers of every shape and format, as public APIs give them: what is declared, and what comes out."""

# ruff: noqa: E501 - a case is a line
from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.declare.project import load_declaration
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.sources.errors import UnexpectedShape
from leat.sources.rest_api.http.driver import Connection
from tests.sources.rest_answers import Answers, answering
from tests.sources.rest_shop import Reader


@pytest.fixture(scope="module")
def running() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@pytest.fixture
def server(running: Answers) -> Answers:
    running.asked.clear()
    return running


def read(server: Answers, folder: Path, body: Any, **endpoint: Any) -> Reader:
    """Return a reader of one endpoint, ``things``, that has read an answer."""
    server.answer = lambda _asked: (200, {}, body)
    shop = server.reader(folder, {"things": {"path": "things", "deletes": "never", **endpoint}})
    shop.run()
    return shop


def rows(shop: Reader, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in columns) for _key, row in sorted(shop.tables.get("things", {}).items())]


def test_one_object_is_a_record(server: Answers, tmp_path: Path) -> None:
    """GitHub: GET /repos/{owner}/{repo}."""
    body = {"id": 1296269, "full_name": "octocat/Hello-World", "license": {"key": "mit"}, "topics": ["octocat"]}
    columns = {"id": "integer", "full_name": "string", "license": {"type": "string", "field": "license.key"}}
    shop = read(server, tmp_path, body, single=True, key="id", columns=columns)
    assert rows(shop, "id", "full_name", "license", "extra") == [
        (1296269, "octocat/Hello-World", "mit", '{"topics":["octocat"]}')
    ]
    assert shop.run() == []
    with pytest.raises(UnexpectedShape, match=r"the answer has to be one object, and is list.*single: true"):
        read(server, tmp_path, [body], single=True, key="id", columns=columns)
    with pytest.raises(UnexpectedShape, match=r"the answer has to be a list, and is dict.*single: true"):
        read(server, tmp_path, body, key="id", columns=columns)


@pytest.mark.parametrize(
    ("body", "columns", "expected"),
    [
        ({"rates": {"EUR": 0.92, "JPY": 149.10}, "base": "USD"}, {"rate": {"type": "decimal(18,6)", "field": "."}}, [("EUR", Decimal("0.920000")), ("JPY", Decimal("149.100000"))]),
        ({"rates": {"EUR": {"rate": 1, "a.b": 2}, "X.Y": {"rate": None}}}, {"rate": "integer"}, [("EUR", 1), ("X.Y", None)]),
        ({"rates": {}}, {"rate": "integer"}, []),
        ({"rates": []}, {"rate": "integer"}, []),
        ({"rates": None}, {"rate": "integer"}, []),
    ],
)  # fmt: skip
def test_an_object_of_records_gives_their_names(
    server: Answers, tmp_path: Path, body: Any, columns: dict[str, Any], expected: Any
) -> None:
    """Frankfurter and Open Exchange Rates: {"rates": {"EUR": 0.92}}; PHP writes [] for an empty object."""
    shop = read(
        server,
        tmp_path,
        body,
        records="rates",
        keyed_by="currency",
        key="currency",
        columns={"currency": "string", **columns},
    )
    assert rows(shop, "currency", "rate") == expected
    assert shop.refused() == []


def test_names_of_records_may_be_numbers(server: Answers, tmp_path: Path) -> None:
    """MediaWiki: {"query": {"pages": {"15580374": {"title": "Main Page"}}}}."""
    body = {"query": {"pages": {"15580374": {"pageid": 15580374, "title": "Main Page"}}}}
    shop = read(
        server,
        tmp_path,
        body,
        records="query.pages",
        keyed_by="id",
        key="id",
        columns={"id": "integer", "title": "string"},
    )
    assert rows(shop, "id", "title", "extra") == [(15580374, "Main Page", '{"pageid":15580374}')]


def test_lists_of_lists_have_columns_by_position(server: Answers, tmp_path: Path) -> None:
    """Binance: GET /api/v3/klines, whose prices are text."""
    columns = {
        "opened_at": {"type": "timestamp", "field": "[0]", "unix": "ms"},
        "open": {"type": "decimal(20,8)", "field": "[1]"},
        "trades": {"type": "integer", "field": "[8]"},
    }
    body = '[[1499040000000,"0.01634790","0.80","0.015","0.0157","148976.1",1499644799999,"2434.1",308,"1756.8","28.46","0"]]'
    (row,) = rows(
        read(server, tmp_path, body, key="opened_at", columns=columns), "opened_at", "open", "trades", "extra"
    )
    assert row[:3] == (datetime(2017, 7, 3, tzinfo=UTC), Decimal("0.01634790"), 308)
    assert json.loads(row[3])["5"] == "148976.1"


@pytest.mark.parametrize(
    ("records", "body", "expected"),
    [
        ("data.orders.edges[*].node", {"data": {"orders": {"edges": [{"cursor": "a", "node": {"id": 1}}, {"node": {"id": 2}}]}}}, [1, 2]),
        ("results[*].items", {"results": [{"items": [{"id": 1}]}, {"items": []}, {"items": None}, {}, {"items": [{"id": 2}]}], "note": 1}, [1, 2]),
        ("[*].items[*]", [{"items": [{"id": 1}, {"id": 2}]}], [1, 2]),
        ("of.*", {"of": {"a": {"id": 1}, "b": {"id": 2}}}, [1, 2]),
        ("['d.v'].items", {"d.v": {"items": [{"id": 1}]}}, [1]),
    ],
)  # fmt: skip
def test_records_are_read_behind_each_star(
    server: Answers, tmp_path: Path, records: str, body: Any, expected: list[int]
) -> None:
    """Shopify's and GitHub's GraphQL: edges of nodes."""
    shop = read(server, tmp_path, body, records=records, key="id", columns={"id": "integer"})
    assert rows(shop, "id") == [(each,) for each in expected]
    assert shop.refused() == []


RATES = 'KEY,TIME_PERIOD,OBS_VALUE,OBS_STATUS\r\nEXR.D.USD,2026-03-02,1.0810,A\r\nEXR.D.USD,2026-03-03,,"M, ""x"""\r\n\r\nEXR.D.USD,2026-03-04,n/a,A\r\nshort,2026-03-05\r\n'


def test_lines_of_csv_are_records(server: Answers, tmp_path: Path) -> None:
    """European Central Bank: GET /service/data/EXR/D.USD.EUR.SP00.A?format=csvdata."""
    columns = {
        "day": {"type": "date", "field": "TIME_PERIOD"},
        "rate": {"type": "decimal(10,4)", "field": "OBS_VALUE"},
        "status": {"type": "string", "field": "OBS_STATUS"},
    }
    shop = read(server, tmp_path, RATES, format="csv", key="day", columns=columns)
    assert rows(shop, "day", "rate", "status", "extra") == [
        (date(2026, 3, 2), Decimal("1.0810"), "A", '{"KEY":"EXR.D.USD"}'),
        (date(2026, 3, 3), None, 'M, "x"', '{"KEY":"EXR.D.USD"}'),
    ]
    assert [each.reason.partition(",")[0] for each in shop.refused()] == [
        "column rate takes decimal(10",
        "a line has to have as many cells as there are names",
    ]
    assert server.asked[0].headers["Accept"] == "text/csv"


@pytest.mark.parametrize(
    ("body", "options", "expected"),
    [
        ("id;name\n1;Zoë\n".encode("latin-1"), {"delimiter": ";", "encoding": "latin-1"}, [(1, "Zoë")]),
        ("\ufeffid,name\n1,a\n".encode(), {}, [(1, "a")]),
        ("1,a\n2,b", {"header": ["id", "name"]}, [(1, "a"), (2, "b")]),
        ('id,name\n1,"a\nb"\n', {}, [(1, "a\nb")]),
        ("id,name\n", {}, []),
        (b"id,name\n1,a\n2,\xff\n3,c\n", {}, [(1, "a"), (3, "c")]),
        ("id,name\n1," + "x" * 200_000 + "\n", {}, [(1, "x" * 200_000)]),
    ],
)  # fmt: skip
def test_csv_is_read_as_declared(
    server: Answers, tmp_path: Path, body: Any, options: dict[str, Any], expected: list[Any]
) -> None:
    columns = {"id": "integer", "name": "string"}
    assert (
        rows(read(server, tmp_path, body, format={"kind": "csv", **options}, key="id", columns=columns), "id", "name")
        == expected
    )


@pytest.mark.parametrize(
    ("kind", "body"),
    [("csv", ""), ("csv", "id,id\n1,2\n"), ("csv", 'id,name\n1,"a\n'), ("xml", "<feed><entry></feed>"), ("xml", '<!DOCTYPE a [<!ENTITY x "y">]><feed/>'), ("xml", "{}"), ("xml", "<other/>")],
)  # fmt: skip
def test_an_answer_of_another_format_is_an_error(server: Answers, tmp_path: Path, kind: str, body: str) -> None:
    more = {"records": "feed.entry"} if kind == "xml" else {}
    with pytest.raises(UnexpectedShape, match=f"a body that is not {kind.upper()}|feed.entry has to be a list"):
        read(server, tmp_path, body, format=kind, key="id", columns={"id": "integer"}, **more)


def test_lines_of_ndjson_are_records(server: Answers, tmp_path: Path) -> None:
    """Lichess: GET /api/games/user/{name}, as application/x-ndjson; one line is broken."""
    body = '{"id":"a","rated":true}\r\n\n{"id":"b","rated":"tr\n{"id":"c",\n5}\n{"id":"d"},{"id":"e"}\n{"id":"f","note":NaN}\n\x1e{"id":"g"}'
    shop = read(server, tmp_path, body, format="ndjson", key="id", columns={"id": "string", "rated": "boolean"})
    assert rows(shop, "id") == [("a",), ("g",)]
    assert len(shop.refused()) == 5


@pytest.mark.parametrize(
    ("encoding", "media_type"),
    [("utf-8-sig", ""), ("utf-16", ""), ("utf-16-be", ""), ("utf-32-le", ""), ("latin-1", "text/json; charset=ISO-8859-1"), ("utf-8", "text/json; charset=latin-1")],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["json", "ndjson"])
def test_json_is_read_in_every_encoding(
    server: Answers, tmp_path: Path, kind: str, encoding: str, media_type: str
) -> None:
    text = '{"id":1,"name":"Zoë"}'
    body = (f"[{text}]" if kind == "json" else text).encode(encoding)
    server.answer = lambda _asked: (200, {"Content-Type": media_type}, body)
    shop = server.reader(
        tmp_path,
        {
            "things": {
                "path": "things",
                "deletes": "never",
                "key": "id",
                "format": kind,
                "columns": {"id": "integer", "name": "string"},
            }
        },
    )
    shop.run()
    assert rows(shop, "id", "name") == [(1, "Zoë")]


FEED = """<?xml version="1.0" encoding="iso-8859-1"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:ax="http://arxiv.org/schemas/atom"><title>q</title>%s</feed>"""
ENTRY = '<entry ax:n="7"><id>%s</id><title type="text">On\n  \xe9toiles</title><published>2026-03-01T00:00:00Z</published><author><name>A</name></author><author><name>B</name></author></entry>'


@pytest.mark.parametrize("many", [0, 1, 2])
def test_elements_of_xml_are_records(server: Answers, tmp_path: Path, many: int) -> None:
    """The arXiv: GET /api/query, Atom; one entry alone, or none, is no list."""
    body = (FEED % "".join(ENTRY % each for each in range(many))).encode("iso-8859-1")
    things = {
        "path": "things", "format": "xml", "records": "feed.entry", "key": "id",
        "columns": {"id": "integer", "title": {"type": "string", "field": "title.#text"}, "published": "timestamp", "n": {"type": "integer", "field": "@n"}},
    }  # fmt: skip
    authors = {
        "path": "things", "nested_in": "things", "records": "author", "key": ["thing", "name"],
        "columns": {"thing": {"type": "integer", "parent": "id"}, "name": "string"},
    }  # fmt: skip
    server.answer = lambda _asked: (200, {"Content-Type": "application/atom+xml"}, body)
    shop = server.reader(tmp_path, {"things": things, "authors": authors})
    shop.run()
    assert rows(shop, "id", "title", "published", "n") == [
        (each, "On\n  étoiles", datetime(2026, 3, 1, tzinfo=UTC), 7) for each in range(many)
    ]
    assert shop.keys("authors") == [(each, name) for each in range(many) for name in "AB"]
    assert shop.refused() == []


@pytest.mark.parametrize(
    ("options", "written", "value"),
    [
        ({"type": "integer", "convert": True}, '" 5 "', 5),
        ({"type": "integer", "convert": True}, '""', None),
        ({"type": "integer", "convert": True}, '"5.0"', 5),
        ({"type": "float", "convert": True}, '"-1.5e3"', -1500.0),
        ({"type": "boolean", "convert": True}, '"True"', True),
        ({"type": "boolean", "convert": True}, "0", False),
        ({"type": "string", "convert": True}, "1.10", "1.10"),
        ({"type": "string", "convert": True}, "true", "true"),
        ({"type": "string", "convert": True}, '"\\u00e9"', "é"),
        ({"type": "json", "convert": True}, '"{\\"a\\": 1.10}"', '{"a":1.10}'),
        ({"type": "decimal(10,2)"}, '"199.00"', Decimal("199.00")),
        ({"type": "decimal(10,2)"}, "1.1e1", Decimal("11.00")),
        ({"type": "timestamp", "unix": "s"}, '"1503435956.000247"', datetime(2017, 8, 22, 21, 5, 56, 247, UTC)),
        ({"type": "timestamp", "unix": "ms"}, "1503435956000", datetime(2017, 8, 22, 21, 5, 56, tzinfo=UTC)),
        ({"type": "timestamp", "unix": "ms"}, '"/Date(1503435956000+0200)/"', datetime(2017, 8, 22, 21, 5, 56, tzinfo=UTC)),
        ({"type": "timestamp", "unix": "s"}, "-62135596800", datetime(1, 1, 1, tzinfo=UTC)),
        ({"type": "timestamp", "zone": "Europe/Paris"}, '"2026-07-01T10:00:00"', datetime(2026, 7, 1, 8, tzinfo=UTC)),
        ({"type": "timestamp"}, '"2026-07-01t10:00:00z"', datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ({"type": "timestamp"}, '"2026-07-01 10:00:00+0000"', datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ({"type": "timestamp", "zone": "Europe/Paris"}, '"2026-07-01T10:00:00Z"', datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ({"type": "timestamp", "zone": "Europe/Paris"}, '"2026-10-25T02:30:00"', datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ({"type": "timestamp", "format": "%d/%m/%Y %H:%M", "zone": "America/New_York"}, '"24/12/2026 18:00"', datetime(2026, 12, 24, 23, tzinfo=UTC)),
        ({"type": "timestamp", "format": "%a, %d %b %Y %H:%M:%S %z"}, '"Sun, 01 Mar 2026 10:00:00 +0100"', datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ({"type": "datetime", "format": "%Y%m%d%H%M%S"}, "20260301100000", datetime.fromisoformat("2026-03-01T10:00:00")),
        ({"type": "date", "format": "%d.%m.%Y"}, '"01.03.2026"', date(2026, 3, 1)),
        ({"type": "date", "format": "%Y%m%d"}, "20260301", date(2026, 3, 1)),
    ],
)  # fmt: skip
def test_values_are_read_as_the_api_writes_them(
    server: Answers, tmp_path: Path, options: dict[str, Any], written: str, value: Any
) -> None:
    body = f'[{{"id":1,"x":{written}}},{{"id":2,"x":null}},{{"id":3,"x":[]}}]'
    shop = read(server, tmp_path, body, key="id", columns={"id": "integer", "x": options})
    assert rows(shop, "id", "x")[:2] == [(1, value), (2, None)]
    assert len(shop.refused()) == (0 if options["type"] == "json" else 1)


MISTAKES = [
    ("x: {type: integer, unix: s}", "columns.x.unix: the column is integer"),
    ("x: {type: string, format: '%Y'}", "columns.x.format: the column is string"),
    ("x: {type: timestamp, format: '%Y'}", "columns.x.format: a timestamp has a zone"),
    ("x: {type: date, format: '%Y-%q'}", "columns.x.format: "),
    (
        "x: {type: timestamp, zone: Europe/Pari}",
        "columns.x.zone: no time zone 'Europe/Pari'; did you mean \"Europe/Paris\"?",
    ),
    ("x: {type: datetime, zone: Europe/Paris}", "columns.x.zone: only a timestamp"),
    ("x: {type: string, field: 'a[*].b'}", "columns.x.field: a column takes one value"),
    ("x: {type: string, field: 'a..b'}", "columns.x.field: 'a..b' is no path at character 3"),
    ("x: {type: decimal}", "columns.x.type: write"),
]


@pytest.mark.parametrize(("column", "words"), MISTAKES)
def test_a_mistake_in_a_column_is_reported(tmp_path: Path, column: str, words: str) -> None:
    _refused(tmp_path, 9, f"        {column}", words)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("keyed_by: nam", "keyed_by: unknown column 'nam'"),
        ("single: true, paging: {kind: link_header}", "single: there is one object in one answer"),
        ("format: csv, records: data", "format: each line of csv is a record"),
        ("format: xml", "format: name the elements"),
        ("format: {kind: csv, encoding: utf-99}", "format: no encoding 'utf-99'"),
        ("records: 'a[b'", "records: 'a[b' is no path"),
        ("formt: csv", 'formt: unknown key; did you mean "format"?'),
    ],
)
def test_a_mistake_in_a_shape_is_reported(tmp_path: Path, line: str, words: str) -> None:
    _refused(
        tmp_path, 6, f"    things: {{path: things, key: id, {line}, columns: {{id: integer}}}}", words, lines_before=6
    )


def _refused(folder: Path, number: int, line: str, words: str, lines_before: int = 9) -> None:
    lines = [
        "source: rest_api", "driver: http", "connection:", "  url: https://api.example.com", "  endpoints:",
        "    things:", "      path: things", "      columns:", line, "        id: integer", "      key: id",
    ]  # fmt: skip
    lines = [*lines[:5], line] if lines_before == 6 else lines
    path = folder / "shop.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        load_declaration(path, "pipelines/shop.yaml")
    start = f"pipelines/shop.yaml:{number}: connection.endpoints.things."
    assert any(mistake.startswith(start + words) for mistake in caught.value.diagnostics), caught.value.diagnostics


def test_a_column_of_the_parent_has_its_type() -> None:
    child = {
        "path": "things/{t}/parts", "parent": {"endpoint": "things", "values": {"t": "id"}}, "key": "thing",
        "columns": {"thing": {"type": "string", "parent": "id"}},
    }  # fmt: skip
    things = {"path": "things", "key": "id", "columns": {"id": "integer"}}
    made = Connection.model_validate(
        {"url": "https://api.example.com", "endpoints": {"things": things, "parts": child}}
    )
    assert list(made.diagnostics()) == [
        (("endpoints", "parts", "columns", "thing", "type"), "id of the parent is integer; declare the same")
    ]
