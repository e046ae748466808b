"""Columns that are encrypted per person: who is erased can't be decrypted in a backup any more, and all others can."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from leat.control.keys.problem import KeyProblem
from leat.pipelines.load.cells import DESTROYED, CellError, Reader
from leat.runs.workspace import open_workspace
from leat.sources.driver import add_sources
from leat.warehouse.connect import open_warehouse
from tests.kit.club import ADA, ADA_AT_HOME, Club, club_project, everything
from tests.kit.project import SOURCES

STREAMS = (
    "{members: {history: true, encrypt: true, per_person: true},"
    " sales: {encrypt: true, joined: [buyer], per_person: [note, address, extra]}}"
)
OF_ADA = ("Ada.King@Club.example", "Ada King", "+33 1 23 45", "1980-01-02", "Order 77 for Ada King", "Rue Ada 7")
OF_BOB = ("bob.lee@club.example", "Bob Lee", "+44 9", "Order 78")
_TOKEN = re.compile(rb"leat1:[\w.-]+:[dr]:[0-9a-f]{32,}", re.IGNORECASE)
SQL = "SELECT email, name, phone FROM club.members WHERE _deleted_at IS NULL ORDER BY id"


@pytest.fixture
def club(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Club:
    monkeypatch.delenv("LEAT_USER", raising=False)
    return loaded(tmp_path)


def loaded(folder: Path, **variables: str) -> Club:
    club = club_project(folder / "project", STREAMS, **variables)
    club.then(*everything())
    assert club.run()["integrations"][0]["status"] == "loaded"
    return club


def tokens(club: Club) -> set[str]:
    """Return every ciphertext in the tables."""
    with open_warehouse(club.leat.variables.get("LEAT_WAREHOUSE"), club.state).snapshot() as session:
        tables = session.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
            "AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        content = b"".join(str(session.execute(f'SELECT * FROM "{s}"."{t}"')).encode() for s, t in tables)
    return {token.decode() for token in _TOKEN.findall(content)}


def in_clear(club: Club, found: set[str]) -> str:
    """Return what ciphertexts say, for whoever has the keys of the project."""
    add_sources(SOURCES)
    reader = Reader(open_workspace(club.leat.folder).column_keys)
    said = []
    for token in found:
        with contextlib.suppress(CellError, KeyProblem):
            said.append(str(reader.value(token)))
    return "\n".join(said)


def missing(values: tuple[str, ...], text: str) -> list[str]:
    return [value for value in values if value not in text]


def test_what_a_backup_says_of_somebody_ends_with_their_key(tmp_path: Path, warehouse_url: str | None) -> None:
    club = loaded(tmp_path, **({"LEAT_WAREHOUSE": warehouse_url} if warehouse_url else {}))
    backup = tokens(club)
    assert missing((*OF_ADA, *OF_BOB), in_clear(club, backup)) == []
    said = club.leat.json("subject", "erase", ADA, "--yes", "--also", f"{ADA_AT_HOME}")
    assert said["erased"], said
    assert said["report"]["keys"] == 1, "sales and members name her by one id"
    after = in_clear(club, backup)
    assert missing(OF_ADA, after) == list(OF_ADA)
    assert missing(OF_BOB, after) == []
    shown = club.read(SQL)
    assert shown[0][1].startswith("Erased "), "what replaces her has the key of all columns"
    assert shown[1] == ["bob.lee@club.example", "Bob Lee", "+44 9"]


def test_who_was_erased_comes_back_with_nothing_and_nothing_is_written_again(club: Club) -> None:
    assert club.leat.json("subject", "erase", ADA, "--yes")["erased"]
    before = tokens(club)
    club.then(*everything(phone="+33 1 23 46"))
    run = club.run()["integrations"][0]
    changes = {each["stream"]: (each["inserted"], each["updated"], each["deleted"]) for each in run["streams"]}
    assert changes["members"] == changes["sales"] == (0, 0, 0)
    assert tokens(club) == before
    club.leat("subject", "lift", ADA, "--reason", "they are back")
    club.then(*everything())
    club.run()
    assert club.read(SQL)[0] == ["Ada.King@Club.example", "Ada King", "+33 1 23 45"], "with a new key"


def test_new_keys_for_everything_leave_people_with_theirs(club: Club) -> None:
    before = club.read(SQL)
    backup = tokens(club)
    assert club.leat("keys", "rotate").returncode == 0
    done = club.leat("keys", "reencrypt")
    assert done.returncode == 0, done.stdout + done.stderr
    assert club.read(SQL) == before
    purposes = {each["purpose"]: each["state"] for each in club.leat.json("keys", "status")["keys"]}
    assert purposes["pii"] == "current"
    club.then(*everything())
    run = club.run()["integrations"][0]
    assert {each["updated"] for each in run["streams"] if each["stream"] == "members"} == {0}, "nothing has changed"
    assert missing(OF_ADA[:4], in_clear(club, backup)) == [], "a backup that was made before says what it said"
    assert club.leat.json("subject", "erase", ADA, "--yes")["erased"]
    assert missing(OF_ADA, in_clear(club, backup)) == list(OF_ADA)


def test_a_warehouse_that_is_restored_shows_nothing_of_who_was_erased(tmp_path: Path) -> None:
    club = loaded(tmp_path)
    shutil.copy(club.state / "warehouse.duckdb", tmp_path)
    with sqlite3.connect(club.state / "control.db") as store:
        store.execute(f"VACUUM INTO '{tmp_path / 'control.db'}'")
    assert club.leat.json("subject", "erase", ADA, "--yes")["erased"]
    shutil.copy(tmp_path / "warehouse.duckdb", club.state / "writer")
    assert club.leat("publish").returncode == 0
    assert club.read(SQL) == [[DESTROYED] * 3, ["bob.lee@club.example", "Bob Lee", "+44 9"]]
    again = club.leat.json("subject", "erase", ADA, "--yes", "--also", "member@club:m1")
    assert again["erased"], again
    assert club.read(SQL)[0][1].startswith("Erased ")
    keys = [*copied_keys(tmp_path / "control.db"), *copied_keys(club.state / "control.db")]
    assert len(keys) == 3, "the old control store has both keys: let it expire, or change the key-encryption key"
    assert club.leat("keys", "rotate", "--kek").returncode == 0
    shutil.copy(tmp_path / "control.db", club.state)
    for leftover in club.state.glob("control.db-*"):
        leftover.unlink()
    done = club.leat("query", "--format", "csv", SQL)
    assert done.returncode != 0
    assert "key-encryption key" in done.stderr, "an old control store needs the old key-encryption key"


def copied_keys(path: Path) -> Iterator[str]:
    """Yield the keys of people that a control store has."""
    with contextlib.closing(sqlite3.connect(path)) as store:
        yield from (row[0] for row in store.execute("SELECT kid FROM person_key WHERE wrapped IS NOT NULL"))


def test_a_dry_run_makes_no_keys(tmp_path: Path) -> None:
    club = club_project(tmp_path / "project", STREAMS)
    club.then(*everything())
    assert club.run("--dry-run")["integrations"][0]["status"] != "failed"
    assert list(copied_keys(club.state / "control.db")) == []


MISTAKES = {
    "nothing": ("{members: {per_person: true}}", "no column is encrypted"),
    "clear": ("{members: {encrypt: [name], per_person: [phone]}}", "phone is not encrypted"),
    "joined": ("{members: {encrypt: [name], joined: [name], per_person: [name]}}", "name is joined"),
    "masked": ("{members: {encrypt: true, per_person: true, mask: [id]}}", "which is masked"),
    "nobody": ("{fed: {encrypt: [label], per_person: [label]}}", "no column says whose it is"),
}


def test_mistakes_are_named_with_their_line(tmp_path: Path) -> None:
    club = club_project(tmp_path, "{pages: {encrypt: [readers], per_person: [readers]}}")
    text = (tmp_path / "pipelines" / "club.yaml").read_text()
    for name, (streams, _) in MISTAKES.items():
        source = "source: tally" if name == "nobody" else "source: club"
        lines = [source, *(line for line in text.splitlines() if not line.startswith(("source", "streams")))]
        (tmp_path / "pipelines" / f"{name}.yaml").write_text("\n".join([*lines, f"streams: {streams}"]) + "\n")
    said = (checked := club.leat("check")).stdout + checked.stderr
    assert checked.returncode == 2
    found = {name: [line for line in said.splitlines() if line.startswith(f"pipelines/{name}.yaml:4:")]
             for name in MISTAKES}  # fmt: skip
    assert [name for name, (_, wanted) in MISTAKES.items() if not any(wanted in line for line in found[name])] == []
    assert "club.yaml" not in said, "the readers of a page are whom its key names"
