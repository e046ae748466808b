"""``leat act`` and ``leat actions`` as a person uses them, at 80 columns."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.acting import Acting, Desk, desk_server
from tests.kit.command import Leat
from tests.kit.project import SOURCES
from tests.kit.terminal import on_terminal


@pytest.fixture
def desk() -> Iterator[Desk]:
    with desk_server() as desk:
        yield desk


@pytest.fixture
def leat(tmp_path: Path, desk: Desk) -> Leat:
    Acting(tmp_path, "").declare(desk)
    shutil.copytree(SOURCES / "desk", tmp_path / "sources" / "desk", ignore=shutil.ignore_patterns("__pycache__"))
    return Leat(tmp_path, {"COLUMNS": "80"})


def test_an_action_from_plan_to_undo(leat: Leat, desk: Desk) -> None:
    verbs = leat("actions", "verbs").stdout
    assert "desk.natural" in verbs
    assert "place, value" in verbs
    shown = leat("actions", "verbs", "desk.pay").stdout
    assert "a second person" in shown
    assert "required  Where." in shown
    dry = leat("act", "desk.natural", "-p", "place=a", "-p", "value=7", "--dry-run")
    assert "value: 0 → 7" in dry.stdout
    assert "nothing was stored or sent" in dry.stdout
    assert leat("actions").stdout.startswith("no open actions")

    planned = leat("act", "desk.natural", "-p", "place=a", "-p", "value=7", "--plan").stdout
    id_ = planned.split("leat actions approve ")[1].split("`")[0]
    assert f"{id_}  planned  desk.natural" in leat("actions").stdout
    approved = leat("actions", "approve", id_, "--note", "go")
    assert (approved.returncode, desk.values) == (0, {"a": (7, 1)})
    assert f"✓ desk.natural {id_} confirmed: mark a" in approved.stdout
    shown = leat("actions", "show", id_).stdout
    assert [line.split()[2] for line in shown.split("detail\n")[1].splitlines() if line[:1] == "2"] == [
        "planned", "approved", "sending", "done", "confirmed"]  # fmt: skip
    undone = leat("actions", "undo", id_, "--yes")
    assert (undone.returncode, desk.values["a"][0]) == (0, 0)
    assert "undone" in leat("actions", "list", "--all").stdout


def test_mistakes_say_what_is_right(leat: Leat) -> None:
    for arguments, said in {
        ("act", "desk.naturl"): 'did you mean "natural"',
        ("act", "dek.natural"): "no integration 'dek' is declared; did you mean \"desk\"",
        ("act", "desk.natural"): "place: is missing (Where.); `leat actions verbs desk.natural` lists",
        ("act", "desk.natural", "-p", "place"): "write NAME=VALUE",
        ("act", "desk.natural", "-p", "place=a", "-p", "value=0"): "a is 0 already",
        ("act", "desk.natural", "-p", "place=a", "--at", "tomorrow"): "with its zone",
        ("actions", "approve"): "name the actions by their ids, or use --all",
        ("actions", "approve", "zzzz"): "no action has an id that begins with 'zzzz'",
        ("actions", "show", "z"): "at least 4 characters",
        ("actions", "stop", "dek"): 'did you mean "desk"',
    }.items():
        done = leat(*arguments)
        assert done.returncode == 2, arguments
        assert said in done.stderr, arguments


def test_nothing_is_sent_that_nobody_approved(leat: Leat, desk: Desk) -> None:
    done = leat("act", "desk.guarded", "-p", "place=a")  # there is no terminal to ask on
    assert (done.returncode, "it waits for approval" in done.stdout) == (0, True)
    money = leat("act", "desk.pay", "-p", "place=a", "--yes")
    assert "a second person has to approve it" in money.stdout
    every = leat("actions", "approve", "--all")
    assert every.returncode == 1
    assert "moves money, so a second person" in every.stdout
    assert sum(desk.deeds.values()) == 1
    assert leat("act", "desk.guarded", "-p", "place=a", "--json").returncode == 0
    assert sum(desk.deeds.values()) == 1


def test_all_that_waits_is_shown_and_asked_for_once(leat: Leat, desk: Desk) -> None:
    leat("act", "desk.natural", "-p", "place=a", "-p", "value=7", "--plan")
    leat("act", "desk.guarded", "-p", "place=b", "--plan")
    leat("act", "desk.pay", "-p", "place=c", LEAT_USER="ann")
    declined = on_terminal(leat, "actions", "approve", "--all", typed="n\n", LEAT_USER="bea")
    for said in ("value: 0 → 7", "(moves money)", "Approve 3 actions, and send?", "approved nothing"):
        assert said in declined, declined
    assert (desk.values, sum(desk.deeds.values())) == ({}, 0)
    assert on_terminal(leat, "actions", "approve", "--all", typed="y\n", LEAT_USER="bea").count(" confirmed: ") == 3
    assert (desk.values["a"][0], sum(desk.deeds.values())) == (7, 2)
    leat("act", "desk.natural", "-p", "place=a", "-p", "value=8", "--plan")
    assert "?" not in on_terminal(leat, "actions", "approve", "--all", "--yes")
    assert "no action waits" in leat("actions", "approve", "--all").stdout
    ids = [each["id"] for each in leat.json("actions", "list", "--all")["actions"]]
    undone = leat("actions", "undo", *ids, "--yes")
    assert (undone.returncode, desk.values["a"][0]) == (1, 7), "the older one is no longer what is there"
    assert undone.stdout.count("can't be undone") == 2, undone.stdout


def test_a_run_sends_what_was_stopped_before(leat: Leat, desk: Desk) -> None:
    stopped = leat("actions", "stop", "--note", "looks odd")
    assert "nothing is sent until" in stopped.stdout
    waiting = leat("act", "desk.guarded", "-p", "place=a", "--yes")
    assert sum(desk.deeds.values()) == 0
    assert "has stopped sending; `leat actions start` ends that" in waiting.stdout
    assert " approved: mark a" in waiting.stdout
    assert "stopped: all actions are stopped by" in leat("actions").stdout
    leat("actions", "start")
    run = leat("run")
    assert (run.returncode, sum(desk.deeds.values())) == (0, 1)
    assert "confirmed: mark a" in run.stdout
    assert json.loads(leat("run", "--json").stdout)["actions"] == []


def test_a_run_in_which_an_action_fails_says_so_once(leat: Leat, desk: Desk) -> None:
    leat("actions", "stop")
    leat("act", "desk.guarded", "-p", "place=a", "--yes")
    leat("actions", "start")
    desk.faults = ["400"]
    run = leat("run")
    assert (run.returncode, "1 action failed; `leat actions show ID`" in run.stdout) == (1, True)
    assert leat("run").returncode == 0


def test_what_nobody_can_look_for_asks(leat: Leat, desk: Desk) -> None:
    desk.faults = ["cut"]
    done = leat("act", "desk.unprobeable", "-p", "place=a", "--yes")
    assert done.returncode == 1
    assert "nobody knows whether it happened" in done.stdout
    id_ = done.stdout.split("leat actions resolve ")[1].split()[0]
    resolved = leat("actions", "resolve", id_, "--happened")
    assert (resolved.returncode, "confirmed" in resolved.stdout) == (0, True)
    assert sum(desk.deeds.values()) == 1


def test_json_has_everything(leat: Leat) -> None:
    done = json.loads(leat("act", "desk.guarded", "-p", "place=a", "--yes", "--json").stdout)
    [action] = done["actions"]
    assert (action["state"], action["parameters"], action["shown"]) == ("confirmed", {"place": "a", "value": 1}, {})
    shown = json.loads(leat("actions", "show", action["id"], "--json").stdout)
    assert [event["state"] for event in shown["events"]][-1] == "confirmed"
    verbs = json.loads(leat("actions", "verbs", "--json").stdout)["verbs"]
    assert {verb["name"] for verb in verbs} >= {"guarded", "pay"}
