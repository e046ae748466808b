"""Chains of steps: approved together, continued after a kill at each boundary, undone as far as they were done."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from leat.actions.chain import approve_chain, chain_of
from leat.actions.decide import NotAllowed, approve, cancel
from leat.control.outbox import ActionRow, read_actions
from leat.runs.access import Forbidden, Principal, action, require
from leat.runs.acting import send_approved
from leat.runs.automating import effective, plan, undo
from leat.runs.workspace import Workspace
from tests.actions.test_automations import CHAIN, enabled, one, states, steps
from tests.kit.acting import Acting, Desk
from tests.kit.automating import MARK_BAD, Automated
from tests.kit.sender import start_sender

pytestmark = pytest.mark.usefixtures("impatient")

NATURAL = """\
description: Mark one after the other.
when: {violation_opened: bad_label}
do:
  - desk.natural: {place: a, value: 1}
    as: first
  - desk.natural: {place: b, value: "{{ first.value + 1 }}"}
    as: second
  - desk.natural: {place: c, value: "{{ second.value + 1 }}"}
"""


@pytest.fixture
def project(tmp_path: Path, desk: Desk) -> Automated:
    project = Automated(tmp_path, f"sqlite:///{tmp_path / '.leat' / 'control.db'}", desk.url)
    project.declare()
    return project


def killed(project: Automated, point: str, row: ActionRow) -> None:
    sender = start_sender(Acting(project.folder, project.control_url), point, at=row.id)
    sender.join(60)
    assert sender.exitcode == -signal.SIGKILL, (row.verb, point)


def planned(workspace: Workspace) -> list[ActionRow]:
    assert one(plan(workspace)).planned == 1
    return steps(workspace)


def test_a_chain_that_is_killed_at_each_boundary_goes_on_where_it_was(project: Automated, desk: Desk) -> None:
    with enabled(project, CHAIN, labels=("bad",)) as workspace:
        chain = planned(workspace)
        assert [each.id for each in approve_chain(workspace.store, chain, "bob")] == [each.id for each in chain]
        natural, probed, pay, last = chain
        for row in chain:
            if row.id != natural.id:
                killed(project, "planning", row)
            if row.id == pay.id:  # it moves money: its exact plan is approved
                send_approved(workspace, patience=5)
                approve(workspace.store, steps(workspace)[2], "bob")
            for point in ("claimed", "sent"):
                killed(project, point, row)
                before = chain[: chain.index(row)]
                done = {each.id: each.state for each in read_actions(workspace.store)}
                assert {done[each.id] for each in before} <= {"done", "confirmed"}
                after = chain[chain.index(row) + 1 :]
                assert all(desk.deeds[each.id] == 0 for each in after)
        killed(project, "confirming", last)
        send_approved(workspace, patience=10)
        assert states(workspace) == ["confirmed"] * 4
        assert [desk.deeds[each.id] for each in (probed, pay, last)] == [1, 1, 1]
        assert desk.values["p1"] == (1, 1)
        assert one(plan(workspace)).planned == 0


def test_only_what_was_done_of_a_chain_is_undone(project: Automated, desk: Desk) -> None:
    with enabled(project, NATURAL, labels=("bad",)) as workspace:
        approve_chain(workspace.store, planned(workspace), "bob")
        first, second, third = steps(workspace)
        killed(project, "sending", third)
        undoing = undo(workspace, effective(workspace, "mark_bad"))
        assert (undoing.planned, list(undoing.refused)) == ([], [third.id])
        assert "is sending: once it is clear whether it was done, undo again" in undoing.refused[third.id]

    with enabled(project, NATURAL.replace("mark", "Mark"), labels=("good", "bad")) as workspace:
        send_approved(workspace, patience=5)  # the first chain ends
        desk.values.clear()
        approve_chain(workspace.store, planned_for(workspace, "2"), "bob")
        first, second, third = planned_for(workspace, "2")
        killed(project, "planning", third)
        undoing = undo(workspace, effective(workspace, "mark_bad", first))
        assert [row.undo_of for row in undoing.planned] == [second.id, first.id]
        assert [row.state for row in planned_for(workspace, "2")] == ["confirmed", "confirmed", "cancelled"]
        for row in undoing.planned:
            approve(workspace.store, row, "bob")
        send_approved(workspace, patience=5)
        assert {name: value for name, (value, _) in desk.values.items()} == {"a": 0, "b": 0}
        assert [row.state for row in planned_for(workspace, "2")] == ["undone", "undone", "cancelled"]


def test_a_chain_is_approved_as_it_was_shown_or_not_at_all(project: Automated, desk: Desk) -> None:
    with enabled(project, CHAIN, labels=("bad",)) as workspace:
        chain = planned(workspace)
        assert [each.id for each in chain_of(workspace.store, chain[2])] == [each.id for each in chain]
        shown = [*chain[:3], chain[3].__class__(**{**_fields(chain[3]), "digest": "0" * 64})]
        with pytest.raises(NotAllowed, match="isn't as it was shown any more"):
            approve_chain(workspace.store, shown, "bob")
        cancel(workspace.store, chain[3], "ann")
        with pytest.raises(NotAllowed, match="can't be approved"):
            approve_chain(workspace.store, chain, "bob")
        assert {row.state for row in steps(workspace)[:3]} == {"planned"}, "all or none"


def test_what_a_person_was_not_shown_is_asked_again(project: Automated, desk: Desk) -> None:
    text = """\
    description: Mark, then tell somebody whom the result names.
    when: {violation_opened: bad_label}
    do:
      - desk.natural: {place: a, value: 1}
        as: first
      - desk.probed: {place: "{{ row.label }}", value: "{{ first.value }}"}
      - desk.probed: {place: "person-{{ first.etag }}", value: 3}
    """
    with enabled(project, text, labels=("bad",)) as workspace:
        approve_chain(workspace.store, planned(workspace), "bob")
        send_approved(workspace, patience=5)
        first, shown, unseen = steps(workspace)
        assert (first.state, shown.state, unseen.state) == ("confirmed", "confirmed", "planned")
        assert unseen.reason == "its plan has what wasn't shown when it was approved: noticed by person-1"
        assert desk.deeds[unseen.id] == 0
        approve(workspace.store, unseen, "bob")
        send_approved(workspace, patience=5)
        assert (states(workspace), desk.deeds[unseen.id]) == (["confirmed"] * 3, 1)


def test_an_automation_says_what_needs_nobody_and_which_role_decides_on_the_rest(project: Automated) -> None:
    text = MARK_BAD + 'approve: {auto: "count <= 5 and row.id < 2", else: {role: admin}}\n'
    with enabled(project, text, labels=("bad", "bad")) as workspace:
        run = one(plan(workspace))
        assert (run.planned, run.approved) == (2, 1)
        [waiting] = read_actions(workspace.store, states=("planned",))
        operator = Principal("local:ann", "ann", "person", frozenset({"operator"}), "local")
        with pytest.raises(Forbidden, match="its automation declares that it takes the role admin"):
            require(workspace, "approve", action(waiting), operator)
        require(workspace, "approve", action(waiting))
    assert project.mistakes(MARK_BAD + "approve: {role: operator, else: {role: admin}}\n") != []
    assert "no 'rows'" in project.mistakes(MARK_BAD + 'approve: {auto: "rows.id < 2"}\n')[0]
    assert project.mistakes(MARK_BAD.replace("guarded", "pay") + "approve: {role: admin}\n") == []


def _fields(row: ActionRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in ActionRow.__slots__}


def planned_for(workspace: Workspace, key: str) -> list[ActionRow]:
    """Return the steps for an item, planned now if they aren't yet."""
    plan(workspace)
    rows = [row for row in read_actions(workspace.store, automation="mark_bad") if row.undo_of is None]
    newest = max(rows, key=lambda row: row.created_at)
    identity = newest.dedupe_key.split(".")[1]
    return sorted((row for row in rows if row.dedupe_key.split(".")[1] == identity), key=lambda row: row.dedupe_key)
