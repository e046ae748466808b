"""``leat automations`` as a person uses it: simulate, enable, run, approve, disable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.acting import Desk, desk_server
from tests.kit.automating import MARK_BAD, Automated
from tests.kit.command import Leat, differs, documented_json, tally_project


@pytest.fixture
def desk() -> Iterator[Desk]:
    with desk_server() as desk:
        yield desk


def test_an_automation_from_simulation_to_confirmation(tmp_path: Path, desk: Desk) -> None:
    project = Automated(tmp_path, "", desk.url)
    project.declare()
    (tmp_path / "pipelines" / "tally.yaml").unlink()
    (tmp_path / "pipelines").rename(tmp_path / "declared")
    leat: Leat = tally_project(tmp_path)
    (tmp_path / "declared" / "desk.yaml").rename(tmp_path / "pipelines" / "desk.yaml")
    project.write(MARK_BAD)
    project.has("bad", "good")

    assert "1 automation" in leat("automations", "check").stdout
    said = leat("run", "tally").stdout
    assert "automation mark_bad: would plan 1 of 1" in said
    said = leat("automations", "simulate", "mark_bad").stdout
    assert "a, 1: desk.guarded place=p1 value=1" in said
    assert "in the last 90 days: 1 action; of the violations, without it, resolved within 2 days: 0, later: 0" in said

    assert "is enabled" in leat("automations", "enable", "mark_bad").stdout
    said = leat("run", "tally").stdout
    assert "automation mark_bad: planned 1 of 1 target" in said
    assert "1 action waiting for approval" in said
    assert "planned" in leat("violations", "--open").stdout
    assert "1 action waiting for approval" in leat("status").stdout
    shown = leat("automations", "show", "mark_bad").stdout
    assert "mark p1" in shown
    assert "enabled" in leat("automations").stdout
    listed, documented = leat.json("automations"), documented_json()["automations"]
    assert listed["automations"][0].pop("declared")["key"] == []
    del documented["automations"][0]["declared"]
    assert differs(listed, documented) == []

    assert leat("actions", "approve", "--all").returncode == 0
    assert sum(desk.deeds.values()) == 1
    assert "0 actions withdrawn" in leat("automations", "disable", "mark_bad").stdout
    (tmp_path / "pipelines" / "later.yaml").write_text((tmp_path / "pipelines" / "tally.yaml").read_text())
    early = MARK_BAD.replace("violation_opened: bad_label", "rows: true").replace(
        "do:", "targets: SELECT id, shelf FROM later.scanned\nkey: id\ndo:"
    )
    (tmp_path / "automations" / "early.yaml").write_text(early)
    said = leat("automations", "simulate", "early").stderr
    assert said == "the targets of early read later.scanned, which isn't loaded yet\n"
    wrong = leat("automations", "show", "mark_bda")
    assert (wrong.returncode, 'did you mean "mark_bad"' in wrong.stderr) == (2, True)


def test_check_refuses_a_mistake_with_its_line(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    (tmp_path / "automations").mkdir()
    (tmp_path / "automations" / "x.yaml").write_text("description: x\nwhen: {violation_opened: no_rule}\ndo: []\n")
    done = leat("check")
    assert done.returncode == 2
    assert "automations/x.yaml:3: do:" in done.stderr
