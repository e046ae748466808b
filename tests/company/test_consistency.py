"""The rules find what is planted and nothing else; what is fixed in a server is resolved, and may come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import boto3
import pytest
from dotenv import dotenv_values
from imapclient import IMAPClient

from leat.demo.story.files import BUCKET
from leat.demo.story.planted import PLANTED
from leat.demo.systems import ALERTED
from tests.company.conftest import Both, Demo, company

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started

MISSING = "invoice_file_missing"


def still_open(demo: Demo) -> list[dict[str, Any]]:
    actual: list[dict[str, Any]] = demo.leat.json("violations", "--open")["violations"]
    return actual


def unmatched(actual: Sequence[Mapping[str, Any]]) -> tuple[list[tuple[str, str]], list[tuple[str, Any]]]:
    """Return what was planted and isn't reported, and what is reported and wasn't planted."""
    planted = [(each.kind, each.subject) for each in PLANTED]
    strange = []
    for violation in actual:
        values = {str(value) for value in violation["evidence"].values()}
        hit = next((each for each in planted if each[0] == violation["rule"] and each[1] in values), None)
        if hit is None:
            strange.append((violation["rule"], violation["evidence"]))
        else:
            planted.remove(hit)
    return planted, strange


def mails(demo: Demo) -> list[str]:
    """Return the subjects of the alerts that arrived, oldest first."""
    servers = company(demo.state)
    with IMAPClient("127.0.0.1", servers["ports"]["mail"], ssl=False) as client:
        client.login(ALERTED, servers["password"])
        client.select_folder("INBOX", readonly=True)
        match = client.fetch(client.search(), ["ENVELOPE"])
    return [match[uid][b"ENVELOPE"].subject.decode() for uid in sorted(match)]


def test_the_rules_find_what_is_planted_and_nothing_else(demo: Demo) -> None:
    assert unmatched(still_open(demo)) == ([], [])


def test_a_run_ends_with_how_many_each_rule_has(demo: Demo, both: Both) -> None:
    counted = {each["rule"]: each["open"] for each in both.said["violations"]}
    kinds = [each.kind for each in PLANTED]
    assert counted == {kind: kinds.count(kind) for kind in kinds}
    lines = demo.leat("run").stdout.splitlines()
    assert (
        f"{len(kinds)} open violations of {len(set(kinds))} rules: `leat violations --open` shows the evidence" in lines
    )


def test_every_rule_ran(demo: Demo) -> None:
    reported = demo.leat.json("query", "SELECT rule, outcome, detail FROM leat.rules")["rows"]
    assert len(reported) > 20
    assert [row for row in reported if row["outcome"] not in ("holds", "violated")] == []


def test_what_is_fixed_is_resolved_and_what_breaks_again_is_the_same_violation(demo: Demo) -> None:
    env = dotenv_values(demo.state / "demo" / "env")
    keys = {"aws_access_key_id": env["CLOUD_STORAGE_ACCESS_KEY"]}
    keys["aws_secret_access_key"] = env["CLOUD_STORAGE_SECRET_KEY"]
    storage = boto3.client("s3", endpoint_url=env["CLOUD_STORAGE_URL"], region_name="us-east-1", **keys)
    (planted,) = [each.subject for each in PLANTED if each.kind == MISSING]
    (before,) = demo.leat.json("violations", "--rule", MISSING)["violations"]
    assert before["resolved_at"] is None
    mailed = mails(demo)
    assert any("new" in subject for subject in mailed)
    written = storage.put_object(Bucket=BUCKET, Key=f"invoices/{planted}.pdf", Body=b"%PDF")
    try:
        assert demo.leat("run", "cloud_storage").returncode == 0
        (fixed,) = demo.leat.json("violations", "--rule", MISSING)["violations"]
        assert fixed["resolved_at"] is not None
        assert len(still_open(demo)) == len(PLANTED) - 1
        assert mails(demo) == [*mailed, f"leat: 1 resolved violation ({MISSING})"]
        assert demo.leat("run", "cloud_storage").returncode == 0
        assert len(mails(demo)) == len(mailed) + 1, "it is told once"
    finally:
        storage.delete_object(Bucket=BUCKET, Key=f"invoices/{planted}.pdf", VersionId=written["VersionId"])
        assert demo.leat("run", "cloud_storage").returncode == 0
    (again,) = demo.leat.json("violations", "--rule", MISSING)["violations"]
    assert (again["key"], again["first_seen_at"]) == (before["key"], before["first_seen_at"])
    assert (again["resolved_at"], again["episodes"]) == (None, before["episodes"] + 1)
    assert unmatched(still_open(demo)) == ([], [])


def test_who_looks_after_it_is_notified(demo: Demo) -> None:
    key = still_open(demo)[0]["key"]
    demo.leat.json("ack", key[:8], "--by", "ann", "--until", "P3D", "--note", "asked the bank")
    asked = f"SELECT acknowledged_by, acknowledged_note FROM leat.violations WHERE violation_key = '{key}'"
    assert demo.leat.json("query", asked)["rows"] == [
        {"acknowledged_by": "ann", "acknowledged_note": "asked the bank"}
    ]  # analysts see it at once
    assert {each["state"] for each in still_open(demo) if each["key"] == key} == {"acknowledged"}
    demo.leat.json("ack", key, "--undo")
    assert {each["state"] for each in still_open(demo) if each["key"] == key} == {"open"}
