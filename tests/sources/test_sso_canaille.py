"""What Canaille reports by SCIM, by its database and by its log, and what happens when it stops or forgets a token."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from leat.demo.servers.canaille import DATABASE, LOG, start_canaille
from leat.demo.servers.canaille_browser import Browser
from leat.demo.servers.process import running
from leat.sources.driver import load_driver
from leat.sources.errors import NotConfigured, NotFound, Unavailable, UnexpectedShape
from leat.sources.events import Event, Failed, FullScan, Quarantined, Rows
from leat.sources.http.calls import ApiCall
from leat.sources.sso.canaille.database import read_database
from leat.sources.sso.canaille.queries import QUERIES
from leat.sources.sso.streams import DIRECTORY
from tests.contract.proxy import HTTP, Proxy, proxied
from tests.contract.sso_scim import ACCOUNTS, READER, SHOP, Server
from tests.contract.world import SECRET
from tests.kit.tables import Tables


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("canaille")
    with running(start_canaille(folder, ACCOUNTS)) as process:
        yield Server(f"http://127.0.0.1:{process.port}", folder)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with proxied(int(server.url.rpartition(":")[2]), HTTP) as front:
        yield front


@pytest.fixture
def tables(server: Server, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    monkeypatch.setenv("SSO_SECRET", SECRET)
    monkeypatch.setenv("SSO_DATABASE", f"sqlite:///{server.folder / DATABASE}")
    url = f"http://127.0.0.1:{proxy.port}"
    auth = {"kind": "oauth2_client_credentials", "token_url": f"{url}/oauth/token", "client_id": READER}
    connection = {
        "url": f"{url}/scim/v2",
        "auth": {**auth, "client_secret": {"env": "SSO_SECRET"}},
        "roles": [{"group": "admins"}],
        "canaille_log": str(server.folder / LOG),
        "canaille_database": {"env": "SSO_DATABASE"},
    }
    return Tables("sso", "scim", connection, tmp_path)


def _kinds(tables: Tables) -> list[tuple[str, bool]]:
    rows = [
        row for e in tables.events if isinstance(e, Rows) and e.stream == "login_events" for row in e.table.to_pylist()
    ]
    return [(row["kind"], row["success"]) for row in rows if row["user_name"] == "ann"]


def test_everything_of_a_sign_in_arrives(server: Server, tables: Tables) -> None:
    tables.run()
    assert not Browser(server.url).sign_in("ann", "wrong")
    browser = Browser(server.url)
    assert browser.sign_in("ann", f"ann-{SECRET}")
    token = browser.use("shop", SECRET, "https://shop.example/back")
    tables.run()
    issued = [("consent_given", True), ("token_issued", True)]
    assert _kinds(tables) == [("login", False), ("factor", True), ("login", True), *issued]
    ann = server.user("ann")
    (session,) = [row for row in tables.table("sessions") if row["user_id"] == ann]
    (used,) = tables.table("app_assignments")
    shop = next(row["id"] for row in tables.table("applications") if row["name"] == "Shop")
    assert (session["application_id"], used["application_id"], used["origin"]) == (shop, shop, "consent")
    assert (session["expires_at"] - session["started_at"]).days == 10
    assert tables.column("factors", "kind") == ["password"]
    said = str(tables.rows) + json.dumps(tables.cursor)
    assert token not in said
    assert SECRET not in said
    assert tables.run() == []


def test_a_revoked_session_is_changed_and_a_cleaned_one_is_deleted(server: Server, tables: Tables) -> None:
    Browser(server.url).sign_in("ann", f"ann-{SECRET}")
    browser = Browser(server.url)
    browser.sign_in("ann", f"ann-{SECRET}")
    browser.use("shop", SECRET, "https://shop.example/back")
    tables.run()
    with closing(sqlite3.connect(server.folder / DATABASE)) as database, database:
        database.execute("UPDATE token SET revokation_date = '2026-03-01 10:00:00' WHERE subject_id IS NOT NULL")
    tables.run()
    assert all(row["revoked_at"] for row in tables.table("sessions"))
    with closing(sqlite3.connect(server.folder / DATABASE)) as database, database:
        database.execute("DELETE FROM token WHERE subject_id IS NOT NULL")
    tables.run()
    assert tables.table("sessions") == []
    assert {e.stream for e in tables.events if isinstance(e, FullScan)} == {"sessions"}


def test_since_when_an_account_is_locked(server: Server, tables: Tables) -> None:
    tables.run()
    before = tables.table("deactivations")
    with closing(sqlite3.connect(server.folder / DATABASE)) as database, database:
        database.execute("UPDATE \"user\" SET lock_date = '2026-03-01 10:00:00' WHERE user_name = 'ann'")
    tables.run()
    (row,) = [row for row in tables.table("deactivations") if row not in before]
    assert (row["user_id"], row["deactivated_at"]) == (server.user("ann"), datetime(2026, 3, 1, 10, tzinfo=UTC))
    with closing(sqlite3.connect(server.folder / DATABASE)) as database, database:
        database.execute("UPDATE \"user\" SET lock_date = NULL WHERE user_name = 'ann'")
    tables.run()
    assert tables.table("deactivations") == before


def test_members_are_named_by_login_and_resolved(server: Server, tables: Tables) -> None:
    listed = server.ask("GET", "Groups")["Resources"]
    assert {m["value"] for group in listed for m in group["members"]} >= {
        "ann",
        "user0",
    }  # what RFC 7643 wants an id for
    tables.run()
    users = {row["id"] for row in tables.table("users")}
    assert {row["member_id"] for row in tables.table("group_members")} <= users


def test_a_user_who_leaves_and_is_deleted(server: Server, tables: Tables) -> None:
    tables.run()
    server.add()
    server.change()
    tables.run()
    (row,) = [row for row in tables.table("users") if row["user_name"] == "new"]
    assert (row["active"], row["department"]) == (False, "sales")
    server.delete()
    tables.run()
    assert "new" not in tables.column("users", "user_name")
    assert row["id"] not in tables.column("group_members", "member_id")


def _extract(tables: Tables, after: int, act: Callable[[], None]) -> Iterator[Event]:
    """Extract all again, and do something after so many requests."""
    calls: list[ApiCall] = []

    def called(call: ApiCall) -> None:
        calls.append(call)
        if len(calls) == after:
            act()

    driver = load_driver("sso", "scim")
    tables.cursor = None
    return driver.extract(driver.Connection(**tables.connection), replace(tables.sync(), called=called))


def test_a_token_that_the_server_forgets_is_renewed(server: Server, tables: Tables, proxy: Proxy) -> None:
    def forget() -> None:
        with closing(sqlite3.connect(server.folder / DATABASE)) as database, database:
            database.execute("UPDATE token SET revokation_date = '2026-03-01 10:00:00' WHERE subject_id IS NULL")

    events = list(_extract(tables, 2, forget))  # a token, and a page of users
    assert [e.table.num_rows for e in events if isinstance(e, Rows) and e.stream == "users"] == [len(ACCOUNTS.users)]
    assert proxy.seen == 5 + 2  # the request that was refused, and one for a new token


def test_a_server_that_stops_in_the_middle_of_a_page_changes_nothing(tables: Tables, proxy: Proxy) -> None:
    tables.run()
    before = tables.cursor
    failed = {e.stream for e in _extract(tables, 3, proxy.close) if isinstance(e, Failed)}
    assert failed == DIRECTORY - {"users"}, "they had all come"
    assert not list(tables.folder.glob("*.jsonl"))
    proxy.open()
    tables.cursor = before
    assert tables.run() == []


def test_the_log_and_the_database_have_to_be_there(server: Server, tables: Tables, monkeypatch: Any) -> None:
    good = dict(tables.connection)
    tables.connection["canaille_log"] = str(server.folder / "nowhere.log")
    (lost,) = [event for event in tables.run() if isinstance(event, Failed)]
    assert (lost.stream, type(lost.error)) == ("login_events", NotFound)
    assert "canaille_log" in str(lost.error)
    assert len(tables.table("users")) == len(ACCOUNTS.users)
    tables.connection = {**good, "canaille_log_timezone": "Europe/Atlantis"}
    with pytest.raises(NotConfigured, match="no such zone"):
        tables.run()
    tables.connection = good
    for url, kind in (
        ("sqlite:////nowhere/canaille.sqlite", NotFound),
        (f"sqlite:///{server.folder / LOG}", Unavailable),
        ("nonsense", NotConfigured),
        ("mysql://u:p@h/d", NotConfigured),
    ):
        monkeypatch.setenv("SSO_DATABASE", url)
        if kind is NotConfigured:
            with pytest.raises(kind):
                tables.run()
            continue
        tables.run()
        assert {type(event.error) for event in tables.events if isinstance(event, Failed)} == {kind}
        assert tables.failed() == set(QUERIES)
    empty = tables.folder / "empty.sqlite"
    sqlite3.connect(empty).close()
    monkeypatch.setenv("SSO_DATABASE", f"sqlite:///{empty}")
    (error,) = {event.error for event in tables.run() if isinstance(event, Failed)}
    assert isinstance(error, UnexpectedShape)
    assert "no table client" in str(error)


def test_a_row_of_the_database_that_is_broken_is_quarantined_alone(server: Server, tables: Tables) -> None:
    tables.run()
    with closing(sqlite3.connect(server.folder / DATABASE)) as database, database:
        database.execute("UPDATE client SET client_name = x'00ff' WHERE client_id = 'shop'")
    tables.run()
    with closing(sqlite3.connect(server.folder / DATABASE)) as database, database:
        database.execute("UPDATE client SET client_name = ? WHERE client_id = 'shop'", (SHOP["client_name"],))
    assert [event.stream for event in tables.events if isinstance(event, Quarantined)] == ["applications"]
    assert len(tables.table("applications")) == 3


def test_the_database_may_be_on_postgres(postgres_url: str, tables: Tables) -> None:
    import_module("canaille.backends.sql.models.oidc")
    Base = import_module("canaille.backends.sql.backend").Base  # noqa: N806 - a class
    engine = sqlalchemy.create_engine(postgres_url)
    names = ("user", "client", "token", "consent", "webauthn_credential")
    Base.metadata.create_all(engine, tables=[Base.metadata.tables[name] for name in names])
    with engine.begin() as connection:
        for statement in _STATEMENTS:
            connection.exec_driver_sql(statement)
    engine.dispose()
    events = list(read_database(tables.sync(), postgres_url, {}))
    rows = {event.stream: event.table.to_pylist() for event in events if isinstance(event, Rows)}
    assert {stream: len(of_stream) for stream, of_stream in rows.items()} == {
        "applications": 1,
        "app_assignments": 1,
        "factors": 2,
        "sessions": 1,
        "deactivations": 1,
    }
    assert rows["deactivations"][0]["deactivated_at"] == datetime(2026, 2, 1, 8, tzinfo=UTC)
    (session,) = rows["sessions"]
    assert (session["renewable"], session["scopes"]) == (False, '["openid"]')
    assert session["expires_at"] == datetime(2026, 3, 1, 11, tzinfo=UTC)
    with pytest.raises(UnexpectedShape):
        list(read_database(tables.sync(), postgres_url.rpartition("/")[0] + "/postgres", {}))


_STATEMENTS = (
    "INSERT INTO client (id, client_id, client_name, grant_types) VALUES ('c', 'shop', 'Shop', '[\"implicit\"]')",
    "INSERT INTO \"user\" (id, user_name, password, secret_token) VALUES ('u', 'ann', 'x', 'y')",
    "INSERT INTO \"user\" (id, user_name, lock_date) VALUES ('v', 'bob', '2026-02-01 08:00:00')",
    "INSERT INTO token (id, client_id, subject_id, scope, issue_date, lifetime) "
    "VALUES ('t', 'c', 'u', '[\"openid\"]', '2026-03-01 10:00:00', 3600)",
)
