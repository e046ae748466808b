"""Listings on the whole way into a warehouse: what failed stays as it was, why a listing was complete is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.declare.project import load_declarations, open_project
from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.results import IntegrationResult
from leat.pipelines.load.run import run_integration
from leat.warehouse.connect import open_warehouse
from tests.sources.rest_answers import Answers, Asked, answering


@pytest.fixture(scope="module")
def running() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


class Shop:
    """A project with one API, loaded again and again."""

    def __init__(self, folder: Path, url: str, database: str | None, endpoints: dict[str, Any]) -> None:
        (folder / "pipelines").mkdir()
        connection = {"url": url, "endpoints": endpoints}
        declaration = {"source": "rest_api", "driver": "http", "connection": connection}
        (folder / "pipelines" / "shop.yaml").write_text(json.dumps(declaration), encoding="utf-8")
        self.project = open_project(folder)
        self.warehouse = open_warehouse(database, self.project.state)

    def run(self) -> IntegrationResult:
        engine = Engine(self.project, self.warehouse, load_declarations(self.project))
        return run_integration(engine, "shop", Request())

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.snapshot() as session:
            return list(session.execute(sql))


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_a_field_that_the_api_renames_costs_no_row(
    running: Answers, tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    name, ids = "next", list(range(90))

    def answer(asked: Asked) -> Any:
        if asked.path == "/others":
            return [{"id": n} for n in ids[:3]]
        at = int(asked.query.get("after", 0))
        return {"items": [{"id": n} for n in ids[at : at + 3]], **({name: at + 3} if at + 3 < len(ids) else {})}

    running.answer = answer
    paging = {"kind": "cursor", "field": "next", "param": "after", "size_param": "limit", "size": 10}
    listed = {"key": "id", "columns": {"id": "integer"}}
    endpoints = {
        "things": {"path": "things", "records": "items", "paging": paging, **listed},
        "others": {"path": "others", **listed},
    }
    database = request.getfixturevalue("postgres_url") if engine == "postgres" else None
    shop = Shop(tmp_path, running.url, database, endpoints)
    assert shop.run().status == "loaded"
    complete = dict(shop.query("SELECT stream, complete FROM leat.load_streams"))
    assert complete == {"things": "no next after pages that had one", "others": "the answer is the whole list"}
    name = "position"
    ids[1] = 777
    result = shop.run()
    assert result.status == "failed"
    assert {stream.stream for stream in result.streams if stream.error} == {"things"}
    assert "no page has next, and the first has 3 records" in str(result.error)
    assert shop.query("SELECT count(*) FROM shop.things WHERE _deleted_at IS NULL") == [(90,)]
    assert shop.query("SELECT count(*) FROM shop.others WHERE id = 777 AND _deleted_at IS NULL") == [(1,)]
    name = "next"
    assert shop.run().status == "loaded"
    assert shop.query("SELECT count(*) FROM shop.things WHERE id = 777 AND _deleted_at IS NULL") == [(1,)]
    assert shop.run().status == "nothing_new"
