"""The proof of "once": senders are killed, frozen, doubled and given an old store; the server counts the effects.

Guarded, natural and probed actions have exactly one effect, unprobeable ones at most one. With the probe taken away,
the same tests see two: that shows that they can.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from leat.actions.decide import approve
from leat.actions.deliver import deliver
from leat.control.outbox import ActionRow, State, read_actions
from leat.sources.actions import Refused
from leat.warehouse.session import Busy
from tests.kit.acting import BY_STORE, GUARANTEES, Acting, Desk, planned
from tests.kit.child import wait_until
from tests.kit.examples import number_of
from tests.kit.sender import POINTS, start_sender

pytestmark = pytest.mark.usefixtures("impatient")

KILLS = number_of(0.2)
"""Random kills for each control store; more at night."""


def approved(acting: Acting, *guarantees: str) -> list[ActionRow]:
    with acting.office() as office:
        rows = [planned(office, verb, place=f"{verb}{n}", value=n + 1) for n, verb in enumerate(guarantees)]
        for row in rows:
            approve(office.store, row, "bob")
        return rows


def finish(acting: Acting, patience: float = 20) -> dict[str, State]:
    """Send what is left, and return the state of each action."""
    with acting.office() as office:
        deliver(office, "desk", patience=patience, wait=20)
        return {row.id: row.state for row in read_actions(office.store)}


def effects(desk: Desk, row: ActionRow) -> int:
    return desk.values.get(row.target, (0, 0))[1] if row.verb == "natural" else desk.deeds[row.id]


def must_be_once(desk: Desk, rows: list[ActionRow], states: dict[str, State]) -> None:
    for row in rows:
        count, state = effects(desk, row), states[row.id]
        if row.guarantee == "unprobeable":
            assert count <= 1, row
            assert state in ("confirmed", "asking"), row
        else:
            assert (count, state) == (1, "confirmed"), row


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(("acting", "guarantee"), BY_STORE, indirect=["acting"])
def test_a_sender_is_killed_at_a_point(acting: Acting, desk: Desk, guarantee: str, point: str) -> None:
    rows = approved(acting, guarantee)
    if point == "looking":  # an effect of which nobody heard
        desk.faults = ["cut"]
    sender = start_sender(acting, point)
    sender.join(30)
    reached = guarantee != "unprobeable" or point != "looking"
    assert sender.exitcode == (-signal.SIGKILL if reached else 0)
    must_be_once(desk, rows, finish(acting))


def test_a_sender_is_killed_while_the_answer_is_held_back(acting: Acting, desk: Desk) -> None:
    rows = approved(acting, *GUARANTEES)
    desk.faults = ["hold"] * 4
    for _ in GUARANTEES:
        sender = start_sender(acting)
        before = sum(desk.deeds.values()) + len(desk.values)
        wait_until(lambda before=before: sum(desk.deeds.values()) + len(desk.values) > before or not desk.faults)  # type: ignore[misc]
        sender.kill()
        sender.join()
    desk.hold.set()
    must_be_once(desk, rows, finish(acting))


@pytest.mark.parametrize("point", ["sent", "recording"])
def test_without_its_probe_these_tests_see_a_second_effect(
    acting: Acting, desk: Desk, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAT_TEST_NO_PROBE", "1")
    rows = approved(acting, "probed")
    start_sender(acting, point).join(30)
    finish(acting)
    assert effects(desk, rows[0]) == 2


def test_senders_are_killed_at_random(acting: Acting, desk: Desk) -> None:
    chance = random.Random(7)  # noqa: S311
    verbs = [chance.choice(GUARANTEES) for _ in range(KILLS * 5 // 2)]
    rows = approved(acting, *verbs)
    kills = 0
    while kills < KILLS:
        sender = start_sender(acting)
        begun = time.monotonic()
        pause = chance.uniform(0.02, 0.25)
        while sender.is_alive() and time.monotonic() - begun < pause:
            time.sleep(0.002)
        if chance.random() < 0.3:
            desk.faults = [chance.choice(["cut", "lost", "500"])]
        kills += 1
        sender.kill()
        sender.join()
    must_be_once(desk, rows, finish(acting, patience=60))
    assert sum(effects(desk, row) for row in rows) > 0.8 * len(rows)


def test_two_senders_at_a_time(acting: Acting, desk: Desk) -> None:
    rows = approved(acting, *GUARANTEES * 3)
    senders = [start_sender(acting) for _ in range(2)]
    for sender in senders:
        sender.join(60)
    assert [sender.exitcode for sender in senders] == [0, 0]
    must_be_once(desk, rows, finish(acting))


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_sender_that_was_frozen_past_its_lease_sends_nothing_afterwards(
    acting: Acting, desk: Desk, guarantee: str
) -> None:
    rows = approved(acting, guarantee)
    sender = start_sender(acting, "sending", signalled=signal.SIGSTOP, lasts=2)
    wait_until(lambda: _is_stopped(sender.pid))
    if acting.control_url.startswith("sqlite"):  # the lock of the file is its own as long as it lives
        with pytest.raises(Busy), acting.office() as office:
            deliver(office, "desk", wait=0.1)
    else:
        time.sleep(2)
        states = finish(acting)
        assert states[rows[0].id] == ("asking" if guarantee == "unprobeable" else "confirmed")

    os.kill(sender.pid, signal.SIGCONT)
    sender.join(30)
    if not acting.control_url.startswith("sqlite"):
        assert sender.exitcode == -signal.SIGALRM
    must_be_once(desk, rows, finish(acting))


def test_a_lease_lasts_as_long_as_its_sender_lives(acting: Acting, desk: Desk) -> None:
    declared = acting.folder / "pipelines" / "desk.yaml"
    declared.write_text(declared.read_text().replace("'}", "', timeout: 20}"))
    rows = approved(acting, "unprobeable")
    desk.faults = ["slow"]  # three seconds, three times as long as the lease
    sender = start_sender(acting, lasts=1)
    sender.join(30)
    assert sender.exitcode == 0
    assert finish(acting)[rows[0].id] == "confirmed"
    must_be_once(desk, rows, finish(acting))


def _is_stopped(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_control_store_that_was_restored_sends_nothing_twice(tmp_path: Path, desk: Desk) -> None:
    acting = Acting(tmp_path, f"sqlite:///{tmp_path / '.leat' / 'control.db'}")
    acting.declare(desk)
    rows = approved(acting, *GUARANTEES)
    backup = tmp_path / "backup.db"
    _copy(tmp_path / ".leat" / "control.db", backup)
    must_be_once(desk, rows, finish(acting))
    _copy(backup, tmp_path / ".leat" / "control.db")
    states = finish(acting)
    assert {row.guarantee: states[row.id] for row in rows} == {
        "guarded": "confirmed",
        "natural": "confirmed",
        "probed": "confirmed",
        "unprobeable": "asking",
    }
    must_be_once(desk, rows, states)


def test_what_is_planned_again_because_the_store_forgot_it_is_not_done_again(tmp_path: Path, desk: Desk) -> None:
    acting = Acting(tmp_path, f"sqlite:///{tmp_path / '.leat' / 'control.db'}")
    acting.declare(desk)
    backup = tmp_path / "backup.db"
    with acting.office() as office:
        _copy(tmp_path / ".leat" / "control.db", backup)
        rows = [planned(office, verb, verb, dedupe_key=verb) for verb in GUARANTEES]
        for row in rows:
            approve(office.store, row, "bob")
    finish(acting)
    _copy(backup, tmp_path / ".leat" / "control.db")
    with acting.office() as office:
        for verb in GUARANTEES:
            try:
                row = planned(office, verb, verb, dedupe_key=verb)
            except Refused:
                assert verb == "natural"
                continue
            approve(office.store, row, "bob")
    finish(acting)
    assert [effects(desk, row) for row in rows] == [1, 1, 1, 1]


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as one, sqlite3.connect(target) as other:
        one.backup(other)
    one.close()
    other.close()


def test_nothing_is_sent_when_the_intent_cannot_be_written(tmp_path: Path, desk: Desk) -> None:
    acting = Acting(tmp_path, f"sqlite:///{tmp_path / '.leat' / 'control.db'}")
    acting.declare(desk)
    rows = approved(acting, *GUARANTEES)
    sender = start_sender(acting, full=True)
    sender.join(30)
    assert sender.exitcode not in (0, None)
    assert [effects(desk, row) for row in rows] == [0, 0, 0, 0]
    must_be_once(desk, rows, finish(acting))
