"""Declared actions on a REST API: on Datasette as the demo declares them, and on a fake with keys and conditions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from leat.actions.deliver import deliver
from leat.actions.office import Office, UnknownAction
from leat.control.outbox import read_actions
from leat.demo.servers.datasette_server import start_datasette, token_of
from leat.demo.servers.process import running
from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.sources.actions import Refused
from tests.kit.acted import delivered, done, everything_stored, office_of, planned, undone
from tests.sources.rest_desk import RestDesk, rest_desk

ROOT = Path(__file__).parents[2]
SECRET = "planted-secret-77120"
ENDPOINTS = {"things": {"path": "things", "key": "id", "columns": {"id": "integer"}}}


@pytest.fixture(scope="module")
def support(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Return the address of Datasette with a support desk, and its file."""
    folder = tmp_path_factory.mktemp("datasette")
    database = folder / "support.db"
    with closing(sqlite3.connect(database)) as opened:
        tables = (ROOT / "demo/seed/support.py").read_text().split('"""')[3]
        opened.executescript(tables)
        for number in range(1, 9):
            ticket = (number, "ann@example.org", f"Subject {number}", "open", "bob", *["2026-01-01T00:00:00Z"] * 2)
            opened.execute(
                "INSERT INTO tickets (number, customer_email, subject, status, assignee, opened_at, updated_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                ticket,
            )
        opened.commit()
    with running(start_datasette(folder / "server", database, secret=SECRET)) as server:
        yield f"http://127.0.0.1:{server.port}/", database


@pytest.fixture
def office(support: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("SUPPORT_URL", support[0])
    monkeypatch.setenv("SUPPORT_TOKEN", token_of(SECRET))
    declared = yaml.safe_load((ROOT / "pipelines/support.yaml").read_text())
    with office_of(tmp_path, "rest_api", "http", declared["connection"]) as office:
        yield office


@pytest.fixture
def desk() -> Iterator[RestDesk]:
    with rest_desk() as desk:
        yield desk


def rows(support: tuple[str, Path], sql: str) -> list[Any]:
    with closing(sqlite3.connect(support[1])) as opened:
        return opened.execute(sql).fetchall()


def test_a_ticket_is_closed_once_and_opened_again(office: Office, support: tuple[str, Path]) -> None:
    row = planned(office, "close_ticket", number="1", at="2026-02-01T09:00:00+01:00")
    assert (row.guarantee, row.title) == ("natural", "close ticket 1: Subject 1")
    at, url = "2026-02-01T09:00:00+01:00", f"{support[0]}support/tickets/1/-/update"
    assert row.plan["changes"][:3] == [
        ["closed_at", None, at],
        ["status", "open", "closed"],
        ["request", None, f"POST {url}"],
    ]
    assert rows(support, "SELECT status FROM tickets WHERE number = 1") == [("open",)]
    [row] = delivered(office, row)
    assert (row.state, row.reason) == ("confirmed", None)
    assert rows(support, "SELECT status, closed_at FROM tickets WHERE number = 1") == [("closed", at)]
    with pytest.raises(Refused, match="status is 'closed', and not 'open'"):
        planned(office, "close_ticket", number=1)
    undone(office, row)
    assert rows(support, "SELECT status, closed_at FROM tickets WHERE number = 1") == [("open", None)]
    with pytest.raises(Refused, match=r"support/tickets/99\.json has no record"):
        planned(office, "close_ticket", number=99)


def test_a_message_is_written_with_the_id_of_its_action_and_deleted(office: Office, support: tuple[str, Path]) -> None:
    text = "50 % {{ 7 * 7 }} ü\n\"'; DROP TABLE messages"
    row = planned(office, "add_message", ticket=2, author="bob@example.org", text=text)
    assert row.guarantee == "probed"
    [row] = delivered(office, row)
    assert row.state == "confirmed"
    written = rows(support, "SELECT id, text, reference FROM messages WHERE ticket = 2")
    assert [each[1:] for each in written] == [(text, row.id)], "data is never evaluated"
    assert row.receipt == {"status": 201, "id": written[0][0]}
    assert undone(office, row).verb == "delete_message"
    assert rows(support, "SELECT * FROM messages WHERE ticket = 2") == []
    with pytest.raises(Refused, match="has no record"):
        planned(office, "delete_message", id=written[0][0])


def test_what_a_person_changed_meanwhile_stays(office: Office, support: tuple[str, Path]) -> None:
    row = planned(office, "close_ticket", number=3)
    with closing(sqlite3.connect(support[1])) as opened:
        opened.execute("UPDATE tickets SET updated_at = '2026-03-03T00:00:00Z' WHERE number = 3")
        opened.commit()
    [row] = delivered(office, row)
    assert row.state == "failed"
    assert "somebody changed it meanwhile" in str(row.reason)
    assert rows(support, "SELECT status FROM tickets WHERE number = 3") == [("open",)]


def test_parameters_are_checked_and_the_token_is_stored_nowhere(office: Office, tmp_path: Path) -> None:
    for given, said in (
        ({"number": "x"}, "number: expected a whole number"),
        ({"number": 0}, "number: .*greater than or equal to 1"),
        ({}, "number: is missing"),
        ({"number": 1, "att": 1}, 'att: no such parameter; did you mean "at"'),
    ):
        with pytest.raises(UnknownAction, match=said):
            planned(office, "close_ticket", **given)
    done(office, "close_ticket", number=4)
    assert token_of(SECRET).encode() not in everything_stored(tmp_path)


def test_without_the_right_token_nothing_is_written(
    office: Office, support: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPPORT_TOKEN", token_of("another"))
    with pytest.raises(Exception, match="action_auth"):
        planned(office, "close_ticket", number=5)
    assert rows(support, "SELECT status FROM tickets WHERE number = 5") == [("open",)]


REFUND = {
    "description": "Give money back.",
    "parameters": {
        "charge": {"required": True},
        "amount": {"type": "integer", "required": True, "minimum": 1},
        "note": {},
    },
    "request": {
        "path": "charges/{charge}/refunds",
        "body": {
            "amount": "{{ amount }}",
            "text": "refund {{ amount }}",
            "note": "{{ note }}",
            "ids": ["{{ charge }}"],
        },
        "record": "data",
    },
    "result": "id",
    "idempotency_header": "Idempotency-Key",
    "money": True,
}
SET = {
    "description": "Set a thing.",
    "parameters": {"name": {"required": True}, "value": {"type": "json", "required": True}},
    "read": {"path": "things/{name}"},
    "request": {"method": "PUT", "path": "things/{name}", "body": {"value": "{{ value }}"}},
    "result": {"is": "value"},
    "if_match": True,
    "confirm": {"expect": {"value": "{{ value }}"}},
    "undo": {"set": {"name": "{{ name }}", "value": "{{ before.value }}"}},
}
DROP = {
    "description": "Delete a thing.",
    "parameters": {"name": {"required": True}},
    "read": {"path": "things/{name}"},
    "request": {"method": "DELETE", "path": "things/{name}"},
    "if_match": True,
    "confirm": {"absent": True},
}
POST = {
    "description": "Post a form.",
    "parameters": {"text": {"required": True}},
    "request": {"path": "notes", "encoding": "form", "body": {"text": "{{ text }}", "flag": True}},
}


@pytest.fixture
def faked(desk: RestDesk, tmp_path: Path) -> Iterator[Office]:
    actions = {"refund": REFUND, "set": SET, "drop": DROP, "post": POST}
    connection = {"url": desk.url, "endpoints": ENDPOINTS, "actions": actions, "timeout": 5}
    with office_of(tmp_path, "rest_api", "http", connection) as office:
        yield office


def test_values_keep_their_types_and_a_value_cant_lead_to_another_path(faked: Office, desk: RestDesk) -> None:
    row = planned(faked, "refund", charge="a/../b ü?x", amount="1200")
    assert (row.money, row.guarantee) == (True, "guarded")
    [row] = delivered(faked, row)
    assert row.state == "confirmed"
    assert desk.made == [{"amount": 1200, "text": "refund 1200", "ids": ["a/../b ü?x"]}], "note wasn't given"
    method, path, headers = desk.requests[-1]
    assert (method, path) == ("POST", "/charges/a%2F..%2Fb%20%C3%BC%3Fx/refunds")
    assert headers["Idempotency-Key"] == row.id
    assert row.receipt == {"status": 201, "id": 1}
    for charge in ("..", "", "%2e%2e"):
        with pytest.raises(Refused, match="leads to another path"):
            planned(faked, "refund", charge=charge, amount=1)


@pytest.mark.parametrize("fault", ["cut", "lost", "500", "409"])
def test_what_the_api_remembers_by_a_key_is_sent_again(faked: Office, desk: RestDesk, fault: str) -> None:
    row = planned(faked, "refund", charge="c", amount=5)
    desk.faults = [fault]
    [row] = delivered(faked, row)
    assert (row.state, len(desk.made)) == ("confirmed", 1)
    assert row.receipt == {"status": 201, "id": 1}


def test_a_key_that_the_api_has_forgotten_is_asked_of_a_person(desk: RestDesk, tmp_path: Path) -> None:
    actions = {"refund": {**REFUND, "guarded_for": "PT0S"}}
    with office_of(
        tmp_path, "rest_api", "http", {"url": desk.url, "endpoints": ENDPOINTS, "actions": actions}
    ) as office:
        desk.faults = ["cut"]
        [row] = delivered(office, planned(office, "refund", charge="c", amount=5))
    assert (row.state, len(desk.made)) == ("asking", 1)


def test_an_etag_protects_what_a_person_changed(faked: Office, desk: RestDesk) -> None:
    desk.things["a"] = ({"value": 1}, 1)
    row = done(faked, "set", name="a", value={"x": [1, None]})
    assert desk.things["a"] == ({"value": {"x": [1, None]}}, 2)
    assert undone(faked, row).verb == "set"
    desk.faults = ["cut"]
    assert done(faked, "set", name="a", value=3).receipt == {"is": 3}, "a later step may use it"
    desk.things["a"] = ({"value": 1}, 4)
    with pytest.raises(Refused, match="there is nothing to change: value is 1"):
        planned(faked, "set", name="a", value=1)
    row = planned(faked, "drop", name="a")
    desk.things["a"] = ({"value": "of a person"}, 7)
    [row] = delivered(faked, row)
    assert (row.state, "a" in desk.things) == ("failed", True)
    desk.faults = ["cut"]
    assert done(faked, "drop", name="a").receipt == {}, "its effect was found"
    assert "a" not in desk.things


@pytest.mark.parametrize(
    ("fault", "state"), [("301", "failed"), ("303", "asking"), ("400", "failed"), ("cut", "asking")]
)
def test_what_cant_be_searched_for_is_sent_once(faked: Office, desk: RestDesk, fault: str, state: str) -> None:
    desk.faults = [fault]
    row = planned(faked, "post", text="a&b")
    assert row.guarantee == "unprobeable"
    [row] = delivered(faked, row)
    assert (row.state, len(desk.made)) == (state, fault == "cut")
    if desk.made:
        assert desk.made == [{"text": ["a&b"], "flag": ["true"]}]
    assert [method for method, _, _ in desk.requests] == ["POST"], "a redirect isn't followed"


MISTAKES = {
    "request: it has to carry the id": {"find": {"path": "x", "where": {"r": "{{ action.id }}"}}},
    "find.where: name the field that has the id": {"find": {"path": "x", "where": {"r": 1}}},
    "if_match: it is about the record that read reads": {"if_match": True},
    "if_match: declare confirm": {"if_match": True, "read": {"path": "a/{name}"}},
    "undo.mkae: no action 'mkae' is declared; did you mean \"make\"": {"undo": {"mkae": {}}},
    "undo.make: name is missing": {"undo": {"make": {}}},
    "guarded_for: it is for how long": {"guarded_for": "PT1H"},
    "confirm: path is missing": {"confirm": {"expect": {"a": 1}}},
    "title: there is no 'nmae' here; did you mean \"name\"": {"title": "{{ nmae }}"},
    "title: there is no action.key": {"title": "{{ action.key }}"},
    "title: not a template": {"title": "{{ name"},
    "request.path: write {name}, with single braces": {"request": {"path": "a/{{ name }}"}},
    "request.path: nothing fills {nmae}": {"request": {"path": "a/{nmae}"}},
    "parameters.name: the path of request needs it": {"parameters": {"name": {}}},
    "parameters.other: no request uses it": {"parameters": {"name": {"required": True}, "other": {}}},
    "parameters.name.pattern: only for string": {"parameters": {"name": {"type": "integer", "pattern": "a"}}},
    "parameters.name.default": {"parameters": {"name": {"type": "integer", "default": "x"}}},
    "parameters.copy: another name": {"parameters": {"copy": {}}},
    'requets: unknown key; did you mean "request"': {"requets": {}},
}


def test_mistakes_are_reported_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "pipelines" / "desk.yaml"
    path.parent.mkdir()
    make = {
        "description": "Make.",
        "parameters": {"name": {"required": True}},
        "request": {"method": "PUT", "path": "a/{name}"},
    }
    for said, change in MISTAKES.items():
        connection = {"url": "http://x", "endpoints": ENDPOINTS, "actions": {"make": {**make, **change}}}
        path.write_text(yaml.safe_dump({"source": "rest_api", "driver": "http", "connection": connection}))
        with pytest.raises(DeclarationError) as raised:
            load_declarations(Project(tmp_path, tmp_path / ".leat", None, f"sqlite:///{tmp_path}/c.db"))
        lines = raised.value.diagnostics
        assert any(f"connection.actions.make.{said}" in line and "desk.yaml:" in line for line in lines), (said, lines)


def test_an_api_that_ignores_the_search_leaves_it_open(desk: RestDesk, tmp_path: Path) -> None:
    """An API that lists other records than the one that was asked for proves nothing."""
    action = {
        "description": "Make.",
        "request": {"path": "notes", "body": {"ref": "{{ action.id }}"}},
        "find": {"path": "things/all", "records": "data", "where": {"ref": "{{ action.id }}"}},
    }
    connection = {"url": desk.url, "endpoints": ENDPOINTS, "actions": {"make": action}}
    desk.things["all"] = ({"data": [{"ref": "another"}]}, 1)
    with office_of(tmp_path, "rest_api", "http", connection) as office:
        [row] = delivered(office, planned(office, "make"), patience=1)
        assert (row.state, desk.made) == ("unknown", [])
        assert "none as find.where says" in str(row.reason)
        desk.things["all"] = ({"data": []}, 2)
        deliver(office, "rest_api", patience=20)
        [row] = read_actions(office.store, ids=[row.id])
        assert len(desk.made) == 1
