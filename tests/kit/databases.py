"""Databases on the Postgres server of the tests, empty ones and copies.

``FILE_COPY`` takes half the processor time of the default, which writes every block to the log as well.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import psycopg2

from leat.demo.servers.process import Process
from tests.servers.postgres import postgres_url


@dataclass(frozen=True)
class NewDatabase:
    """Makes databases on a server; one that isn't dropped lasts as long as the server."""

    server: Process

    def __call__(self, copy_of: str | None = None) -> str:
        """Make an empty database, or a copy of one that nobody uses any more, and return its URL."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        if copy_of is None:
            self._run(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY FILE_COPY")
        else:
            template = copy_of.rpartition("/")[2]
            self._run(
                f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{template}'",
                f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY",
            )
        return postgres_url(self.server, name)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is connected to it."""
        self._run(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def _run(self, *statements: str) -> None:
        connection = psycopg2.connect(postgres_url(self.server))
        try:
            connection.autocommit = True  # databases can't be created in a transaction
            for statement in statements:
                connection.cursor().execute(statement)
        finally:
            connection.close()
