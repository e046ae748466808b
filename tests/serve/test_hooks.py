"""Webhooks at a running `leat serve`: stored, visible in SQL, a cause of loads, not lost when a process is killed."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from leat.demo.stripe.webhooks import sign
from leat.runs import hooks
from leat.runs.workspace import open_workspace
from tests.kit.child import wait_until
from tests.kit.command import Leat, tally_project, then
from tests.kit.project import row, rows
from tests.kit.serving import Served, served

SECRET = "whsec_of_the_test"
KILLS = int(os.environ.get("LEAT_EXAMPLES", "4"))


def declare(leat: Leat, declared: str) -> None:
    path = leat.folder / "pipelines" / "tally.yaml"
    text = path.read_text().partition("hooks:")[0]
    path.write_text(f"{text}hooks: {declared}\n")


def hooked(folder: Path) -> Leat:
    leat = tally_project(folder, HOOK=SECRET)
    declare(leat, "{scheme: stripe, secrets: [{env: HOOK}]}")
    return leat


@pytest.fixture(scope="module")
def leat(tmp_path_factory: pytest.TempPathFactory) -> Leat:
    return hooked(tmp_path_factory.mktemp("hooks"))


@pytest.fixture(scope="module")
def running(leat: Leat) -> Iterator[Served]:
    with served(leat) as one:
        yield one


def send(one: Served, event_id: str, name: str = "tally", secret: str = SECRET, **more: Any) -> requests.Response:
    body = json.dumps({"id": event_id, "type": "thing.changed", **more}).encode()
    return one.post(f"/hooks/{name}", data=body, headers={"Stripe-Signature": sign(secret, body)})


def events(leat: Leat, where: str = "true") -> list[dict[str, Any]]:
    rows_: list[dict[str, Any]] = leat.json("query", f"SELECT * FROM hooks.events WHERE {where} ORDER BY seq")["rows"]
    return rows_


def test_an_event_is_stored_once_is_visible_and_starts_a_load(leat: Leat, running: Served) -> None:
    then(leat, rows("fed", row(1, "from the system")))
    assert [send(running, "evt_1", n=number).status_code for number in (1, 2)] == [200, 200]
    wait_until((leat.folder / ".leat" / "warehouse.duckdb").exists, 60)
    wait_until(lambda: leat("query", "SELECT id FROM tally.fed").returncode == 0, 60)
    (one,) = events(leat, "event_id = 'evt_1'")
    assert (one["endpoint"], one["event_type"], json.loads(one["body"])["n"]) == ("tally", "thing.changed", 1)
    runs = leat.json("runs")["runs"]
    assert {run["trigger"] for run in runs} == {"serve"}


@pytest.mark.parametrize(
    ("path", "method", "headers", "wanted"),
    [
        ("/hooks/tally", "POST", {}, 401),
        ("/hooks/tally", "POST", {"Stripe-Signature": sign("another", b"{}")}, 401),
        ("/hooks/tally", "GET", {}, 405),
        ("/hooks/other", "POST", {}, 404),
        ("/hooks/tally/more", "POST", {}, 404),
        ("/hooks/", "POST", {}, 404),
    ],
)
def test_what_is_not_signed_is_not_stored(
    leat: Leat, running: Served, path: str, method: str, headers: dict[str, str], wanted: int
) -> None:
    live = leat.folder / ".leat" / "live"
    before = sum(file.stat().st_size for file in live.iterdir())
    answer = requests.request(method, running.url + path, data=b"{}", headers=headers, timeout=30)
    assert answer.status_code == wanted
    assert answer.headers["content-type"] == "application/problem+json"
    assert sum(file.stat().st_size for file in live.iterdir()) == before


def test_a_broken_event_is_quarantined_and_replayed(leat: Leat, running: Served) -> None:
    for body in (b"no json", b'{"type": "without an id"}'):
        answer = running.post("/hooks/tally", data=body, headers={"Stripe-Signature": sign(SECRET, body)})
        assert answer.status_code == 200
    wait_until(lambda: len(leat.json("hooks", "list", "--quarantined")["events"]) == 2, 60)
    listed = leat.json("hooks", "list", "--quarantined")["events"]
    assert [each["problem"][:15] for each in listed] == ["the event has n", "the body is no "]
    shown = leat("hooks", "show", str(listed[0]["seq"]))
    assert "without an id" in shown.stdout
    declare(leat, "{scheme: hmac, header: X-Signed, secrets: [{env: HOOK}]}")
    replayed = leat.json("hooks", "replay", str(listed[0]["seq"]), str(listed[1]["seq"]), "--no-load")["events"]
    assert [each["problem"] is None for each in replayed] == [True, False]
    assert len(leat.json("hooks", "list", "--quarantined")["events"]) == 1

    def generic() -> int:  # the running server follows the declaration
        body = b'{"id": 1}'
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return running.post("/hooks/tally", data=body, headers={"X-Signed": signature}).status_code

    wait_until(lambda: generic() == 200)
    declare(leat, "{scheme: stripe, secrets: [{env: HOOK}]}")
    wait_until(lambda: send(running, "evt_again").status_code == 200)


def test_a_stored_secret_counts_as_soon_as_it_is_set(leat: Leat, running: Served) -> None:
    declare(leat, "{scheme: stripe, secrets: {secret: hook-key}}")
    wait_until(lambda: send(running, "evt_stored").status_code == 503)
    for change, secret in (("set", "the first one"), ("rotate", "the second one")):
        assert leat("secret", change, "hook-key", given=secret).returncode == 0
        wait_until(lambda secret=secret: send(running, "evt_stored", secret=secret).status_code == 200)  # type: ignore[misc]
    assert send(running, "evt_stored", secret="the first one").status_code == 401


def test_slack_is_answered_what_it_asks_for(tmp_path: Path) -> None:
    leat = hooked(tmp_path)
    declare(leat, "{scheme: slack, secrets: [{env: HOOK}, {env: NOT_SET}]}")
    body = json.dumps({"type": "url_verification", "challenge": "c1"}).encode()
    at = str(int(time.time())).encode()
    signature = hmac.new(SECRET.encode(), b"v0:" + at + b":" + body, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={signature}"}
    with served(leat) as one:
        missing = one.post("/hooks/tally", data=body, headers=headers)
        assert (missing.status_code, missing.json()["type"]) == (503, "/problems/not-configured")
        declare(leat, "{scheme: slack, secrets: {env: HOOK}}")
        wait_until(lambda: one.post("/hooks/tally", data=body, headers=headers).status_code == 200)
        assert one.post("/hooks/tally", data=body, headers=headers).text == "c1"
        assert one.post("/hooks/tally", data=body).status_code == 401


def test_nothing_acknowledged_is_lost_or_doubled_when_processes_are_killed(tmp_path: Path) -> None:
    leat = hooked(tmp_path)
    acknowledged: set[str] = set()
    ended = threading.Event()

    def sender(number: int, one: Served) -> None:
        """Send one event after the other, each until it is acknowledged, as Stripe does."""
        count = 0
        while not ended.is_set():
            event_id = f"evt_{number}_{count}"
            try:
                if send(one, event_id).status_code == 200:
                    acknowledged.add(event_id)
                    count += 1
            except requests.RequestException:
                continue

    with served(leat) as one:
        threads = [threading.Thread(target=sender, args=(number, one)) for number in range(4)]
        for thread in threads:
            thread.start()
        for kill in range(KILLS):
            before = len(acknowledged)
            wait_until(lambda before=before: len(acknowledged) > before + 20, 60)  # type: ignore[misc]
            one.kill("worker" if kill % 4 == 3 else "web")
        before = len(acknowledged)
        wait_until(lambda: len(acknowledged) > before + 20, 60)
        ended.set()
        for thread in threads:
            thread.join()
        wait_until((leat.folder / ".leat" / "warehouse.duckdb").exists, 60)
        stored = [each["event_id"] for each in events(leat)]
        assert len(stored) == len(set(stored))
        assert acknowledged <= set(stored)
    workspace = open_workspace(leat.folder)
    hooks.apply(workspace)
    hooks.publish_applied(workspace)
    assert [each["event_id"] for each in events(leat)] == stored
    assert hooks.remove_applied(workspace, time.time() + 3600) >= 1
    assert [each["event_id"] for each in events(leat)] == stored
    workspace.close()


def test_a_webhook_is_seen_although_the_segments_were_lost(tmp_path: Path) -> None:
    leat = hooked(tmp_path)
    with served(leat) as one:
        assert [send(one, f"evt_{number}").status_code for number in range(3)] == [200] * 3
        wait_until(lambda: leat("query", "SELECT seq FROM hooks.events").returncode == 0, 60)
        wait_until(lambda: len(events(leat)) == 3, 60)
    workspace = open_workspace(leat.folder)
    hooks.apply(workspace)
    hooks.publish_applied(workspace)
    workspace.close()
    shutil.rmtree(leat.folder / ".leat" / "live")
    with served(leat) as one:
        assert send(one, "evt_later").status_code == 200
        wait_until(lambda: [each["event_id"] for each in events(leat)][-1] == "evt_later", 60)
