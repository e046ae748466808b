"""A project folder with one integration ``tally`` whose events a test writes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.results import IntegrationResult
from leat.pipelines.load.run import run_integration
from leat.sources.driver import add_sources
from leat.warehouse.connect import open_warehouse
from leat.warehouse.publication import publish_version
from leat.warehouse.session import Warehouse

SOURCES = Path(__file__).parent / "sources"


@dataclass(frozen=True)
class Tally:
    """The project, and its engine."""

    folder: Path
    warehouse_url: str | None = None

    @property
    def project(self) -> Project:
        control = f"sqlite:///{self.folder / '.leat' / 'control.db'}"
        return Project(self.folder, self.folder / ".leat", self.warehouse_url, control)

    @property
    def script(self) -> Path:
        return self.folder / "script.jsonl"

    def declare(self, streams: str = "{}", *, version: str | None = None) -> None:
        """Write the declaration.

        Args:
            streams: its ``streams:`` block, in one line.
            version: Python that makes a tuple of streams out of the names of
                :mod:`leat.project_sources.tally.streams` and ``replace``: what a new version
                of leat declares instead of them.
        """
        add_sources(SOURCES)
        source = "tally" if version is None else self._write_source(version)
        path = self.folder / "pipelines" / "tally.yaml"
        path.parent.mkdir(exist_ok=True)
        connection = json.dumps({"script": str(self.script)})
        path.write_text(f"source: {source}\ndriver: script\nconnection: {connection}\nstreams: {streams}\n")
        self.script.touch()

    def _write_source(self, version: str) -> str:
        name = f"tally_{hashlib.sha256(f'{self.folder}{version}'.encode()).hexdigest()[:12]}"
        folder = self.folder / "sources" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text('"""A version of tally."""\n')
        (folder / "streams.py").write_text(
            f"from dataclasses import replace\nfrom leat.project_sources.tally.streams import *\nSTREAMS = {version}\n"
        )
        (folder / "script.py").write_text(
            "from leat.project_sources.tally.script import Connection, follow, setup_tests\n"
            f"from leat.project_sources.{name}.streams import STREAMS\n\n\n"
            "def extract(connection, sync):\n    yield from follow(connection, sync, STREAMS)\n"
        )
        add_sources(folder.parent)
        return name

    def prepare(self) -> None:
        """Let this process find the test sources; for a process that a test starts on a declared project."""
        add_sources(SOURCES)
        add_sources(self.folder / "sources")

    def then(self, *steps: Mapping[str, Any]) -> None:
        """Add one line to the script: what the next extraction brings."""
        with self.script.open("a") as file:
            file.write(json.dumps(steps) + "\n")

    def engine(self, **changes: Any) -> Engine:
        warehouse: Warehouse = open_warehouse(self.warehouse_url, self.project.state)
        engine = Engine(self.project, warehouse, load_declarations(self.project), attempts=1)
        return replace(engine, **changes)

    def run(self, request: Request | None = None, **changes: Any) -> IntegrationResult:
        engine = self.engine(**changes)
        result = run_integration(engine, "tally", request or Request())
        publish_version(engine.warehouse)
        return result

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.warehouse_url, self.project.state).published() as session:
            return session.execute(sql)


def row(id_: int, label: str | None = None, shelf: str = "a", **more: Any) -> dict[str, Any]:
    return {"shelf": shelf, "id": id_, "label": label, **more}


def rows(stream: str, *values: Mapping[str, Any]) -> dict[str, Any]:
    return {"do": "rows", "stream": stream, "rows": list(values)}


def delete(stream: str, **where: Any) -> dict[str, Any]:
    return {"do": "delete", "stream": stream, "where": where}


def full_scan(stream: str, **where: Any) -> dict[str, Any]:
    return {"do": "full_scan", "stream": stream, "where": where}


def labels(tally: Tally, stream: str) -> dict[tuple[str, int], str | None]:
    sql = f"SELECT shelf, id, label FROM tally.{stream} WHERE _deleted_at IS NULL"
    return {(shelf, id_): label for shelf, id_, label in tally.query(sql)}


def everything_written(folder: Path) -> Sequence[bytes]:
    """Return the content of every file below a folder."""
    return [Path(root, name).read_bytes() for root, _, names in os.walk(folder) for name in names]
