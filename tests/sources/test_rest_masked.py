"""Values of hidden columns are on no disk, in no reason and in no error: not while pages wait, not below a parent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.results import IntegrationResult
from leat.pipelines.load.run import run_integration
from leat.warehouse.connect import open_warehouse
from tests.kit.engines import ENGINES
from tests.kit.rings import Ring
from tests.sources.rest_answers import Answers, Asked, answering

SECRET = "s3cret"


@pytest.fixture
def server() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


def mail(number: int) -> str:
    return f"{SECRET}{number}@example.org"


ENDPOINTS: dict[str, Any] = {
    "people": {
        "path": "people", "key": "mail",
        "columns": {"mail": {"type": "string", "personal": True}, "age": "integer"},
    },
    "posts": {
        "path": "people/{who}/posts", "parent": {"endpoint": "people", "values": {"who": "mail"}}, "key": ["mail", "n"],
        "columns": {"mail": {"type": "string", "parent": "mail"}, "n": "integer"},
    },
}  # fmt: skip


class Run:
    """A project that loads from the server, and what is in its files."""

    def __init__(self, folder: Path, server: Answers, url: str | None, hiding: str) -> None:
        self.project = Project(folder, folder / ".leat", url, f"sqlite:///{folder / '.leat' / 'control.db'}")
        self.warehouse = open_warehouse(url, self.project.state)
        declared = {
            "source": "rest_api", "driver": "http", "connection": {"url": server.url, "endpoints": ENDPOINTS},
            "streams": {"people": {hiding: True}, "posts": {hiding: True}},
        }  # fmt: skip
        (folder / "pipelines").mkdir()
        (folder / "pipelines" / "api.yaml").write_text(json.dumps(declared), encoding="utf-8")

    def run(self) -> IntegrationResult:
        engine = Engine(self.project, self.warehouse, load_declarations(self.project), column_keys=Ring)
        return run_integration(engine, "api", Request(allow_deletes=True))

    def counts(self) -> tuple[int, int]:
        with self.warehouse.snapshot() as session:
            tables = ("people", "posts")
            counted = [session.execute(f"SELECT count(*) FROM api.{t} WHERE _deleted_at IS NULL")[0][0] for t in tables]
        return (counted[0], counted[1])

    def leaks(self) -> list[str]:
        """Return where the secret is: files, their names, and quarantined records."""
        files = [path for path in self.project.state.rglob("*") if path.is_file()]
        actual = [str(path) for path in files if SECRET in path.name or SECRET.encode() in path.read_bytes()]
        with self.warehouse.snapshot() as session:
            rows = session.execute("SELECT record_key, reason, record FROM leat.quarantine")
        return actual + [str(row) for row in rows if SECRET in str(row)]


@pytest.mark.parametrize(("engine", "hiding"), [*((engine, "mask") for engine in ENGINES), (ENGINES[0], "encrypt")])
def test_hidden_values_are_nowhere(
    server: Answers,
    tmp_path: Path,
    engine: str,
    hiding: str,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    people = [{"mail": mail(n), "age": n} for n in range(3)]
    odd: list[Any] = [{"mail": mail(9), "age": mail(9)}, {"mail": {"of": mail(9)}}]
    broken: set[str] = set()

    def answer(asked: Asked) -> Any:
        if asked.path == "/people":
            return [*people, *odd]
        if asked.path.split("/")[2] in broken:
            return 404, {}, {}
        return [{"n": 1}, {"n": SECRET}]

    server.answer = answer
    run = Run(tmp_path, server, request.getfixturevalue("postgres_url") if engine == "postgres" else None, hiding)
    assert run.run().status == "loaded"
    assert run.counts() == (3, 3)
    assert run.leaks() == []
    assert list((run.project.state / "sources" / "api").glob("validators/posts/*")), "what is remembered of each parent"
    del people[0]
    odd.clear()
    people.append({"mail": mail(5), "age": 5})
    assert run.run().status == "loaded"
    assert run.counts() == (3, 3), "the posts of who is gone are gone"
    assert run.leaks() == []
    broken |= {mail(1), mail(1).replace("@", "%40")}
    failed = run.run()
    assert "GET /people/{who}/posts: HTTP 404" in str(failed)
    assert SECRET not in str(failed) + caplog.text
    assert run.leaks() == []
