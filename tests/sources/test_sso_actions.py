"""Accounts, groups, roles, sessions and offboarding on Canaille; and groups of a service that has no versions."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leat.actions.decide import approve, undo
from leat.actions.deliver import deliver
from leat.actions.office import UnknownAction
from leat.actions.propose import order_of
from leat.control.outbox import ActionRow
from leat.demo.servers.canaille import DATABASE, LOG, start_canaille
from leat.demo.servers.canaille_browser import Browser
from leat.demo.servers.process import running
from leat.sources.actions import Refused, verbs_of
from leat.sources.errors import Forbidden, NotFound, Outdated
from leat.sources.sso.scim.actions import ACTIONS
from tests.contract.sso_scim import ACCOUNTS, READER, WRITER, Server
from tests.contract.world import SECRET
from tests.kit.offices import Desk, desk_of
from tests.kit.once import POINTS, Killing
from tests.kit.proxy import proxy
from tests.sources.scim_fake import Fake, serving

BACK = "https://shop.example/back"
OLD = "2026-01-01 00:00:00"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("canaille")
    with running(start_canaille(folder, ACCOUNTS)) as process:
        yield Server(f"http://127.0.0.1:{process.port}", folder)


@pytest.fixture(autouse=True)
def as_it_began(request: pytest.FixtureRequest) -> None:
    """Put groups, accounts and sessions back, all of it changed long ago: Canaille's versions have whole seconds."""
    if "server" not in request.fixturenames:
        return
    server: Server = request.getfixturevalue("server")
    server.put_members("admins", ["ann"])
    server.put_members("everybody", ["ann", *(f"user{i}" for i in range(12))])
    write(server, "DELETE FROM token WHERE subject_id IS NOT NULL")
    write(server, "DELETE FROM consent")
    write(server, "UPDATE \"user\" SET lock_date = NULL WHERE user_name <> 'gone'")
    age(server)


def age(server: Server) -> None:
    """Let everything have been changed long ago."""
    write(server, f"UPDATE \"user\" SET last_modified = '{OLD}'")
    write(server, f"UPDATE \"group\" SET last_modified = '{OLD}'")


def write(server: Server, sql: str) -> None:
    with closing(sqlite3.connect(server.folder / DATABASE)) as database, database:
        database.execute(sql)


def declared(server: Server, **more: Any) -> dict[str, Any]:
    def client(name: str, secret: str) -> dict[str, Any]:
        url = f"{server.url}/oauth/token"
        return {
            "kind": "oauth2_client_credentials",
            "token_url": url,
            "client_id": name,
            "client_secret": {"env": secret},
        }

    connection = {
        "url": f"{server.url}/scim/v2",
        "auth": client(READER, "SSO_READER"),
        "action_auth": client(WRITER, "SSO_WRITER"),
        "roles": [{"group": "admins", "permissions": ["change everything"]}],
        "canaille_database": {"env": "SSO_DATABASE"},
        "revocation": {
            "url": f"{server.url}/oauth/revoke",
            "applications": [{"client_id": "shop", "client_secret": {"env": "SSO_SHOP"}}],
        },
    }
    given = {name: value for name, value in (connection | more).items() if value is not None}
    return {"source": "sso", "driver": "scim", "connection": given}


@pytest.fixture
def secrets(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSO_READER", SECRET)
    monkeypatch.setenv("SSO_WRITER", f"w-{SECRET}")
    monkeypatch.setenv("SSO_SHOP", SECRET)
    monkeypatch.setenv("SSO_DATABASE", f"sqlite:///{server.folder / DATABASE}")


@pytest.fixture
def desk(tmp_path: Path, server: Server, secrets: None) -> Iterator[Desk]:
    with desk_of(tmp_path / "project", "sso", declared(server)) as desk:
        yield desk


@pytest.fixture
def session(server: Server) -> str:
    """Return the id of a session of ann in the shop."""
    return sign_in(server)


def sign_in(server: Server) -> str:
    browser = Browser(server.url)
    assert browser.sign_in("ann", f"ann-{SECRET}")
    before = set(server.select("SELECT id FROM token WHERE subject_id IS NOT NULL"))
    browser.use("shop", SECRET, BACK)
    ((key,),) = set(server.select("SELECT id FROM token WHERE subject_id IS NOT NULL")) - before
    return str(key)


def members(server: Server, group: str) -> set[str]:
    listed = server.ask("GET", f"Groups/{server.group(group)}").get("members") or []
    return {each["value"] for each in listed}


def is_active(server: Server, login: str) -> bool:
    return bool(server.ask("GET", f"Users/{server.user(login)}")["active"])


def is_open(server: Server, session: str) -> bool:
    [(revoked,)] = server.select(f"SELECT revokation_date FROM token WHERE id = '{session}'")
    return revoked is None


def changes(server: Server) -> int:
    """Return how many requests that change something Canaille has executed."""
    text = (server.folder / LOG).read_text()
    return text.count("SCIM patched ") + text.count("SCIM replaced ")


def wired(desk: Desk, row: ActionRow) -> Any:
    """Return how an action is done, its order, and a connection to do it by hand."""
    verb, action = desk.office.verb("sso", row.verb)
    return action, order_of(desk.office.store, verb, row), desk.office.connected("sso")


def test_an_account_is_deactivated_and_activated(desk: Desk, server: Server) -> None:
    password = server.select("SELECT password FROM \"user\" WHERE user_name = 'ann'")
    row = desk.plan("deactivate_user", user="ann")
    assert (row.title, row.plan["changes"]) == ("deactivate account ann", [["active", True, False]])
    assert row.target == f"users/{server.user('ann')}"
    assert is_active(server, "ann")
    [row] = desk.send(row)
    assert (row.state, is_active(server, "ann")) == ("confirmed", False)
    with pytest.raises(Refused, match="account ann is already deactivated"):
        desk.plan("deactivate_user", user=server.user("ann"))
    back = desk.undo(row)
    assert (back.verb, back.state, is_active(server, "ann")) == ("activate_user", "confirmed", True)
    with pytest.raises(Refused, match="already activated"):
        desk.plan("activate_user", user="ann")
    assert server.select("SELECT password FROM \"user\" WHERE user_name = 'ann'") == password
    assert members(server, "admins") == {"ann"}


def test_a_deactivation_warns_of_sessions(desk: Desk, session: str) -> None:
    row = desk.plan("deactivate_user", user="ann")
    assert row.plan["warnings"] == ["1 open sessions of it go on: end them with end_sessions"]


def test_in_and_out_of_a_group(desk: Desk, server: Server) -> None:
    before = members(server, "everybody")
    row = desk.act("remove_from_group", user="user3", group="everybody")
    assert (row.state, row.title) == ("confirmed", "take account user3 out of group everybody")
    assert members(server, "everybody") == before - {"user3"}
    back = desk.undo(row)
    assert (back.verb, back.state, members(server, "everybody")) == ("add_to_group", "confirmed", before)
    row = desk.act("add_to_group", user=server.user("user4"), group=server.group("admins"))
    assert (row.state, members(server, "admins")) == ("confirmed", {"ann", "user4"})
    assert row.plan["warnings"] == ["admins is a role, which gives permissions: change everything"]
    row = desk.undo(row)
    assert (row.verb, row.state, members(server, "admins")) == ("remove_from_group", "confirmed", {"ann"})


def test_a_sender_is_killed_and_each_account_changes_once(server: Server, secrets: None, tmp_path: Path) -> None:
    environment = {name: os.environ[name] for name in ("SSO_READER", "SSO_WRITER", "SSO_SHOP", "SSO_DATABASE")}
    before, everybody = changes(server), members(server, "everybody")
    with proxy(int(server.url.rpartition(":")[2])) as front:
        through = Server(f"http://127.0.0.1:{front.port}", server.folder)
        with desk_of(tmp_path / "killed", "sso", declared(through)) as desk:
            killing = Killing(desk, front, b"(PATCH|PUT) /scim/", environment)
            for number, point in enumerate(POINTS):
                killing.at(point, desk.plan("deactivate_user", user=f"user{number}"))
            for number, point in enumerate(("sent", "unsent", "unanswered")):  # each while the one before is in doubt
                killing.at(point, desk.plan("remove_from_group", user=f"user{number}", group="everybody"))
            rows = killing.finish()
    assert [(row.state, row.reason) for row in rows] == [("confirmed", None)] * len(rows)
    assert changes(server) - before == len(rows)
    assert everybody - members(server, "everybody") == {"user0", "user1", "user2"}
    assert not any(is_active(server, f"user{number}") for number in range(len(POINTS)))


def test_roles(desk: Desk, server: Server) -> None:
    row = desk.act("grant_role", user="user1", role="admins")
    assert (row.state, row.title) == ("confirmed", "give account user1 the role admins")
    assert members(server, "admins") == {"ann", "user1"}
    row = desk.undo(row)
    assert (row.verb, row.state, members(server, "admins")) == ("revoke_role", "confirmed", {"ann"})
    row = desk.act("revoke_role", user="ann", role="admins")
    assert (row.state, members(server, "admins")) == ("confirmed", set())
    assert "nobody else is in admins" in row.plan["warnings"]
    with pytest.raises(Refused, match="group everybody is no role: declare it"):
        desk.plan("grant_role", user="ann", role="everybody")


def test_several_of_one_group_can_be_approved_together(desk: Desk, server: Server) -> None:
    rows = [desk.plan("remove_from_group", user=f"user{i}", group="everybody") for i in range(4)]
    assert {row.state for row in desk.send(*rows)} == {"confirmed"}
    assert members(server, "everybody") == {"ann", *(f"user{i}" for i in range(4, 12))}


def test_what_cannot_be_done_says_why(desk: Desk, server: Server) -> None:
    for verb, given, why in (
        ("remove_from_group", {"user": "gone", "group": "everybody"}, "already not in group everybody"),
        ("add_to_group", {"user": "ann", "group": "everybody"}, "already in group everybody"),
        ("deactivate_user", {"user": "gone"}, "account gone is already deactivated"),
        ("deactivate_user", {"user": "nobody"}, "there is no account with the id or login nobody"),
        ("add_to_group", {"user": "ann", "group": "no/one"}, "there is no group with the id or name no/one"),
        ("end_session", {"id": "none"}, "there is no session none"),
        ("end_sessions", {"user": "user1"}, "account user1 has no open session"),
        ("reinstate", {"user": "ann", "groups": ["admins"]}, "account ann has already what"),
    ):
        before = changes(server)
        with pytest.raises(Refused, match=why):
            desk.plan(verb, **given)
        assert changes(server) == before


def test_bad_parameters_are_named(desk: Desk) -> None:
    for verb, given, named in (
        ("deactivate_user", {}, "user: "),
        ("deactivate_user", {"user": ""}, "user: "),
        ("deactivate_user", {"user": "a\nb"}, "user: write it without control characters"),
        ("deactivate_user", {"user": " ann"}, "user: write it without control characters"),
        ("add_to_group", {"user": "ann", "groop": "admins"}, 'did you mean "group"'),
        ("end_session", {"id": "x" * 256}, "id: "),
        ("reinstate", {"user": "ann", "activate": "perhaps"}, "activate: "),
    ):
        with pytest.raises(UnknownAction, match=rf"sso\.{verb}") as refused:
            desk.plan(verb, **given)
        assert named in str(refused.value)


def by_hand_deactivated(server: Server) -> None:
    server.ask("PATCH", f"Users/{server.user('ann')}", _operation("active", value=False))


def by_hand_removed(server: Server) -> None:
    server.put_members("everybody", ["ann"])


def _operation(path: str, *, value: Any) -> dict[str, Any]:
    operation = {"op": "replace", "path": path, "value": value}
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}


@pytest.mark.parametrize(
    ("verb", "given", "by_hand"),
    [
        ("deactivate_user", {"user": "ann"}, by_hand_deactivated),
        ("remove_from_group", {"user": "user2", "group": "everybody"}, by_hand_removed),
    ],
)
def test_somebody_does_it_meanwhile(
    desk: Desk, server: Server, verb: str, given: dict[str, str], by_hand: Callable[[Server], None]
) -> None:
    row = desk.plan(verb, **given)
    by_hand(server)
    before = changes(server)
    [row] = desk.send(row)
    assert (row.state, changes(server)) == ("confirmed", before)


def test_a_later_change_of_a_person_is_never_overridden(desk: Desk, server: Server) -> None:
    row = desk.plan("remove_from_group", user="user2", group="everybody")
    action, order, connected = wired(desk, row)
    with connected as directory:
        assert action.probe(directory, order) is None
        receipt = action.send(directory, order)
        assert action.probe(directory, order) == receipt
        assert action.confirm(directory, order, receipt) == ()
        before = changes(server)
        again = replace(order, attempt=2)
        for each in (order, again):
            with pytest.raises(Outdated):
                action.send(directory, each)
        assert changes(server) == before
        server.put_members("everybody", ["user2"])
        before = changes(server)
        with pytest.raises(Outdated, match="changed after the first attempt"):
            action.send(directory, again)
        assert [(each.before, each.after) for each in action.confirm(directory, order, receipt)] == [(False, True)]
        assert changes(server) == before
    assert members(server, "everybody") == {"user2"}


def test_the_server_refuses_another_version(desk: Desk, server: Server) -> None:
    with desk.office.connected("sso") as directory:
        group = directory.group("everybody")
        server.put_members("everybody", ["ann"])
        with pytest.raises(Outdated):
            directory.put("Groups", group["id"], group, group["meta"]["version"])
    assert members(server, "everybody") == {"ann"}


def test_an_account_that_was_deleted_meanwhile(desk: Desk, server: Server) -> None:
    server.add()
    row = desk.plan("deactivate_user", user="new")
    server.ask("DELETE", f"Users/{server.user('new')}")
    action, order, connected = wired(desk, row)
    with connected as directory, pytest.raises(NotFound):
        action.send(directory, order)
    [row] = desk.send(row)
    assert row.state == "failed"


def test_a_session_ends(desk: Desk, server: Server, session: str) -> None:
    other = sign_in(server)
    row = desk.plan("end_session", id=session)
    assert row.title.startswith("end session in Shop, since ")
    assert row.title.endswith(" of account ann")
    assert row.plan["warnings"] == ["the account is active: the person can sign in again at once"]
    [row] = desk.send(row)
    assert (row.state, is_open(server, session), is_open(server, other)) == ("confirmed", False, True)
    with pytest.raises(Refused, match="has already ended"):
        desk.plan("end_session", id=session)
    with pytest.raises(Refused, match="can't go on"):
        undo(desk.office, row, "ann")


def test_ending_a_session_twice_changes_nothing(desk: Desk, server: Server, session: str) -> None:
    row = desk.plan("end_session", id=session)
    action, order, connected = wired(desk, row)
    with connected as directory:
        assert action.probe(directory, order) is None
        assert [each.before for each in action.confirm(directory, order, None)] == ["ended"]
        first = action.send(directory, order)
        at = server.select(f"SELECT revokation_date FROM token WHERE id = '{session}'")
        assert action.send(directory, order) == first == action.probe(directory, order)
        assert action.confirm(directory, order, first) == ()
    assert server.select(f"SELECT revokation_date FROM token WHERE id = '{session}'") == at


def test_all_sessions_of_an_account_end(desk: Desk, server: Server, session: str) -> None:
    other = sign_in(server)
    row = desk.act("end_sessions", user="ann")
    assert (row.state, row.title) == ("confirmed", "end all 2 open sessions of account ann")
    assert not is_open(server, session)
    assert not is_open(server, other)


def test_only_the_application_ends_its_sessions(
    tmp_path: Path, server: Server, secrets: None, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk_of(tmp_path / "without", "sso", declared(server, revocation=None)) as desk:
        for verb, given in (
            ("end_session", {"id": session}),
            ("end_sessions", {"user": "ann"}),
            ("offboard", {"user": "ann"}),
        ):
            with pytest.raises(Refused, match=r"declare the credentials of Shop \(client_id shop\)"):
                desk.plan(verb, **given)
    with desk_of(tmp_path / "blind", "sso", declared(server, canaille_database=None)) as desk:
        with pytest.raises(Refused, match=r"declare connection\.canaille_database"):
            desk.plan("end_session", id=session)
        assert desk.plan("offboard", user="ann").plan["warnings"][0].startswith("sessions may go on")
    monkeypatch.setenv("SSO_SHOP", "wrong-secret")
    with desk_of(tmp_path / "wrong", "sso", declared(server)) as desk:
        row = desk.act("end_session", id=session)
    assert (row.state, is_open(server, session)) == ("failed", True)
    assert "correct client_id and client_secret of the application in connection.revocation" in str(row.reason)


def test_a_leaver_is_offboarded_and_reinstated(desk: Desk, server: Server, session: str) -> None:
    row = desk.plan("offboard", user="ann")
    assert row.title == "offboard account ann: deactivate it, end 1 session, leave 2 groups"
    assert [each[0].partition(",")[0] for each in row.plan["changes"]] == [
        "active",
        "session in Shop",
        "role admins",
        "group everybody",
    ]
    consent, elsewhere = row.plan["warnings"]
    assert consent.startswith("the consent to Shop stays")
    assert "leaver_holdings" in elsewhere
    [row] = desk.send(row)
    assert row.state == "confirmed"
    assert not is_active(server, "ann")
    assert not is_open(server, session)
    assert "ann" not in members(server, "admins") | members(server, "everybody")
    assert row.receipt is not None
    assert (row.receipt["active"], set(row.receipt["groups"].values())) == (False, {False})
    with pytest.raises(Refused, match="already offboarded"):
        desk.plan("offboard", user="ann")
    back = desk.undo(row)
    assert (back.verb, back.state) == ("reinstate", "confirmed")
    assert is_active(server, "ann")
    assert "ann" in members(server, "admins") & members(server, "everybody")
    with pytest.raises(Refused, match="step by step"):
        undo(desk.office, back, "ann")


def test_an_offboarding_that_stopped_halfway_goes_on(desk: Desk, server: Server, session: str) -> None:
    row = desk.plan("offboard", user="ann")
    action, order, connected = wired(desk, row)
    with connected as directory:
        by_hand_deactivated(server)
        server.put_members("admins", [])
        assert action.probe(directory, order) is None
        receipt = action.send(directory, replace(order, attempt=2))
        assert action.confirm(directory, order, receipt) == ()
        before = changes(server)
        assert action.send(directory, order) == receipt == action.probe(directory, order)
        assert changes(server) == before
        time.sleep(1 - time.time() % 1)  # Canaille gives all changes within a second the same version
        server.put_members("admins", ["ann"])
        with pytest.raises(Outdated):
            action.send(directory, replace(order, attempt=2))
        assert [each.what for each in action.confirm(directory, order, receipt)] == ["ann in admins"]
    assert members(server, "admins") == {"ann"}


def test_an_offboarding_that_fails_in_a_step_is_planned_again_for_the_rest(
    desk: Desk, server: Server, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = desk.plan("offboard", user="ann")
    monkeypatch.setenv("SSO_SHOP", "wrong-secret")
    [row] = desk.send(row)
    assert (row.state, is_active(server, "ann"), is_open(server, session)) == ("failed", False, True)
    assert members(server, "admins") == {"ann"}
    monkeypatch.setenv("SSO_SHOP", SECRET)
    row = desk.act("offboard", user="ann")
    assert (row.title, row.state) == ("offboard account ann: end 1 session, leave 2 groups", "confirmed")
    assert (is_open(server, session), members(server, "admins")) == (False, set())


def test_a_session_after_the_offboarding_is_a_difference(desk: Desk, server: Server) -> None:
    row = desk.plan("offboard", user="ann")
    action, order, connected = wired(desk, row)
    late = sign_in(server)
    with connected as directory:
        receipt = action.send(directory, order)
        [difference] = action.confirm(directory, order, receipt)
    assert difference.what.startswith("session in Shop")
    assert is_open(server, late)


def test_somebody_activates_a_leaver_before_the_rest_is_taken(desk: Desk, server: Server) -> None:
    by_hand_deactivated(server)
    row = desk.plan("offboard", user="ann")
    server.ask("PATCH", f"Users/{server.user('ann')}", _operation("active", value=True))
    [row] = desk.send(row)
    assert row.state == "failed"
    assert "somebody has activated it meanwhile" in str(row.reason)
    assert members(server, "admins") == {"ann"}


def test_no_secret_is_stored_or_logged(
    desk: Desk, server: Server, session: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    [(token,)] = server.select(f"SELECT access_token FROM token WHERE id = '{session}'")
    row = desk.plan("end_session", id=session)
    monkeypatch.setenv("SSO_SHOP", "wrong-secret")
    [row] = desk.send(row)
    monkeypatch.setenv("SSO_SHOP", SECRET)
    assert row.state == "failed"
    assert desk.act("offboard", user="ann").state == "confirmed"
    for secret in (token, SECRET, "wrong-secret"):
        assert secret not in caplog.text
        for path in desk.office.project.state.rglob("*"):
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), path


def test_every_verb_is_there_and_can_be_probed() -> None:
    assert {verb.name for verb in verbs_of("sso")} == set(ACTIONS)
    assert all(action.probe for action in ACTIONS.values())


class TestWithoutVersions:
    """A service that has no versions, names members by id, honours no filter and lets PATCH remove."""

    @pytest.fixture
    def fake(self) -> Iterator[Fake]:
        fake = Fake()
        for name in ("ann", "bob"):
            fake.user(name)
        fake.group("staff", "id-ann", "id-bob")
        with serving(fake):
            yield fake

    @pytest.fixture
    def plain(self, tmp_path: Path, fake: Fake) -> Iterator[Desk]:
        connection = {"url": f"{fake.url}/scim"}
        with desk_of(tmp_path / "plain", "sso", {"source": "sso", "driver": "scim", "connection": connection}) as desk:
            yield desk

    def test_one_member_is_removed_by_a_patch(self, fake: Fake, plain: Desk) -> None:
        row = plain.act("remove_from_group", user="ann", group="staff")
        assert row.state == "confirmed"
        [(_, _, body)] = fake.changes
        assert body["Operations"] == [{"op": "remove", "path": 'members[value eq "id-ann"]'}]
        assert plain.undo(row).state == "confirmed"
        assert [each["value"] for each in fake.resources["Groups"]["staff"]["members"]] == ["id-bob", "id-ann"]

    def test_two_groups_of_one_name_are_not_guessed(self, fake: Fake, plain: Desk) -> None:
        fake.resources["Groups"]["other"] = {**fake.resources["Groups"]["staff"], "id": "id-other"}
        with pytest.raises(Refused, match=r"name one by its id \(id-other, id-staff\)"):
            plain.plan("remove_from_group", user="ann", group="staff")
        assert plain.act("remove_from_group", user="ann", group="id-other").state == "confirmed"

    def test_who_reports_to_a_leaver_is_named(self, fake: Fake, plain: Desk) -> None:
        from tests.sources.scim_fake import ENTERPRISE

        fake.user("bob", **{ENTERPRISE: {"manager": {"value": "id-ann"}}})
        warnings = plain.plan("offboard", user="ann").plan["warnings"]
        assert "they are still the manager of bob: name another one" in warnings

    def test_without_the_right_nothing_happens(self, fake: Fake, plain: Desk) -> None:
        row = plain.plan("deactivate_user", user="ann")
        fake.fault = lambda _number, _path: (403, b"{}") if fake.changes else None
        action, order, connected = wired(plain, row)
        with connected as directory, pytest.raises(Forbidden, match=r"the client of connection\.action_auth"):
            action.send(directory, order)
        fake.changes.clear()
        [row] = plain.send(row)
        assert (row.state, fake.resources["Users"]["ann"]["active"]) == ("failed", True)

    def test_a_lost_answer_is_looked_for(self, fake: Fake, plain: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        from leat.sources.retry import RetryPolicy

        monkeypatch.setattr("leat.actions.steps.RETRY", RetryPolicy((0.05,) * 7, longest=1))
        row = plain.plan("deactivate_user", user="ann")
        change = fake.change

        def lost(method: str, target: str, body: Any) -> tuple[int, bytes]:
            change(method, target, body)
            return 500, b"{}"

        monkeypatch.setattr(fake, "change", lost)
        approve(plain.office.store, row, "bob")
        deliver(plain.office, "sso", patience=0.02)
        monkeypatch.undo()
        row = plain.now(row)
        assert (fake.resources["Users"]["ann"]["active"], row.state) == (False, "unknown")
        deliver(plain.office, "sso", patience=15)
        assert plain.now(row).state == "confirmed"
