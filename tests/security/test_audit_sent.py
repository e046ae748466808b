"""The audit log is sent to another system: each event, in order, and later what couldn't be sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from leat.control.store import open_control
from leat.security.audit.chain import last_sealed, seal
from leat.security.audit.sending import Destination, send_sealed, sent_until
from leat.sources.errors import NotConfigured, Unavailable
from tests.kit.command import Leat, tally_project, then
from tests.kit.post_server import Answer, post_server
from tests.kit.project import row, rows
from tests.security.test_audit import fill


@dataclass
class Collector:
    """A system that takes events.

    Attributes:
        url: its address.
        status: what it answers.
        events: what it has accepted.
        authorizations: the headers that came.
    """

    url: str = ""
    status: int = 200
    events: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    @property
    def numbers(self) -> list[int]:
        return [each["metadata"]["sequence"] for each in self.events]


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()

    def answer(_path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        one.authorizations.append(headers["Authorization"])
        if one.status == 200:
            one.events += map(json.loads, body.decode().splitlines())
        return Answer(one.status, headers={"Location": "http://127.0.0.1:9/elsewhere"})

    with post_server(answer) as url:
        one.url = f"{url}/leat"
        yield one


def test_each_event_is_sent_once_and_in_order(tmp_path: Path, warehouse_url: str | None, collector: Collector) -> None:
    store = open_control(warehouse_url or f"sqlite:///{tmp_path / 'control.db'}")
    destination = Destination(collector.url, lambda: "Bearer planted")
    fill(store, 1203)
    seal(store)
    assert send_sealed(store, destination) == 1203
    assert send_sealed(store, destination) == 0
    fill(store, 2)
    assert send_sealed(store, destination) == 0, "what isn't sealed isn't sent"
    seal(store)
    assert send_sealed(store, destination) == 2
    assert collector.numbers == list(range(1, 1206))
    assert collector.events[-1]["unmapped"]["hash"], "whoever receives them can verify the chain"
    assert set(collector.authorizations) == {"Bearer planted"}
    store.dispose()


@pytest.mark.parametrize("status", [500, 401, 302])
def test_what_was_not_accepted_is_sent_again(tmp_path: Path, collector: Collector, status: int) -> None:
    store = open_control(f"sqlite:///{tmp_path / 'control.db'}")
    destination = Destination(collector.url)
    fill(store)
    seal(store)
    collector.status = status
    with pytest.raises(Unavailable, match=f"HTTP {status}"):
        send_sealed(store, destination)
    assert sent_until(store, destination) == 0
    collector.status = 200
    fill(store)
    seal(store)
    assert send_sealed(store, destination) == 80
    assert collector.numbers == list(range(1, 81))
    store.dispose()


def test_a_run_sends_what_happened_and_a_system_that_is_down_fails_none(tmp_path: Path, collector: Collector) -> None:
    leat = declared(tmp_path, collector.url)
    then(leat, rows("fed", row(1, "one")))
    assert leat("run", AUTHORIZATION="Bearer planted").returncode == 0
    assert "run.ended" in {each["activity_name"] for each in collector.events}
    assert set(collector.authorizations) == {"Bearer planted"}
    before = len(collector.events)
    collector.status = 503
    then(leat, rows("fed", row(2, "two")))
    assert leat("run", AUTHORIZATION="Bearer planted").returncode == 0
    assert "the audit log was not sent" in (tmp_path / ".leat" / "logs" / "leat.log").read_text()
    refused = leat("audit", "send", AUTHORIZATION="Bearer planted")
    assert (refused.returncode, "HTTP 503" in refused.stderr) == (1, True)
    collector.status = 200
    done = leat("audit", "send", AUTHORIZATION="Bearer planted")
    assert (done.returncode, collector.url in done.stdout) == (0, True), done.stderr
    assert len(collector.events) > before
    store = open_control(f"sqlite:///{tmp_path / '.leat' / 'control.db'}")
    with store.connect() as connection:
        assert collector.numbers == list(range(1, last_sealed(connection)[0] + 1))  # type: ignore[arg-type]
    store.dispose()
    assert b"planted" not in b"".join(each.read_bytes() for each in (tmp_path / ".leat").rglob("*") if each.is_file())


def declared(folder: Path, url: str) -> Leat:
    leat = tally_project(folder)
    (folder / "policies").mkdir()
    text = f"audit:\n  send_to: {url}\n  authorization: {{env: AUTHORIZATION}}\n"
    (folder / "policies" / "audit.yaml").write_text(text)
    return leat


def test_it_goes_to_a_permitted_host_over_tls_alone(tmp_path: Path, collector: Collector) -> None:
    leat = declared(tmp_path, "http://siem.example.com/leat")
    checked = leat("check")
    assert (checked.returncode, "audit.yaml:2: audit.send_to" in checked.stdout + checked.stderr) == (2, True), checked
    store = open_control(f"sqlite:///{tmp_path / 'control.db'}")
    fill(store)
    seal(store)
    with pytest.raises(NotConfigured, match="https"):
        send_sealed(store, Destination("http://siem.example.com/leat"))
    store.dispose()
    (tmp_path / "policies" / "audit.yaml").write_text(f"audit: {{send_to: '{collector.url}'}}\n")
    (tmp_path / "policies" / "hosts.yaml").write_text("project: {hosts: [api.example.com]}\n")
    assert leat("run").returncode == 0
    refused = leat("audit", "send")
    assert (refused.returncode, "hosts.yaml" in refused.stderr) == (1, True), refused.stderr
    assert collector.events == []
