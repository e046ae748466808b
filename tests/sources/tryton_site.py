"""A Tryton with a few records, a server in front of it, and tables that were loaded through it once; for a module."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leat.demo.servers.process import running
from leat.demo.tryton.server import start_tryton
from tests.kit.tables import Tables
from tests.sources.tryton_front import Front, in_front_of
from tests.sources.tryton_office import Office

KEY = "planted-key-of-a-user-application"


@dataclass
class Site:
    """What the tests of a module share.

    Attributes:
        folder: that of the server; its database is ``leat.sqlite``.
        office: writes to the server itself.
        front: what the driver talks to.
        tables: what was loaded; a run applies what is new.
    """

    folder: Path
    office: Office
    front: Front
    tables: Tables

    def changes(self) -> dict[str, set[Any]]:
        """Run, and return the keys of rows that differ from before, by stream; only streams with any."""
        before = {name: dict(rows) for name, rows in self.tables.rows.items()}
        self.tables.run()
        moved: dict[str, set[Any]] = {}
        for name, rows in self.tables.rows.items():
            keys = {k for k in rows.keys() | before[name].keys() if rows.get(k) != before[name].get(k)}
            if keys:
                moved[name] = {k[0] if len(k) == 1 else k for k in keys}
        return moved

    def row(self, stream: str, **values: Any) -> dict[str, Any]:
        """Return the one row that has these values."""
        matching = [row for row in self.tables.rows[stream].values() if all(row[k] == v for k, v in values.items())]
        assert len(matching) == 1, (stream, values, matching)
        return matching[0]


@contextlib.contextmanager
def tryton_site(folder: Path, **more: Any) -> Iterator[Site]:
    """Start it; ``more`` are options of the connection."""
    os.environ["TRYTON_TEST_KEY"] = KEY
    with running(start_tryton(folder / "server", [KEY])) as process:
        target = f"http://127.0.0.1:{process.port}"
        with in_front_of(target) as front:
            office = Office(f"{target}/leat/", KEY)
            tables = folder / "tables"
            tables.mkdir()
            yield Site(folder / "server", office, front, tables_of(front, tables, **more))


def tables_of(front: Front, folder: Path, **more: Any) -> Tables:
    """Return tables that nothing was loaded into yet."""
    connection = {"url": f"{front.url}/leat/", "key": {"env": "TRYTON_TEST_KEY"}, **more}
    return Tables("crm_accounting", "tryton", connection, folder)
