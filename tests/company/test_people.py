"""Who is who at the demo company, counted at the servers themselves, and what is planted about people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from dotenv import dotenv_values

from leat.demo.seed.git_history import git
from leat.demo.story.people import SHOP
from leat.demo.story.planted import PLANTED
from leat.warehouse.connect import open_warehouse
from tests.company.conftest import Demo

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started

RULES = {
    path.stem
    for path in (Path(__file__).parents[2] / "quality" / "rules").glob("*.sql")
    if path.stem.startswith("leaver_")
    or path.stem in {f"{who}_unknown" for who in ("author", "organizer", "attendee", "mailbox", "file_owner")}
}

Row = dict[str, Any]


@pytest.fixture(scope="module")
def env(demo: Demo) -> dict[str, str]:
    assert demo.first.returncode == 0, demo.first.stdout + demo.first.stderr
    return {name: str(value) for name, value in dotenv_values(demo.state / "demo" / "env").items()}


@pytest.fixture(scope="module")
def identities(demo: Demo) -> list[Row]:
    return list(rows(demo, "identities"))


def rows(demo: Demo, model: str) -> Iterator[Row]:
    with open_warehouse(None, demo.state).published() as session:
        columns = list(session.columns("analytics", model))
        result = session.execute(f"SELECT * FROM analytics.{model}")
    return (dict(zip(columns, row, strict=True)) for row in result)


def scim_users(env: dict[str, str]) -> list[Row]:
    """Ask the identity provider for its users."""
    client = (env["SSO_CLIENT_ID"], env["SSO_CLIENT_SECRET"])
    grant = {"grant_type": "client_credentials"}
    token = requests.post(env["SSO_TOKEN_URL"], data=grant, auth=client, timeout=30).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    listed: list[Row] = requests.get(f"{env['SSO_URL']}/Users", headers=headers, timeout=30).json()["Resources"]
    return listed


def test_people_are_the_users_of_the_identity_provider(demo: Demo, env: dict[str, str]) -> None:
    people = {row["person_id"]: (row["user_name"], row["email"], row["active"]) for row in rows(demo, "people")}
    users = scim_users(env)
    assert people == {user["id"]: (user["userName"], user["emails"][0]["value"], user["active"]) for user in users}
    assert [name for name, _, active in people.values() if not active] == ["gus.haddad"]


def test_authors_are_those_that_git_log_names(demo: Demo, env: dict[str, str], identities: list[Row]) -> None:
    shop, wrote = demo.state / "demo" / "repositories" / "shop.git", Counter[str]()
    for folder in shop.parent.glob("*.git"):
        wrote.update(git(folder, "log", "--all", "--format=%ae").lower().split())
    authors = {row["identity"]: row for row in identities if row["kind"] == "commit author"}
    assert {name: row["times"] for name, row in authors.items()} == dict(wrote)
    users = {user["emails"][0]["value"]: user["id"] for user in scim_users(env)}
    mapped = dict(line.split() for line in git(shop, "log", "--all", "--format=%ae %aE", "--use-mailmap").splitlines())
    for name in git(shop, "log", "--all", "--format=%ae").split():
        assert authors[name]["person_id"] == users.get(mapped[name]), name
    assert authors["bob@laptop.invalid"]["matched_by"] == "mailmap"


def test_mailboxes_are_those_that_can_be_signed_in_to(env: dict[str, str], identities: list[Row]) -> None:
    accounts = json.loads(env["EMAIL_ACCOUNTS"])
    users = {user["emails"][0]["value"] for user in scim_users(env)}
    actual = {row["identity"]: row["resolved_to"] for row in identities if row["kind"] == "mailbox"}
    assert actual == {one: "person" if one in users else "unresolved" for one in accounts} | {SHOP: "shared"}


def test_an_identity_has_one_owner_at_most_and_doubt_shows(identities: list[Row]) -> None:
    assert len({(row["system"], row["kind"], row["identity"]) for row in identities}) == len(identities)
    doubtful = {row["identity"] for row in identities if row["candidates"] > 1}
    assert doubtful == {"dora@dogwood.example"}, "the CRM has one contact twice"
    assert {row["matched_by"] is None for row in identities if row["resolved_to"] == "unresolved"} == {True}


def test_companies_are_matched_at_every_customer_but_the_one_that_the_crm_lacks(demo: Demo) -> None:
    customers = {row["name"]: row for row in rows(demo, "company_identities") if row["kind"] == "customer"}
    assert [name for name, row in customers.items() if row["company_id"] is None] == ["Quill Press"]
    companies = {row["company_id"]: row["name"] for row in rows(demo, "companies")}
    assert {name for name, row in customers.items() if row["company_id"] and companies[row["company_id"]] != name} == (
        set()
    )


def test_each_planted_inconsistency_about_people_is_reported_once_and_nothing_else(demo: Demo) -> None:
    with open_warehouse(None, demo.state).snapshot() as session:
        rows = session.execute("SELECT rule, evidence FROM leat.violations WHERE resolved_at IS NULL")
    evidence = [(rule, json.loads(said) if isinstance(said, str) else said) for rule, said in rows if rule in RULES]
    planted = [(each.kind, each.subject) for each in PLANTED if each.kind in RULES]
    assert len(planted) == 12
    assert sorted(rule for rule, _ in evidence) == sorted(kind for kind, _ in planted)
    for rule, said in evidence:
        assert [kind for kind, subject in planted if kind == rule and subject in said.values()] == [rule], said
