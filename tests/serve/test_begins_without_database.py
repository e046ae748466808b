"""`leat serve` begins although its Postgres is away or starting, says so, and works as soon as that answers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from leat.demo.servers.process import start, stop
from leat.demo.stripe.webhooks import sign
from leat.first_answer import read_first_answer
from tests.kit.child import wait_until
from tests.kit.command import Leat, tally_project, then
from tests.kit.project import row, rows
from tests.kit.serving import served
from tests.servers.postgres import postgres_url, start_postgres, stop_postgres
from tests.servers.unprivileged_dir import NOBODY

_SECRET = "whsec_of_the_test"
_STARTING = "57P03"


class Server:
    """A Postgres that can be away, or be starting for as long as one wants: a standby that answers nobody."""

    def __init__(self, folder: Path) -> None:
        self.process = start_postgres(folder, fsync=False)
        self.url = postgres_url(self.process)
        cmdline = Path(f"/proc/{self.process.pid}/cmdline").read_bytes().split(b"\0")
        self._argv = [part.decode() for part in cmdline if part]
        environ = Path(f"/proc/{self.process.pid}/environ").read_bytes().split(b"\0")
        self._env = dict(pair.decode().split("=", 1) for pair in environ if b"=" in pair)
        self._standby = Path(self._argv[self._argv.index("-D") + 1]) / "standby.signal"

    def end(self) -> None:
        stop_postgres(self.process)

    def begin(self, state: str) -> None:
        """Let it answer, or be ``starting``; it isn't there with ``away``."""
        folder, port = self.process.log.parent, self.process.port
        self._standby.unlink(missing_ok=True)
        if state == "answering":
            self.process = start_postgres(folder, port, fsync=False)
        elif state == "starting":
            self._standby.touch()
            user = NOBODY if os.geteuid() == 0 else None
            argv = [*self._argv, "-c", "hot_standby=off"]
            self.process = start("postgres", argv, folder, port, self._env, user=user)
            wait_until(lambda: self._answer() == _STARTING)

    def _answer(self) -> str:
        try:
            return read_first_answer(make_url(self.url))
        except OSError:
            return ""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "postgres")
    server.end()
    try:
        yield server
    finally:
        stop(server.process.pid)


@pytest.fixture
def leat(tmp_path: Path, server: Server) -> Leat:
    leat = tally_project(tmp_path / "project", LEAT_WAREHOUSE=server.url, LEAT_CONTROL=server.url, HOOK=_SECRET)
    path = leat.folder / "pipelines" / "tally.yaml"
    path.write_text(path.read_text() + "hooks: {scheme: stripe, secrets: [{env: HOOK}]}\n")
    then(leat, rows("fed", row(1, "one")))
    return leat


@pytest.mark.parametrize("state", ["away", "starting"])
def test_it_begins_and_becomes_ready_when_the_database_answers(leat: Leat, server: Server, state: str) -> None:
    server.begin(state)
    body = json.dumps({"id": "evt_1", "type": "thing.changed"}).encode()
    with served(leat) as one:
        ready = one.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["control_store"]["ok"]) == (503, False)
        assert one.post("/hooks/tally", data=body, headers={"Stripe-Signature": sign(_SECRET, body)}).status_code == 200
        asked = one.get("/v1/integrations", headers={"Authorization": "Bearer nobody"})
        assert (asked.status_code, asked.json()["type"]) == (503, "/problems/database-unavailable")
        wait_until(lambda: one.child("worker") is not None)
        wait_until(lambda: any(line["process"] == "worker" for line in one.log))
        if state == "starting":
            server.end()
        server.begin("answering")
        wait_until(lambda: one.get("/readyz").status_code == 200, 60)
        wait_until(lambda: leat("query", "SELECT id FROM tally.fed").returncode == 0, 60)  # the webhook asked for it
        wait_until(lambda: leat("query", "SELECT event_id FROM hooks.events").stdout.count("evt_1") == 1, 60)
    said = [line["message"] for line in one.log if line["process"] == "supervisor"]
    assert any("the control store can't be opened" in line and "/readyz answers 503" in line for line in said)
    assert [line["message"] for line in one.log if line["message"] == "ready"] == ["ready"]
    assert not [line for line in one.log if "error" in line], "a traceback"


def test_what_can_never_work_ends_with_an_error(leat: Leat, server: Server) -> None:
    server.begin("answering")
    wrong = make_url(server.url).set(password="wrong").render_as_string(hide_password=False)
    nowhere = make_url(server.url).set(database="nowhere").render_as_string(hide_password=False)
    for url in (wrong, nowhere):
        ended = leat("serve", "--port", "0", LEAT_CONTROL=url)
        assert ended.returncode == 1
        assert "the control store can't be opened: " in ended.stderr
        assert "check LEAT_CONTROL" in ended.stderr
