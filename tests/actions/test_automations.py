"""Automations from the published version to the outbox: what is planned, once, what holds it back, what expires."""

from __future__ import annotations

import os
import signal
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leat.actions.conditions import quiet_until
from leat.actions.decide import approve
from leat.control.automations import RunRow, automation_runs, read_modes
from leat.control.kill_switch import read_stops, start_actions
from leat.control.outbox import ActionRow, read_actions
from leat.pipelines.declare.cron import last_due
from leat.runs.acting import send_approved
from leat.runs.automating import disable, effective, enable, plan, undo
from leat.runs.workspace import Workspace
from tests.kit.acting import Desk
from tests.kit.automating import MARK_BAD, Automated
from tests.kit.child import CONTEXT
from tests.kit.project import Tally, full_scan, rows

AUTO = "approve: {auto: count <= 2}\n"

on_sqlite = pytest.mark.parametrize("project", ["sqlite"], indirect=True)
"""For what the control store has no part in, or no other one than in tests that run on both."""


@pytest.fixture(params=["sqlite", "postgres"])
def project(request: pytest.FixtureRequest, tmp_path: Path, desk: Desk) -> Automated:
    url = f"sqlite:///{tmp_path / '.leat' / 'control.db'}"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_url"))
    project = Automated(tmp_path, url, desk.url)
    project.declare()
    return project


@contextmanager
def enabled(
    project: Automated, text: str = MARK_BAD, *, labels: tuple[str, ...] = ("bad", "good")
) -> Iterator[Workspace]:
    """Write an automation, run once, so that it is simulated, and enable it."""
    project.write(text)
    project.has(*labels)
    project.run()
    with project.open() as workspace:
        enable_all(workspace)
        yield workspace


def enable_all(workspace: Workspace) -> None:
    from leat.actions.automations.file import load_automations

    for automation in load_automations(workspace.project, workspace.declarations).values():
        enable(workspace, automation)


def actions(workspace: Workspace) -> list[ActionRow]:
    """Return the actions, in the order in which they were planned."""
    return read_actions(workspace.store)[::-1]


def steps(workspace: Workspace) -> list[ActionRow]:
    """Return the actions of an automation with one target, the first step first."""
    return sorted(actions(workspace), key=lambda row: int(row.dedupe_key.split(".")[2]))


def states(workspace: Workspace) -> list[str]:
    return sorted(row.state for row in actions(workspace))


def one(runs: list[RunRow]) -> RunRow:
    [run] = runs
    return run


def test_a_new_automation_only_says_what_it_would_plan(project: Automated) -> None:
    project.write()
    project.has("bad", "good", "bad")
    run = one(list(project.run().planned))
    assert (run.mode, run.targets, run.planned, run.verdicts) == ("simulate", 2, 2, [])
    with project.open() as workspace:
        assert actions(workspace) == []
        assert read_modes(workspace.store)["mark_bad"].changed_by == "leat"
        assert len(automation_runs(workspace.store)) == 1
        plan(workspace)
        assert len(automation_runs(workspace.store)) == 1  # the same again is no news


def test_each_violation_is_acted_on_once_in_each_episode(project: Automated, desk: Desk) -> None:
    with enabled(project, labels=("bad", "good", "bad")) as workspace:
        assert one(plan(workspace)).planned == 2
        assert one(plan(workspace)).planned == 0
        rows = sorted(actions(workspace), key=lambda row: row.title)
        assert [row.parameters for row in rows] == [{"place": "p1", "value": 1}, {"place": "p3", "value": 3}]
        assert {(row.state, row.created_by, row.automation) for row in rows} == {
            ("planned", "automation/mark_bad", "mark_bad")
        }
        assert all(row.subject and row.subject_opened_at and row.subject_opened_at < row.created_at for row in rows)
        approve(workspace.store, rows[0], "bob")
        send_approved(workspace, patience=5)
        assert states(workspace) == ["confirmed", "planned"]
    project.has("good", "good", "bad")
    assert one(list(project.run().planned)).expired == 0  # what was done stays done
    project.has("bad", "good", "bad")
    assert one(list(project.run().planned)).planned == 1
    with project.open() as workspace:
        first, again = (row for row in actions(workspace) if row.subject == rows[0].subject)
        assert (first.state, again.state, first.parameters) == ("confirmed", "planned", again.parameters)
        assert first.subject_opened_at < again.subject_opened_at, "each is for an episode of its own"


def test_what_is_resolved_before_it_is_sent_expires(project: Automated, desk: Desk) -> None:
    two_steps = MARK_BAD + '  - desk.probed: {place: "q{{ row.id }}"}\n'
    with enabled(project, two_steps) as workspace:
        plan(workspace)
        for row in actions(workspace):
            approve(workspace.store, row, "bob")
    project.has("good", "good")
    result = project.run()
    assert one(list(result.planned)).expired == 2
    with project.open() as workspace:
        assert states(workspace) == ["expired", "expired"]
        assert all((row.reason or "").startswith("no_longer_needed") for row in actions(workspace))
    assert sum(desk.deeds.values()) == 0


@on_sqlite
def test_a_later_step_is_sent_though_the_first_one_resolved_the_violation(project: Automated, desk: Desk) -> None:
    two_steps = MARK_BAD + '  - desk.probed: {place: "q{{ row.id }}"}\n'
    with enabled(project, two_steps) as workspace:
        plan(workspace)
        first = next(row for row in actions(workspace) if row.after_id is None)
        approve(workspace.store, first, "bob")
        send_approved(workspace, patience=5)
    project.has("good", "good")
    assert one(list(project.run().planned)).expired == 0
    with project.open() as workspace:
        assert states(workspace) == ["confirmed", "planned"]


def test_few_are_approved_automatically_and_more_need_a_person(project: Automated, desk: Desk) -> None:
    with enabled(project, MARK_BAD + AUTO, labels=("bad", "bad")) as workspace:
        assert one(plan(workspace)).approved == 2
        assert states(workspace) == ["approved", "approved"]
    project.has("bad", "bad", "bad", "bad", "bad")
    assert one(list(project.run().planned)).approved == 0
    with project.open() as workspace:
        assert states(workspace) == ["confirmed", "confirmed", "planned", "planned", "planned"]
        assert sum(desk.deeds.values()) == 2


@on_sqlite
def test_money_waits_for_a_person_whatever_is_declared(project: Automated) -> None:
    with enabled(project, MARK_BAD.replace("desk.guarded", "desk.pay")) as workspace:
        plan(workspace)
        assert states(workspace) == ["planned"]


@on_sqlite
def test_the_first_runs_need_a_person(project: Automated) -> None:
    with enabled(project, MARK_BAD + "approve: {first_runs: 1, then: auto}\n") as workspace:
        assert one(plan(workspace)).approved == 0
    project.has("bad", "bad")
    assert one(list(project.run().planned)).approved == 1


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("per_run: 2", "3 targets, more than the 2 of per_run"),
        ("per_day: 2", "3 targets within 24 hours, more than the 2 of per_day"),
        ("share_of_target: 0.5", "3 targets of 4 rows of tally.scanned, more than the share of 0.5"),
    ],
)
def test_a_passed_limit_holds_everything_for_a_person(project: Automated, limit: str, said: str) -> None:
    text = MARK_BAD + f"limits: {{{limit}}}\napprove: {{auto: count < 100}}\n"
    with enabled(project, text, labels=("bad", "bad", "bad", "good")) as workspace:
        run = one(plan(workspace))
        assert (run.verdicts, run.approved) == ([f"held: {said}"], 0)
        rows = actions(workspace)
        assert {row.state for row in rows} == {"held"}
        assert rows[0].reason == said
        planned = run.held
        assert planned == (2 if "run" in limit else 3)
        again = one(plan(workspace))
        assert again.planned == 0
        for row in rows:
            approve(workspace.store, row, "bob")
        assert one(plan(workspace)).planned == 3 - planned


@on_sqlite
def test_old_data_and_a_kill_switch_hold_an_automation_back(project: Automated) -> None:
    from leat.runs.acting import start, stop

    with enabled(project, MARK_BAD + "require_fresh: {tally.scanned: PT1H, desk: PT1H}\n") as workspace:
        assert one(plan(workspace)).verdicts == ["not fresh: desk hasn't been read yet"]
    with enabled(project, MARK_BAD) as workspace:
        stop(workspace, "automation/mark_bad", "wrong")
        assert one(plan(workspace)).verdicts[0].startswith("stopped by ")
        start(workspace, "automation/mark_bad")
        assert one(plan(workspace)).planned == 1


def test_a_stream_is_fresh_although_another_one_failed(project: Automated) -> None:
    item = {"shelf": "a", "id": 1, "label": "bad"}
    Tally(project.folder).then(rows("scanned", item), full_scan("scanned"), {"do": "failed", "stream": "fed"})
    project.write(MARK_BAD + "require_fresh: {tally.scanned: PT1H}\n")
    run = one(list(project.run().planned))
    assert (run.targets, run.verdicts) == (1, [])
    project.write(MARK_BAD + "require_fresh: {tally.fed: PT1H}\n")
    with project.open() as workspace:
        assert one(plan(workspace)).verdicts == ["not fresh: tally.fed hasn't been read yet"]


def test_a_changed_automation_is_simulated_and_what_it_planned_is_withdrawn(project: Automated) -> None:
    with enabled(project) as workspace:
        plan(workspace)
        project.write(MARK_BAD.replace("p{{", "q{{"))
        run = one(plan(workspace))
        assert (run.mode, run.planned) == ("simulate", 1)
        [row] = actions(workspace)
        assert (row.state, row.reason) == ("expired", "its automation was changed")
        enable_all(workspace)
        assert one(plan(workspace)).planned == 1
        assert states(workspace) == ["expired", "planned"]


def test_a_disabled_automation_and_one_that_is_gone_do_nothing(project: Automated) -> None:
    with enabled(project) as workspace:
        plan(workspace)
        assert disable(workspace, "mark_bad") == 1
        assert plan(workspace) == []
        assert states(workspace) == ["expired"]
        enable_all(workspace)
        (project.folder / "automations" / "mark_bad.yaml").unlink()
        assert plan(workspace) == []
        assert read_modes(workspace.store)["mark_bad"].mode == "disabled"


@on_sqlite
def test_an_automation_with_a_mistake_does_nothing_and_its_actions_stay(project: Automated) -> None:
    with enabled(project) as workspace:
        plan(workspace)
        project.write(MARK_BAD.replace("guarded", "garded"))
        assert plan(workspace) == []
        assert states(workspace) == ["planned"]
        assert read_modes(workspace.store)["mark_bad"].mode == "enabled"


@on_sqlite
def test_targets_of_a_query_belong_to_violations(project: Automated) -> None:
    text = MARK_BAD + "targets: SELECT shelf, id, label, id + 1 AS next FROM tally.scanned\nkey: [shelf, id]\n"
    with enabled(project, text.replace('value: "{{ row.id }}"', 'value: "{{ row.next }}"')) as workspace:
        assert one(plan(workspace)).targets == 1  # the other row has no violation
        assert actions(workspace)[0].parameters == {"place": "p1", "value": 2}


NEW_ROWS = """\
description: Mark each new thing.
when: {rows: true}
targets: SELECT * FROM tally.scanned WHERE _deleted_at IS NULL
key: [shelf, id]
do:
  - desk.guarded: {place: "{{ row.label }}"}
"""


def test_rows_that_are_there_when_it_is_enabled_are_not_new(project: Automated) -> None:
    with enabled(project, NEW_ROWS) as workspace:
        assert one(plan(workspace)).targets == 0
    project.has("bad", "good", "new")
    assert one(list(project.run().planned)).planned == 1
    with project.open() as workspace:
        assert [row.parameters["place"] for row in actions(workspace)] == ["new"]


@on_sqlite
def test_rows_without_a_key_of_their_own_are_refused(project: Automated) -> None:
    text = NEW_ROWS.replace("[shelf, id]", "label")
    with enabled(project, text, labels=()) as workspace:
        assert one(plan(workspace)).targets == 0
    project.has("same", "same", "other")
    run = one(list(project.run().planned))
    assert (run.targets, run.planned, run.refused) == (1, 1, 1)
    assert run.verdicts == ["same is the key of more than one row"]


@on_sqlite
def test_what_a_system_refuses_is_said_and_stops_nothing_else(project: Automated, desk: Desk) -> None:
    desk.values["p1"] = (1, 0)
    with enabled(project, labels=("bad", "bad")) as workspace:
        run = one(plan(workspace))
        assert (run.planned, run.refused, run.verdicts) == (1, 1, ["a, 1: p1 is 1 already"])


@on_sqlite
def test_a_group_is_one_target(project: Automated) -> None:
    text = """\
        description: Mark shelves.
        when: {schedule: "* * * * *"}
        targets: SELECT shelf, id FROM tally.scanned WHERE label = 'bad'
        group_by: shelf
        key: [shelf, "{{ month }}"]
        do:
          - desk.guarded: {place: "{{ group }}", value: "{{ rows | map(attribute='id') | sum }}"}
        """
    with enabled(project, text, labels=("bad", "bad", "good")) as workspace:
        assert one(plan(workspace)).planned == 0  # it was enabled after the last time that it was due
        from leat.control.automations import set_mode

        row = read_modes(workspace.store)["mark_bad"]
        set_mode(workspace.store, replace(row, since=datetime.now(UTC) - timedelta(hours=1)))
        assert one(plan(workspace)).planned == 1
        assert actions(workspace)[0].parameters == {"place": "a", "value": 3}
        assert one(plan(workspace)).planned == 0


@on_sqlite
def test_a_plan_that_is_outdated_when_it_is_sent_is_made_again(project: Automated, desk: Desk) -> None:
    text = MARK_BAD.replace("desk.guarded", "desk.natural") + "recheck: live\n"
    with enabled(project, text) as workspace:
        plan(workspace)
        desk.values["p1"] = (5, 1)  # a person has been there
        approve(workspace.store, actions(workspace)[0], "bob")
        send_approved(workspace, patience=5)
        [row] = actions(workspace)
        assert (row.state, row.attempts, desk.values["p1"]) == ("expired", 0, (5, 1))
        assert (row.reason or "").startswith("outdated")
        assert one(plan(workspace)).planned == 1
        assert one(plan(workspace)).planned == 0
        again = next(row for row in actions(workspace) if row.state == "planned")
        desk.values["p1"] = (1, 2)  # a person has done it
        approve(workspace.store, again, "bob")
        send_approved(workspace, patience=5)
        assert [row.reason for row in actions(workspace) if row.id == again.id] == ["no_longer_needed: p1 is 1 already"]
        assert desk.values["p1"] == (1, 2)


def test_too_many_failures_stop_an_automation(project: Automated, desk: Desk) -> None:
    text = MARK_BAD.replace("guarded", "natural") + "limits: {stop_after_failures: 2}\n"
    with enabled(project, text, labels=("bad",) * 12) as workspace:
        plan(workspace)
        for row in actions(workspace):
            approve(workspace.store, row, "bob")
        desk.values |= {f"p{n}": (99, 9) for n in range(1, 13)}
        send_approved(workspace)
        failed = states(workspace).count("failed")
        assert 2 <= failed <= 5  # four are under way at a time
        assert [(stop.scope, stop.stopped_by) for stop in read_stops(workspace.store)] == [
            ("automation/mark_bad", "leat")
        ]
        send_approved(workspace)
        assert states(workspace).count("failed") == failed
        assert start_actions(workspace.store, "automation/mark_bad")


@on_sqlite
def test_nothing_is_sent_in_quiet_hours(project: Automated, desk: Desk) -> None:
    now = datetime.now(UTC)
    start, end = f"{now - timedelta(hours=1):%H:%M}", f"{now + timedelta(hours=1):%H:%M}"
    with enabled(project, MARK_BAD + f'quiet_hours: {{start: "{start}", end: "{end}"}}\n') as workspace:
        plan(workspace)
        approve(workspace.store, actions(workspace)[0], "bob")
        send_approved(workspace)
        [row] = actions(workspace)
        assert (row.state, row.attempts, sum(desk.deeds.values())) == ("approved", 0, 0)
        assert timedelta(minutes=58) < row.next_at - now <= timedelta(minutes=61)


def test_quiet_hours_end_by_the_clock_of_the_zone() -> None:
    hours = {"quiet_hours": {"start": "20:00", "end": "08:00", "zone": "Europe/Berlin"}}
    assert quiet_until(hours, datetime(2030, 1, 1, 19, 30, tzinfo=UTC)) == datetime(2030, 1, 2, 7, tzinfo=UTC)
    assert quiet_until(hours, datetime(2030, 7, 1, 5, 30, tzinfo=UTC)) == datetime(2030, 7, 1, 6, tzinfo=UTC)
    assert quiet_until(hours, datetime(2030, 7, 1, 6, 0, tzinfo=UTC)) is None
    assert quiet_until(None, datetime(2030, 7, 1, 6, 0, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("text", "zone", "due"),
    [
        ("0 9 * * MON", "Europe/Berlin", "2029-12-31T08:00"),
        ("*/15 * * * *", "UTC", "2030-01-02T10:15"),
        ("30 10 * * *", "UTC", "2030-01-01T10:30"),
        ("0 0 29 2 *", "UTC", "2028-02-29T00:00"),
        ("0 0 13 * FRI", "UTC", "2029-12-28T00:00"),
        ("0 12 1-7/3 jan,jul *", "UTC", "2030-01-01T12:00"),
        ("0 12 * * 7", "UTC", "2029-12-30T12:00"),
    ],
)
def test_when_a_schedule_was_last_due(text: str, zone: str, due: str) -> None:
    now = datetime(2030, 1, 2, 10, 20, tzinfo=UTC)  # a Wednesday
    assert last_due(text, zone, now) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def _plan_until(project: Automated, point: str, number: int) -> None:
    """Plan, and end the process at the point that is reached for the nth time."""
    seen = []

    def hook(name: str, args: tuple[object, ...]) -> None:
        if name == "leat.automation" and args[0] == point:
            seen.append(args)
            if len(seen) == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    with project.open() as workspace:
        plan(workspace)


def test_a_planner_that_is_killed_misses_nothing_and_plans_nothing_twice(project: Automated, desk: Desk) -> None:
    two_steps = MARK_BAD + '  - desk.probed: {place: "q{{ row.id }}"}\napprove: {auto: count < 9}\n'
    with enabled(project, two_steps, labels=("bad",) * 6):
        pass  # it is published, and nothing is planned yet
    for point, number in (("read", 1), ("adding", 1), ("added", 1), ("adding", 3), ("added", 2)):
        planner = CONTEXT.Process(target=_plan_until, args=(project, point, number), daemon=True)
        planner.start()
        planner.join(60)
        assert planner.exitcode == -signal.SIGKILL, point
        with project.open() as workspace:
            rows = actions(workspace)
            firsts = {row.id for row in rows if row.after_id is None}
            assert firsts == {row.after_id for row in rows if row.after_id}  # a target has all of its steps, or none
    project.has(*("bad",) * 6)
    project.run()
    with project.open() as workspace:
        send_approved(workspace, patience=10)
        assert states(workspace) == ["confirmed"] * 12
        assert len({(row.verb, row.target) for row in actions(workspace)}) == 12
        assert one(plan(workspace)).planned == 0
    assert set(desk.deeds.values()) == {1}
    assert sum(desk.deeds.values()) == 12


def test_two_planners_at_a_time_plan_once(project: Automated) -> None:
    with enabled(project, labels=("bad",) * 6):
        pass
    planners = [CONTEXT.Process(target=_plan_until, args=(project, "never", 1), daemon=True) for _ in range(2)]
    for planner in planners:
        planner.start()
    for planner in planners:
        planner.join(60)
    with project.open() as workspace:
        plan(workspace)
        assert states(workspace) == ["planned"] * 6


CHAIN = """\
description: Mark what is bad, then mark the result.
when: {violation_opened: bad_label}
do:
  - desk.natural: {place: "p{{ row.id }}", value: "{{ row.id }}"}
    as: mark
  - desk.probed: {place: "{{ row.label }}-{{ mark.etag }}", value: "{{ mark.value + 10 }}"}
    as: deed
  - desk.pay: {place: "{{ deed.id }}", value: "{{ row.id }}"}
    as: paper
  - desk.guarded: {place: "{{ paper }}"}
"""


def test_a_step_uses_the_results_of_earlier_ones(project: Automated, desk: Desk) -> None:
    with enabled(project, CHAIN, labels=("bad",)) as workspace:
        assert one(plan(workspace)).planned == 1
        mark, deed, pay, last = steps(workspace)
        assert deed.plan["changes"] == [
            ["place", None, "{{ row.label }}-{{ mark.etag }}"],
            ["value", None, "{{ mark.value + 10 }}"],
        ]
        assert pay.plan["changes"][1] == ["value", None, 1]
        for row in (mark, deed, pay, last):
            approve(workspace.store, row, "bob")
        send_approved(workspace, patience=5)
        mark, sent, pay, last = steps(workspace)
        assert [each.state for each in (mark, sent, pay, last)] == ["confirmed", "confirmed", "planned", "approved"]
        assert (sent.parameters, desk.deeds[sent.id]) == ({"place": "bad-1", "value": 11}, 1)
        assert sent.digest != deed.digest
        assert (pay.money, pay.parameters) == (True, {"place": sent.id, "value": 1}), "money is approved as it is sent"
        approve(workspace.store, pay, "bob")
        send_approved(workspace, patience=5)
        *_, last = steps(workspace)
        paid = b64encode(f"paid {pay.id[:4]}".encode()).decode()
        assert (last.state, last.parameters["place"]) == ("confirmed", paid), "alone, it is the bytes that it made"


def test_a_step_whose_result_has_no_such_field_fails_and_stops_what_follows(project: Automated, desk: Desk) -> None:
    with enabled(project, CHAIN.replace("mark.etag", "mark.nothing"), labels=("bad",)) as workspace:
        plan(workspace)
        for row in actions(workspace):
            approve(workspace.store, row, "bob")
        send_approved(workspace, patience=5)
        _, deed, *rest = steps(workspace)
        assert (deed.state, [each.state for each in rest]) == ("failed", ["cancelled", "cancelled"])
        assert "nothing" in str(deed.reason)
        assert sum(desk.deeds.values()) == 0


def test_quiet_hours_are_those_of_the_target(project: Automated) -> None:
    text = MARK_BAD.replace("do:", 'quiet_hours: {start: "20:00", end: "08:00", zone: "{{ row.shelf }}"}\ndo:')
    with enabled(project, text, labels=("bad",)) as workspace:
        run = one(plan(workspace))
        assert (run.planned, run.refused) == (0, 1)
        assert "quiet_hours.zone: 'a' is no time zone" in run.verdicts[0]
    with enabled(project, text.replace("row.shelf", "'Asia/Tokyo' if row.id == 1"), labels=("bad",)) as workspace:
        plan(workspace)
        assert actions(workspace)[0].conditions["quiet_hours"]["zone"] == "Asia/Tokyo"


def test_what_an_automation_did_is_undone_the_last_step_first(project: Automated, desk: Desk) -> None:
    text = """\
    description: Mark twice.
    when: {violation_opened: bad_label}
    do:
      - desk.natural: {place: "a{{ row.id }}", value: 1}
      - desk.natural: {place: "b{{ row.id }}", value: 2}
    """
    with enabled(project, text, labels=("bad", "bad")) as workspace:
        plan(workspace)
        for row in actions(workspace):
            approve(workspace.store, row, "bob")
        send_approved(workspace, patience=5)
        first = next(row for row in actions(workspace) if row.target == "a1")
        undoing = undo(workspace, effective(workspace, "mark_bad", first))
        assert [(row.target, row.after_id) for row in undoing.planned] == [
            ("b1", None),
            ("a1", undoing.planned[0].id),
        ]
        for row in undoing.planned:
            approve(workspace.store, row, "bob")
        send_approved(workspace, patience=5)
        assert {name: value for name, (value, _) in desk.values.items()} == {"a1": 0, "b1": 0, "a2": 1, "b2": 2}
        assert one(plan(workspace)).planned == 0, "what was undone isn't planned again"
        assert [row.target for row in undo(workspace, effective(workspace, "mark_bad")).planned] == ["b2", "a2"]
