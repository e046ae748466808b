"""What the shipped models say about accounts, at the edges that the demo lacks, on both engines."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kit.built import Row, build_shipped
from tests.kit.engines import ENGINES
from tests.kit.loaded import utc, warehouse_of

NOW = utc(2026, 11, 20, 9)
STREAMS: tuple[str, ...] = (
    "users",
    "deactivations",
    "groups",
    "group_members",
    "roles",
    "role_assignments",
    "applications",
)
STREAMS += ("app_assignments", "factors", "sessions", "login_events")
Build = Callable[..., dict[str, list[Row]]]


@pytest.fixture(params=ENGINES)
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    """Give a function that builds models from rows of single sign-on, and of other systems if given."""
    warehouse = warehouse_of(request.param, tmp_path, request)

    def built(*names: str, others: Any = None, **streams: list[Row]) -> dict[str, list[Row]]:
        given = {"sso": {name: streams.get(name, []) for name in STREAMS}, **(others or {})}
        return build_shipped(warehouse, tmp_path / "project", names, given, NOW)

    return built


def user(name: str, **more: Any) -> Row:
    return {"id": name, "user_name": name, "email": f"{name}@x.org", "active": True, **more}


def tried(number: int, name: str | None, at: datetime, ip: str | None = "192.0.2.1", **more: Any) -> Row:
    event = {"id": f"e{number}", "kind": "login", "user_name": name, "occurred_at": at, "ip": ip, "success": True}
    return event | more


def member(group: str, name: str, **more: Any) -> Row:
    return {"group_id": group, "member_id": name, "direct": True, **more}


def test_tries_find_their_account(build: Build) -> None:
    users = [user("ann"), user("bob", email="twice@x.org"), user("cy", email="Twice@x.org"), user("dee")]
    typed = {
        "ANN": ("192.0.2.7", "ann", "192.0.2.0/24"),
        "Ann@X.org": ("2001:DB8:1:2::9", "ann", "2001:db8:1::/48"),
        "twice@x.org": ("::ffff:198.51.100.4", None, "198.51.100.0/24"),
        "nobody": (None, None, None),
        "by id": ("gateway", "dee", "gateway"),
    }
    events = [
        tried(n, name, NOW, ip, user_id="dee" if name == "by id" else None)
        for n, (name, (ip, _, _)) in enumerate(typed.items())
    ]
    others = [tried(8, "ann", NOW, kind="factor"), tried(9, "ann", NOW, _deleted_at=NOW)]
    rows = build("sign_ins", users=users, login_events=events + others)["sign_ins"]
    assert {row["user_name"]: (row["user_id"], row["network"]) for row in rows} == {
        name.lower(): (account, network) for name, (_, account, network) in typed.items()
    }


def test_bursts_cross_midnight_and_end_after_ten_minutes(build: Build) -> None:
    midnight = utc(2026, 11, 20)
    times = [midnight + timedelta(minutes=minutes) for minutes in (-30, -4, -3, -2, 2, 6, 6.5)]
    failed = [tried(n, "Ann", at, success=False) for n, at in enumerate(times)]
    more = [
        tried(20, "ann", midnight + timedelta(minutes=7)),
        tried(21, "ann", midnight, "192.0.2.9", success=False),
        tried(22, None, midnight, None, success=False, application="backup"),
        tried(23, "bob", midnight),
    ]
    rows = build("sign_ins", "failed_sign_ins", users=[user("ann")], login_events=failed + more)["failed_sign_ins"]
    names = ("failed", "most_in_10_minutes", "is_burst", "succeeded", "succeeded_after", "user_id")
    reported = {(row["day"].day, row["user_name"], row["ip"]): [row[name] for name in names] for row in rows}
    assert reported == {
        (19, "ann", "192.0.2.1"): [4, 3, False, 0, False, "ann"],
        (20, "ann", "192.0.2.1"): [3, 5, True, 1, True, "ann"],
        (20, "ann", "192.0.2.9"): [1, 1, False, 0, False, "ann"],
        (20, "", ""): [1, 1, False, 0, False, None],
    }


def test_one_address_that_tries_many_is_guessing(build: Build) -> None:
    events = [tried(n, f"user{n}", NOW, success=False) for n in range(5)]
    events += [tried(10 + n, f"user{n % 4}", NOW, "192.0.2.2", success=False) for n in range(9)]
    events.append(tried(30, "user1", NOW))
    rows = build("sign_ins", "sign_in_sources", users=[user("user1")], login_events=events)["sign_in_sources"]
    names = ("tries", "failed", "failed_logins", "accounts_entered", "is_guessing")
    assert {row["ip"]: [row[name] for name in names] for row in rows} == {
        "192.0.2.1": [6, 5, 5, 1, True],
        "192.0.2.2": [9, 9, 4, 0, False],
    }


PARIS, LYON, NEW_YORK = (48.8566, 2.3522), (45.764, 4.8357), (40.7128, -74.006)


def at_place(place: tuple[float, float], country: str) -> str:
    return json.dumps({"latitude": place[0], "longitude": place[1], "country": country})


def test_moves_are_measured_between_places(build: Build) -> None:
    stops = [
        ("192.0.2.1", 0, at_place(PARIS, "FR")),
        ("192.0.2.99", 5, at_place(NEW_YORK, "US")),  # the same network: no move
        ("198.51.100.1", 65, at_place(NEW_YORK, "US")),
        ("203.0.113.1", 600, at_place(PARIS, "FR")),
        ("192.0.2.1", 620, at_place(LYON, "FR")),
        ("198.51.100.1", 630, None),
        ("203.0.113.1", 900, json.dumps({"latitude": "north", "longitude": "7"})),
    ]
    events = [
        tried(n, "ann", NOW + timedelta(minutes=minutes), ip, extra=extra)
        for n, (ip, minutes, extra) in enumerate(stops)
    ]
    events.append(tried(50, "ann", NOW + timedelta(minutes=1), "233.252.0.1", success=False))
    moves = build("sign_ins", "sign_in_moves", users=[user("ann")], login_events=events)["sign_in_moves"]
    reported = {row["event_id"]: row for row in moves}
    names = ("minutes", "kilometres", "kilometres_per_hour", "is_impossible", "is_quick")
    assert {key: [row[name] for name in names] for key, row in reported.items()} == {
        "e2": [60, 0, 0, False, True],
        "e3": [535, 5837, 655, False, False],
        "e4": [20, 391, 1174, False, True],
        "e5": [10, None, None, None, True],
        "e6": [270, None, None, None, False],
    }
    assert (reported["e3"]["from_country"], reported["e3"]["to_country"]) == ("US", "FR")


def test_what_nobody_can_fly_is_impossible(build: Build) -> None:
    events = [
        tried(0, "ann", NOW, "192.0.2.1", extra=at_place(PARIS, "FR")),
        tried(1, "ann", NOW, "198.51.100.1", extra=at_place(NEW_YORK, "US")),  # at the same instant
        tried(2, "ann", NOW + timedelta(hours=2), "192.0.2.1", extra=at_place(PARIS, "FR")),
    ]
    moves = build("sign_ins", "sign_in_moves", users=[user("ann")], login_events=events)["sign_in_moves"]
    assert [row["is_impossible"] for row in moves] == [True, True]
    assert {row["kilometres"] for row in moves} == {5837}


REVIEW = ("sign_ins", "privileged_access", "account_review")


def test_a_review_judges_each_account(build: Build) -> None:
    users = [
        user("fresh", department="it"),
        user("edge", department="it"),
        user("sleepy", department="it"),
        user("never", department="it"),
        user("unsaid", department="it", active=None),
        user("left", active=False),
        user("lost", manager_id="left"),
        user("lost2", manager_id="deleted"),
        user("led", manager_id="fresh"),
        user("loose", department=""),
        user("deleted", _deleted_at=NOW),
    ]
    seen = {
        "fresh": 1,
        "edge": 89.9,
        "sleepy": 90,
        "unsaid": 5,
        "left": 5,
        "lost": 5,
        "lost2": 5,
        "led": 40,
        "loose": 3,
    }
    events = [tried(n, name, NOW - timedelta(days=days)) for n, (name, days) in enumerate(seen.items())]
    factors = [{"id": f"{n}/{kind}", "user_id": n, "kind": kind} for n in ("fresh", "edge") for kind in ("password",)]
    factors.append({"id": "fresh/otp", "user_id": "fresh", "kind": "otp"})
    rows = build(*REVIEW, users=users, login_events=events, factors=factors)["account_review"]
    reported = {row["user_id"]: row for row in rows}
    assert set(reported) == {each["id"] for each in users} - {"deleted"}
    assert {name for name, row in reported.items() if row["is_dormant"]} == {"sleepy", "never"}
    assert {name for name, row in reported.items() if row["has_never_signed_in"]} == {"never"}
    assert {name: row["orphaned_reason"] for name, row in reported.items() if row["is_orphaned"]} == {
        "never": "unused",
        "lost": "manager gone",
        "lost2": "manager gone",
        "loose": "unassigned",
    }
    assert {name for name, row in reported.items() if not row["lacks_second_factor"]} == {"fresh", "left"}
    assert (reported["fresh"]["factors"], reported["sleepy"]["factors"], reported["edge"]["has_second_factor"]) == (
        2,
        0,
        False,
    )
    assert (reported["edge"]["days_since_sign_in"], reported["led"]["sign_ins_30_days"]) == (89, 0)


def test_factors_that_no_provider_reports_are_unknown(build: Build) -> None:
    (row,) = build(*REVIEW, users=[user("ann")])["account_review"]
    assert (row["factors"], row["has_second_factor"], row["lacks_second_factor"]) == (None, None, None)


def test_privileges_come_by_groups_in_groups(build: Build) -> None:
    groups = ["ops", "Domain Admins", "badminton", "role", "inner", "innermost", "db-owner", "gone admins"]
    rows = build(
        "sign_ins",
        "privileged_access",
        users=[user(name) for name in ("ann", "bob", "cy", "dee", "eve")] + [user("left", active=False)],
        groups=[{"id": name, "name": name, "_deleted_at": NOW if name.startswith("gone") else None} for name in groups],
        roles=[{"id": "r", "group_id": "role", "name": "role", "permissions": '["all"]'}],
        role_assignments=[{"role_id": "r", "member_id": "dee"}],
        group_members=[
            member("ops", "eve"),
            member("badminton", "eve"),
            member("gone admins", "eve"),
            member("Domain Admins", "ann"),
            member("Domain Admins", "left"),
            member("role", "inner"),
            member("inner", "innermost"),
            member("inner", "bob"),
            member("innermost", "cy"),
            member("innermost", "role"),  # in a circle
            member("db-owner", "ann"),
            member("role", "bob"),
        ],
    )["privileged_access"]
    assert {(row["user_id"], row["group_id"]): (row["origin"], row["direct"]) for row in rows} == {
        ("ann", "Domain Admins"): ("name", True),
        ("left", "Domain Admins"): ("name", True),
        ("ann", "db-owner"): ("name", True),
        ("bob", "role"): ("role", True),
        ("cy", "role"): ("role", False),
        ("dee", "role"): ("role", True),
    }
    assert {row["permissions"] for row in rows if row["origin"] == "role"} == {'["all"]'}


def test_months_count_who_came_and_went(build: Build) -> None:
    september, october = utc(2026, 9, 5), utc(2026, 10, 6)
    users = [
        user("early", created_at=None),
        user("ann", created_at=september),
        user("told", created_at=september, active=False, updated_at=NOW),
        user("guessed", created_at=september, active=False, updated_at=october),
        user("deleted", created_at=october, _deleted_at=NOW),
        user("soon", created_at=october),
    ]
    ends = {"told": october, "soon": NOW + timedelta(days=20)}
    deactivations = [{"user_id": name, "deactivated_at": at} for name, at in ends.items()]
    rows = build("joiners_and_leavers", users=users, deactivations=deactivations)["joiners_and_leavers"]
    names = ("joined", "left", "left_estimated", "accounts_at_end")
    assert {row["month"]: [row[name] for name in names] for row in rows} == {
        date(2026, 9, 1): [3, 0, 0, 4],
        date(2026, 10, 1): [2, 2, 1, 4],
        date(2026, 11, 1): [0, 1, 1, 3],
    }


def session(name: str, owner: str, days: float, **more: Any) -> Row:
    return {"id": name, "user_id": owner, "application_id": "app", "started_at": NOW - timedelta(days=days), **more}


def test_sessions_are_open_until_they_end(build: Build) -> None:
    made = build(
        "open_sessions",
        "application_access",
        users=[user("ann"), user("left", active=False)],
        applications=[{"id": "app", "name": "App", "client_id": "c"}, {"id": "idle", "name": "Idle", "client_id": "i"}],
        app_assignments=[
            {"application_id": "app", "user_id": "ann", "granted_at": NOW},
            {"application_id": "app", "user_id": "ghost"},
            {"application_id": "app", "user_id": "left", "revoked_at": NOW},
        ],
        sessions=[
            session("endless", "ann", 40, renewable=True),
            session("until", "left", 1, expires_at=NOW + timedelta(hours=30)),
            session("over", "ann", 9, expires_at=NOW),
            session("ended", "ann", 9, revoked_at=NOW - timedelta(hours=1)),
            session("ghost", "ghost", 0),
        ],
    )
    reported = {
        row["session_id"]: (row["user_active"], row["age_days"], row["days_left"]) for row in made["open_sessions"]
    }
    assert reported == {"endless": (True, 40, None), "until": (False, 1, 1), "ghost": (False, 0, None)}
    app, idle = sorted(made["application_access"], key=lambda row: row["application"])
    assert (app["users"], app["inactive_users"], app["open_sessions"]) == (2, 1, 3)
    assert (app["session_users"], app["inactive_session_users"], app["renewable_sessions"]) == (3, 2, 1)
    assert (app["oldest_session_days"], app["sessions_30_days"]) == (40, 1)
    assert (idle["users"], idle["open_sessions"], idle["oldest_session_days"]) == (0, 0, None)


LEAVERS = [
    user("ann", formatted_name="Ann Ash", manager_id="lea"),
    user("lea", formatted_name="Lea Lime", active=False),
    user("old.sam", email="sam@x.org", active=False),
    user("sam", email="Sam@x.org"),  # got the address of who left
    user("del", _deleted_at=NOW),
]


def test_a_leaver_holds_things_in_single_sign_on_alone(build: Build) -> None:
    rows = build(
        "leaver_holdings",
        users=LEAVERS,
        groups=[{"id": "g", "name": "G"}],
        group_members=[member("g", "lea"), member("g", "ann"), member("vanished", "lea", direct=False)],
        sessions=[session("s", "lea", 1), session("over", "lea", 9, expires_at=NOW)],
        app_assignments=[{"application_id": "app", "user_id": "lea", "revoked_at": NOW}],
    )["leaver_holdings"]
    assert {(row["user_id"], row["kind"], row["thing_id"]) for row in rows} == {
        ("lea", "group", "g"),
        ("lea", "group", "vanished"),
        ("lea", "session", "s"),
        ("lea", "report", "ann"),
    }


def test_a_leaver_is_listed_in_other_systems(build: Build) -> None:
    def event(uid: str, organizer: str, days: float, **more: Any) -> tuple[Row, Row]:
        key = {"calendar": "/c/", "href": f"{uid}.ics", "uid": uid, "recurrence_id": ""}
        times = {**key, "occurrence_id": "1", "starts_at": NOW + timedelta(days=days), **more}
        return {**key, "organizer_email": organizer, "summary": uid}, times

    events = [event("next", "lea@x.org", 1), event("past", "lea@x.org", -1), event("sams", "sam@x.org", 1)]
    events.append(event("cancelled", "lea@x.org", 2, status="CANCELLED"))
    shares = [
        {"calendar": "/a/", "principal": "/principals/users/Lea/", "kind": "user", "access": "read"},
        {"calendar": "/b/", "principal": "mailto:lea@x.org", "kind": "user", "enabled_by_owner": False},
        {"calendar": "/lea/", "principal": "lea", "kind": "owner", "access": "write"},
        {"calendar": "/a/", "principal": "lea", "kind": "group"},
    ]
    calendar = {
        "calendars": [],
        "events": [one for one, _ in events],
        "occurrences": [other for _, other in events],
        "shares": shares,
    }
    kinds: dict[str, Row] = {"work": {"ahead": 2}, "main": {"is_default": True}, "done": {"merged": True}}
    refs = [
        {"repository": "app", "ref": f"refs/heads/{name}", "name": name, "kind": "branch", "commit": "c1", **more}
        for name, more in kinds.items()
    ]
    files = [{"bucket": "b", "key": f"p/{n}", "prefix": "p/", "size": 5, "owner_email": "Lea@x.org"} for n in range(2)]
    others: dict[str, Any] = {
        "calendar": calendar,
        "version_control": {
            "refs": refs,
            "commits": [{"repository": "app", "commit": "c1", "author_email": "LEA@x.org"}],
        },
        "cloud_storage": {
            "objects": [*files, {**files[0], "key": "q", "prefix": "", "owner_email": "sam@x.org"}],
            "shares": [
                {"bucket": "b", "prefix": "", "email": "del@x.org", "permission": "READ", "origin": "acl"},
                {"bucket": "b", "prefix": "", "email": "lea@x.org", "permission": "READ", "origin": "acl"}
                | {"expires_at": NOW},
            ],
        },
        "email": {"mailboxes": [{"account": "Lea@x.org", "mailbox": box, "messages": 3} for box in ("INBOX", "Sent")]},
        "crm_accounting": {
            "leads": [
                {"lead_id": "1", "name": "Big", "owner": "Lea Lime", "stage": "opportunity"},
                {"lead_id": "2", "name": "Lost", "owner": "Lea Lime", "stage": "lost"},
                {"lead_id": "3", "name": "Hers", "owner": "Ann Ash", "stage": "lead"},
            ]
        },
    }
    rows = build("leaver_holdings", users=LEAVERS[1:], others=others)["leaver_holdings"]
    assert {(row["user_id"], row["kind"], row["thing_id"], row["detail"]) for row in rows} == {
        ("lea", "calendar_share", "/a/", "read"),
        ("lea", "calendar", "/lea/", "write"),
        ("lea", "meeting", "next", "1 to come"),
        ("lea", "branch", "app refs/heads/work", "2 commits ahead"),
        ("lea", "files", "b/p/", "2 objects, 10 bytes"),
        ("lea", "mailbox", "Lea@x.org", "6 messages"),
        ("lea", "lead", "1", "opportunity"),
        ("del", "file_share", "b/ READ acl", "READ"),
    }
