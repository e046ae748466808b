"""What actions can correct of what is planted is approved in one go, confirmed, and undone again.

This comes almost last, because some of it can't be undone. It uses the demo that the other tests have loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from leat.demo.project import shipped_automations
from leat.demo.story.planted import PLANTED
from tests.company.breaches import ALONG, AUTOMATED, BY_HAND, LEFT, Known
from tests.company.conftest import Both, Demo

pytestmark = pytest.mark.timeout(900)

WHO = {"LEAT_USER": "ann"}
CONFIRMS = {"LEAT_USER": "bea"}
Breach = tuple[str, str]
FINAL = {"book_payment", "create_invoice", "credit_invoice", "end_session", "refund", "render_invoice", "send"}
"""Verbs of actions that can't be undone; invoices and credit notes, because they are posted."""


def still_open(actual: Sequence[Mapping[str, Any]]) -> dict[Breach, Mapping[str, Any]]:
    """Return the evidence of the open violations by what was planted."""
    shown = {}
    for violation in actual:
        values = {str(value) for value in violation["evidence"].values()}
        planted = [(p.kind, p.subject) for p in PLANTED if p.kind == violation["rule"] and p.subject in values]
        shown[next(iter(planted), (violation["rule"], str(violation["evidence"])))] = violation["evidence"]
    return shown


def act(demo: Demo, verb: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Plan an action; it waits for approval."""
    given = [text for name, value in parameters.items() for text in ("-p", f"{name}={value}")]
    planned: dict[str, Any] = demo.leat.json("act", verb, *given, "--plan", **WHO)["action"]
    return planned


def approve_all(demo: Demo) -> dict[str, dict[str, Any]]:
    """Approve everything that waits; returns the actions by id."""
    said = demo.leat.json("actions", "approve", "--all", **CONFIRMS)
    rows = {row["id"]: row for row in said["actions"]}
    assert {row["title"]: (row["state"], row["reason"]) for row in rows.values() if row["state"] != "confirmed"} == {}
    assert (said["problems"], said["refused"]) == ({}, {})
    return rows


def test_every_planted_breach_has_an_answer() -> None:
    answered = [*AUTOMATED, *BY_HAND, *ALONG, *LEFT]
    assert sorted(answered) == sorted((each.kind, each.subject) for each in PLANTED)


def test_what_actions_can_correct_is_corrected_in_one_go_and_undone(both: Both) -> None:
    demo = both.demo
    for name in sorted(shipped_automations()):
        demo.leat.json("automations", "enable", name)
    assert demo.leat("run").returncode == 0
    before = still_open(demo.leat.json("violations", "--open")["violations"])
    assert len(before) == len(PLANTED)
    proposed = demo.leat.json("actions")["actions"]
    assert {row["automation"] for row in proposed} == {*(name for name, _ in AUTOMATED.values()), "ask_organizers"}
    names = demo.leat.json("query", "SELECT name, company_id FROM crm_accounting.companies")["rows"]
    companies = {row["name"]: row["company_id"] for row in names}
    made: dict[Breach, list[str]] = {breach: [] for breach in BY_HAND}
    done: dict[str, dict[str, Any]] = {}
    for place in range(max(len(steps) for steps, _ in BY_HAND.values())):
        for breach, (steps, _) in BY_HAND.items():
            if place < len(steps):
                receipts = [done[each]["receipt"] for each in made[breach]]
                planned = steps[place](Known(before[breach], before, companies, receipts))
                made[breach].append(act(demo, *planned)["id"])
        done |= approve_all(demo)
    assert len(done) == len(proposed) + sum(map(len, made.values()))

    for leat in (demo.leat, both.leat):
        assert leat("run").returncode == 0
        assert sorted(still_open(leat.json("violations", "--open")["violations"])) == sorted(LEFT)
    assert demo.leat.json("actions")["actions"] == []

    # a credit note is what takes back an invoice that is posted; another one would be wrong
    ids = [row["id"] for row in done.values() if row["verb"] != "post_invoice"]
    undone = demo.leat.json("actions", "undo", *ids[::-1], "--yes", **CONFIRMS)
    assert {row["state"] for row in undone["actions"]} == {"confirmed"}, undone
    assert {done[each]["verb"] for each in undone["refused"]} == FINAL
    assert demo.leat("run").returncode == 0
    back = {b for table in (AUTOMATED, BY_HAND, ALONG) for b, (_, after) in table.items() if after == "comes back"}
    assert sorted(still_open(demo.leat.json("violations", "--open")["violations"])) == sorted({*LEFT, *back})
