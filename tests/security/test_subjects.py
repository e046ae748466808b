"""People are searched for, exported, erased and held, on both engines, whatever is loaded or killed afterwards."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import update

from leat.actions.suppressed import refuse_suppressed
from leat.control.action_tables import Action
from leat.control.engine import open_control, writing
from leat.control.mail_tables import Suppression
from leat.control.outbox import NewAction, State, add_actions, read_actions
from leat.hooks.event import Event, to_line
from leat.hooks.segments import make_first_segment
from leat.runs import hooks
from leat.runs.subjects.erasing import erase, plan_erasure
from leat.runs.workspace import open_workspace
from leat.sources.actions import Refused, Verb
from leat.sources.driver import add_sources
from leat.sources.identity import parse_identity
from leat.warehouse.connect import open_warehouse
from tests.kit.child import CONTEXT, Point, _arm
from tests.kit.club import ADA, ADA_AT_HOME, OF_ADA, Club, club_project, everything
from tests.kit.traces import traces

SUMS = "SELECT count(*), sum(amount), count(DISTINCT member_id) FROM club.sales WHERE _deleted_at IS NULL"
LOGIN = "ada.king"


@pytest.fixture
def club(tmp_path: Path, warehouse_url: str | None) -> Club:
    """Give a loaded club on both engines."""
    return loaded(tmp_path, **({"LEAT_WAREHOUSE": warehouse_url} if warehouse_url else {}))


def loaded(folder: Path, streams: str | None = None, **variables: str) -> Club:
    club = club_project(folder / "project", streams, **variables)
    club.then(*everything())
    assert club.run()["integrations"][0]["status"] == "loaded"
    return club


def in_postgres(url: str) -> str:
    """Return all rows of a database as text."""
    with open_warehouse(url, Path()).snapshot() as session:
        tables = session.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
            "AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        return "\n".join(str(session.execute(f'SELECT * FROM "{s}"."{t}"')) for s, t in tables)


def left_of_ada(club: Club) -> list[Any]:
    """Return where a value of Ada's still is; the script is the system, which leat only reads."""
    left: list[Any] = list(traces(club.state, OF_ADA))
    if url := club.leat.variables.get("LEAT_WAREHOUSE"):
        text = in_postgres(url).lower()
        left += [value for value in OF_ADA if value.lower() in text]
    return left


def erased(club: Club, *args: str) -> dict[str, Any]:
    said = club.leat.json("subject", "erase", ADA, "--yes", *args)
    assert said["erased"], said
    return said


def test_somebody_is_erased_and_does_not_come_back(club: Club) -> None:
    control = open_control(f"sqlite:///{club.state / 'control.db'}")
    with writing(control) as session:
        values = {"reason": "manual", "since": datetime.now(UTC), "added_by": LOGIN, "note": "for Ada King"}
        session.add(Suppression(address=ADA, **values))
    (club.state / "logs" / "leat.log").open("a").write(f"2030-01-01 INFO {ADA} asked\n")
    with open_warehouse(club.leat.variables.get("LEAT_WAREHOUSE"), club.state).snapshot() as session:
        stored = session.execute('SELECT * FROM "_keys"."by_buyer_0"')  # by which a model is built
    assert ADA_AT_HOME in str(stored)
    sums, totals = club.read(SUMS), club.read("SELECT count(*), sum(amount) FROM analytics.totals")
    seen = club.leat.json("subject", "find", ADA.upper())
    identities = {each["identity"]: each["from"] for each in seen["identities"]}
    assert identities == {ADA: "given", "member@club:m1": "club.members.id", "name:ada king": "club.members.name",
                          ADA_AT_HOME: "club.sales.buyer"}  # fmt: skip
    places = {(each["table"], each["column"]): each["rows"] for each in seen["tables"]}
    assert places["club.visits", "member_id"] == 1
    others = {("club.pages", "path"), ("leat.violations", "evidence"), ("leat.quarantine", "record")}
    assert others <= places.keys()
    assert {"table": "suppression", "column": "address", "rows": 1} in seen["control_store"]
    assert "logs/leat.log" in seen["files"]
    before = club.read("SELECT violation_key, first_seen_at FROM leat.violations ORDER BY 2")

    said = erased(club)
    assert [each for each in said["report"]["left"] if each["why"] is None] == []
    assert left_of_ada(club) == []
    assert club.read(SUMS) == sums, "counts and money stay"
    assert club.read("SELECT count(*), sum(amount) FROM analytics.totals") == totals
    assert club.read("SELECT count(*) FROM club.visits") == [["1"]], "rows that are about her alone are gone"
    assert club.read("SELECT count(*) FROM club.members WHERE born_on IS NULL AND phone IS NULL") == [["1"]]
    assert club.read("SELECT count(*) FROM leat.violations WHERE resolved_at IS NOT NULL") == [["0"]]
    after = club.read("SELECT violation_key, first_seen_at FROM leat.violations ORDER BY 2")
    assert [each[1] for each in after] == [each[1] for each in before], "they are the same violations"

    club.then(*everything())  # the system still has her
    again = club.run()
    assert [stream for each in again["integrations"] for stream in each["streams"] if stream["inserted"]] == []
    assert club.leat("reset", "club").returncode == 0
    club.then(*everything(phone="+33 1 99 99", points=5))  # and changes her
    club.run()
    assert club.read("SELECT points, phone IS NULL FROM club.members WHERE id = 'm1'")[0][0] == "5"
    assert left_of_ada(club) == []
    assert b"99 99" not in b"".join(path.read_bytes() for path in club.state.rglob("*") if path.is_file())
    assert club.read(SUMS) == sums
    assert club.read("SELECT count(*) FROM leat.violations WHERE resolved_at IS NOT NULL") == [["0"]]
    assert club.leat("audit", "verify").returncode == 0
    seen = club.leat.json("subject", "find", ADA)
    assert (seen["tables"], seen["erasures"][0]["state"]) == ([], "done")


def test_a_copy_has_every_row(club: Club, tmp_path: Path) -> None:
    file = tmp_path / "ada.jsonl"
    said = club.leat.json("subject", "export", ADA, "--to", str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert said["rows"] == len(lines)
    assert file.stat().st_mode & 0o777 == 0o600
    rows = [line["row"] for line in lines if line["table"] == "club.sales"]
    assert {row["id"] for row in rows} == {1, 3}
    assert rows[0]["address"] in ({"street": "Rue Ada 7"}, None)
    assert {line["table"] for line in lines} >= {"club.members", "club.members_history", "club.visits", "club.pages"}
    again = club.leat("subject", "export", ADA, "--to", str(file))
    assert (again.returncode, "there is a file already" in again.stderr) == (2, True)


POINTS = [
    Point("observe", "erasing rows"),
    Point("sql", 'UPDATE "club"."sales"'),
    Point("observe", "building models, publishing"),
    Point("audit", "os.rename .draft"),
    Point("observe", "erasing the control store and files"),
    Point("observe", "searching everywhere"),
]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Club:
    """Give a loaded club on DuckDB, to be copied."""
    return loaded(tmp_path_factory.mktemp("club"))


@pytest.fixture
def copied(ready: Club, tmp_path: Path) -> Club:
    folder = tmp_path / "project"
    shutil.copytree(ready.leat.folder, folder, symlinks=True)
    declared = folder / "pipelines" / "club.yaml"
    declared.write_text(declared.read_text().replace(str(ready.leat.folder), str(folder)))
    return Club(type(ready.leat)(folder))


def _erase_in(folder: Path, point: Point) -> None:
    add_sources(folder / "sources")
    observers = _arm(point)
    workspace = open_workspace(folder)
    plan = plan_erasure(workspace, parse_identity(ADA))
    observe = observers.get("observe")
    erase(workspace, plan, lambda what: None if observe is None else observe("", what))
    os._exit(0)


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_killed_anywhere_it_continues(copied: Club, point: Point) -> None:
    process = CONTEXT.Process(target=_erase_in, args=(copied.leat.folder, point))
    process.start()
    process.join(100)
    assert process.exitcode == -9, "the point was never reached"
    version = copied.read("SELECT count(*) FILTER (WHERE name LIKE 'Erased%'), count(*) FILTER (WHERE phone IS NULL), "
                          "(SELECT 2 - count(*) FROM club.visits) FROM club.members")  # fmt: skip
    assert version in ([["0", "0", "0"]], [["1", "1", "1"]]), "readers see the version before or the one after"
    erased(copied)
    assert left_of_ada(copied) == []
    assert copied.read(SUMS) == [["3", "1290", "2"]]


def test_a_run_between_a_kill_and_the_rest_does_no_harm(copied: Club) -> None:
    process = CONTEXT.Process(target=_erase_in, args=(copied.leat.folder, Point("observe", "erasing rows")))
    process.start()
    process.join(100)
    assert process.exitcode == -9
    copied.then(*everything())
    assert copied.run()["integrations"][0]["status"] == "loaded"
    erased(copied)
    assert left_of_ada(copied) == []
    assert copied.read(SUMS) == [["3", "1290", "2"]]


def test_a_hold_protects(tmp_path: Path) -> None:
    streams = "{visits: {retain: {rows: P30D, by: seen_at}}, pages: {retain: {quarantine: P0D}}}"
    club = club_project(tmp_path / "project", "{}")
    club.then(*everything())
    club.run()
    assert club.leat("subject", "hold", ADA, "--reason", "case 2041").returncode == 0
    refused = club.leat("subject", "erase", ADA, "--yes")
    assert (refused.returncode, "case 2041" in refused.stderr) == (2, True), refused.stderr
    declared = club.leat.folder / "pipelines" / "club.yaml"
    declared.write_text(declared.read_text().replace("streams: {}", f"streams: {streams}"))
    club.run()
    assert club.read("SELECT member_id FROM club.visits") == [["m1"]], "retention has removed the other's"
    held = club.leat.json("subject", "holds")["holds"]
    assert (held[0]["reason"], ADA_AT_HOME in held[0]["identities"]) == ("case 2041", True)
    assert club.leat.json("subject", "release", ADA)["released"] == 1
    erased(club)
    assert left_of_ada(club) == []


def test_an_erasure_can_be_lifted(copied: Club) -> None:
    erased(copied)
    assert copied.leat.json("subject", "lift", ADA, "--reason", "she is back")["lifted"] == 4
    copied.then(*everything())
    copied.run()
    assert copied.read("SELECT name FROM club.members WHERE id = 'm1'") == [["Ada King"]]
    assert "she is back" in copied.leat("audit", "list", "--event", "subject.", "--json").stdout
    erased(copied)
    assert left_of_ada(copied) == []


def test_masked_columns_are_erased_too(tmp_path: Path) -> None:
    club = loaded(tmp_path, "{members: {mask: [email, name]}, sales: {mask: [buyer]}}")
    hashed = club.read("SELECT email FROM club.members ORDER BY id")
    erased(club, "--also", "member@club:m1", "--also", f"email:{ADA_AT_HOME}", "--also", "name:Ada King")
    club.then(*everything())
    club.run()  # a hash doesn't say with which capitals an address was written, so that the row may change once more
    after = club.read("SELECT email FROM club.members ORDER BY id")
    assert (after[0] != hashed[0], after[1] == hashed[1]) == (True, True)
    club.then(*everything())
    again = club.run()
    assert [s for each in again["integrations"] for s in each["streams"] if s["inserted"] or s["updated"]] == []


def test_only_administrators_may(copied: Club) -> None:
    policies = copied.leat.folder / "policies"
    policies.mkdir()
    (policies / "team.yaml").write_text("local_accounts: {default: operator}\n")
    for command in (["find", ADA], ["erase", ADA, "--yes"], ["export", ADA, "--to", "x"], ["holds"],
                    ["hold", ADA, "--reason", "x"], ["release", ADA], ["lift", ADA, "--reason", "x"]):  # fmt: skip
        done = copied.leat("subject", *command)
        assert (done.returncode, "it takes the role admin" in done.stderr) == (1, True), (command, done.stderr)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ada", "is no address"),
        ("customer:cus_1", "belongs to an integration"),
        ("email@club:a@b.example", "is the same in every integration"),
        ("erased-1@erased.invalid", "represents somebody who was erased"),
        (" ", "is no identity"),
    ],
)
def test_what_is_no_identity_is_said(copied: Club, given: str, said: str) -> None:
    done = copied.leat("subject", "find", given)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_plan_changes_nothing(copied: Club) -> None:
    said = copied.leat.json("subject", "erase", ADA)
    assert (said["erased"], said["plan"]["continues"]) == (False, False)
    assert copied.leat.json("subject", "erase", ADA, "--dry-run")["plan"]["tables"] == said["plan"]["tables"]
    assert copied.read("SELECT name FROM club.members WHERE id = 'm1'") == [["Ada King"]]


def test_an_integration_that_runs_is_not_disturbed(copied: Club) -> None:
    with open_warehouse(None, copied.state).exclusive("club"):
        done = copied.leat("subject", "erase", ADA, "--yes")
    assert done.returncode == 75, done.stderr
    assert copied.read("SELECT name FROM club.members WHERE id = 'm1'") == [["Ada King"]]
    erased(copied)


def _action(state: State, number: int = 1) -> NewAction:
    return NewAction(
        dedupe_key=f"mail-{number}",
        integration="club",
        verb="send",
        guarantee="probed",
        money=False,
        title=f"mail to {ADA}",
        target="mail",
        parameters={"to": [ADA], "text": "Dear Ada King"},
        plan={"payload": {"recipients": [ADA]}},
        digest="0" * 64,
        created_by=LOGIN,
        expires_at=datetime(2100, 1, 1, tzinfo=UTC),
        state=state,
        bodies={"1" * 64: b"To: " + base64.b64encode(ADA.encode())},
    )


def test_actions_that_name_somebody(copied: Club) -> None:
    control = open_control(f"sqlite:///{copied.state / 'control.db'}")
    now = datetime(2030, 1, 1, tzinfo=UTC)
    add_actions(control, [_action("unknown"), _action("planned", 2)], now)
    refused = copied.leat("subject", "erase", ADA, "--yes")
    assert (refused.returncode, "may have been sent" in refused.stderr) == (2, True), refused.stderr
    with writing(control) as session:
        session.execute(update(Action).where(Action.state == "unknown").values(state="failed"))
    said = erased(copied)
    assert {"table": "action_body", "column": "content", "rows": 1} in said["report"]["stored"]
    states = {row.dedupe_key: row.state for row in read_actions(control)}
    assert states == {"mail-1": "failed", "mail-2": "cancelled"}
    assert left_of_ada(copied) == []
    with pytest.raises(Refused, match="was erased"):
        refuse_suppressed(control, cast("Verb", SimpleNamespace(mails=True)), {"recipients": [ADA]})


def test_a_webhook_that_arrives_later_brings_nothing(copied: Club) -> None:
    erased(copied)
    live = copied.state / "live"
    make_first_segment(live)
    lines = [
        Event(number, datetime(2030, 1, 1, tzinfo=UTC), "club", f"e{number}", "member.changed", json.dumps(body))
        for number, body in enumerate(
            [{"email": ADA}, {"object": {"email": ADA, "phone": "+33 1 23 45"}}, {"email": "bob.lee@club.example"}], 1
        )
    ]
    next(live.glob("*.ndjson")).write_bytes(b"".join(map(to_line, lines)))
    workspace = open_workspace(copied.leat.folder)
    add_sources(copied.leat.folder / "sources")
    assert hooks.apply(workspace) == 3
    with workspace.warehouse.snapshot() as session:
        bodies = session.execute("SELECT body FROM hooks._applied ORDER BY seq")
    workspace.close()
    assert [body for (body,) in bodies] == ["{}", "{}", '{"email": "bob.lee@club.example"}']


def test_files_of_roles_are_made_without_the_person(copied: Club) -> None:
    (copied.leat.folder / "policies").mkdir(exist_ok=True)
    forbids = "rules: [{forbid: query, up_to: operator, on: {stream: club.sales}}]\n"
    (copied.leat.folder / "policies" / "grants.yaml").write_text(f"{forbids}grants: {{}}\n")
    copied.leat.json("access", "apply")
    operator = copied.state / "clearance" / "operator.duckdb"
    assert ADA.encode() in operator.read_bytes()
    erased(copied)
    assert operator.exists()
    assert left_of_ada(copied) == []


def test_every_place_has_a_way(copied: Club) -> None:
    places = copied.leat.json("subject", "places")["places"]
    assert len(places) > 20
    assert all(place["way"] and place["what"] for place in places)
    assert {place["how"] for place in places} == {"erased", "made again", "expires", "outside"}


def test_nothing_is_loaded_yet(tmp_path: Path) -> None:
    club = club_project(tmp_path / "project")
    assert club.leat.json("subject", "find", ADA)["tables"] == []
    assert club.leat.json("subject", "erase", ADA, "--yes")["erased"] is True
    club.then(*everything())
    club.run()
    assert traces(club.state, [ADA, "+33 1 23 45"]) == [], "of what nobody had linked to her, the rest is there"


@pytest.fixture(autouse=True)
def _own_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("LEAT_USER", raising=False)
    yield
