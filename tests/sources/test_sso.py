"""What is peculiar to reading users and groups by SCIM, at a fake service that has the faults of many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sources.errors import IntegrationError, Unauthenticated, Unavailable, UnexpectedShape
from sources.events import Cursor, FullScan, Rows
from tests.kit.tables import NOW, Tables
from tests.sources.scim_fake import ENTERPRISE, Fake, serving

TOMORROW = NOW + timedelta(days=1)


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serving(Fake()) as service:
        yield service


@pytest.fixture
def tables(fake: Fake, tmp_path: Path) -> Tables:
    roles = [{"group": "admins", "permissions": ["write"]}, {"group": "role-*"}]
    return Tables("sso", "scim", {"url": f"{fake.url}/scim", "roles": roles}, tmp_path)


def _members(tables: Tables) -> set[tuple[str, str]]:
    return {(row["group_id"], row["member_id"]) for row in tables.table("group_members")}


def _streams(tables: Tables) -> set[str]:
    return {event.stream for event in tables.events if isinstance(event, Rows)}


def _filtered(fake: Fake) -> None:
    """Let the service honour filters, and hold something that they leave out."""
    fake.filters = fake.honours = True
    fake.user("aaa", at="2026-01-01T00:00:00Z")
    fake.group("old", at="2026-02-01T00:00:00Z")


# Pain: deprovisioned users vanish


def test_deprovisioned_users_stay_and_are_marked(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    fake.user("bob")
    fake.group("staff", "id-ann", "id-bob")
    tables.run()
    fake.user("bob", active=False)
    tables.run()
    assert {row["user_name"]: row["active"] for row in tables.table("users")} == {"ann": True, "bob": False}
    assert _members(tables) == {("id-staff", "id-ann"), ("id-staff", "id-bob")}


def test_a_deleted_user_is_a_delete_by_full_scan(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    fake.user("bob")
    tables.run()
    del fake.resources["Users"]["bob"]
    tables.run()
    assert FullScan("users") in tables.events
    assert tables.column("users", "user_name") == ["ann"]


# Pain: group members paged wrongly


@pytest.mark.parametrize("page", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    "total", [lambda n: n, lambda _n: None, lambda _n: 0, lambda _n: 1], ids=["right", "none", "0", "1"]
)
def test_pages_are_read_to_their_end_whatever_the_total(fake: Fake, tables: Tables, page: int, total: Any) -> None:
    fake.page, fake.total = page, total
    for number in range(15):
        fake.user(f"u{number:02}")
        fake.group(f"g{number:02}", *(f"id-u{each:02}" for each in range(number)))
    tables.run()
    assert (len(tables.table("users")), len(tables.table("groups"))) == (15, 15)
    assert len(_members(tables)) == sum(range(15))
    assert FullScan("group_members") in tables.events


def test_members_are_those_that_either_side_names(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    fake.user("bob", groups=[{"value": "id-big", "type": "direct"}])
    fake.user("cid", groups=[{"value": "id-big", "type": "indirect"}])
    fake.group("big", "id-ann")  # a service that cuts long lists of members
    tables.run()
    assert {row["member_id"]: row["direct"] for row in tables.table("group_members")} == {
        "id-ann": True,
        "id-bob": True,
        "id-cid": False,
    }


def test_members_named_by_login_are_found(fake: Fake, tables: Tables) -> None:
    fake.user("Ann")
    fake.group("staff", "ann", "nobody", "id-ops")
    fake.group("ops")
    tables.run()
    kinds = {(row["member_id"], row["member_type"]) for row in tables.table("group_members")}
    assert kinds == {("id-Ann", "User"), ("nobody", "User"), ("id-ops", "Group")}


def test_members_that_a_listing_leaves_out_are_asked_for(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    fake.group("staff", "id-ann")
    fake.members_listed = False
    tables.run()
    assert _members(tables) == {("id-staff", "id-ann")}
    assert tables.run() == []


def test_a_big_group(fake: Fake, tables: Tables) -> None:
    for number in range(2500):
        fake.user(f"u{number}")
    fake.group("everybody", *(f"id-u{number}" for number in range(2500)))
    tables.run()
    assert len(_members(tables)) == 2500


def test_pages_in_a_circle_stop_the_run(fake: Fake, tables: Tables) -> None:
    for number in range(5):
        fake.user(f"u{number}")
    fake.page, fake.ignores_start = 2, True
    with pytest.raises(UnexpectedShape, match="again from startIndex=3"):
        tables.run()
    assert len(fake.seen) == 2


def test_a_service_that_ignores_start_and_gives_all_is_complete(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    fake.group("staff", "id-ann")
    fake.ignores_start = True
    tables.run()
    assert FullScan("users") in tables.events


def test_a_record_on_two_pages_is_one_row(fake: Fake, tables: Tables) -> None:
    ann = fake.user("ann")
    fake.user("bob")
    fake.resources["Users"]["again"] = ann
    fake.page = 2
    fake.total = lambda _count: 2
    tables.run()
    assert tables.column("users", "user_name") == ["ann", "bob"]


def test_a_listing_that_gives_less_than_it_promises_deletes_nothing(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    fake.user("bob")
    tables.run()
    del fake.resources["Users"]["bob"]
    fake.user("cid")
    fake.total = lambda count: count + 1
    tables.run()
    assert tables.column("users", "user_name") == ["ann", "bob", "cid"]
    assert [event.event_type for event in tables.logged()] == ["deletes_postponed"]
    fake.total = lambda count: count
    tables.run()
    assert tables.column("users", "user_name") == ["ann", "cid"]


def test_a_user_who_goes_while_pages_are_read_hides_nobody(fake: Fake, tables: Tables) -> None:
    for name in ("ann", "bob", "cid", "dan"):
        fake.user(name)
    tables.run()
    fake.page = 2

    def vanish(number: int, path: str) -> None:
        if path.endswith("Users") and "startIndex=3" in fake.seen[number - 1]:
            fake.resources["Users"].pop("ann", None)  # the others move up: cid is on no page

    fake.fault = vanish
    fake.user("dan", title="Boss")
    tables.run()
    assert tables.column("users", "user_name") == ["bob", "cid", "dan"]


# filters


def test_a_filter_that_is_honoured_is_used(fake: Fake, tables: Tables) -> None:
    fake.filters = fake.honours = True
    for number in range(30):
        fake.user(f"u{number:02}", at=f"2026-03-01T00:00:{number:02}Z")
    fake.group("old", at="2026-02-01T00:00:00Z")
    fake.group("admins", "id-u01", "id-u02")
    tables.run()
    assert tables.run() == []
    fake.user("u05", at="2026-03-02T00:00:00Z", title="Boss")
    fake.group("admins", "id-u02", "id-u03", at="2026-03-02T00:00:01Z")
    tables.run()
    read = sum(event.table.num_rows for event in tables.events if isinstance(event, Rows) and event.stream == "users")
    assert read == 2  # u05, and u29 for the overlap
    assert tables.rows["users"]["id-u05",]["title"] == "Boss"
    assert _members(tables) == {("id-admins", "id-u02"), ("id-admins", "id-u03")}
    assert tables.column("role_assignments", "member_id") == ["id-u02", "id-u03"]
    assert not [event for event in tables.events if isinstance(event, FullScan)]
    assert tables.run() == []


def test_two_changes_in_one_second_are_both_seen(fake: Fake, tables: Tables) -> None:
    _filtered(fake)
    fake.user("ann", at="2026-03-01T10:00:00Z")
    fake.group("staff")
    tables.run()
    fake.user("bob", at="2026-03-01T10:00:00Z")
    tables.run()
    assert "filter=" in fake.seen[-1]
    assert tables.column("users", "user_name") == ["aaa", "ann", "bob"]


def test_deletes_are_found_on_the_first_run_of_a_day(fake: Fake, tables: Tables) -> None:
    _filtered(fake)
    fake.user("ann", at="2026-03-01T10:00:00Z")
    fake.user("bob", at="2026-03-01T09:00:00Z")
    fake.group("staff", "id-ann")
    tables.run()
    del fake.resources["Users"]["bob"]
    assert tables.run() == []
    tables.run(TOMORROW)
    assert tables.column("users", "user_name") == ["aaa", "ann"]


@pytest.mark.parametrize("says", [True, False])
def test_a_filter_that_is_ignored_is_not_believed(fake: Fake, tables: Tables, says: bool) -> None:
    fake.filters, fake.honours = says, False
    fake.user("ann", at="2026-03-01T10:00:00Z")
    fake.user("bob", at="2026-03-01T09:00:00Z")
    fake.group("staff", "id-ann")
    fake.group("old", at="2026-02-01T00:00:00Z")
    tables.run()
    assert tables.run() == []
    del fake.resources["Users"]["bob"]
    tables.run()
    assert tables.column("users", "user_name") == ["ann"]
    assert any("filter" in path for path in fake.seen) == says


def test_a_filter_that_finds_nothing_is_not_believed(fake: Fake, tables: Tables) -> None:
    _filtered(fake)
    fake.user("ann", at="2026-03-01T10:00:00Z")
    fake.group("staff", "id-ann")
    tables.run()
    fake.resources["Users"].clear()
    fake.user("bob", at="2026-02-01T10:00:00Z")
    tables.run()
    assert tables.column("users", "user_name") == ["bob"]


def test_a_refused_filter_leads_to_a_full_listing(fake: Fake, tables: Tables) -> None:
    _filtered(fake)
    fake.user("ann", at="2026-03-01T10:00:00Z")
    fake.group("staff", "id-ann")
    tables.run()
    refused = (400, b'{"scimType": "invalidFilter"}')
    fake.fault = lambda number, _path: refused if "filter=" in fake.seen[number - 1] else None
    fake.user("bob")
    tables.run()
    assert tables.column("users", "user_name") == ["aaa", "ann", "bob"]


# faults


def test_a_token_that_expires_in_the_middle_is_renewed(fake: Fake, tables: Tables, monkeypatch: Any) -> None:
    monkeypatch.setenv("SCIM_SECRET", "a-secret")
    kind = {"kind": "oauth2_client_credentials", "token_url": f"{fake.url}/token", "client_id": "leat"}
    tables.connection["auth"] = {**kind, "client_secret": {"env": "SCIM_SECRET"}}
    for number in range(6):
        fake.user(f"u{number}")
    fake.page = 2
    expired: list[int] = []

    def expire(number: int, _path: str) -> tuple[int, bytes] | None:
        if number == 2 and not expired:
            expired.append(number)
            return 401, b"{}"
        return None

    fake.fault = expire
    tables.run()
    assert (len(tables.table("users")), fake.granted) == (6, 2)


def test_a_token_that_is_revoked_stops_the_run(fake: Fake, tables: Tables, monkeypatch: Any) -> None:
    monkeypatch.setenv("SCIM_TOKEN", "token-that-was-given")
    fake.token = "token-that-was-given"
    tables.connection["auth"] = {"kind": "bearer", "token": {"env": "SCIM_TOKEN"}}
    fake.user("ann")
    tables.run()
    fake.token = "another"
    before = tables.cursor
    with pytest.raises(Unauthenticated, match="check auth"):
        tables.run()
    assert tables.cursor == before


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ((503, b"down"), Unavailable),
        ((200, b'{"totalResults": 6, "Resources": [{"id"'), UnexpectedShape),
        ((200, b"<html>sign in</html>"), UnexpectedShape),
        ((200, b"[]"), UnexpectedShape),
        ((200, b'{"Resources": {}}'), UnexpectedShape),
    ],
    ids=["stopped", "truncated", "html", "list", "object"],
)
def test_a_fault_in_the_middle_changes_nothing(fake: Fake, tables: Tables, fault: Any, kind: Any) -> None:
    for number in range(6):
        fake.user(f"u{number}")
    tables.run()
    before, rows = tables.cursor, tables.table("users")
    fake.user("u0", title="Boss")
    fake.page = 2
    begun = len(fake.seen)
    fake.fault = lambda number, _path: fault if number > begun + 1 else None
    with pytest.raises(kind) as failure:
        tables.run()
    assert isinstance(failure.value, IntegrationError)
    assert (tables.cursor, tables.table("users")) == (before, rows)
    assert not list(tables.folder.glob("*.jsonl"))
    fake.fault = lambda _number, _path: None
    tables.run()
    assert tables.rows["users"]["id-u0",]["title"] == "Boss"


# records


@pytest.mark.parametrize(
    "broken",
    [
        {"id": "id-bob", "userName": "bob", "emails": "bob@x.example"},
        {"id": "id-bob", "userName": "bob", "active": "perhaps"},
        {"id": "id-bob", "userName": "bob", "meta": {"created": "yesterday"}},
        {"id": "id-bob"},
        {"userName": "bob"},
        ["bob"],
    ],
)
def test_a_broken_user_is_quarantined_alone_and_keeps_its_row(fake: Fake, tables: Tables, broken: Any) -> None:
    fake.user("ann")
    fake.user("bob")
    tables.run()
    fake.user("cid")
    fake.resources["Users"]["bob"] = broken
    tables.run()
    assert tables.column("users", "user_name") == ["ann", "bob", "cid"]
    assert [event.stream for event in tables.quarantined()] == ["users"]
    assert tables.run() == []


def test_extensions_addresses_and_unicode(fake: Fake, tables: Tables) -> None:
    fake.resources["Users"]["x"] = {
        "ID": "1",
        "UserName": "zoë",
        "name": {"formatted": "Zoë Ōé 🦊", "middleName": "M."},
        "emails": [{"value": "a@x.example"}, {"value": "b@x.example", "primary": True, "type": "work"}],
        "active": "True",
        "password": "never",
        ENTERPRISE.upper(): {"department": "R&D", "manager": {"value": "7", "displayName": "Boß"}, "costCenter": 12},
        "urn:example:2.0:User": {"badge": 7},
    }
    fake.resources["Users"]["x"]["id"] = fake.resources["Users"]["x"].pop("ID")
    tables.run()
    (row,) = tables.table("users")
    seen = {name: row[name] for name in ("user_name", "formatted_name", "email", "active", "department", "cost_center")}
    assert seen == {
        "user_name": "zoë",
        "formatted_name": "Zoë Ōé 🦊",
        "email": "b@x.example",
        "active": True,
        "department": "R&D",
        "cost_center": "12",
    }
    assert (row["manager_id"], row["manager_name"]) == ("7", "Boß")
    assert len(json.loads(row["emails"])) == 2
    assert json.loads(row["extra"]) == {"name.middlename": "M.", "urn:example:2.0:User": {"badge": 7}}


def test_roles_are_the_groups_that_are_declared(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    for name in ("admins", "role-audit", "staff"):
        fake.group(name, "id-ann")
    tables.run()
    assert {row["name"]: row["permissions"] for row in tables.table("roles")} == {
        "admins": '["write"]',
        "role-audit": "[]",
    }
    assert tables.column("role_assignments", "role_id") == ["id-admins", "id-role-audit"]
    tables.connection["roles"] = [{"group": "staff"}]
    tables.run()
    assert tables.column("roles", "name") == ["staff"]


def test_an_order_that_changes_is_no_news(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    fake.user("bob")
    tables.run()
    fake.resources["Users"] = dict(reversed(fake.resources["Users"].items()))
    assert tables.run() == []


def test_only_what_is_selected_is_sent(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    fake.group("admins", "id-ann")
    tables.keys = {"roles": ("id",)}
    tables.rows = {"roles": {}}
    tables.run()
    assert _streams(tables) == {"roles"}
    assert isinstance(tables.events[-1], Cursor)
