"""What each rule about people finds and what it leaves alone, on both engines; the demo shows them at work."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.load import state
from leat.warehouse.session import Warehouse
from tests.kit.engines import ENGINES
from tests.kit.loaded import warehouse_of
from tests.kit.people import NOW, Row, leaver, load_company, rule, user, violations

GONE, SINCE = leaver("gone", "gone@x.org", 10)
JUST, JUST_SINCE = leaver("just", "just@x.org", 0.01)
SOON, SOON_SINCE = leaver("soon", "soon@x.org", -5)
BACK, _ = leaver("back", "back@x.org", 10)
DELETED = user("deleted", "deleted@x.org", _deleted_at=NOW - timedelta(days=20))
SSO = {
    "users": (GONE, JUST, SOON, user("back", "back@x.org"), DELETED, user("ann", "ann@x.org")),
    "deactivations": (SINCE, JUST_SINCE, SOON_SINCE),
}
EVERYBODY = ("gone", "just", "soon", "back", "deleted", "ann")


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    return warehouse_of(request.param, tmp_path, request)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def days(ago: float) -> datetime:
    return NOW - timedelta(days=ago)


def test_accounts_of_leavers_hold_nothing(warehouse: Warehouse, files: Path) -> None:
    ids = [f"id-{name}" for name in EVERYBODY]
    members = [{"group_id": "g", "member_id": one, "member_type": "User", "direct": True} for one in ids]
    members += [
        {"group_id": "h", "member_id": "id-gone", "member_type": "User", "direct": False},
        {"group_id": "i", "member_id": "id-gone", "member_type": "User", "_deleted_at": NOW},
        {"group_id": "j", "member_id": "id-gone", "member_type": None},
        {"group_id": "r", "member_id": "id-gone", "member_type": "User", "direct": True},
        {"group_id": "k", "member_id": "g", "member_type": "Group", "direct": True},
    ]
    apps = [("a", "user", None), ("b", "consent", None), ("c", "token", None), ("d", None, days(1)), ("e", None, None)]
    sessions: list[tuple[str, str, dict[str, Any]]] = [
        ("open", "gone", {"expires_at": days(-1)}),
        ("endless", "gone", {"expires_at": None}),
        ("over", "gone", {"expires_at": days(1)}),
        ("ended", "gone", {"expires_at": days(-1), "revoked_at": days(2)}),
        ("cleaned", "gone", {"expires_at": days(-1), "_deleted_at": NOW}),
        ("young", "just", {"expires_at": days(-1)}),
        ("allowed", "soon", {"expires_at": days(-1)}),
        ("of who is gone for good", "deleted", {"expires_at": days(-1)}),
    ]
    tables = {
        **SSO,
        "groups": [{"id": name, "name": name.upper()} for name in "ghijkr"],
        "group_members": members,
        "roles": [{"id": "r", "name": "R", "group_id": "r"}],
        "role_assignments": [{"role_id": "r", "member_id": one, "member_type": "User"} for one in ids],
        "app_assignments": [
            {"application_id": app, "user_id": one, "origin": origin, "revoked_at": revoked}
            for one in ids
            for app, origin, revoked in apps
        ],
        "sessions": [{"id": key, "user_id": f"id-{who}", "started_at": days(9), **more} for key, who, more in sessions],
    }
    with warehouse.transaction() as session:
        load_company(session, files, {"sso": tables})
        groups = violations(session, files, "leaver_in_group")
        assert [(row["email"], row["group_name"], row["left_at"]) for row in groups] == [
            ("gone@x.org", "G", days(10)),
            ("gone@x.org", "J", days(10)),
        ]
        assert [row["email"] for row in violations(session, files, "leaver_has_role")] == ["gone@x.org"]
        assert [row["application_id"] for row in violations(session, files, "leaver_has_app")] == ["a", "e"]
        actual = violations(session, files, "leaver_has_session")
        assert [(row["email"], row["sessions"]) for row in actual] == [("deleted@x.org", 1), ("gone@x.org", 2)]
        assert actual[1]["last_session"] == "endless"
        accounts = ("GONE", "gone@x.org", "just", "soon", "somebody else")
        state.insert(session, "access_grants", [("analyst", name, "role leat_shop_analyst", NOW) for name in accounts])
        read = violations(session, files, "leaver_reads_warehouse")
        assert {(row["account"], row["email"]) for row in read} == {
            ("GONE", "gone@x.org"), ("gone@x.org", "gone@x.org"), ("just", "just@x.org"),
        }  # fmt: skip


def event(uid: str, organizer: str | None, starts_at: datetime, **more: Any) -> tuple[Row, Row]:
    """Return an event and the one time that it takes place."""
    key = {"calendar": "/team/", "href": uid, "uid": uid, "recurrence_id": ""}
    status = {"status": more.pop("status", None)}
    times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=1)}
    whole = {**key, **status, **times, "organizer_email": organizer, "summary": uid.title(), **more}
    return whole, {**key, **status, **times, "occurrence_id": "1"}


def test_meetings_are_of_people_who_exist(warehouse: Warehouse, files: Path) -> None:
    made = [
        event("ahead", "Gone@x.org", days(-3)),
        event("next", "gone@x.org", days(-2)),
        event("past", "deleted@x.org", days(2)),
        event("off", "deleted@x.org", days(-2), status="CANCELLED"),
        event("handed over", "just@x.org", days(-2)),
        event("farewell", "soon@x.org", days(-2)),
        event("review", "erin@partner.test", days(-2)),
        event("review 2", "erin@partner.test", days(2), created=days(3)),
        event("first day", "new@x.org", days(-2), created=days(1)),
        event("demo", "buyer@c.test", days(-2)),
        event("off too", "ghost@x.org", days(-2), status="CANCELLED"),
        event("nobody's", None, days(-2)),
        event("ann's", "ann@x.org", days(-2)),
        event("ann's new", "ann@x.org", days(-2), last_modified=days(0.5)),
    ]
    invited = [
        ("ann's", "noone@x.org", None),
        ("next", "NoOne@x.org", "INDIVIDUAL"),
        ("ann's", "hall@x.org", "ROOM"),
        ("ann's", "team@x.org", "GROUP"),
        ("ann's", "buyer+a@c.test", None),
        ("ann's", "writer@out.test", None),
        ("ann's", "forged@x.org", None),
        ("ann's", "payer@out.test", None),
        ("ann's", "old.hand@x.org", None),
        ("ann's", "shop@x.org", None),
        ("ann's", "gone@x.org", None),
        ("ann's", "stranger@out.test", None),
        ("ann's", "erin@partner.test", None),  # organizer_unknown tells of her
        ("ann's new", "newer@x.org", None),
        ("off", "ghost@x.org", None),
    ]
    of = {row["uid"]: row for row, _ in made}
    key = ("calendar", "href", "uid", "recurrence_id")
    attendees = [
        {**{name: of[uid][name] for name in key}, "address": f"mailto:{one}", "email": one, "kind": kind}
        for uid, one, kind in invited
    ]
    message = {"account": "ann@x.org", "mailbox": "INBOX", "uidvalidity": 1, "received_at": days(9)}
    with warehouse.transaction() as session:
        load_company(
            session,
            files,
            {
                "sso": SSO,
                "calendar": {
                    "events": [row for row, _ in made],
                    "occurrences": [row for _, row in made],
                    "attendees": attendees,
                },
                "crm_accounting": {"contacts": [{"contact_id": "1", "email": "buyer@c.test", "is_office": False}]},
                "payments": {"customers": [{"id": "c", "email": "payer@out.test"}]},
                "email": {
                    "mailboxes": [
                        {"account": "shop@x.org", "mailbox": "INBOX", "shared": True},
                        {"account": "old.hand@x.org", "mailbox": "INBOX", "shared": False},
                    ],
                    "messages": [
                        {**message, "uid": n, "from_email": sender}
                        for n, sender in enumerate(("writer@out.test", "forged@x.org"))
                    ],
                },
            },
        )
        (organizer,) = violations(session, files, "organizer_unknown")
        assert (organizer["organizer_email"], organizer["meetings"]) == ("erin@partner.test", 2)
        assert (organizer["first_meeting"], organizer["next_at"]) == ("Review 2", days(-2))
        unknown = violations(session, files, "attendee_unknown")
        assert [(row["attendee_email"], row["meetings"]) for row in unknown] == [
            ("forged@x.org", 1),
            ("noone@x.org", 2),
            ("stranger@out.test", 1),
        ]
        (left,) = violations(session, files, "leaver_organizes")
        assert (left["email"], left["meetings_ahead"], left["next_meeting"]) == ("gone@x.org", 2, "Next")


def test_leavers_have_no_shares(warehouse: Warehouse, files: Path) -> None:
    def shared(calendar: str, principal: str, **more: Any) -> Row:
        return {"calendar": calendar, "principal": principal, "origin": "acl", "kind": "user", "access": "read", **more}

    shares = [
        shared("/team/", "/principals/Gone/"),
        shared("/team/", "gone@x.org", origin="invite"),
        shared("/hr/", "gone", enabled_by_owner=False),
        shared("/own/", "gone", kind="owner"),
        shared("/group/", "gone", kind="group"),
        shared("/past/", "gone", _deleted_at=NOW),
        shared("/team/", "just"),
        shared("/team/", "soon"),
        shared("/team/", "ann"),
        shared("/team/", "deleted", enabled_by_principal=False),
    ]
    folder = {"bucket": "b", "permission": "read", "origin": "policy", "is_public": False}
    files_shared = [
        {**folder, "prefix": "p/", "principal": "1", "email": "gone@x.org"},
        {**folder, "prefix": "q/", "principal": "gone@x.org", "expires_at": days(1)},
        {**folder, "prefix": "r/", "principal": "*", "is_public": True},
        {**folder, "prefix": "s/", "principal": "ann@x.org"},
    ]
    with warehouse.transaction() as session:
        tables = {"calendar": {"shares": shares}, "cloud_storage": {"shares": files_shared}}
        load_company(session, files, {"sso": SSO, **tables})
        actual = violations(session, files, "leaver_has_share")
        assert [(row["email"], row["calendar"]) for row in actual] == [
            ("deleted@x.org", "/team/"),
            ("gone@x.org", "/team/"),
        ]
        assert [row["prefix"] for row in violations(session, files, "leaver_has_file_share")] == ["p/"]


def commit(name: str, email: str, ago: float, repository: str = "app", **more: Any) -> Row:
    raw = {"author_email_raw": email, "author_email": email.lower(), "author_name": name, "subject": name}
    row = {"repository": repository, "commit": name, "parent_count": 1, **raw, "authored_at": days(ago)}
    return {**row, "committed_at": days(ago), **more}


def branch(name: str, tip: str, ahead: int, **more: Any) -> Row:
    row = {"repository": "app", "ref": f"refs/heads/{name}", "name": name, "kind": "branch", "commit": tip}
    return {**row, "is_default": False, "merged": False, "ahead": ahead, "behind": 0, "last_commit_at": NOW, **more}


def test_code_is_of_people_who_are_here(warehouse: Warehouse, files: Path) -> None:
    commits = [
        commit("m1", "ann@x.org", 90),
        commit("m2", "Mallory@out.test", 30),
        commit("m3", "mallory@out.test", 1),
        commit("m4", "new@x.org", 1),
        commit("m5", "gone@x.org", 9.5),  # within the tolerance
        commit("m6", "gone@x.org", 11, committed_at=days(1)),  # written before, committed by a colleague
        commit("m7", "just@x.org", 0),
        commit("m8", "soon@x.org", 0),
        commit("m9", "gone@laptop", 2, author_email="gone@x.org"),
        commit("m10", "deleted@x.org", 5),
        commit("m11", "gone@x.org", 1, _deleted_at=NOW),
        commit("o1", "torvalds@kernel.test", 30, repository="linux"),
        commit("b1", "gone@x.org", 40),
        commit("b2", "deleted@x.org", 39),
        commit("b3", "gone@x.org", 38),
        commit("c1", "ann@x.org", 40),
        commit("c2", "gone@x.org", 39),
        commit("d1", "just@x.org", 39),
    ]
    parents = [("b1", "m1"), ("b2", "b1"), ("b3", "b2"), ("c1", "m1"), ("c2", "c1"), ("d1", "m1")]
    refs = [
        branch("main", "m10", 0, is_default=True, merged=True),
        branch("left alone", "b2", 2),
        branch("longer", "b3", 3),
        branch("merged", "b3", 0, merged=True),
        branch("of two", "c2", 2),
        branch("of many", "b3", 101),
        branch("has merged another", "b3", 4),  # further ahead than first parents lead; one would be m1
        branch("of who left just now", "d1", 1),
        branch("of nobody known", "gone from here", 1),
        branch("deleted", "b2", 2, _deleted_at=NOW),
    ]
    links = [{"repository": "app", "commit": one, "position": 0, "parent": other} for one, other in parents]
    with warehouse.transaction() as session:
        tables = {"commits": commits, "commit_parents": links, "refs": refs}
        load_company(session, files, {"sso": SSO, "version_control": tables})
        (author,) = violations(session, files, "author_unknown")
        assert (author["author_email"], author["commits"], author["last_commit"]) == ("mallory@out.test", 2, "m3")
        left = violations(session, files, "leaver_commits")
        assert [(row["email"], row["commits_since"], row["last_commit"]) for row in left] == [
            ("deleted@x.org", 1, "m10"),
            ("gone@x.org", 1, "m9"),
        ]
        alone = violations(session, files, "leaver_has_branch")
        assert [(row["branch"], row["authors"]) for row in alone] == [("left alone", 2), ("longer", 2)]


def test_mailboxes_files_and_tickets_are_of_people_who_are_here(warehouse: Warehouse, files: Path) -> None:
    accounts = {"ann@x.org": False, "Gone@x.org": False, "shop@x.org": True, "old.hand@x.org": False,
                "new@x.org": False, "empty@x.org": False, "young@x.org": False, "buyer@c.test": False}  # fmt: skip
    loaded = {"young@x.org": days(1)}
    mailboxes = [
        {"account": one, "mailbox": name, "shared": shared, "_synced_at": loaded.get(one, days(9))}
        for one, shared in accounts.items()
        for name in ("INBOX", "Sent")
    ]
    mailboxes += [{"account": "closed@x.org", "mailbox": "INBOX", "_deleted_at": NOW}]
    got = [("old.hand@x.org", 90), ("old.hand@x.org", 1), ("new@x.org", 1), ("buyer@c.test", 9)]
    messages = [
        {"account": one, "mailbox": "INBOX", "uidvalidity": 1, "uid": uid, "received_at": days(ago)}
        for uid, (one, ago) in enumerate(got)
    ]
    owners = ("ann@x.org", "Zed@x.org", "zed@x.org", "gone@x.org", "just@x.org", "shop@x.org", None, "zed@x.org")
    objects = [
        {"bucket": "b", "key": f"{n}/f", "prefix": f"{n}/", "size": 10 + n, "last_modified": NOW, "owner_email": owner}
        for n, owner in enumerate(owners)
    ]
    objects[-1]["_deleted_at"] = NOW
    tickets: list[Row] = [
        {"number": n, "assignee_email": who, "status": status, "closed_at": closed, "opened_at": days(20)}
        for n, (who, status, closed) in enumerate(
            [
                ("Gone@x.org", "open", None),
                ("gone@x.org", None, None),
                ("gone@x.org", "Closed", None),
                ("gone@x.org", "open", days(1)),
                ("just@x.org", "open", None),
                ("ann@x.org", "open", None),
                (None, "open", None),
                ("deleted@x.org", "pending", None),
            ]
        )
    ]
    with warehouse.transaction() as session:
        load_company(
            session,
            files,
            {
                "sso": SSO,
                "email": {"mailboxes": mailboxes, "messages": messages},
                "cloud_storage": {"objects": objects},
                "crm_accounting": {"contacts": [{"contact_id": "1", "email": "buyer@c.test"}]},
                "support": {"tickets": tickets},
            },
        )
        actual = violations(session, files, "mailbox_unknown")
        assert [(row["account"], row["messages"]) for row in actual] == [
            ("buyer@c.test", 1),  # a contact of the CRM has no mailbox here
            ("empty@x.org", 0),
            ("old.hand@x.org", 2),
        ]
        (unknown,) = violations(session, files, "file_owner_unknown")
        assert (unknown["owner_email"], unknown["files"], unknown["bytes"]) == ("zed@x.org", 2, 23)
        (owns,) = violations(session, files, "leaver_owns_files")
        assert (owns["email"], owns["files"], owns["first_folder"]) == ("gone@x.org", 1, "3/")
        assert [row["number"] for row in violations(session, files, "leaver_has_ticket")] == [0, 1, 7]


def test_rules_say_what_they_need(files: Path) -> None:
    for name in ("author_unknown", "leaver_commits", "leaver_organizes", "leaver_has_branch", "mailbox_unknown"):
        checked = rule(files, name)
        assert "sso" in checked.needs
        assert (checked.severity, len(checked.needs)) == ("warn", 2)
