"""The demo is stopped and started again; this module comes last, because mail-devel has its mail in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from leat.demo.company import start_company, stop_company
from leat.demo.servers.canaille_browser import Browser
from leat.demo.servers.process import free_port, is_listening, is_running, running, start
from tests.company.conftest import Demo, company
from tests.kit.child import CONTEXT

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started


def start_again(folder: Path, checkout: Path) -> None:
    """Start the servers, in a process that ends before they do: whoever stops them later isn't their parent."""
    start_company(folder, checkout, [], lambda _what: None)


def test_the_end_is_that_of_its_own_servers_and_a_new_start_is_at_the_same_address(demo: Demo, tmp_path: Path) -> None:
    folder, port = demo.state / "demo", free_port()
    argv = ["python", "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with running(start("other", argv, tmp_path / "other", port)) as other:
        began = company(demo.state)
        assert all(is_running(pid) for pid in began["pids"].values())
        assert sorted(stop_company(folder)) == sorted(began["pids"])
        assert not [pid for pid in began["pids"].values() if is_running(pid)]
        assert not [at for at in began["ports"].values() if is_listening(at)]
        assert is_running(other.pid)
        assert list(stop_company(folder)) == []
    starter = CONTEXT.Process(target=start_again, args=(folder, demo.leat.folder))
    starter.start()
    starter.join()
    assert starter.exitcode == 0
    again = company(demo.state)
    assert all(is_running(pid) for pid in again["pids"].values())
    assert sorted(again["pids"]) == sorted(began["pids"])
    assert {**again, "pids": None} == {**began, "pids": None}


def test_the_dashboard_lets_people_of_each_role_in(demo: Demo) -> None:
    """It comes last, because its worker loads, plans and sends by itself."""
    shown = demo.leat("demo")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    password = company(demo.state)["sign_in_password"]
    last = shown.stdout.strip().splitlines()[-3:]
    url = last[0].removeprefix("Dashboard: ")
    assert last[1:] == [
        "  sign in as alice.martin (admin), bob.okafor (operator), fay.nguyen (analyst) or hana.ito (viewer)",
        f"  with the password {password}",
    ]
    assert company(demo.state)["password"] not in shown.stdout + shown.stderr
    for login, role, paths in (
        ("alice.martin", "admin", ("/", "/people", "/audit", "/webhooks")),
        ("bob.okafor", "operator", ("/", "/webhooks", "/actions/automations/ask_organizers")),
        ("fay.nguyen", "analyst", ("/", "/violations")),
        ("hana.ito", "viewer", ("/", "/integrations/payments")),
    ):
        browser = Browser(f"http://127.0.0.1:{company(demo.state)['ports']['canaille']}")
        assert browser.sign_in(login, password)
        page = browser.session.get(f"{url}/sign-in/begin", timeout=30)  # Canaille trusts it: nothing to agree to
        assert (page.status_code, page.url) == (200, f"{url}/"), page.text
        assert f"your role is {role}" in page.text
        for path in paths:
            assert browser.session.get(f"{url}{path}", timeout=30).status_code == 200, (login, path)
    assert browser.session.get(f"{url}/audit", timeout=30).status_code == 403
    pids = company(demo.state)["pids"]
    done = demo.leat("run")  # next to the worker
    assert done.returncode == 0, done.stdout + done.stderr
    again = demo.leat("demo")
    assert again.stdout.strip().splitlines()[-3:] == last
    assert company(demo.state)["pids"] == pids, "all of it is running"
    ended = demo.leat("demo", "--stop").stdout
    assert ended.startswith("ended dashboard, "), ended
    assert not [pid for pid in pids.values() if is_running(pid)]
