"""What ``leat status`` counts is what each server itself reports, asked by other means than leat's."""

from __future__ import annotations

import imaplib
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import boto3
import pytest
import requests
import stripe
from dotenv import dotenv_values

from leat.demo.seed.git_history import git
from tests.company.conftest import Demo

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started

Counts = dict[str, int]


@pytest.fixture(scope="module")
def env(demo: Demo) -> dict[str, str]:
    assert demo.first.returncode == 0, demo.first.stdout + demo.first.stderr
    return {name: str(value) for name, value in dotenv_values(demo.state / "demo" / "env").items()}


def of_calendar(env: dict[str, str], _folder: Path) -> Counts:
    """Events that can't be loaded are in the quarantine; two of them Radicale doesn't even show."""
    auth = (env["CALENDAR_USERNAME"], env["CALENDAR_PASSWORD"])
    home = f"{env['CALENDAR_URL']}{env['CALENDAR_USERNAME']}/"
    listing = requests.request("PROPFIND", home, headers={"Depth": "1"}, auth=auth, timeout=30).text
    calendars = set(re.findall(r"<href>(/\w+/[^/<]+/)</href>", listing))
    events = sum(
        requests.get(f"{env['CALENDAR_URL']}{path[1:]}", auth=auth, timeout=30).text.count("BEGIN:VEVENT")
        for path in calendars
    )
    broken = 2  # served, and neither has times that can be understood
    return {"calendars": len(calendars), "events": events - broken}


def of_cloud_storage(env: dict[str, str], _folder: Path) -> Counts:
    keys = {"aws_access_key_id": env["CLOUD_STORAGE_ACCESS_KEY"]}
    keys["aws_secret_access_key"] = env["CLOUD_STORAGE_SECRET_KEY"]
    storage = boto3.client("s3", endpoint_url=env["CLOUD_STORAGE_URL"], region_name="us-east-1", **keys)
    buckets = [bucket["Name"] for bucket in storage.list_buckets()["Buckets"]]
    listed = [storage.list_objects_v2(Bucket=bucket) for bucket in buckets]
    versions = [storage.list_object_versions(Bucket=bucket) for bucket in buckets]
    return {
        "buckets": len(buckets),
        "objects": sum(page["KeyCount"] for page in listed),
        "delete_markers": sum(len(page.get("DeleteMarkers", ())) for page in versions),
    }


def of_crm_accounting(_env: dict[str, str], folder: Path) -> Counts:
    tables = {
        "leads": "sale_opportunity",
        "products": "product_product",
        "accounts": "account_account",
        "journal_entries": "account_move",
        "journal_lines": "account_move_line",
        "companies": "party_party",
    }
    invoice = "account_invoice WHERE type = 'out' AND CAST(CAST(total_amount_cache AS TEXT) AS REAL) {} 0"
    tables |= {"invoices": invoice.format(">="), "credit_notes": invoice.format("<")}
    return counted(folder / "tryton" / "leat.sqlite", tables)


def of_email(env: dict[str, str], _folder: Path) -> Counts:
    host, _, port = env["EMAIL_HOST"].partition(":")
    mailboxes = messages = 0
    for account, password in json.loads(env["EMAIL_ACCOUNTS"]).items():
        with imaplib.IMAP4(host, int(port), timeout=30) as client:
            client.login(account, password)
            for line in client.list()[1]:
                name = bytes(line).decode().rpartition(" ")[2]
                mailboxes += 1
                answer = client.status(name, "(MESSAGES)")[1][0]
                messages += int(re.findall(rb"MESSAGES (\d+)", bytes(answer))[0])
    return {"mailboxes": mailboxes, "messages": messages}


def of_payments(env: dict[str, str], _folder: Path) -> Counts:
    library = stripe.StripeClient(env["PAYMENTS_API_KEY"], base_addresses={"api": env["PAYMENTS_URL"]}).v1
    names = ("customers", "payment_intents", "charges", "refunds", "disputes", "balance_transactions", "payouts")
    lists = {name: getattr(library, name) for name in (*names, "products", "prices", "subscriptions", "events")}
    return {name: sum(1 for _ in each.list({"limit": 100}).auto_paging_iter()) for name, each in lists.items()}


def of_support(_env: dict[str, str], folder: Path) -> Counts:
    names = ("tickets", "messages", "reviews")
    return counted(folder / "datasette" / "support.db", {name: name for name in names})


def of_sso(_env: dict[str, str], folder: Path) -> Counts:
    tables = {"users": "user", "groups": '"group"', "group_members": "membership_association_table"}
    return counted(folder / "canaille" / "canaille.sqlite", {**tables, "applications": "client"})


def of_version_control(_env: dict[str, str], folder: Path) -> Counts:
    repositories = sorted((folder / "repositories").glob("*.git"))
    commits = sum(int(git(each, "rev-list", "--count", "--all")) for each in repositories)
    refs = sum(len(git(each, "for-each-ref", "refs/heads", "refs/tags").splitlines()) for each in repositories)
    return {"repositories": len(repositories), "commits": commits, "refs": refs}


def counted(file: Path, tables: dict[str, str]) -> Counts:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
        return {
            stream: int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
            for stream, table in tables.items()
        }


@pytest.mark.parametrize(
    "counted",
    [
        of_calendar,
        of_cloud_storage,
        of_crm_accounting,
        of_email,
        of_payments,
        of_support,
        of_sso,
        of_version_control,
    ],
)
def test_status_counts_what_the_server_reports(
    demo: Demo, env: dict[str, str], counted: Callable[[dict[str, str], Path], Counts]
) -> None:
    name = counted.__name__.removeprefix("of_")
    shown = next(each for each in demo.leat.json("status")["integrations"] if each["integration"] == name)
    assert shown["last_status"] in ("loaded", "nothing_new")
    rows = {stream["stream"]: stream["rows"] for stream in shown["streams"]}
    expected = counted(env, demo.state / "demo")
    assert all(expected.values())
    assert {stream: rows[stream] for stream in expected} == expected
