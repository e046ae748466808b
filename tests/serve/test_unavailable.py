"""What `leat serve` answers while its databases don't: that somebody should ask again, and no traceback."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from leat.runs.workspace import open_workspace
from leat.serve.current import Current
from leat.serve.session import COOKIES
from leat.serve.unavailable import AWAY, ERRORS
from leat.serve.worker import Worker
from tests.kit.api import InProcess, api_in_process
from tests.kit.command import tally_project
from tests.kit.databases import NewDatabase


@pytest.fixture
def database(new_database: NewDatabase) -> Iterator[str]:
    url = new_database()
    yield url
    new_database.drop(url)


@pytest.fixture
def api(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    for name in ("LEAT_WAREHOUSE", "LEAT_CONTROL"):
        monkeypatch.setenv(name, database)
    with api_in_process(tally_project(tmp_path).folder) as opened:
        yield opened


def let_connect(url: str, *, let: bool) -> None:
    """Let a database take connections or not; those that are open end."""
    server, _, name = url.rpartition("/")
    connection = psycopg2.connect(f"{server}/postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(name), sql.SQL(str(let)))
        )
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    connection.close()


def test_it_asks_to_come_back_while_its_databases_do_not_answer(
    api: InProcess, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert api("GET", "/v1/integrations").status_code == 200
    assert api.client.get("/readyz").status_code == 200
    let_connect(database, let=False)
    try:
        api.app.state.answers.clock = lambda: time.monotonic() + 2
        api.app.state.recent.forget("status")
        given_again = api("GET", "/v1/integrations")
        assert (given_again.status_code, "age" in given_again.headers) == (200, True)
        api.app.state.health._seen = None
        ready = api.client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["control_store"]["ok"]) == (200, True)
        api.app.state.answers.forget()
        refused = api("GET", "/v1/integrations")
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/database-unavailable")
        assert refused.headers["retry-after"] == "1"
        page = api.client.get("/", cookies={COOKIES[1]: "any"})
        assert page.status_code == 503
        assert "database of leat doesn" in page.text
        api.app.state.health._seen, api.app.state.health.answered = None, -math.inf
        ready = api.client.get("/readyz")
        assert ready.status_code == 503
        assert {name for name, check in ready.json()["checks"].items() if not check["ok"]} >= {"control_store"}
        assert not [record for record in caplog.records if record.exc_info]
    finally:
        let_connect(database, let=True)
    assert api("GET", "/v1/integrations").status_code == 200


def test_readiness_is_there_without_waiting(api: InProcess) -> None:
    health = api.app.state.health
    assert health.last() is None

    async def watched() -> None:
        watching = asyncio.create_task(health.watch())
        while health.last() is None:
            await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(watched())
    assert health.last() == health.check()
    at, *seen = health._seen
    health._seen = (at - AWAY, *seen)
    assert health.last() is None
    health.draining = True
    assert health.last()[0] is False


def test_webhooks_that_could_not_be_applied_are_applied_later(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LEAT_WAREHOUSE", "LEAT_CONTROL"):
        monkeypatch.setenv(name, database)
    workspace = open_workspace(tally_project(tmp_path).folder)
    worker = Worker(Current(workspace))
    worker._unapplied = True
    let_connect(database, let=False)
    with pytest.raises(ERRORS):
        worker._apply()
    assert worker._unapplied  # although no other webhook comes
    let_connect(database, let=True)
    worker._apply()
    assert not worker._unapplied
    for lane in (worker.refetches, worker.schedules):
        assert lane.end(10)
    workspace.close()
