"""`leat serve` as its real processes: they start, are restarted, and end together."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from leat.runs.dagster_process import read_failure, was_reached
from tests.kit.child import wait_until
from tests.kit.command import Leat, tally_project
from tests.kit.serving import Served, served


@pytest.fixture(scope="module")
def leat(tmp_path_factory: pytest.TempPathFactory) -> Leat:
    return tally_project(tmp_path_factory.mktemp("serve"))


@pytest.fixture(scope="module")
def running(leat: Leat) -> Iterator[Served]:
    with served(leat, "--metrics-port", "0") as one:
        yield one


def test_it_is_alive_and_ready(running: Served) -> None:
    assert running.get("/livez").text == "ok"
    ready = running.get("/readyz")
    assert ready.status_code == 200
    assert {name: check["ok"] for name, check in ready.json()["checks"].items()} == {
        "control_store": True,
        "disk": True,
        "published": True,
        "webhooks": True,
    }
    missing = running.get("/nowhere?token=private")
    assert missing.json()["type"] == "/problems/no-such-path"
    assert missing.headers["content-type"] == "application/problem+json"
    request_id = missing.headers["x-request-id"]
    wait_until(lambda: any(entry.get("request_id") == request_id for entry in running.log))
    assert "private" not in json.dumps(running.log)


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_process_that_crashes_leaves_no_core(running: Served, name: str) -> None:
    wait_until(lambda: running.child(name) is not None)
    for pid in (running.process.pid, running.child(name)):
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        assert [line.split()[4] for line in limits if line.startswith("Max core")] in (["0"], ["1"])


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_process_that_is_killed_is_started_again(running: Served, name: str) -> None:
    before = running.child(name)
    running.kill(name)
    wait_until(lambda: running.child(name) not in (None, before))
    assert running.get("/livez").text == "ok"  # the connection waited in the queue of the socket


def test_the_port_is_taken(running: Served, leat: Leat) -> None:
    port = running.url.rpartition(":")[2]
    refused = leat("serve", "--port", port)
    assert refused.returncode == 2
    assert f"port {port} of 127.0.0.1 can't be used" in refused.stderr
    again = leat("serve", "--port", "0")
    assert (again.returncode, "another `leat serve`" in again.stderr) == (75, True)
    checked = leat.json("serve", "--check", "--port", port)
    assert list(checked["problems"]) == ["port"]


def test_options_are_checked(leat: Leat) -> None:
    open_to_all = leat("serve", "--host", "0.0.0.0")  # noqa: S104 - it is refused
    assert (open_to_all.returncode, "no sign-in is configured" in open_to_all.stderr) == (2, True)
    assert leat("serve", "--trusted-proxy", "nobody").returncode == 2
    assert leat("serve", "--url", "leat.example.com").returncode == 2
    done = leat("serve", "--url", "http://leat.example.com")
    assert (done.returncode, "in clear" in done.stderr) == (2, True)
    assert leat("serve", "--check", "--port", "0").stdout.count("✓") == 7


def test_mistakes_of_sign_in_are_found_before_serving(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    policy = leat.folder / "policies" / "sign_in.yaml"
    policy.parent.mkdir()
    declared = "sign_in: {issuer: 'http://127.0.0.1:9', client_id: x, roles: {data: analyst}"
    policy.write_text(f"{declared}, client_secrt: {{env: X}}}}\n")
    wrong = leat("serve", "--check", "--port", "0")
    assert (wrong.returncode, 'did you mean "client_secret"?' in wrong.stderr) == (2, True)
    policy.write_text(f"{declared}}}\n")
    unreachable = leat.json("serve", "--check", "--port", "0")["problems"]
    assert "can't be reached" in unreachable["sign_in"]


def test_dagster_starts_for_a_visitor_and_all_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    token = leat.json("tokens", "create", "x", "--expires", "P1D")["token"]
    headers = {"Authorization": f"Bearer {token}"}
    broken = tmp_path / ".leat" / "dagster" / "dagster.yaml"
    broken.parent.mkdir()
    broken.write_text("nonsense: true\n")
    process = leat.start("serve", "--port", "0", "--json")
    assert process.stdout is not None
    one = Served(process, json.loads(process.stdout.readline())["url"])
    reading = threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True)
    reading.start()
    assert one.child("dagster_project.ui") is None
    assert one.get("/dagster/server_info", headers=headers).status_code == 503
    page = headers | {"Accept": "text/html"}
    wait_until(lambda: read_failure(tmp_path / ".leat" / "serve") is not None, 250)
    answer = one.get("/dagster/", headers=page)
    assert answer.status_code == 502
    failed = answer.text
    assert "couldn&#39;t start" in failed or "couldn't start" in failed
    assert f"correct dagster.yaml in {broken.parent}" in failed
    assert one.get("/dagster/start", headers=headers).json() == {"starting": False}
    broken.unlink()
    assert one.post("/dagster/start", headers=headers, allow_redirects=False).status_code == 303
    assert "Dagster is starting" in one.get("/dagster/", headers=page).text
    wait_until(lambda: was_reached(tmp_path / ".leat" / "serve"), 250)
    wait_until(lambda: one.get("/dagster/server_info", headers=headers).status_code == 200)
    first = one.child("dagster_project.ui")
    assert first is not None
    os.kill(first, signal.SIGTERM)  # it needs a while to end, and whoever asks meanwhile doesn't ask in vain
    wait_until(lambda: one.get("/dagster/server_info", headers=headers).status_code == 503)
    wait_until(lambda: one.child("dagster_project.ui") not in {None, first})
    wait_until(lambda: one.get("/dagster/server_info", headers=headers).status_code == 200, 250)
    second = one.child("dagster_project.ui")
    assert second is not None
    os.killpg(second, signal.SIGKILL)
    wait_until(lambda: one.get("/dagster/server_info", headers=headers).status_code == 503)
    wait_until(lambda: one.child("dagster_project.ui") not in {None, second})
    children = [one.child("web"), one.child("worker"), one.child("dagster_project.ui")]
    process.kill()
    process.wait()
    reading.join(60)  # until the children have ended, too
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()
    wait_until(lambda: not any(pid and Path(f"/proc/{pid}/cmdline").exists() and _runs(pid) for pid in children))


def _runs(pid: int) -> bool:
    return "leat." in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")


def test_systemd_gives_the_socket_and_learns_of_readiness(tmp_path: Path) -> None:
    """As systemd does it: the socket is descriptor 3, and a datagram reports that it is ready."""
    leat = tally_project(tmp_path)
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(tmp_path / "notify"))
    notified.settimeout(60)
    with notified, socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        pid = os.fork()
        if pid == 0:
            os.chdir(leat.folder)
            os.dup2(listening.fileno(), 3)
            env = {
                **leat.env(),
                "LISTEN_PID": str(os.getpid()),
                "LISTEN_FDS": "1",
                "NOTIFY_SOCKET": str(tmp_path / "notify"),
            }
            os.dup2(os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT), 2)
            os.dup2(2, 1)
            from tests.kit.command import LEAT

            os.execve(LEAT, [LEAT, "serve", "--port", str(port)], env)  # noqa: S606 - no shell is wanted
        assert notified.recv(100) == b"READY=1"
        assert Served(None, f"http://127.0.0.1:{port}").get("/livez").text == "ok"  # type: ignore[arg-type]
        os.kill(pid, signal.SIGTERM)
        assert notified.recv(100) == b"STOPPING=1"
        assert os.waitpid(pid, 0)[1] == 0
