"""What the models say about storage, accounts and runs is what the servers themselves hold, asked by other means."""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from dotenv import dotenv_values

from leat.demo.story.files import BUCKET, OWNERS, QUOTAS
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import quote
from tests.company.conftest import Demo

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started

Row = dict[str, Any]


@pytest.fixture(scope="module")
def env(demo: Demo) -> dict[str, str]:
    assert demo.first.returncode == 0, demo.first.stdout + demo.first.stderr
    return {name: str(value) for name, value in dotenv_values(demo.state / "demo" / "env").items()}


@pytest.fixture(scope="module")
def objects(env: dict[str, str]) -> list[Row]:
    """Give every version of every object, as the server lists them."""
    client = storage(env)
    result = []
    for bucket in (each["Name"] for each in client.list_buckets()["Buckets"]):
        current = {each["Key"] for each in pages(client, "list_objects_v2", "Contents", Bucket=bucket)}
        for each in pages(client, "list_object_versions", "Versions", Bucket=bucket):
            is_current = each["IsLatest"] and each["Key"] in current
            folder, slash, _ = each["Key"].partition("/")
            result.append({**each, "bucket": bucket, "prefix": folder + slash, "current": is_current})
    return result


def storage(env: dict[str, str]) -> Any:
    keys = {"aws_access_key_id": env["CLOUD_STORAGE_ACCESS_KEY"]}
    keys["aws_secret_access_key"] = env["CLOUD_STORAGE_SECRET_KEY"]
    return boto3.client("s3", endpoint_url=env["CLOUD_STORAGE_URL"], region_name="us-east-1", **keys)


def pages(client: Any, call: str, what: str, **asked: str) -> Iterable[Row]:
    for page in client.get_paginator(call).paginate(**asked):
        yield from page.get(what, ())


def model(demo: Demo, name: str, schema: str = "analytics") -> list[Row]:
    with open_warehouse(None, demo.state).published() as session:
        columns = list(session.columns(schema, name))
        return [dict(zip(columns, row, strict=True)) for row in session.execute(f"SELECT * FROM {quote(schema, name)}")]


def asked(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def canaille(demo: Demo, sql: str) -> list[tuple[Any, ...]]:
    return asked(demo.state / "demo" / "canaille" / "canaille.sqlite", sql)


# Storage.


def test_usage_is_what_the_server_lists(demo: Demo, objects: list[Row]) -> None:
    expected: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for each in objects:
        owner = OWNERS.get(each["prefix"]) if each["bucket"] == BUCKET else None
        extension = each["Key"].rpartition("/")[2].rpartition(".")[2]
        counts = expected[each["bucket"], each["prefix"], owner or "office", extension]
        kind = "" if each["current"] else "noncurrent_"
        counts[f"{kind}objects"] += 1
        counts[f"{kind}bytes"] += each["Size"]
    names = ("objects", "bytes", "noncurrent_objects", "noncurrent_bytes")
    reported = {
        (row["bucket"], row["prefix"], row["owner"], row["extension"]): {name: row[name] for name in names}
        for row in model(demo, "storage_usage")
    }
    assert reported == {key: {name: counts[name] for name in names} for key, counts in expected.items()}
    assert math.isclose(sum(row["share_of_bytes"] for row in model(demo, "storage_usage")), 1)


def test_growth_age_and_months_add_up_to_what_the_server_lists(demo: Demo, objects: list[Row]) -> None:
    current: Counter[tuple[str, str]] = Counter()
    for each in objects:
        if each["current"]:
            current[each["bucket"], each["prefix"]] += each["Size"]
    growth = model(demo, "storage_growth")
    last = max(row["day"] for row in growth)
    assert {(row["bucket"], row["prefix"]): row["bytes"] for row in growth if row["day"] == last} == current
    cold = model(demo, "cold_data")
    assert {(row["bucket"], row["prefix"]): row["bytes"] for row in cold} == current
    assert sum(row["bytes_90_days"] for row in cold) == 0, "the server says that all was put when the demo began"
    assert sum(row["bytes"] for row in model(demo, "storage_written")) == sum(current.values())
    contents = Counter((each["ETag"], each["Size"]) for each in objects if each["current"] and each["Size"])
    assert len(model(demo, "storage_duplicates")) == sum(copies > 1 for copies in contents.values())


def test_quotas_are_judged_by_what_the_server_lists(demo: Demo, objects: list[Row]) -> None:
    reported = {(row["bucket"], row["prefix"]): row for row in model(demo, "quota_forecast")}
    assert set(reported) == {(BUCKET, prefix) for prefix in QUOTAS}
    for prefix, limit in QUOTAS.items():
        used = sum(each["Size"] for each in objects if each["current"] and each["prefix"] == prefix)
        row = reported[BUCKET, prefix]
        assert (row["limit_bytes"], row["used_bytes"]) == (limit, used)
        assert (row["status"] == "over") == (used > limit)


def test_open_shares_are_what_the_policy_says(demo: Demo, env: dict[str, str], objects: list[Row]) -> None:
    policy = json.loads(storage(env).get_bucket_policy(Bucket=BUCKET)["Policy"])
    expected = set()
    for statement in policy["Statement"]:
        prefix = statement["Resource"].partition(f":::{BUCKET}/")[2].removesuffix("*")
        public = statement["Principal"] == "*"
        reached = [each for each in objects if each["current"] and each["Key"].startswith(prefix)]
        who = ("*", "public") if public else (statement["Principal"]["AWS"], "foreign")
        expected.add((prefix, *who, len(reached), sum(each["Size"] for each in reached)))
    names = ("prefix", "principal", "kind", "objects", "bytes")
    assert {tuple(row[name] for name in names) for row in model(demo, "open_shares")} == expected


def test_backups_are_what_the_server_holds(demo: Demo, env: dict[str, str], objects: list[Row]) -> None:
    client = storage(env)
    tested: dict[str, list[bool]] = defaultdict(list)
    for each in pages(client, "list_objects_v2", "Contents", Bucket=BUCKET, Prefix="restore-tests/"):
        report = json.loads(client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read())
        tested[report["backup"]].append(report["ok"])
    reported = {row["backup"]: row for row in model(demo, "backup_coverage")}
    assert set(reported) == {"books", "shop"}
    for name, row in reported.items():
        runs = [each for each in objects if each["current"] and each["Key"].startswith(f"backups/{name}/")]
        last = max(runs, key=lambda each: (each["LastModified"], each["Key"]))
        assert (row["runs"], row["bytes"]) == (len(runs), sum(each["Size"] for each in runs))
        assert (row["last_run_bytes"], row["last_run"]) == (last["Size"], last["Key"].rpartition("/")[2])
        assert row["restore_tests"] == len(tested[name])
        assert row["covered"] == any(tested[name])
    assert reported["shop"]["reason"] == "never restored"


# Accounts.


def test_accounts_are_what_the_provider_reports(demo: Demo, env: dict[str, str]) -> None:
    client = (env["SSO_CLIENT_ID"], env["SSO_CLIENT_SECRET"])
    grant = {"grant_type": "client_credentials"}
    token = requests.post(env["SSO_TOKEN_URL"], data=grant, auth=client, timeout=30).json()["access_token"]
    listed = requests.get(f"{env['SSO_URL']}/Users", headers={"Authorization": f"Bearer {token}"}, timeout=30).json()
    users = {each["id"]: each for each in listed["Resources"]}
    reported = {row["user_id"]: row for row in model(demo, "account_review")}
    assert {key: row["active"] for key, row in reported.items()} == {key: each["active"] for key, each in users.items()}
    assert {row["user_name"] for row in reported.values()} == {each["userName"] for each in users.values()}
    groups = Counter(user for (user,) in canaille(demo, "SELECT user_id FROM membership_association_table"))
    assert {key: row["groups"] for key, row in reported.items() if row["groups"]} == groups
    factors = canaille(demo, "SELECT id FROM user WHERE secret_token IS NOT NULL AND last_otp_login IS NOT NULL")
    keys = canaille(demo, "SELECT user_id FROM webauthn_credential")
    lacking = {key for key, row in reported.items() if row["lacks_second_factor"]}
    assert lacking == {key for key, each in users.items() if each["active"]} - {user for (user,) in factors + keys}
    privileged = 'SELECT m.user_id FROM membership_association_table AS m JOIN "group" AS g ON g.id = m.group_id '
    privileged += "WHERE g.display_name IN ('admins', 'auditors')"
    expected = {user for (user,) in canaille(demo, privileged)}
    assert {key for key, row in reported.items() if row["is_privileged"]} == expected
    assert {row["user_id"] for row in model(demo, "privileged_access")} == expected


def sign_in_lines(demo: Demo) -> list[tuple[datetime, str, str, bool]]:
    """Return time, address, login and success of each try in Canaille's log."""
    folder = demo.state / "demo" / "canaille"
    text = (folder / "security.log.1").read_text() + (folder / "security.log").read_text()
    pattern = r"\[(\S+ \S+)\] - (\S*) - SECURITY in \w+: (?:(Successful)|Failed password) authentication for (\S+)"
    actual = re.findall(pattern, text)
    return [(datetime.fromisoformat(at.replace(",", ".") + "+00:00"), ip, who, bool(ok)) for at, ip, ok, who in actual]


def test_sign_ins_are_what_the_log_says(demo: Demo) -> None:
    lines = sign_in_lines(demo)
    reported = model(demo, "sign_ins")
    assert Counter((row["ip"], row["user_name"], row["success"]) for row in reported) == Counter(
        (ip, who, ok) for _, ip, who, ok in lines
    )
    last = {who: max(at for at, _, name, ok in lines if ok and name == who) for _, _, who, ok in lines if ok}
    review = {row["user_name"]: row for row in model(demo, "account_review")}
    assert {who: row["last_sign_in_at"] for who, row in review.items() if row["last_sign_in_at"]} == last
    assert {who for who, row in review.items() if row["is_dormant"]} == {
        who for who, row in review.items() if row["active"] and who not in last
    }
    failed = Counter((at.date(), who, ip) for at, ip, who, ok in lines if not ok)
    assert {
        (row["day"], row["user_name"], row["ip"]): row["failed"] for row in model(demo, "failed_sign_ins")
    } == failed
    sources = {(row["day"], row["ip"]): row["tries"] for row in model(demo, "sign_in_sources")}
    assert sources == Counter((at.date(), ip) for at, ip, _, _ in lines)


def test_moves_are_detected_without_places(demo: Demo) -> None:
    """Those who signed in by their browser did so from this machine, and from elsewhere before."""
    expected = 0
    for who in {who for _, _, who, _ in sign_in_lines(demo)}:
        networks = [ip.rpartition(".")[0] for _, ip, name, ok in sorted(sign_in_lines(demo)) if ok and name == who]
        expected += sum(one != other for one, other in pairwise(networks))
    moves = model(demo, "sign_in_moves")
    assert len(moves) == expected > 0
    assert {row["is_impossible"] for row in moves} == {None}


def test_joiners_and_leavers_are_those_of_the_database(demo: Demo) -> None:
    users = canaille(demo, "SELECT created, lock_date FROM user")
    now = datetime.now(UTC).isoformat(" ")
    joined = Counter(created[:7] for created, _ in users)
    left = Counter(locked[:7] for _, locked in users if locked and locked < now)
    reported = {f"{row['month']:%Y-%m}": row for row in model(demo, "joiners_and_leavers")}
    assert {month: row["joined"] for month, row in reported.items() if row["joined"]} == joined
    assert {month: row["left"] for month, row in reported.items() if row["left"]} == left
    assert reported[max(reported)]["accounts_at_end"] == len(users) - sum(left.values())


def test_sessions_are_the_tokens_that_have_not_run_out(demo: Demo) -> None:
    tokens = canaille(
        demo,
        "SELECT t.subject_id, c.client_name, t.issue_date, t.lifetime FROM token AS t JOIN client AS c "
        "ON c.id = t.client_id WHERE t.subject_id IS NOT NULL AND t.revokation_date IS NULL",
    )
    now = datetime.now(UTC)
    still = [
        (user, name)
        for user, name, issued, lifetime in tokens
        if datetime.fromisoformat(issued).replace(tzinfo=UTC) + timedelta(seconds=lifetime) > now
    ]
    assert Counter((row["user_id"], row["application"]) for row in model(demo, "open_sessions")) == Counter(still)
    counted = {row["application"]: row["open_sessions"] for row in model(demo, "application_access")}
    clients = {name for (name,) in canaille(demo, "SELECT client_name FROM client")}
    assert counted == {name: sum(of == name for _, of in still) for name in clients}
    agreed = (
        "SELECT c.client_name FROM consent AS x JOIN client AS c ON c.id = x.client_id WHERE revokation_date IS NULL"
    )
    used = Counter(name for (name,) in canaille(demo, agreed))
    assert {row["application"]: row["users"] for row in model(demo, "application_access") if row["users"]} == used


def test_a_leaver_holds_what_the_servers_say(demo: Demo, env: dict[str, str], objects: list[Row]) -> None:
    ((user, login),) = canaille(demo, "SELECT id, user_name FROM user WHERE lock_date IS NOT NULL")
    email = f"{login}@demo.example"
    held: set[tuple[str, str]] = set()
    groups = canaille(demo, "SELECT user_id, group_id FROM membership_association_table")
    held |= {("group", group) for owner, group in groups if owner == user}
    for kind, table in (("session", "token"), ("application", "consent")):
        column = "id" if kind == "session" else "client_id"
        actual = canaille(demo, f"SELECT subject_id, {column} FROM {table} WHERE revokation_date IS NULL")
        held |= {(kind, thing) for owner, thing in actual if owner == user}
    folders = {each["prefix"] for each in objects if each["current"] and each["bucket"] == BUCKET}
    held |= {("files", f"{BUCKET}/{prefix}") for prefix in folders if OWNERS.get(prefix) == email}
    support = demo.state / "demo" / "datasette" / "support.db"
    tickets = asked(support, "SELECT number, assignee FROM tickets WHERE closed_at IS NULL")
    held |= {("ticket", str(number)) for number, assignee in tickets if assignee == email}
    held |= {("mailbox", account) for account in json.loads(env["EMAIL_ACCOUNTS"]) if account == email}
    reported = model(demo, "leaver_holdings")
    assert {row["user_id"] for row in reported} == {user}
    of_calendar = {(row["kind"], row["thing_id"]) for row in reported if row["system"] == "calendar"}
    auth = (env["CALENDAR_USERNAME"], env["CALENDAR_PASSWORD"])
    for kind, thing in of_calendar:
        if kind == "meeting":
            team = requests.get(f"{env['CALENDAR_URL']}office/team/", auth=auth, timeout=30).text
            event = next(text for text in team.split("BEGIN:VEVENT") if f"UID:{thing}" in text)
            assert re.search(rf"ORGANIZER[^\r\n]*(\r?\n )?[^\r\n]*{email}", event), event
    assert {kind for kind, _ in of_calendar} == {"calendar_share", "meeting"}
    assert {(row["kind"], row["thing_id"]) for row in reported} - of_calendar == held


# Runs and calls.


@pytest.fixture(scope="module")
def loaded_runs(demo: Demo) -> set[str]:
    """Give the runs that the warehouse has; those with nothing new come with the next load."""
    return {row["id"] for row in model(demo, "runs", "platform")}


def test_latency_and_errors_are_those_of_the_control_store(demo: Demo, loaded_runs: set[str]) -> None:
    calls = asked(
        demo.state / "control.db",
        "SELECT c.run_id, i.name, c.host, c.path, substr(c.called_at, 1, 10), c.status, c.milliseconds, c.attempt "
        "FROM api_call AS c JOIN integration AS i ON i.id = c.integration_id",
    )
    groups: dict[tuple[str, ...], list[tuple[int | None, float, int]]] = defaultdict(list)
    for run, name, host, path, day, status, milliseconds, attempt in calls:
        if run in loaded_runs:
            groups[name, host, path, day].append((status, milliseconds, attempt))
    latency = {key_of(row): row for row in model(demo, "api_latency")}
    errors = {key_of(row): row for row in model(demo, "api_errors")}
    assert set(errors) == set(groups)
    assert set(latency) == {key for key, each in groups.items() if any(status for status, _, _ in each)}
    for key, each in groups.items():
        assert errors[key]["calls"] == len(each)
        assert errors[key]["failed"] == sum(status is None or status >= 400 for status, _, _ in each)
        assert errors[key]["retries"] == sum(attempt > 1 for _, _, attempt in each)
        times = sorted(milliseconds for status, milliseconds, _ in each if status is not None)
        for share in (50, 90, 95, 99) if times else ():
            assert latency[key][f"p{share}_ms"] == times[math.ceil(len(times) * share / 100) - 1]


def key_of(row: Row) -> tuple[str, ...]:
    return row["integration"], row["host"], row["path"], f"{row['day']:%Y-%m-%d}"


def test_reliability_is_that_of_the_control_store(demo: Demo, loaded_runs: set[str]) -> None:
    runs = asked(
        demo.state / "control.db",
        "SELECT r.id, i.name, r.status, substr(r.ended_at, 1, 10), r.rows_inserted + r.rows_updated + r.rows_deleted "
        "FROM run AS r JOIN integration AS i ON i.id = r.integration_id WHERE r.ended_at IS NOT NULL ORDER BY r.id",
    )
    compared = [each for each in runs if each[0] in loaded_runs]
    names = {name for (name,) in asked(demo.state / "control.db", "SELECT name FROM integration")}
    reported = {row["integration"]: row for row in model(demo, "integration_reliability")}
    assert set(reported) == names
    for name, row in reported.items():
        ended = [status for _, of, status, _, _ in compared if of == name and status != "busy"]
        good = [status in ("loaded", "nothing_new") for status in ended]
        assert (row["runs"], row["succeeded"], row["failed"]) == (len(good), sum(good), len(good) - sum(good))
        assert row["failures_in_a_row"] == (good[::-1].index(True) if True in good else len(good))
        assert row["last_status"] == (ended[-1] if ended else None)
    daily = {(row["integration"], f"{row['day']:%Y-%m-%d}"): row["rows_changed"] for row in model(demo, "runs_daily")}
    changed: Counter[tuple[str, str]] = Counter()
    for _, name, _, day, rows in compared:
        changed[name, day] += rows
    assert daily == changed


def test_freshness_names_every_loaded_stream(demo: Demo) -> None:
    shown = demo.leat.json("status")["integrations"]
    rows = {(each["integration"], s["stream"]): s["rows"] for each in shown for s in each["streams"]}
    reported = {(row["integration"], row["stream"]): row["rows"] for row in model(demo, "stream_freshness")}
    grows = "platform"
    assert {key: n for key, n in reported.items() if key[0] != grows} == {
        key: rows[key] for key in reported if key[0] != grows
    }
    assert {name for name, _ in reported} >= {each["integration"] for each in shown} - {grows}
