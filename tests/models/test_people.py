"""Who is who: every rule by which an address or a company is taken for somebody, on both engines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.warehouse.session import Warehouse
from tests.kit.engines import ENGINES
from tests.kit.loaded import warehouse_of
from tests.kit.people import LONG_AGO, NOW, Row, Tables, leaver, load_company, rows_of, user


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    return warehouse_of(request.param, tmp_path, request)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def resolved(warehouse: Warehouse, files: Path, systems: Mapping[str, Tables]) -> dict[tuple[str, str], Row]:
    """Return identities by kind and identity; no identity may have two owners."""
    with warehouse.transaction() as session:
        load_company(session, files, systems)
        rows = rows_of(session, "identities")
    actual = {(row["kind"], row["identity"]): row for row in rows}
    assert len(actual) == len(rows)
    return actual


def pair_of(row: Row) -> tuple[Any, ...]:
    owner = row["person_id"] or row["contact_id"] or row["company_id"]
    return row["resolved_to"], owner, row["matched_by"], round(row["confidence"], 4), row["candidates"]


def wrote(name: str, email: str, mapped: str | None = None, repository: str = "app") -> Row:
    raw = {"author_email_raw": email, "author_email": mapped or email, "authored_at": NOW}
    return {"repository": repository, "commit": name, "parent_count": 0, **raw}


def mail(uid: int, sender: str) -> Row:
    where = {"account": "ann@x.org", "mailbox": "INBOX", "uidvalidity": 1, "uid": uid}
    return {**where, "from_email": sender, "received_at": NOW - timedelta(days=uid)}


USERS = (
    user("ann", "Ann@X.org", emails=json.dumps([{"value": "ann@x.org"}, {"value": " Annie@private.test "}])),
    user("bob", "bob@x.org"),
    user("cem", "cem@y.org"),
    user("dan", "dan@y.org"),
    user("eve", "eve@mail.test"),
    user("fay"),
)


def test_an_account_is_identified_by_its_addresses_its_login_and_at_our_domains(
    warehouse: Warehouse, files: Path
) -> None:
    senders = ("ANN@x.org ", "annie@private.test", "ann+shop@x.org", "ann@y.org", "ann+a@y.org", "eve@x.org",
               "bob@mail.test", "fay@x.org", "nobody@x.org", "ann@elsewhere.test", "ann@@x.org", "+@x.org")  # fmt: skip
    calendars = [
        {"calendar": str(n), "owner": owner} for n, owner in enumerate(("/bob/", "/p/Cem@y.org/", "room", "/"))
    ]
    actual = resolved(
        warehouse,
        files,
        {
            "sso": {
                "users": USERS,
                "login_events": [{"id": "1", "kind": "login", "user_name": "Fay", "success": True}],
            },
            "email": {"messages": [mail(n, sender) for n, sender in enumerate(senders)]},
            "calendar": {"calendars": calendars},
        },
    )
    assert {key: pair_of(row) for key, row in actual.items() if key[0] not in ("account",)} == {
        ("sender", "ann@x.org"): ("person", "id-ann", "sso_email", 1, 1),
        ("sender", "annie@private.test"): ("person", "id-ann", "sso_email", 1, 1),
        ("sender", "ann+shop@x.org"): ("person", "id-ann", "plus_address", 0.9, 1),
        ("sender", "ann@y.org"): ("person", "id-ann", "local_part_in_our_domain", 0.7, 1),
        ("sender", "ann+a@y.org"): ("person", "id-ann", "local_part_in_our_domain", 0.7, 1),
        ("sender", "eve@x.org"): ("person", "id-eve", "local_part_in_our_domain", 0.7, 1),
        ("sender", "bob@mail.test"): ("unresolved", None, None, 0, 0),  # a provider at which one of us has a mailbox
        ("sender", "fay@x.org"): ("person", "id-fay", "local_part_in_our_domain", 0.7, 1),
        ("sender", "nobody@x.org"): ("unresolved", None, None, 0, 0),
        ("sender", "ann@elsewhere.test"): ("unresolved", None, None, 0, 0),
        ("sender", "ann@@x.org"): ("unresolved", None, None, 0, 0),
        ("sender", "+@x.org"): ("unresolved", None, None, 0, 0),
        ("calendar owner", "bob"): ("person", "id-bob", "sso_user_name", 0.95, 1),
        ("calendar owner", "cem@y.org"): ("person", "id-cem", "sso_email", 1, 1),
        ("calendar owner", "room"): ("unresolved", None, None, 0, 0),
        ("sign-in", "fay"): ("person", "id-fay", "sso_account", 1, 1),
    }
    assert actual["sender", "ann@x.org"]["base_address"] == "ann@x.org"
    assert actual["sender", "ann+shop@x.org"]["base_address"] == "ann@x.org"


def test_of_several_accounts_one_is_taken_and_doubt_shows(warehouse: Warehouse, files: Path) -> None:
    gone, since = leaver("old", "one@x.org", 30)
    users = (
        gone,
        user("new", "one@x.org"),  # back again, with another account: no doubt
        user("a1", "two@x.org", created_at=NOW),
        user("a2", "two@x.org"),  # both active: the older one
        user("deleted", "three@x.org", _deleted_at=NOW),
        user("four@x.org", "other@x.org"),
        user("b", "four@x.org"),  # an address comes before a login
    )
    commits = [wrote(str(n), f"{name}@x.org") for n, name in enumerate(("one", "two", "three", "four"))]
    sso = {"users": users, "deactivations": [since]}
    actual = resolved(warehouse, files, {"sso": sso, "version_control": {"commits": commits}})
    assert [pair_of(actual["commit author", f"{name}@x.org"]) for name in ("one", "two", "three", "four")] == [
        ("person", "id-new", "sso_email", 1, 1),
        ("person", "id-a2", "sso_email", 0.5, 2),
        ("person", "id-deleted", "sso_email", 1, 1),
        ("person", "id-b", "sso_email", 1, 1),
    ]
    assert pair_of(actual["account", "four@x.org"]) == ("person", "id-four@x.org", "sso_account", 1, 1)


def test_mailmap_says_whose_commits_they_are(warehouse: Warehouse, files: Path) -> None:
    commits = [
        wrote("1", "bob@laptop", "bob@x.org"),
        wrote("2", "Bob@Laptop", "bob@x.org"),
        wrote("3", "both@laptop", "ann@x.org"),
        wrote("4", "both@laptop", "bob@x.org", repository="other"),
        wrote("5", "ghost@laptop", "ghost@x.org"),
        wrote("6", "gone@laptop", "bob@x.org") | {"_deleted_at": NOW},
    ]
    actual = resolved(warehouse, files, {"sso": {"users": USERS}, "version_control": {"commits": commits}})
    authors = {identity: row for (kind, identity), row in actual.items() if kind == "commit author"}
    assert {identity: pair_of(row) for identity, row in authors.items()} == {
        "bob@laptop": ("person", "id-bob", "mailmap", 0.95, 1),
        "both@laptop": ("person", "id-ann", "mailmap", 0.475, 2),
        "ghost@laptop": ("unresolved", None, None, 0, 0),
    }
    assert (authors["bob@laptop"]["times"], authors["bob@laptop"]["last_seen_at"] is not None) == (2, True)


def contact(number: str, email: str | None, company: str | None = None, **more: Any) -> Row:
    return {
        "contact_id": number,
        "company_id": company,
        "name": f"C{number}",
        "email": email,
        "is_office": False,
        **more,
    }


def test_contacts_companies_and_shared_mailboxes_are_recognised(warehouse: Warehouse, files: Path) -> None:
    mechanisms = json.dumps([{"kind": "email", "value": "second@c.test"}, {"kind": "phone", "value": "1"}])
    crm: dict[str, list[Row]] = {
        "contacts": [
            contact("1", "Main@c.test", "7", mechanisms=mechanisms),
            contact("10", "twice@c.test", "8"),
            contact("9", "twice@c.test", "7"),
            contact("2", "aside@c.test", "7", archived=True),
            contact("3", "aside@c.test", "8", archived=False),
            contact("4", "ann@x.org", "8"),
            contact("5", "gone@c.test", "8", _deleted_at=NOW),
        ],
        "companies": [{"company_id": "8", "name": "Eight", "email": "info@c.test"}],
    }
    mailboxes = [{"account": "Shop@x.org", "mailbox": name, "shared": True} for name in ("INBOX", "Sent")]
    mailboxes += [{"account": "bob@x.org", "mailbox": "INBOX", "shared": False}]
    invited = ("main@c.test", "second@c.test", "main+x@c.test", "twice@c.test", "aside@c.test", "gone@c.test",
               "info@c.test", "ann@x.org", "shop@x.org", "shop+eu@x.org")  # fmt: skip
    event = {"calendar": "/c/", "href": "e", "uid": "u", "recurrence_id": ""}
    actual = resolved(
        warehouse,
        files,
        {
            "sso": {"users": USERS},
            "crm_accounting": crm,
            "email": {"mailboxes": mailboxes},
            "calendar": {
                "events": [{**event, "starts_at": NOW}],
                "attendees": [{**event, "address": f"mailto:{one}", "email": one} for one in invited]
                + [{**event, "address": "mailto:Ann@x.org", "kind": "ROOM"}],
            },
        },
    )
    assert [pair_of(actual["attendee", one]) for one in invited] == [
        ("contact", "1", "contact_email", 1, 1),
        ("contact", "1", "contact_email", 1, 1),
        ("contact", "1", "plus_address", 0.9, 1),
        ("contact", "9", "contact_email", 0.5, 2),
        ("contact", "3", "contact_email", 0.5, 2),
        ("unresolved", None, None, 0, 0),
        ("company", "8", "company_email", 1, 1),
        ("person", "id-ann", "sso_email", 1, 1),
        ("shared", None, "shared_mailbox", 1, 1),
        ("shared", None, "plus_address", 0.9, 1),
    ]
    assert pair_of(actual["resource", "ann@x.org"])[0] == "person"
    assert (actual["mailbox", "shop@x.org"]["resolved_to"], actual["mailbox", "bob@x.org"]["times"]) == ("shared", 0)


def test_people_with_only_an_identity_provider(warehouse: Warehouse, files: Path) -> None:
    gone, since = leaver("gone", "gone@x.org", 30)
    later, ahead = leaver("later", "later@x.org", -10)
    users = (
        gone,
        later,
        user("vague", active=False, updated_at=NOW - timedelta(days=3)),
        user("vaguest", active=False, _synced_at=NOW - timedelta(days=2)),
        user("deleted", _deleted_at=NOW - timedelta(days=1)),
        user("silent", active=None, display_name="Silent"),
    )
    with warehouse.transaction() as session:
        load_company(session, files, {"sso": {"users": users, "deactivations": [since, ahead]}}, systems=("sso",))
        people = {row["user_name"]: row for row in rows_of(session, "people")}
        assert not session.columns("analytics", "companies"), "there is no CRM"
    assert {name: (row["active"], row["left_at"], row["left_known_by"]) for name, row in people.items()} == {
        "gone": (False, NOW - timedelta(days=30), "deactivated_at"),
        "later": (True, NOW + timedelta(days=10), "deactivated_at"),
        "vague": (False, NOW - timedelta(days=3), "updated_at"),
        "vaguest": (False, NOW - timedelta(days=2), "updated_at"),
        "deleted": (False, NOW - timedelta(days=1), "deleted"),
        "silent": (True, None, None),
    }
    assert {(row["identities"], row["systems"], row["email_identities"]) for row in people.values()} == {(1, 1, 0)}
    assert (people["silent"]["name"], people["silent"]["joined_at"]) == ("Silent", LONG_AGO)


def test_companies_are_matched_by_address_name_and_domain(warehouse: Warehouse, files: Path) -> None:
    crm: dict[str, list[Row]] = {
        "company": [{"entity_id": "1", "company_id": "1", "name": "Us"}],
        "companies": [
            {"company_id": "1", "name": "Us"},
            {"company_id": "2", "name": "Two"},
            {"company_id": "3", "name": "Three"},
            {"company_id": "4", "name": "three ", "email": "post@four.test"},
            {"company_id": "5", "name": "Five", "merged_into": "6"},
            {"company_id": "6", "name": "Six", "merged_into": "2"},
            {"company_id": "7", "name": "Lost", "_deleted_at": NOW},
        ],
        "contacts": [
            contact("1", "a@two.test", "2"),
            contact("2", "b@two.test", "2"),
            contact("3", "c@mail.test", "2"),
            contact("4", "d@mail.test", "3"),
            contact("5", "e@five.test", "5"),
        ],
    }
    customers = [
        ("a", "A@two.test ", "Whoever"),
        ("b", "new@two.test", None),
        ("c", "new@mail.test", "Nobody"),
        ("d", None, " TWO"),
        ("e", "x@y.test", "Three"),
        ("f", "e+x@five.test", None),
        ("g", "g@four.test", None),
        ("h", "h@x.org", None),
    ]
    rows = [{"id": key, "email": email, "name": name} for key, email, name in customers]
    with warehouse.transaction() as session:
        load_company(session, files, {"sso": {"users": USERS}, "crm_accounting": crm, "payments": {"customers": rows}})
        actual = {(row["kind"], row["identity"]): row for row in rows_of(session, "company_identities")}
        companies = {row["company_id"]: row for row in rows_of(session, "companies")}
    assert {
        key: (row["company_id"], row["matched_by"], row["confidence"], row["candidates"])
        for (kind, key), row in actual.items()
        if kind == "customer"
    } == {
        "a": ("2", "address", 1, 1),
        "b": ("2", "mail_domain", 0.6, 1),
        "c": (None, None, 0, 2),
        "d": ("2", "company_name", 0.8, 1),
        "e": (None, None, 0, 0),  # two companies are called so
        "f": ("2", "address", 0.9, 1),
        "g": ("4", "mail_domain", 0.4, 1),
        "h": ("1", "our_domain", 1, 1),
    }
    assert [actual["company", each]["matched_by"] for each in "256"] == ["crm_company", "crm_merged", "crm_merged"]
    assert sorted(companies) == ["1", "2", "3", "4"]
    two = companies["2"]
    assert (two["payments_customers"], two["merged_records"], two["contacts"]) == (4, 2, 3)
    assert (companies["1"]["is_ours"], two["is_ours"]) == (True, False)
