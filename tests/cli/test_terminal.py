"""The command line on a terminal of 80 columns: names are never broken; a pipe gets the same text unwrapped."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from leat.cli import output
from leat.cli.commands import app_for
from leat.cli.evidence import print_evidence
from leat.cli.tables import print_table
from tests.kit.command import LEAT, Leat, tally_project, then
from tests.kit.project import row, rows
from tests.kit.terminal import on_terminal

RULE = """/* ---
title: Nothing is called two, whatever the reason may be and whoever wants it
next_step: Rename it in the system where it is called so, and run leat again; nothing else has to be done about it.
owner: ops
key: id
sides:
  tally: [label, weight]
  books: [wanted]
--- */
SELECT id, label, weight, 'one' AS wanted FROM tally.kept WHERE label = 'two'
"""
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def leat(tmp_path_factory: pytest.TempPathFactory) -> Leat:
    project = tally_project(tmp_path_factory.mktemp("project"))
    rules = project.folder / "quality" / "rules"
    rules.mkdir(parents=True)
    (rules / "nothing_is_called_two_whatever_the_reason.sql").write_text(RULE)
    then(project, rows("kept", row(1, "two", weight=0.5)))
    done = project("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_violations_show_both_sides_and_the_next_step_first(leat: Leat) -> None:
    shown = STYLE.sub("", on_terminal(leat, "violations"))
    head, text = shown.split(" UTC\n", 1)
    assert re.fullmatch(r"[0-9a-f]{8} open warn nothing_is_called_two_whatever_the_reason, since\s[\d:\s-]+", head)
    assert text == (
        "  Nothing is called two, whatever the reason may be and whoever wants it (ops)\n"
        "  next: Rename it in the system where it is called so, and run leat again;\n"
        "        nothing else has to be done about it.\n"
        "  id  1\n"
        "  tally          books\n"
        "  label   two    wanted  one\n"
        "  weight  0.5\n"
        "\n"
        "1 open, 0 resolved\n"
    )


def test_a_narrow_terminal_stacks_the_sides(leat: Leat) -> None:
    shown = STYLE.sub("", on_terminal(leat, "violations", width=24))
    assert "  tally\n    label   two\n    weight  0.5\n  books\n    wanted  one\n" in shown


def test_names_are_whole(leat: Leat) -> None:
    for command, name in (("status", "tally.scanned"), ("run", "nothing_is_called_two_whatever_the_reason")):
        assert name in STYLE.sub("", on_terminal(leat, command, width=44)).split()


def test_a_pipe_gets_neither_styles_nor_breaks_and_no_color_is_honoured(leat: Leat) -> None:
    piped = leat("violations", COLUMNS="40").stdout
    assert "\x1b" not in piped
    assert "and run leat again; nothing else has to be done about it.\n" in piped
    assert "\x1b[" in on_terminal(leat, "violations")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", on_terminal(leat, "violations", NO_COLOR="1"))


def printed(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr(output, "out", output.Console(file=sys.stdout, width=width, **output._PLAIN))


def test_prose_moves_below_the_row_before_a_table_becomes_records(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns, row = ("rule", "open", "what must be true"), ("a_long_name_of_a_rule", 3, "one two three four")
    for width in (60, 30, 20):
        printed(monkeypatch, width)
        print_table(columns, [row], below=True)
    assert capsys.readouterr().out.split("\n") == [
        "rule                   open  what must be true",
        "a_long_name_of_a_rule     3  one two three four",
        "rule                   open",
        "a_long_name_of_a_rule     3",
        "    one two three four",
        "row 1",
        "  rule               a_long_name_of_a_rule",
        "  open               3",
        "  what must be true  one two three four",
        "",
    ]


def test_a_side_shows_what_a_system_does_not_have(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed(monkeypatch, 80)
    evidence = {"order": 7, "charged": 900, "invoiced": None, "note": None}
    print_evidence(evidence, {"payments": ["charged"], "books": ["invoiced", "gone"]})
    assert capsys.readouterr().out == "  order  7\n  payments        books\n  charged  900    invoiced  -\n"


def test_times_of_evidence_are_shown_like_all_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed(monkeypatch, 80)
    print_evidence({"at": "2026-10-20T12:00:00.5+00:00", "on": "2026-10-20", "local": "2026-10-20T12:00:00"}, {})
    assert capsys.readouterr().out == (
        "  at     2026-10-20 12:00:00 UTC\n  on     2026-10-20\n  local  2026-10-20T12:00:00\n"
    )


def test_a_busy_port_stops_the_ui_before_anything_starts(leat: Leat) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = leat("dev", "--port", str(port))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert "Next: `leat dev --port " in done.stderr
    assert not (leat.folder / ".leat" / "dagster").exists()
    assert leat("dev", "--port", "99999").returncode == 2


def offered(leat: Leat, *words: str) -> list[str]:
    """Return what bash would offer for the last of the words."""
    given = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1), "_LEAT_COMPLETE": "complete_bash"}
    return leat(**given).stdout.split()


def test_names_are_completed(leat: Leat) -> None:
    (leat.folder / "quality" / "alerts.yaml").write_text("channels: {office: {url: {env: OFFICE}}}\n")
    try:
        assert offered(leat, "leat", "alerts", "test", "o") == ["office"]
    finally:
        (leat.folder / "quality" / "alerts.yaml").unlink()
    for command in ("run", "check", "preview", "quarantine", "reset", "publish", "runs", "logs"):
        assert offered(leat, "leat", command, "ta") == ["tally"], command
    for command in ("run", "preview", "quarantine"):
        assert offered(leat, "leat", command, "tally.fe") == ["tally.fed"], command
    assert offered(leat, "leat", "reset", "tally", "--stream", "sc") == ["scanned"]
    assert offered(leat, "leat", "violations", "--rule", "no") == ["nothing_is_called_two_whatever_the_reason"]
    assert offered(leat, "leat", "query", "--format", "j") == ["json"]
    assert offered(leat, "leat", "--project", str(leat.folder), "run", "t") == ["tally"]


def test_a_mistyped_name_is_answered_with_the_nearest(leat: Leat) -> None:
    (leat.folder / "quality" / "alerts.yaml").write_text("channels: {office: {url: {env: OFFICE}}}\n")
    wanted = {
        ("run", "taly"): "tally",
        ("run", "tally.scaned"): "scanned",
        ("reset", "tally", "--stream", "scaned"): "scanned",
        ("violations", "--rule", "nothing_is_called_two"): "nothing_is_called_two_whatever_the_reason",
        ("alerts", "test", "ofice"): "office",
        ("query", "SELECT * FROM tally.scaned"): "scanned",
        ("runz",): "run",
    }
    try:
        for command, name in wanted.items():
            said = leat(*command).stderr
            assert "id you mean" in said, (command, said)
            assert name in said, (command, said)
    finally:
        (leat.folder / "quality" / "alerts.yaml").unlink()


def test_a_reader_may_leave_any_command_without_a_word(leat: Leat) -> None:
    lines = "SELECT range FROM range(200000)"
    for command in (f"query '{lines}'", f"query --format csv '{lines}'", "--help", "schema", "status"):
        text = f"{LEAT} {command} | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", text], cwd=leat.folder, env=leat.env(), capture_output=True, text=True,
                              check=False, timeout=60)  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), command
    text = f"{LEAT} run nonesuch 2>&1 | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", text], cwd=leat.folder, env=leat.env(), check=False, timeout=60)
    assert done.returncode == 2, "how it ended counts, whoever reads of it"


def test_no_summary_of_a_command_is_cut_off(leat: Leat) -> None:
    shown = on_terminal(leat, "--help").split("Commands:\n")[1].rstrip().split("\n")
    assert len(shown) > 15
    assert [line for line in shown if line.endswith("...") or len(line) > 80] == []
    app = app_for()
    groups = [group.name for group in app.registered_groups]
    for group in groups:
        of_group = CliRunner().invoke(app, [str(group), "--help"], terminal_width=80).output.split("Commands:\n")[1]
        assert [line for line in of_group.split("\n") if line.endswith("...") or len(line) > 80] == [], group


def test_status_counts_acknowledged_violations_apart(leat: Leat) -> None:
    (violation,) = leat.json("violations")["violations"]
    assert "\n1 open violation: `leat" in leat("status").stdout
    leat("ack", violation["key"])
    status = leat.json("status")
    assert (status["violations"], status["acknowledged"]) == (1, 1)
    assert "\n1 open violation (1 acknowledged): `leat" in leat("status").stdout
    leat("ack", violation["key"], "--undo")
    assert leat.json("status")["acknowledged"] == 0


def test_what_is_read_again_is_not_called_nothing_new(tmp_path: Path) -> None:
    project = tally_project(tmp_path)
    for _ in range(2):
        then(project, rows("kept", row(1, "two", weight=0.5)))
    assert "✓ tally: loaded in " in project("run").stdout
    assert "✓ tally: nothing new (1 row, " in project("run").stdout
    assert "✓ tally: read again, and no row differs (1 row, " in project("reset", "tally").stdout


def test_without_problems_alerts_say_so(tmp_path: Path) -> None:
    project = tally_project(tmp_path)
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "alerts.yaml").write_text(
        "channels: {mail: {url: {env: MAIL}, required: false}}\ndefault: mail\n"
    )
    shown = project("alerts").stdout
    ending = "\n\nOpen problems: none\n\nMessages, the newest first: none\n"
    assert shown == f"channel mail: off, its variable is not set{ending}"


def test_a_command_line_builds_only_the_command_that_it_names() -> None:
    whole: Any = typer.main.get_command(app_for())
    for name, command in whole.commands.items():
        alone: Any = typer.main.get_command(app_for(["--project", "run", "--profile=x", name, "--help"]))
        assert len(alone.commands) <= 2, name
        same = alone.commands[name]
        assert same.help == command.help
        assert [each.opts for each in same.params] == [each.opts for each in command.params]
    for words in (["--help", "run"], ["--version"], ["nonsense"], []):
        assert len(app_for(words).registered_commands) > 10, words
