"""Quarantined records as people see them: what a run says of them, and ``leat quarantine``."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.load.quarantined import Choice, Reason, count_reasons, list_records, streams_in_quarantine
from leat.warehouse.connect import open_warehouse
from tests.kit.command import Leat, differs, documented_json, tally_project, then
from tests.kit.project import Tally, row, rows

_WEIGHT = "column weight takes a number, not text"
_ANY_SHARE = "{fed: {max_quarantine_share: 1}, scanned: {max_quarantine_share: 1}, kept: {max_quarantine_share: 1}}"
_EVENT = "BEGIN:VEVENT\nSUMMARY:\x1b]0;owned\x07 \u202eabc [bold]x[/bold]\nEND:VEVENT"


def bad(stream: str, key: str, reason: str, record: str = "{}") -> Mapping[str, Any]:
    return {"do": "quarantine", "stream": stream, "key": key, "reason": reason, "record": record}


_STEPS = (
    rows("fed", row(1)),
    *(bad("fed", f"a/{number}", _WEIGHT) for number in range(7)),
    *(bad("fed", f"b/{number}", f"column {number} is missing") for number in range(4)),
    bad("scanned", "c [x] d", "DTSTART is missing", _EVENT),
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Leat, subprocess.CompletedProcess[str]]:
    leat = tally_project(tmp_path_factory.mktemp("quarantined"), _ANY_SHARE)
    none = leat("quarantine")
    assert (none.returncode, none.stdout) == (0, "no record is quarantined\n")
    then(leat, *_STEPS)
    return leat, leat("run")


def test_a_run_prints_how_many_and_the_most_frequent_reasons(
    loaded: tuple[Leat, subprocess.CompletedProcess[str]],
) -> None:
    _, done = loaded
    assert done.returncode == 0
    output = done.stdout[done.stdout.index("! tally.fed") :].splitlines()
    assert output[0] == "! tally.fed: 11 records quarantined"
    assert output[1].split(maxsplit=1) == ["7", _WEIGHT]
    assert output[4].split(maxsplit=1) == ["2", "for 2 other reasons"]
    assert output[5] == "! tally.scanned: 1 record quarantined"
    assert "`leat quarantine NAME.STREAM`" in output[7]


def test_the_json_of_a_run_has_the_reasons_of_this_run_alone(
    loaded: tuple[Leat, subprocess.CompletedProcess[str]],
) -> None:
    leat, _ = loaded
    then(leat, bad("kept", "n", _WEIGHT))
    (integration,) = leat.json("run")["integrations"]
    reasons = {stream["stream"]: stream["reasons"] for stream in integration["streams"]}
    assert reasons == {"fed": [], "scanned": [], "kept": [{"reason": _WEIGHT, "records": 1}]}


def test_records_are_listed_with_reason_time_and_load(loaded: tuple[Leat, subprocess.CompletedProcess[str]]) -> None:
    leat, _ = loaded
    listed = leat("quarantine", "tally.fed", "--limit", "2").stdout.splitlines()
    assert listed[:2] == ["tally.fed a/0", f"  {_WEIGHT}"]
    assert "UTC, load 2" in listed[2]
    assert listed[6].startswith("11 records quarantined, 9 more: give --limit 11")
    said = leat.json("quarantine", "tally.fed", "--limit", "1")
    assert differs(said, documented_json()["quarantine"]) == []
    assert (said["total"], said["records"][0]["record"]) == (11, None)
    as_csv = list(csv.DictReader(leat("quarantine", "tally.scanned", "--format", "csv").stdout.splitlines()))
    assert [(each["stream"], each["key"]) for each in as_csv] == [("scanned", "c [x] d")]


def test_reasons_are_grouped(loaded: tuple[Leat, subprocess.CompletedProcess[str]]) -> None:
    leat, _ = loaded
    grouped = leat("quarantine", "tally.fed", "--reasons").stdout.splitlines()
    assert [line.split(maxsplit=1) for line in grouped[1:3]] == [["7", _WEIGHT], ["1", "column 0 is missing"]]
    said = leat.json("quarantine", "tally.fed", "--reasons")
    assert (said["records"], said["reasons"][0]["records"]) == ([], 7)


def test_one_record_is_shown_whole_and_commands_nothing(loaded: tuple[Leat, subprocess.CompletedProcess[str]]) -> None:
    leat, _ = loaded
    shown = leat("quarantine", "tally.scanned", "--record", "c [x] d").stdout
    assert r"SUMMARY:\x1b]0;owned\x07 \u202eabc [bold]x[/bold]" in shown.splitlines()
    assert shown.startswith("tally.scanned c [x] d\n")
    assert json.loads(leat("quarantine", "--record", "c [x] d", "--json").stdout)["records"][0]["record"] == _EVENT


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("quarantine", "taly"), "no integration 'taly' is declared; did you mean \"tally\"? Declared: tally"),
        (("quarantine", "tally.fd"), 'did you mean "fed"? It has: fed, kept, scanned'),
        (("quarantine", "tally.fed", "--record", "a/00"), 'did you mean "a/0"'),
        (("run", "tolly"), 'did you mean "tally"?'),
        (("reset", "tally", "--stream", "scaned"), 'did you mean "scanned"? It loads: fed, scanned, kept'),
        (("violations", "--rule", "x"), "there is no rule 'x', and no violation of one; rules: none"),
    ],
)
def test_what_was_meant_is_said(
    loaded: tuple[Leat, subprocess.CompletedProcess[str]], arguments: tuple[str, ...], said: str
) -> None:
    done = loaded[0](*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [("leat quarantine t", "tally"), ("leat quarantine tally.k", "tally.kept"), ("leat run ta", "tally")],
)
def test_names_are_completed(loaded: tuple[Leat, subprocess.CompletedProcess[str]], words: str, offered: str) -> None:
    done = loaded[0](_LEAT_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="2")
    assert done.stdout.split() == [offered]


def test_both_warehouses_give_the_same(tally: Tally) -> None:
    with open_warehouse(tally.warehouse_url, tally.project.state).snapshot() as session:
        assert (count_reasons(session, Choice()), list_records(session, Choice(), 5)) == ([], [])
    tally.declare(_ANY_SHARE)
    tally.then(*_STEPS)
    tally.run()
    with open_warehouse(tally.warehouse_url, tally.project.state).snapshot() as session:
        assert streams_in_quarantine(session) == {"tally": {"fed", "scanned"}}
        first, *_ = count_reasons(session, Choice("tally", "fed"))
        assert isinstance(first, Reason)
        assert (first.reason, first.records) == (_WEIGHT, 7)
        (record,) = list_records(session, Choice("tally", key="c [x] d"), 5)
        assert (record.stream, record.record) == ("scanned", _EVENT.replace("\x00", ""))
        assert list_records(session, Choice(since=record.last_seen_at), 99) != []


def test_a_stream_that_fails_is_said_with_why_and_what_next(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    failed = {"do": "failed", "stream": "scanned"}
    then(leat, rows("kept", row(1)), *(bad("fed", f"a/{number}", _WEIGHT) for number in range(12)), failed)
    done = leat("run")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("✗ tally: "))
    assert lines[at].startswith("✗ tally: 2 streams failed, and the rows there stay as they were")
    said = {line.split(":")[0].strip(): line for line in lines[at + 1 : at + 5] if not line.startswith("    Next")}
    assert said.keys() == {"fed", "scanned"}
    assert "12 of 12 records are quarantined" in said["fed"]
    assert lines.count("    Next: take the step out") == 1
    assert any(line.startswith("    Next: `leat quarantine tally.fed` lists them") for line in lines)
    assert "! tally.fed: 12 records quarantined" in lines
