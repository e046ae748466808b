"""Names and sizes that no table can have are refused when a declaration is checked, on both engines alike."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.declare.reserved import MAX_COLUMNS, reserved_diagnostics
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.sources.batch import Batch
from leat.sources.driver import add_sources
from tests.engine.test_apply import opened
from tests.kit.loads import Loads
from tests.kit.project import SOURCES

add_sources(SOURCES)

HEAD = "source: rest_api\ndriver: http\nconnection:\n  url: https://api.example.com/\n  endpoints:\n"
ENDPOINT = "    {name}:\n      path: items\n      key: id\n      columns:\n        id: integer\n{columns}"


def of(name: str, *columns: str) -> str:
    return ENDPOINT.format(name=name, columns="".join(f"        {column}\n" for column in columns))


def test_a_column_that_says_from_when_on_to_ask_can_not_be_hashed(tmp_path: Path) -> None:
    by = "incremental: {column: seen, param: since}\n      deletes: never"
    text = HEAD + of("orders", "seen: {type: string, personal: true}").replace("key: id\n", f"key: id\n      {by}\n")
    assert mistakes(tmp_path, text) == []
    actual = mistakes(tmp_path, f"{text}streams:\n  orders: {{mask: true}}\n")
    assert len(actual) == 1
    assert "streams.orders.mask: seen is the column of incremental" in actual[0]


def test_the_path_of_an_endpoint_is_suggested(tmp_path: Path) -> None:
    actual = mistakes(tmp_path, (HEAD + of("orders")).replace("path: items", "pth: items"))
    assert any('unknown key; did you mean "path"?' in line for line in actual)


def mistakes(folder: Path, text: str) -> list[str]:
    (folder / "pipelines").mkdir(exist_ok=True)
    (folder / "pipelines" / "shop.yaml").write_text(text)
    try:
        load_declarations(Project(folder, folder / ".leat", None, ""), {})
    except DeclarationError as error:
        return error.diagnostics
    return []


PRICES = of("prices", "valid_from: timestamp", "valid_to: timestamp", "price: integer")
HISTORY = "streams:\n  prices: {history: true}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PRICES + HISTORY, "yaml:15: streams.prices.history: a history has a column valid_from of its own"),
        (
            PRICES + HISTORY,
            "call that own_valid_from, with valid_from as its field, or leave it out by exclude: [valid_from]",
        ),
        (of("items", "ctid: string"), "yaml:11: connection.endpoints.items.columns.ctid: ctid is a name that Postgres"),
        (
            of("prices", "price: integer") + of("prices_as_of") + HISTORY,
            "yaml:12: connection.endpoints.prices_as_of: prices_as_of is what the history of prices is called",
        ),
        (of("wide", *(f"f{i}: string" for i in range(340))), "yaml:6: connection.endpoints.wide: its 342 columns can"),
        (of("wide", *(f"f{i}: boolean" for i in range(1000))), "it has 1002 columns, and a table has at most 1000"),
    ],
)
def test_a_name_or_a_size_that_no_table_can_have(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in mistake for mistake in mistakes(tmp_path, HEAD + text)), mistakes(tmp_path, HEAD + text)


@pytest.mark.parametrize(
    "text",
    [
        PRICES,
        PRICES + "streams:\n  prices: {history: true, exclude: [valid_from, valid_to]}\n",
        of("x") + of("x__new") + of("x_as_of") + of("leat_staged") + of("items_", "name_: string", "a__b: string"),
        of("wide", *(f"f{i}: string" for i in range(325))),
    ],
)
def test_what_looks_odd_and_is_fine(tmp_path: Path, text: str) -> None:
    assert mistakes(tmp_path, HEAD + text) == []


def test_a_column_of_a_source_can_be_left_out_of_a_history(tmp_path: Path) -> None:
    text = "source: crm_accounting\ndriver: tryton\nconnection:\n  url: http://localhost/\n  database: d\n"
    text += "  key: {env: KEY}\nstreams:\n  taxes: {history: true}\n"
    assert any(
        "streams.taxes.history: a history has" in m and m.endswith("by exclude: [valid_from]")
        for m in mistakes(tmp_path, text)
    ), mistakes(tmp_path, text)


def wide(kinds: dict[str, str]) -> Declaration:
    endpoints = {"wide": {"path": "items", "key": "id", "columns": {"id": "integer", **kinds}}}
    return Declaration.model_validate(
        {
            "source": "rest_api",
            "driver": "http",
            "connection": _connection(endpoints),
            "streams": {"wide": {"history": True}},
            "name": "shop",
            "path": Path("shop.yaml"),
        }
    )


def _connection(endpoints: Any) -> Any:
    from leat.sources.rest_api.http.driver import Connection

    return Connection.model_validate({"url": "https://api.example.com/", "endpoints": endpoints})


@pytest.mark.parametrize(("kind", "most"), [("string", 333), ("integer", MAX_COLUMNS - 20)])
def test_a_row_as_wide_as_may_be_declared_fits(postgres_url: str, tmp_path: Path, kind: str, most: int) -> None:
    """Postgres has the lower limits; the longest values are stored elsewhere, those of middle length are the test."""
    declaration = wide({f"f{i}": kind for i in range(most - 2)})
    assert not list(reserved_diagnostics(declaration))
    chance = random.Random(1)  # noqa: S311
    batch = Batch(declaration.every_stream()[0])
    for length in (20, 22, 24, 100, 5000):
        values: dict[str, Any] = {
            f"f{i}": chance.randbytes(length // 2).hex() if kind == "string" else 2**62 for i in range(most - 2)
        }
        assert not list(batch.add({"id": length, **values}))
    with opened(postgres_url) as session:
        done = Loads(session, tmp_path, declaration).load(*batch.flush())
        assert done is not None
        assert done["wide"].inserted == 5
        assert session.execute("SELECT count(*) FROM shop.wide_history") == [(5,)]
