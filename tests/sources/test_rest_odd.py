"""Every odd value and record goes through a whole load, on both warehouses: what is next to it is loaded, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.run import run_integration
from leat.warehouse.connect import open_warehouse
from tests.kit.engines import ENGINES
from tests.kit.odd_values import MARK, RECORDS, REFUSED, TAKEN
from tests.sources.rest_answers import Answers, answering

KINDS = {kind: f"x{place}" for place, kind in enumerate(REFUSED)}


@pytest.fixture
def server() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


def page() -> tuple[bytes, int, int]:
    """Return a page of all values, and how many of its records can be rows and how many can't."""
    good = [b'{"id": %d, "%s": %s}' % (n, KINDS[k].encode(), v) for n, (k, v) in enumerate(_taken())]
    healthy = [b'{"id": %d, "extra_field": 1.10}' % n for n in range(2000, 2200)]
    bad = [b'{"id": %d, "%s": %s}' % (1000 + n, KINDS[k].encode(), v) for n, (k, v) in enumerate(_refused())]
    bad += [record for name, record in RECORDS.items() if record != b"null" and "17 MB" not in name]
    mixed = [record for pair in zip(bad, healthy, strict=False) for record in pair]
    return b"[%s]" % b",\n".join([*good, *mixed, *healthy[len(bad) :]]), len(good) + len(healthy), len(bad)


def _taken() -> Iterator[tuple[str, bytes]]:
    return ((kind, value[0]) for kind, named in TAKEN.items() for value in named.values())


def _refused() -> Iterator[tuple[str, bytes]]:
    named = ((kind, name, value) for kind, values in REFUSED.items() for name, value in values.items())
    return ((kind, value) for kind, name, value in named if "17 MB" not in name)


@pytest.mark.parametrize("engine", ENGINES)
def test_odd_values_stop_nothing(
    server: Answers, tmp_path: Path, engine: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    body, rows, refused = page()
    server.answer = lambda _asked: (200, {}, body)
    columns = {"id": "integer", **{name: kind for kind, name in KINDS.items()}}
    things = {"path": "things", "key": "id", "columns": columns}
    declared = {
        "source": "rest_api", "driver": "http", "connection": {"url": server.url, "endpoints": {"things": things}},
        "streams": {"things": {"max_quarantine_share": 1}},
    }  # fmt: skip
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "api.yaml").write_text(json.dumps(declared), encoding="utf-8")
    url = request.getfixturevalue("postgres_url") if engine == "postgres" else None
    project = Project(tmp_path, tmp_path / ".leat", url, f"sqlite:///{tmp_path / '.leat' / 'control.db'}")
    warehouse = open_warehouse(url, project.state)
    result = run_integration(Engine(project, warehouse, load_declarations(project)), "api", Request())
    assert (result.status, result.error) == ("loaded", None)
    with warehouse.snapshot() as session:
        ids = [row[0] for row in session.execute("SELECT id FROM api.things WHERE _deleted_at IS NULL ORDER BY id")]
        quarantined = session.execute("SELECT record_key, reason FROM leat.quarantine")
    assert len(ids) == rows
    assert [each for each in ids if 1000 <= each < 2000] == []
    assert len(quarantined) == refused
    assert MARK not in str(quarantined) + caplog.text
    again = run_integration(Engine(project, warehouse, load_declarations(project)), "api", Request())
    assert again.status == "nothing_new"
