"""The ``leat`` command as people and programs use it: what it prints where, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import jsonschema
import pytest

from leat.control.store import open_control, set_override
from leat.demo.seed.git_history import git
from leat.warehouse.connect import open_warehouse
from tests.kit.child import wait_until
from tests.kit.command import LEAT, Leat, differs, documented_json, tally_project, then
from tests.kit.project import row, rows

Said = dict[str, subprocess.CompletedProcess[str]]
_REFUSED = r"(?i)read-only|read only|read-write|disabled|locked|denied|cannot commit|does not exist"
_CHECKED = "{fed: {checks: [{range: {weight: {min: 0}}}]}}"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> tuple[Leat, Said]:
    """Make a project with ``leat init`` in a repository, and go once through the commands with ``--json``."""
    folder = tmp_path_factory.mktemp("fresh")
    leat = Leat(folder)
    git(folder, "init", "-q", "-b", "main")
    said = {"init": leat("init", "--json")}
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=A", "-c", "user.email=a@x.example", "commit", "-q", "-m", "Begin [bold]here")
    commands = (("check",), ("run",), ("status",), ("doctor",), ("reset", "code"), ("runs",), ("logs",))
    for command in (*commands, ("query", "SELECT 1 AS one")):
        said[command[0]] = leat(*command, "--json")
    said["again"] = leat("run", "--json")
    return leat, said


@pytest.mark.parametrize("command", ["init", "check", "run", "status", "doctor", "reset", "runs", "logs", "query"])
def test_json_is_one_documented_object(fresh: tuple[Leat, Said], command: str) -> None:
    done = fresh[1][command]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    said = json.loads(done.stdout)
    assert said["leat"] == 1
    documented = documented_json()[command]
    assert said.get("command") == documented.get("command")
    assert differs(said, documented) == []


def test_a_new_project_loads_at_once(fresh: tuple[Leat, Said]) -> None:
    leat, said = fresh
    assert "pipelines/code.yaml" in json.loads(said["init"].stdout)["made"]
    first, again = (json.loads(said[name].stdout) for name in ("run", "again"))
    assert (first["published"], first["integrations"][0]["status"]) == (True, "loaded")
    assert all(check["ok"] for check in first["checks"])
    assert (again["published"], again["integrations"][0]["status"], again["checks"]) == (False, "nothing_new", [])
    (integration,) = json.loads(said["status"].stdout)["integrations"]
    assert (integration["integration"], integration["last_status"]) == ("code", "loaded")
    assert {s["stream"]: s["rows"] for s in integration["streams"]}["commits"] == 1
    assert leat("init").returncode == 2, "declarations that are there are kept"


def test_reset_loads_again(fresh: tuple[Leat, Said]) -> None:
    reset = json.loads(fresh[1]["reset"].stdout)
    assert reset["integrations"][0]["status"] in ("loaded", "nothing_new")
    assert {s["stream"]: s["total"] for s in reset["integrations"][0]["streams"]}["commits"] == 1


def test_runs_and_logs_show_what_happened(fresh: tuple[Leat, Said]) -> None:
    leat, _ = fresh
    newest, *_, first = leat("runs").stdout.splitlines()[1:]
    assert re.fullmatch(r"20[\d-]+ [\d:]+  code +loaded +\d+\.\d +[1-9]\d* +0", first)
    assert "nothing new" in newest
    assert leat("runs", "--limit", "1").stdout.splitlines()[1:] == [newest]
    logged = leat("logs", "code", "--event", "run_loaded", "--since", "PT1H").stdout.splitlines()
    assert re.fullmatch(r"20[\d-]+ [\d:]+ UTC code run_loaded inserted \d+, seconds=[\d.]+, load_id=\d+T\d+", logged[0])
    assert leat("logs", "--limit", "1").stdout.splitlines() == logged[-1:]
    assert leat("logs", "--since", "2000-01-01", "--event", "run_loaded").stdout.splitlines() == logged
    for command, meant in (("logs", "run_loaded"), ("runs", "code")):
        wrong = leat(command, "cod") if command == "runs" else leat(command, "--event", "run_loadd")
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert f'did you mean "{meant}"' in wrong.stderr
    assert leat("logs", "--since", "tomorrow").returncode == 2
    assert leat("logs", "--follow", "--json").returncode == 2


def test_logs_can_be_followed(fresh: tuple[Leat, Said]) -> None:
    leat, _ = fresh
    child = leat.start("logs", "--follow")
    assert child.stdout is not None
    assert "run_loaded" in child.stdout.readline()
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    assert child.returncode == 130


def test_schema_validates_what_init_writes(fresh: tuple[Leat, Said]) -> None:
    import yaml

    leat, _ = fresh
    done = leat("schema")
    declaration = yaml.safe_load((leat.folder / "pipelines" / "code.yaml").read_text())
    jsonschema.Draft202012Validator(json.loads(done.stdout)).validate(declaration)
    assert (leat.folder / "pipelines" / "schema.json").read_text() == done.stdout


def test_query_prints_data_and_nothing_else(fresh: tuple[Leat, Said]) -> None:
    leat, _ = fresh
    sql = "SELECT subject, parent_count FROM code.commits"
    as_csv, as_json, as_table = (leat("query", sql, "--format", form) for form in ("csv", "json", "table"))
    assert list(csv.reader(as_csv.stdout.splitlines())) == [["subject", "parent_count"], ["Begin [bold]here", "0"]]
    assert json.loads(as_json.stdout)["rows"] == [{"subject": "Begin [bold]here", "parent_count": 0}]
    assert "Begin [bold]here" in as_table.stdout
    assert [done.stderr for done in (as_csv, as_json, as_table)] == ["", "", ""]
    given = leat("query", "-", "--format", "csv", given="SELECT 42 AS answer")
    assert given.stdout.split() == ["answer", "42"]
    wrong = leat("query", "SELECT * FROM code.comits")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "Next: " in wrong.stderr
    assert "Traceback" not in wrong.stderr


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Leat, subprocess.CompletedProcess[str]]:
    """Give a tally project with rows in two streams, and what its first run said."""
    leat = tally_project(tmp_path_factory.mktemp("loaded"), _CHECKED)
    then(leat, rows("fed", row(1, weight=1.0), row(2)), rows("scanned", row(1)), rows("kept", row(1)))
    return leat, leat("run")


def test_run_prints_to_stdout_alone(loaded: tuple[Leat, subprocess.CompletedProcess[str]]) -> None:
    _, done = loaded
    assert (done.returncode, done.stderr) == (0, "")
    assert "tally.fed" in done.stdout
    assert "\x1b" not in done.stdout


def test_nobody_else_can_read_the_state(loaded: tuple[Leat, subprocess.CompletedProcess[str]]) -> None:
    state = loaded[0].folder / ".leat"
    paths = [state, *state.rglob("*")]
    assert len(paths) > 5
    assert [str(path) for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_progress_is_for_terminals(loaded: tuple[Leat, subprocess.CompletedProcess[str]]) -> None:
    leat, _ = loaded
    main, theirs = pty.openpty()
    with subprocess.Popen(
        ["leat", "run"], cwd=leat.folder, env=leat.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=theirs, text=True, executable=LEAT,
    ) as child:  # fmt: skip
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # the terminal goes with its last user
            while piece := os.read(main, 4096):
                shown += piece
        assert child.stdout is not None
        said = child.stdout.read()
    os.close(main)
    assert child.returncode == 0
    assert b"tally: looking for news" in shown or b"models and rules" in shown
    assert "nothing new" in said
    assert "\x1b" not in said


def test_completion_is_printed(fresh: tuple[Leat, Said]) -> None:
    leat, _ = fresh
    script = leat(_LEAT_COMPLETE="source_bash")
    assert "_LEAT_COMPLETE=complete_bash" in script.stdout
    offered = leat(_LEAT_COMPLETE="complete_bash", COMP_WORDS="leat re", COMP_CWORD="1")
    assert offered.stdout.split() == ["reset"]


def test_mistakes_end_with_2_and_say_where_and_what(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    declaration = tmp_path / "pipelines" / "tally.yaml"
    good = declaration.read_text()
    unknown, option = leat("run", "nonesuch"), leat("run", "--nonesuch")
    assert "declared: tally" in unknown.stderr
    declaration.write_text(good + "schedul: hourly\n")
    misspelt = leat("check", "--json")
    assert 'pipelines/tally.yaml:5: schedul: unknown key; did you mean "schedule"?' in misspelt.stderr
    said = json.loads(misspelt.stdout)
    assert differs(said, documented_json()["Errors"]) == []
    assert (said["error"]["type"], said["error"]["exit_code"]) == ("DeclarationError", 2)
    declaration.write_text(good + "streams: [\n")
    broken = leat("run")
    assert "pipelines/tally.yaml:" in broken.stderr
    declaration.unlink()
    empty = leat("status")
    assert "leat init" in empty.stderr
    for done in (unknown, option, misspelt, broken, empty):
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
    assert [done.stdout for done in (unknown, option, broken, empty)] == [""] * 4


def test_the_demo_writes_into_no_folder_of_others_and_starts_nothing_in_vain(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    for args, said in (((), "neither empty nor the demo's project"), (("--repo", "nowhere"), "git can't read it")):
        done = Leat(tmp_path)("demo", *args)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert "Next: " in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_failing_system_ends_with_1(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    then(leat, {"do": "fail", "transient": False})
    done = leat("run", "--json")
    assert done.returncode == 1
    (result,) = json.loads(done.stdout)["integrations"]
    assert (result["status"], result["error_type"], result["transient"]) == ("failed", "Rejected", False)
    assert "Next: take the step out" in result["error"]
    plain = leat("run")
    assert (plain.returncode, plain.stderr) == (1, "")
    assert "✗ tally: " in plain.stdout
    assert "Traceback" not in plain.stdout
    assert "Traceback" in (tmp_path / ".leat" / "logs" / "leat.log").read_text()
    status = leat("status")
    assert "Next: take the step out" in status.stdout
    assert leat("doctor").returncode == 0


def test_a_blocking_check_ends_with_3_and_readers_stay_on_the_old_rows(
    loaded: tuple[Leat, subprocess.CompletedProcess[str]],
) -> None:
    leat, _ = loaded
    script = leat.folder / "script.jsonl"
    before = script.read_text()
    then(leat, rows("fed", row(3, weight=-1.0)))
    done = leat("run")
    script.write_text(before)
    assert done.returncode == 3, done.stdout
    assert "readers stay on the old rows" in done.stdout
    assert leat.json("query", "SELECT count(*) AS n FROM tally.fed")["rows"] == [{"n": 2}]


@contextmanager
def waiting_run(leat: Leat) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a run that waits for its system: the script is a pipe; gives the process and the pipe's end to write to."""
    script = leat.folder / "script.jsonl"
    script.rename(script.with_suffix(".before"))
    os.mkfifo(script, 0o600)
    child, opened = leat.start("run"), list[int]()

    def is_read() -> bool:
        assert child.poll() is None, child.communicate()
        with suppress(OSError):  # nobody reads yet
            opened.append(os.open(script, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    try:
        wait_until(is_read, 60)
        yield child, opened[0]
    finally:
        child.kill()
        child.communicate()
        os.close(opened[0])
        script.unlink()
        script.with_suffix(".before").rename(script)


def counts(leat: Leat) -> tuple[int, int]:
    """Return how many rows readers see in two streams that always grow together."""
    sql = "SELECT (SELECT count(*) FROM tally.scanned) AS a, (SELECT count(*) FROM tally.kept) AS b"
    (actual,) = leat.json("query", sql)["rows"]
    return actual["a"], actual["b"]


def test_readers_never_wait_and_a_second_run_is_busy(loaded: tuple[Leat, subprocess.CompletedProcess[str]]) -> None:
    leat, _ = loaded
    many = [row(i) for i in range(2, 200)]
    script = (leat.folder / "script.jsonl").read_text()
    script += json.dumps([rows("scanned", *many), rows("kept", *many)]) + "\n"
    with waiting_run(leat) as (child, pipe):
        busy = leat("run", "tally")
        assert busy.returncode == 75
        assert "locked by another process" in busy.stdout
        assert counts(leat) == (1, 1)
        os.set_blocking(pipe, True)
        os.write(pipe, script.encode())
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), pipe)  # closes the pipe: the script ends here
        seen = []
        while child.poll() is None:
            seen.append(counts(leat))
        assert set(seen) <= {(1, 1), (199, 199)}
        assert child.wait() == 0
        (leat.folder / "script.before").write_text(script)
    assert counts(leat) == (199, 199)


def test_an_interrupt_ends_with_130_and_the_next_run_goes_on(
    loaded: tuple[Leat, subprocess.CompletedProcess[str]],
) -> None:
    leat, _ = loaded
    with waiting_run(leat) as (child, _):
        child.send_signal(signal.SIGINT)
        said, complained = child.communicate(timeout=30)
    assert (child.returncode, said) == (130, "")
    assert "nothing is half-applied" in complained
    assert "Traceback" not in complained
    assert leat.json("run")["integrations"][0]["status"] == "nothing_new"


def test_home_warehouse_and_env_file_are_honoured(tmp_path: Path, postgres_url: str) -> None:
    home = tmp_path / "elsewhere"
    (tmp_path / "project").mkdir()
    leat = tally_project(tmp_path / "project", LEAT_HOME=str(home))
    (leat.folder / ".env").write_text(f"LEAT_WAREHOUSE={postgres_url}\nLEAT_HOME=/nowhere\n")
    then(leat, rows("fed", row(1)), {"do": "calls", "count": 2, "path": "/v1/things"})
    first = leat.json("run")
    assert (first["published"], first["integrations"][0]["status"]) == (False, "loaded")
    assert leat.json("query", "SELECT count(*) AS n FROM tally.fed")["rows"] == [{"n": 1}]
    assert not (leat.folder / ".leat").exists()
    store = open_control(f"sqlite:///{home / 'control.db'}")
    with store.connect() as connection:
        assert connection.exec_driver_sql("SELECT path FROM api_call").scalars().all() == ["/v1/things"] * 2
    store.dispose()
    assert not (home / "warehouse.duckdb").exists()
    assert leat("status", LEAT_WAREHOUSE="mysql://x").returncode == 1
    with open_warehouse(postgres_url, home).transaction() as session:
        assert session.change("DELETE FROM tally.fed") == 1, "the one who may write still can"


def test_overrides_of_the_control_store_count(loaded: tuple[Leat, subprocess.CompletedProcess[str]]) -> None:
    leat, _ = loaded
    store = open_control(f"sqlite:///{leat.folder / '.leat' / 'control.db'}")
    set_override(store, "tally", "enabled", "false")
    assert leat.json("run")["integrations"] == []
    assert [each["integration"] for each in leat.json("run", "tally")["integrations"]] == ["tally"]
    set_override(store, "tally", "enabled", None)
    store.dispose()


def test_a_profile_has_variables_and_a_state_of_its_own(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    then(leat, rows("kept", row(1, "one")))
    (tmp_path / ".env").write_text(f"LEAT_CONTROL=sqlite:///{tmp_path}/plain.db\n")
    (tmp_path / ".env.dev").write_text(f"LEAT_CONTROL=sqlite:///{tmp_path}/dev.db\n")
    asked = ("query", "--format", "csv", "SELECT count(*) AS n FROM leat.loads")
    assert "✓ tally: loaded" in leat("--profile", "dev", "run").stdout
    assert "✓ tally: nothing new" in leat("run", LEAT_PROFILE="dev").stdout
    assert leat("--profile", "dev", *asked).stdout.split() == ["n", "1"]
    assert [path.name for path in (tmp_path / ".leat").iterdir()] == ["profiles"]
    assert [path.name for path in tmp_path.glob("*.db")] == ["dev.db"]
    assert "✓ tally: loaded" in leat("run").stdout
    assert (tmp_path / "plain.db").exists()
    wrong = leat("--profile", "deb", "run")
    assert wrong.returncode == 2
    assert "there is no profile 'deb'; did you mean \"dev\"?; profiles: dev. Next: write" in wrong.stderr
