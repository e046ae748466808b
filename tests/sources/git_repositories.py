"""Real repositories for the tests, and a small stand-in for the warehouse that takes in what the driver yields."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leat.demo.seed.git_history import git
from leat.sources.driver import Sync
from leat.sources.events import Cursor, Delete, Failed, FullScan, Logged, Quarantined, Rows
from leat.sources.version_control.git.driver import Connection, extract
from leat.sources.version_control.streams import STREAMS

ALL = frozenset(stream.name for stream in STREAMS)
KEYS = {stream.name: stream.key for stream in STREAMS}
SCHEMAS = {stream.name: stream.schema() for stream in STREAMS}
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Repository:
    """A repository with a work tree."""

    folder: Path

    def git(self, *args: str, **env: str) -> str:
        done = subprocess.run(
            ["git", *args],
            cwd=self.folder,
            check=True,
            capture_output=True,
            env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C", **env},
        )
        return done.stdout.decode("utf-8", "backslashreplace").strip()

    def commit(self, message: str, files: Mapping[str, str | bytes | None] | None = None, **env: str) -> str:
        """Write files (None removes), commit them and return the commit's name."""
        for name, content in (files or {}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", message, **env)
        return self.git("rev-parse", "HEAD")

    def raw_commit(self, header: bytes, message: bytes) -> str:
        """Write a commit of HEAD's tree with any header at all and return its name."""
        tree = self.git("rev-parse", "HEAD^{tree}")
        return self.raw("commit", b"tree " + tree.encode() + b"\n" + header + b"\n\n" + message)

    def raw(self, kind: str, content: bytes) -> str:
        """Write an object of any content at all and return its name."""
        command = ["git", "hash-object", "-t", kind, "-w", "--stdin", "--literally"]
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, input=content)
        return done.stdout.decode().strip()

    def lines(self, *args: str) -> list[str]:
        return self.git(*args).splitlines()


def new_repository(folder: Path) -> Repository:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Alice Martin")
    git(folder, "config", "user.email", "alice.martin@demo.example")
    return Repository(folder)


@dataclass
class Warehouse:
    """Takes in events as the engine does: rows by key, deletes as they come, the last cursor."""

    folder: Path
    tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)
    cursor: Mapping[str, Any] | None = None
    logged: list[Logged] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    runs: int = 0

    def load(self, *urls: str | dict[str, Any], streams: frozenset[str] = ALL, **options: Any) -> dict[str, int]:
        """Extract and apply; return how many rows came, by stream."""
        connection = Connection.model_validate({"repositories": urls, **options})
        self.runs += 1
        self.quarantined.clear()
        now = START + timedelta(hours=self.runs)
        sync = Sync("version_control", streams, self.cursor, self.folder, self.folder / "state", now)
        came: dict[str, int] = {}
        for event in extract(connection, sync):
            self._take(event, came)
        return came

    def _take(self, event: Any, came: dict[str, int]) -> None:
        match event:
            case Rows(stream, table):
                assert table.schema == SCHEMAS[stream]
                came[stream] = came.get(stream, 0) + table.num_rows
                for row in table.to_pylist():
                    key = tuple(row[name] for name in KEYS[stream])
                    assert None not in key
                    self.tables.setdefault(stream, {})[key] = row
            case Delete(stream, where):
                rows = self.tables.get(stream, {})
                for key in [k for k, row in rows.items() if all(row[c] == v for c, v in where.items())]:
                    del rows[key]
            case Cursor(value):
                self.cursor = value
            case Logged():
                self.logged.append(event)
            case Failed():
                self.failed.append(event)
            case Quarantined():
                self.quarantined.append(event)
            case FullScan():
                raise AssertionError(event)

    def rows(self, stream: str, **where: Any) -> list[dict[str, Any]]:
        rows_ = self.tables.get(stream, {}).values()
        return [row for row in rows_ if all(row[column] == value for column, value in where.items())]

    def row(self, stream: str, **where: Any) -> dict[str, Any]:
        (row,) = self.rows(stream, **where)
        return row

    def commits(self) -> set[str]:
        return {row["commit"] for row in self.rows("commits")}
