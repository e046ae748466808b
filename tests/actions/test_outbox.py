"""Actions from plan to confirmation, on both control stores: what is sent, how often, and what is said about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from leat.actions.decide import NotAllowed, answer, approve, cancel, reject, undo
from leat.actions.deliver import Delivered, deliver
from leat.actions.office import Office, UnknownAction
from leat.actions.propose import propose
from leat.control.action_history import events_of
from leat.control.action_tables import Action
from leat.control.engine import writing
from leat.control.kill_switch import Stop, start_actions, stop_actions
from leat.control.outbox import ActionRow, read_actions
from tests.kit.acting import BY_STORE, GUARANTEES, Acting, Desk, planned, wish


@pytest.fixture
def office(acting: Acting) -> Iterator[Office]:
    with acting.office() as office:
        yield office


def send(office: Office, *rows: ActionRow, patience: float = 5) -> list[ActionRow]:
    for row in rows:
        approve(office.store, row, "bob")
    deliver(office, "desk", patience=patience)
    return [read_actions(office.store, ids=[row.id])[0] for row in rows]


def states(office: Office, row: ActionRow) -> list[str]:
    return [event.state for event in events_of(office.store, row.id)]


def effects(desk: Desk) -> int:
    return sum(desk.deeds.values()) + sum(times for _, times in desk.values.values())


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_an_approved_action_is_sent_once_and_confirmed(office: Office, desk: Desk, guarantee: str) -> None:
    row = planned(office, guarantee, value=7)
    assert (row.state, row.plan["changes"], effects(desk)) == ("planned", [["value", 0, 7]], 0)
    assert deliver(office, "desk") == Delivered()  # nobody has approved it
    assert effects(desk) == 0
    [done] = send(office, row)
    assert (done.state, done.attempts, effects(desk)) == ("confirmed", 1, 1)
    assert states(office, row) == ["planned", "approved", "sending", "done", "confirmed"]
    assert [event.by for event in events_of(office.store, row.id)][:3] == ["ann", "bob", "leat"]
    deliver(office, "desk")
    assert effects(desk) == 1


@pytest.mark.parametrize("fault", ["cut", "lost", "slow", "500", "503", "429"])
@pytest.mark.parametrize(("acting", "guarantee"), BY_STORE, indirect=["acting"])
def test_whatever_goes_wrong_on_the_way_there_is_one_effect(
    office: Office, desk: Desk, impatient: None, guarantee: str, fault: str
) -> None:
    desk.faults = [fault]
    [row] = send(office, planned(office, guarantee))
    if guarantee == "unprobeable" and fault != "429":
        assert (row.state, effects(desk)) == ("asking", int(fault in ("cut", "slow")))
        return
    assert (row.state, effects(desk)) == ("confirmed", 1)


def test_what_the_system_refuses_fails_and_is_not_sent_again(office: Office, desk: Desk) -> None:
    desk.faults = ["403", "422"]
    rows = send(office, planned(office, "probed"), planned(office, "guarded"))
    assert [row.state for row in rows] == ["failed", "failed"]
    assert [row.attempts for row in rows] == [1, 1]
    assert "HTTP 4" in str(rows[0].reason)
    assert effects(desk) == 0


def test_a_person_changed_it_meanwhile(office: Office, desk: Desk) -> None:
    row = planned(office, "natural", value=7)
    desk.values["a"] = (3, 5)
    [row] = send(office, row)
    assert (row.state, desk.values["a"]) == ("failed", (3, 5))
    assert "plan it again" in str(row.reason)


def test_a_server_that_is_down_has_done_nothing_so_that_all_are_sent_later(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [planned(office, guarantee, place=guarantee) for guarantee in GUARANTEES]
    up = desk.url
    path = office.project.folder / "pipelines" / "desk.yaml"
    declared = path.read_text()
    path.write_text(declared.replace(up, "http://127.0.0.1:1"))
    with Acting(office.project.folder, office.project.control_url).office() as elsewhere:
        after = send(elsewhere, *rows, patience=0)
    # what is probed is looked for first, which says no more than that the server is down
    assert [row.state for row in after] == ["approved"] * 4
    assert all("refuses connections" in str(row.reason) for row in after)
    path.write_text(declared)
    monkeypatch.setattr("leat.actions.deliver.datetime", _Later)
    deliver(office, "desk")
    assert {row.state for row in read_actions(office.store)} <= {"confirmed", "done"}
    assert effects(desk) == 4


class _Later(datetime):
    @classmethod
    def now(cls, tz: object = None) -> datetime:
        return datetime.now(UTC) + timedelta(minutes=5)


def test_the_same_thing_planned_twice_is_one_action(office: Office, desk: Desk) -> None:
    first = planned(office, "probed", dedupe_key="late invoice 7")
    second = planned(office, "probed", dedupe_key="late invoice 7")
    assert first == second
    send(office, first)
    third = planned(office, "probed", dedupe_key="late invoice 7")
    assert (third.state, effects(desk)) == ("confirmed", 1)


def test_money_needs_a_second_person(office: Office, desk: Desk) -> None:
    row = planned(office, "pay", by="ann")
    with pytest.raises(NotAllowed, match="a second person"):
        approve(office.store, row, "Ann")
    approve(office.store, row, "bob")
    deliver(office, "desk")
    assert effects(desk) == 1


def test_what_is_rejected_cancelled_or_expired_is_never_sent(office: Office, desk: Desk) -> None:
    rejected, cancelled = planned(office, "guarded"), planned(office, "guarded", place="b")
    expired = planned(office, "guarded", place="c", lasts=timedelta(0))
    reject(office.store, rejected, "bob", "no need")
    approve(office.store, cancelled, "bob")
    cancel(office.store, cancelled, "bob")
    for row in (rejected, cancelled, expired):
        with pytest.raises(NotAllowed):
            approve(office.store, row, "bob")
    deliver(office, "desk")
    after = {row.id: row.state for row in read_actions(office.store)}
    assert after == {rejected.id: "rejected", cancelled.id: "cancelled", expired.id: "expired"}
    assert effects(desk) == 0


def test_nothing_is_sent_before_its_time(office: Office, desk: Desk) -> None:
    later = planned(office, "guarded", not_before=datetime.now(UTC) + timedelta(hours=1))
    [row] = send(office, later, patience=0)
    assert (row.state, effects(desk)) == ("approved", 0)


@pytest.mark.parametrize("scope", ["*", "desk", "automation/nightly"])
def test_a_kill_switch_holds_back_what_is_approved(office: Office, desk: Desk, scope: str) -> None:
    row = planned(office, "guarded", automation="nightly")
    stop_actions(office.store, Stop(scope, "bob", datetime.now(UTC), "looks odd"))
    [row] = send(office, row, patience=0.2)
    assert (row.state, row.attempts, effects(desk)) == ("approved", 0, 0)
    assert start_actions(office.store, scope)
    deliver(office, "desk")
    assert effects(desk) == 1


def test_an_action_waits_for_the_one_before_it(office: Office, desk: Desk) -> None:
    first = planned(office, "guarded")
    second = planned(office, "guarded", place="b", after_id=first.id)
    third = planned(office, "guarded", place="c", after_id=second.id)
    [second] = send(office, second, patience=0)
    assert (second.state, effects(desk)) == ("approved", 0)
    reject(office.store, first, "bob")
    deliver(office, "desk")
    after = {row.id: row.state for row in read_actions(office.store)}
    assert (after[second.id], after[third.id]) == ("cancelled", "cancelled")
    assert effects(desk) == 0


def test_an_effect_is_undone_by_an_action_of_its_own(office: Office, desk: Desk) -> None:
    desk.values["a"] = (3, 0)
    [row] = send(office, planned(office, "natural", value=7))
    inverse = undo(office, row, "ann")
    assert (inverse.state, inverse.undo_of, desk.values["a"][0]) == ("planned", row.id, 7)
    assert undo(office, row, "bob").id == inverse.id
    reject(office.store, inverse, "bob")
    inverse = undo(office, row, "ann")
    [inverse] = send(office, inverse)
    assert (inverse.state, desk.values["a"][0]) == ("confirmed", 3)
    assert read_actions(office.store, ids=[row.id])[0].state == "undone"
    with pytest.raises(NotAllowed):
        undo(office, row, "ann")


def test_an_effect_that_is_not_as_planned_has_diverged(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = planned(office, "natural", value=7)
    approve(office.store, row, "bob")
    real = deliver.__globals__["confirm"]

    def late(*args: object) -> object:
        desk.values["a"] = (9, 9)
        return real(*args)

    monkeypatch.setitem(deliver.__globals__, "confirm", late)
    deliver(office, "desk", patience=5)
    [row] = read_actions(office.store, ids=[row.id])
    assert (row.state, row.reason) == ("diverged", "value: planned 7, is 9")


@pytest.mark.parametrize("guarantee", ["guarded", "natural", "probed"])
def test_what_may_have_had_its_effect_is_neither_cancelled_nor_expired(
    office: Office, desk: Desk, guarantee: str
) -> None:
    desk.faults = ["cut"]
    [row] = send(office, planned(office, guarantee), patience=0)
    assert (row.state, effects(desk)) == ("unknown", 1)
    with pytest.raises(NotAllowed):
        cancel(office.store, row, "bob")
    with writing(office.store) as session:
        session.execute(update(Action).values(expires_at=datetime.now(UTC)))
    deliver(office, "desk", patience=3)
    [row] = read_actions(office.store, ids=[row.id])
    assert (row.state, effects(desk)) == ("confirmed", 1)


def test_an_action_that_expires_while_it_is_tried_again_is_waited_for_no_longer(
    office: Office, desk: Desk, impatient: None
) -> None:
    desk.faults = ["503"] * 10_000
    [row] = send(office, planned(office, "guarded", lasts=timedelta(seconds=1)), patience=60)
    assert (row.state, effects(desk)) == ("expired", 0)


def test_actions_on_one_target_are_sent_in_the_order_in_which_they_were_planned(office: Office, desk: Desk) -> None:
    for number in range(3):
        rows = [planned(office, "natural", f"place{number}", value) for value in (1, 2, 3)]
        ended = [row.state for row in send(office, *rows)]
        assert (ended, desk.values[f"place{number}"]) == (["confirmed", "failed", "failed"], (1, 1))


@pytest.mark.parametrize("happened", [True, False])
def test_a_person_says_what_became_of_what_cannot_be_searched_for(office: Office, desk: Desk, happened: bool) -> None:
    desk.faults = ["cut" if happened else "lost"]
    [row] = send(office, planned(office, "unprobeable"))
    answer(office.store, row, "bob", happened=happened)
    deliver(office, "desk", patience=2)
    [row] = read_actions(office.store, ids=[row.id])
    assert (row.state, effects(desk)) == ("confirmed", 1)
    with pytest.raises(NotAllowed):
        answer(office.store, row, "bob", happened=False)


def test_mistakes_are_said_with_the_name_of_the_parameter(office: Office) -> None:
    with pytest.raises(UnknownAction, match="desk has no verb 'gaurded'; did you mean \"guarded\""):
        propose(office, wish("gaurded"))
    with pytest.raises(UnknownAction, match=r"desk\.guarded: place: is missing"):
        propose(office, replace_parameters({}))
    with pytest.raises(UnknownAction, match='plcae: no such parameter; did you mean "place"'):
        propose(office, replace_parameters({"place": "a", "plcae": "b"}))
    with pytest.raises(UnknownAction, match="value: "):
        propose(office, replace_parameters({"place": "a", "value": "many"}))


def replace_parameters(parameters: dict[str, object]) -> object:
    from dataclasses import replace

    return replace(wish("guarded"), parameters=parameters)


def test_nothing_is_sent_to_a_target_while_an_action_on_it_is_in_doubt(office: Office, desk: Desk) -> None:
    desk.faults = ["cut"]
    rows = [planned(office, "guarded", value=value) for value in (1, 2)]
    for row in rows:
        approve(office.store, row, "bob")
    deliver(office, "desk")
    states = {row.id: row.state for row in read_actions(office.store)}
    assert ([states[row.id] for row in rows], effects(desk)) == (["unknown", "approved"], 1)
    deliver(office, "desk", patience=5)
    assert ({row.state for row in read_actions(office.store)}, effects(desk)) == ({"confirmed"}, 2)
