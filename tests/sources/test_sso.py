"""What is peculiar to reading users and groups by SCIM, at a fake service that has the faults of many."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.sources.errors import IntegrationError, Unauthenticated, Unavailable, UnexpectedShape
from leat.sources.events import Cursor, Failed, FullScan, Rows
from leat.sources.sso.scim.membership import Role, permissions_of
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


def _scanned(tables: Tables) -> dict[str, str]:
    """Return why each complete stream was complete."""
    return {event.stream: event.because for event in tables.events if isinstance(event, FullScan)}


def _errors(tables: Tables) -> dict[str, str]:
    return {event.stream: str(event.error) for event in tables.events if isinstance(event, Failed)}


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
    assert "users" in _scanned(tables)
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
    assert "group_members" in _scanned(tables)


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


def test_members_named_by_login_are_resolved(fake: Fake, tables: Tables) -> None:
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
    tables.run()
    assert tables.failed() == {"users", "group_members", "role_assignments"}
    assert "again from startIndex=3" in _errors(tables)["users"]
    assert fake.seen == ["/scim/Users", "/scim/Users?startIndex=3", "/scim/Groups"]


def test_a_service_that_ignores_start_and_gives_all_is_complete(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    fake.group("staff", "id-ann")
    fake.ignores_start = True
    tables.run()
    assert "users" in _scanned(tables)


def test_a_record_on_two_pages_is_one_row(fake: Fake, tables: Tables) -> None:
    ann = fake.user("ann")
    fake.user("bob")
    fake.resources["Users"]["again"] = ann
    fake.page = 2
    fake.total = lambda _count: 2
    tables.run()
    assert tables.column("users", "user_name") == ["ann", "bob"]


def test_a_listing_that_gives_less_than_it_promises_is_no_listing(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    fake.user("bob")
    tables.run()
    del fake.resources["Users"]["bob"]
    fake.user("cid")
    fake.total = lambda count: count + 1 if count else 0
    tables.run()
    assert tables.column("users", "user_name") == ["ann", "bob"], "as they were"
    assert "2 came where totalResults says 3, each time" in _errors(tables)["users"]
    assert set(_scanned(tables)) == {"groups", "roles"}
    assert [event for event in tables.run() if isinstance(event, Rows | FullScan | Cursor)] == []
    fake.total = lambda count: count
    tables.run()
    assert tables.column("users", "user_name") == ["ann", "cid"]
    fake.total = lambda count: count + 1
    tables.connection["ignore_total"] = True
    fake.user("dan")
    tables.run()
    assert tables.column("users", "user_name") == ["ann", "cid", "dan"]


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


def test_deletes_are_detected_on_the_first_run_of_a_day(fake: Fake, tables: Tables) -> None:
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
def test_a_broken_user_is_quarantined_alone_and_leaves_its_row(fake: Fake, tables: Tables, broken: Any) -> None:
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


# names in any case, roles, what is beyond the end, streams that fail alone


def test_names_count_in_any_case_at_every_depth(fake: Fake, tables: Tables) -> None:
    def shouted(value: Any) -> Any:
        if isinstance(value, dict):
            return {name.upper(): shouted(inner) for name, inner in value.items()}
        return [shouted(inner) for inner in value] if isinstance(value, list) else value

    bob = fake.user(
        "bob",
        emails=[{"value": "home@x.example", "primary": False}, {"value": "work@x.example", "primary": "True"}],
        addresses=[{"streetAddress": "Way 1", "postalCode": "1"}],
        groups=[{"value": "id-ops", "type": "direct"}],
        **{ENTERPRISE: {"department": "IT", "manager": {"value": "id-ann", "displayName": "Ann"}}},
    )
    bob["name"] = {"givenName": "Bob", "familyName": "Bo"}
    fake.user("ann")
    fake.group("ops", "id-ann")
    tables.run()
    fake.resources["Users"]["bob"] = shouted(bob)
    fake.resources["Groups"]["ops"] = shouted(fake.resources["Groups"]["ops"])
    other = Tables("sso", "scim", tables.connection, tables.folder)
    other.run()
    (row,) = [row for row in other.table("users") if row["user_name"] == "bob"]
    assert row["email"] == "work@x.example"
    assert json.loads(row["emails"])[0] == {"value": "home@x.example", "primary": False}
    assert json.loads(row["addresses"]) == [{"streetAddress": "Way 1", "postalCode": "1"}]
    assert other.rows == tables.rows


@pytest.mark.parametrize(
    ("pattern", "like", "unlike"),
    [
        ("admins [eu]", ["admins [eu]"], ["admins e", "admins u"]),
        ("what?", ["what?"], ["whats", "what"]),
        ("role-*", ["role-", "role-x", "role-\n"], ["arole-x", "Role-x"]),
        ("*[!a]*", ["x[!a]", "[!a]y"], ["b", "[b]"]),
        ("a.b+c", ["a.b+c"], ["aXb+c", "a.bbc"]),
        ("**", ["", "anything"], []),
        ("a*b*c", ["abc", "a1b2c"], ["ab", "acb"]),
    ],
)
def test_only_a_star_matches_anything(pattern: str, like: list[str], unlike: list[str]) -> None:
    roles = [Role(group=pattern, permissions=("all",))]
    assert [name for name in like if permissions_of(name, roles) != ["all"]] == []
    assert [name for name in unlike if permissions_of(name, roles) is not None] == []


@pytest.mark.parametrize(
    "beyond", [(400, b'{"status": "400"}'), (404, b""), (422, b"{}"), (501, b""), (200, b"[]")], ids=str
)
def test_a_service_that_refuses_what_is_beyond_the_end_is_complete(fake: Fake, tables: Tables, beyond: Any) -> None:
    for number in range(3):
        fake.user(f"u{number}")
    fake.group("staff", "id-u0")

    def refuse(number: int, path: str) -> tuple[int, bytes] | None:
        start = re.search(r"startIndex=(\d+)", fake.seen[number - 1])
        return beyond if start and int(start[1]) > len(fake.resources[path.rpartition("/")[2]]) else None

    fake.fault = refuse
    tables.run()
    assert tables.column("users", "user_name") == ["u0", "u1", "u2"]
    assert _scanned(tables)["users"] == "total of 3 reached, and the server refuses a page beyond"
    assert len(fake.seen) < 12, "it isn't asked again and again"
    fake.total = lambda _count: None
    fake.user("u3")
    with pytest.raises(IntegrationError):
        tables.run()  # without a total, nothing says that what it refuses is beyond the end


@pytest.mark.parametrize(
    ("total", "because"), [("4", "total of 4 reached"), ("04 ", "total of 4 reached"), (4.0, "total of 4")]
)
def test_a_total_may_be_text(fake: Fake, tables: Tables, total: Any, because: str) -> None:
    for number in range(4):
        fake.user(f"u{number}")
        fake.group(f"g{number}")
    fake.page, fake.total = 3, lambda _count: total
    tables.run()
    assert because in _scanned(tables)["users"]
    assert len(fake.seen) == 2 * 3 + 1, "each list once, and what the service can do"


@pytest.mark.parametrize("total", ["many", -1, True, [4], {"a": 1}, "9" * 400, 1e300])
def test_a_total_that_is_no_number_counts_as_none(fake: Fake, tables: Tables, total: Any) -> None:
    for number in range(4):
        fake.user(f"u{number}")
        fake.group(f"g{number}")
    fake.page, fake.total = 3, lambda _count: total
    tables.run()
    assert _scanned(tables)["users"] == "4 came, twice the same"


@pytest.mark.parametrize("broken", ["Groups", "Users"])
def test_a_listing_that_fails_does_not_stop_the_other(fake: Fake, tables: Tables, broken: str) -> None:
    fake.user("ann")
    fake.group("admins", "id-ann")
    tables.run()
    before = tables.cursor
    fake.user("bob")
    fake.group("more", "id-bob")
    fake.fault = lambda _number, path: (404, b"") if path.endswith(broken) else None
    tables.run()
    lost = {"Groups": {"groups", "roles"}, "Users": {"users"}}[broken] | {"group_members", "role_assignments"}
    assert tables.failed() == lost
    assert f"GET /scim/{broken}: HTTP 404" in _errors(tables)["group_members"]
    assert len(tables.table("users")) == (1 if broken == "Users" else 2)
    assert len(tables.table("groups")) == (1 if broken == "Groups" else 2)
    assert _members(tables) == {("id-admins", "id-ann")}
    assert tables.cursor["directory"][broken.lower()] == before["directory"][broken.lower()]
    assert [event for event in tables.run() if not isinstance(event, Failed)] == [], "it is said again, nothing else"
    fake.fault = lambda _number, _path: None
    tables.run()
    assert _members(tables) == {("id-admins", "id-ann"), ("id-more", "id-bob")}
    assert tables.failed() == set()
    assert tables.run() == []


ODD = [
    b'{"id": "odd", "userName": "odd", "title": ' + b"9" * 5000 + b"}",
    b'{"id": "odd", "userName": "odd", "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    b'{"id": "odd", "userName": "odd", "title": "\xff\xfe"}',
    b'{"id": "odd", "userName": "odd", "meta": {"created": "9999-12-31T23:59:59-10:00"}}',
    b'{"id": "odd", "userName": "odd", "meta": {"lastModified": "0001-01-01T00:00:00+14:00"}}',
    b'{"id": "odd", "userName": "odd", "meta": {"created": "secret-value"}}',
    b'{"id": "odd", "userName": "odd", "active": "secret-value"}',
    b'{"id": "odd", "userName": "odd", "name": [1]}',
    b'{"id": "odd", "userName": "odd", "name": "secret-value"}',
    b'{"id": "odd", "userName": {"secret-value": 1}}',
    b'{"id": {"a": "secret-value"}, "userName": "odd"}',
    b'{"id": null, "userName": "odd"}',
    b'"secret-value"',
    b"null",
    b"[[]]",
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_one_odd_record_stops_nobody(fake: Fake, tables: Tables, odd: bytes) -> None:
    def listing(_number: int, path: str) -> tuple[int, bytes] | None:
        users = (
            b'{"totalResults": 3, "Resources": [{"id": "1", "userName": "ann"}, %s, {"id": "2", "userName": "bob"}]}'
        )
        if not path.endswith("Users"):
            return None
        started = "startIndex" in fake.seen[-1]
        return (200, b'{"totalResults": 3}') if started else (200, users % odd)

    fake.fault = listing
    tables.run()
    assert tables.column("users", "user_name") == ["ann", "bob"]
    (bad,) = tables.quarantined()
    assert bad.stream == "users"
    assert "secret-value" not in bad.reason
    assert tables.run() == []


@pytest.mark.parametrize("member", [{"display": "x"}, {"value": {}}, {"value": ""}, None, ["x"], {"value": True}])
def test_one_odd_member_hides_no_other(fake: Fake, tables: Tables, member: Any) -> None:
    fake.user("ann")
    fake.user("bob")
    fake.group("ops", "id-ann")
    fake.resources["Groups"]["ops"]["members"] += [member, {"value": "id-bob"}]
    tables.run()
    assert _members(tables) == {("id-ops", "id-ann"), ("id-ops", "id-bob")}
    assert [bad.stream for bad in tables.quarantined()] == ["group_members"]
    assert "group_members" not in _scanned(tables)


def test_a_group_whose_id_is_a_step_is_not_asked_for(fake: Fake, tables: Tables) -> None:
    fake.user("ann")
    fake.group("staff", "id-ann")
    fake.group("odd", "id-ann", id="..")
    fake.members_listed = False
    tables.run()
    assert _members(tables) == {("id-staff", "id-ann")}
    assert [(bad.stream, bad.key) for bad in tables.quarantined()] == [("group_members", "..")]
    assert not [path for path in fake.seen if ".." in path or path.endswith("Groups/")]
