"""Two `leat serve` on one control store and warehouse: they take each other's sessions, and one replaces the other."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
import requests
from sqlalchemy import select, update

from leat.control.requested_tables import RequestedRun
from leat.control.store import Declared, end_run, last_runs, open_control, recent_runs, register, start_run
from leat.control.tables import Run
from leat.hooks.segments import make_first_segment
from leat.hooks.tables import EACH, create_tables
from leat.warehouse.connect import open_warehouse
from tests.kit.child import wait_until
from tests.kit.command import Leat, tally_project
from tests.kit.databases import NewDatabase
from tests.kit.serving import Served, served

DRAIN = "3"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[tuple[Leat, Leat]]:
    """Give a project as two machines have it: with state folders of their own, and the same databases."""
    warehouse, control = new_database(), new_database()
    folder = tmp_path_factory.mktemp("pair")
    shared = {"LEAT_WAREHOUSE": warehouse, "LEAT_CONTROL": control}
    one = tally_project(folder, **shared, LEAT_HOME=str(folder / "one"))
    yield one, Leat(folder, {**shared, "LEAT_HOME": str(folder / "two"), "LEAT_SERVER": "1"})
    for url in (warehouse, control):
        new_database.drop(url)


class Proxy:
    """Sends requests to the servers that `/readyz` says are ready, as haproxy does, and notes what fails."""

    def __init__(self, sent: dict[str, str], *servers: Served) -> None:
        self.ready = {server.url: True for server in servers}
        self.sent = sent
        self.answers: list[tuple[str, int]] = []
        self.failures: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._watch, self._ask, self._ask)]

    def __enter__(self) -> Proxy:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            for url in self.ready:
                try:
                    self.ready[url] = requests.get(f"{url}/readyz", timeout=5).status_code == 200
                except requests.RequestException:
                    self.ready[url] = False

    def _ask(self) -> None:
        connections = {url: requests.Session() for url in self.ready}
        turn = 0
        while not self._ended.wait(0.01):
            there = [url for url, ready in self.ready.items() if ready]
            if not there:
                self.failures.append("no server is ready")
                continue
            turn += 1
            url = there[turn % len(there)]
            try:
                self.answers.append(
                    (url, connections[url].get(f"{url}/v1/me", headers=self.sent, timeout=10).status_code)
                )
            except requests.RequestException as error:
                self.failures.append(f"{url}: {error}")


def test_one_replaces_the_other_and_no_request_fails(pair: tuple[Leat, Leat]) -> None:
    first, second = pair
    token = first.json("tokens", "create", "ci", "--expires", "P1D")["token"]
    sent = {"authorization": f"Bearer {token}"}
    with ExitStack() as stack, ExitStack() as of_first:
        two = stack.enter_context(served(second, "--drain", DRAIN))
        one = of_first.enter_context(served(first, "--drain", DRAIN))
        with Proxy(sent, one, two) as proxy:
            _until(lambda: {url for url, _ in proxy.answers} == {one.url, two.url})
            one.process.send_signal(signal.SIGTERM)
            _until(lambda: not proxy.ready[one.url])
            assert one.get("/v1/me", headers=sent).headers["connection"] == "close"  # it still answers
            assert one.process.wait(30) == 0
            after = len(proxy.answers)
            _until(lambda: len(proxy.answers) > after + 20)
        assert proxy.failures == []
        assert {status for _, status in proxy.answers} == {200}
        assert {url for url, _ in proxy.answers[after + 2 :]} == {two.url}


def test_a_request_is_carried_out_once_whichever_server_gets_it(pair: tuple[Leat, Leat]) -> None:
    first, second = pair
    token = first.json("tokens", "create", "repeats", "--expires", "P1D")["token"]
    sent = {"authorization": f"Bearer {token}", "idempotency-key": "the same"}
    with served(first) as one, served(second) as two:
        asked = {"integrations": ["tally"]}
        answers = [each.post("/v1/runs", json=asked, headers=sent) for each in (one, two, one)]
        assert [answer.status_code for answer in answers] == [202, 202, 202]
        assert len({answer.text for answer in answers}) == 1
        assert ["idempotent-replayed" in answer.headers for answer in answers] == [False, True, True]
        assert two.post("/v1/runs", json={"integrations": []}, headers=sent).status_code == 422


def test_a_requested_run_is_shown_by_all_and_survives_its_worker(pair: tuple[Leat, Leat]) -> None:
    first, second = pair
    script, declared = first.folder / "blocked.jsonl", first.folder / "pipelines" / "blocked.yaml"
    os.mkfifo(script)  # who reads it waits
    tally = (first.folder / "pipelines" / "tally.yaml").read_text()
    declared.write_text(tally.replace(str(first.folder / "script.jsonl"), str(script)))
    token = first.json("tokens", "create", "runs", "--expires", "P1D", "--role", "operator")["token"]
    sent = {"authorization": f"Bearer {token}"}
    store = open_control(first.variables["LEAT_CONTROL"])
    try:
        with served(first) as one, served(second) as two:
            wait_until(lambda: two.get("/v1/integrations/blocked", headers=sent).status_code == 200)
            at = one.post("/v1/runs", json={"integrations": ["blocked"]}, headers=sent).headers["location"]
            wait_until(lambda: two.get(at, headers=sent).json()["state"] == "running")
            its_own = RequestedRun.id == at.rpartition("/")[2]
            with store.connect() as connection:
                holder = str(connection.scalar(select(RequestedRun.holder).where(its_own))).split()
            script.unlink()
            script.touch()
            os.kill(int(holder[2]), signal.SIGKILL)
            events = [each.get(f"{at}/events", headers=sent).text for each in (one, two)]
            with store.connect() as connection:
                claims = connection.scalar(select(RequestedRun.claims).where(its_own))
    finally:
        store.dispose()
        declared.unlink()
    assert events[0] == events[1]
    assert events[0].endswith('event: state\ndata: {"state": "ok", "error": null}\n\n')
    assert claims == 2


def test_a_draft_is_shown_by_all(pair: tuple[Leat, Leat]) -> None:
    first, second = pair
    token = first.json("tokens", "create", "drafts", "--expires", "P1D", "--role", "admin")["token"]
    sent = {"authorization": f"Bearer {token}"}
    connection = {"script": str(first.folder / "script.jsonl")}
    asked = {"name": "more", "declaration": {"source": "tally", "driver": "script", "connection": connection}}
    with served(first) as one, served(second) as two:
        at = one.post("/v1/drafts", json=asked, headers=sent).headers["location"]
        wait_until(lambda: two.get(at, headers=sent).json()["state"] == "tried")
        shown = [each.get(at, headers=sent).json() for each in (one, two)]
        assert shown[0] == shown[1]
        assert shown[0]["ok"]
        assert requests.delete(two.url + at, headers=sent, timeout=30).status_code == 204
        assert one.get(at, headers=sent).status_code == 404


def test_what_is_due_runs_once_however_many_servers_look(pair: tuple[Leat, Leat]) -> None:
    first, second = pair
    declared = (first.folder / "pipelines" / "tally.yaml").read_text()
    names = [f"due_{n}" for n in range(12)]
    for name in names:
        path = first.folder / "pipelines" / f"{name}.yaml"
        path.write_text(declared + "schedule: 0 0 1 1 *\n")
    store = open_control(first.variables["LEAT_CONTROL"])
    try:
        register(store, dict.fromkeys(names, Declared("tally", "", "script", "")))
        for name in names:
            end_run(store, start_run(store, name, "serve", holds_lock=True), "loaded")
        with served(first), served(second), store.connect() as connection:
            connection.execute(update(Run).values(started_at=datetime(2020, 1, 1, tzinfo=UTC)))
            connection.commit()
            _until(lambda: {last_runs(store, busy=False)[name].status for name in names} == {"nothing_new"})
            ended = [run.integration for run in recent_runs(store, limit=100) if run.status != "busy"]
    finally:
        store.dispose()
        for name in names:
            (first.folder / "pipelines" / f"{name}.yaml").unlink()
    assert {name: ended.count(name) for name in names} == dict.fromkeys(names, 2)  # the one of 2020, and one


def test_a_server_that_has_the_number_of_another_is_noticed(pair: tuple[Leat, Leat]) -> None:
    first, second = pair
    warehouse = open_warehouse(first.variables["LEAT_WAREHOUSE"], first.folder)
    with warehouse.transaction() as session:
        create_tables(session, first.folder)
        session.execute("DELETE FROM hooks._watermark")
        session.execute("INSERT INTO hooks._watermark VALUES (7)")
    warehouse.close()
    make_first_segment(first.folder / "one" / "live")
    refused = first("hooks", "replay", "1")
    assert (refused.returncode, "another server has the same number" in refused.stderr) == (1, True), refused.stderr
    assert second("hooks", "replay", "1").returncode == 0
    make_first_segment(second.folder / "two" / "live", EACH + 1)
    for number, problem in (("x", "LEAT_SERVER is 'x'"), ("0", "has webhooks of server 1"), ("2", "this is server 2")):
        assert problem in second.json("serve", "--check", "--port", "0", LEAT_SERVER=number)["problems"]["server"]
    alone = {name: value for name, value in second.variables.items() if name != "LEAT_WAREHOUSE"}
    checked = Leat(second.folder, alone).json("serve", "--check", "--port", "0")
    assert "need a warehouse on Postgres" in checked["problems"]["server"]


def _until(holds: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)
