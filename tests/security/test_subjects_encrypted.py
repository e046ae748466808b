"""People are searched for, exported, held and erased in encrypted columns too, whatever their ciphertexts look like."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from leat.pipelines.load.cells import CellError, Reader
from leat.runs.workspace import open_workspace
from leat.sources.driver import add_sources
from leat.warehouse.connect import open_warehouse
from tests.kit.club import ADA, ADA_AT_HOME, OF_ADA, Club, club_project, everything
from tests.kit.traces import traces

STREAMS = (
    "{members: {history: true, encrypt: true, joined: [email]}, visits: {encrypt: [member_id]},"
    " sales: {encrypt: true, joined: [buyer], checks: [{foreign_key: {member_id: members.id}}]},"
    " pages: {encrypt: [path, author, text, readers]}}"
)
"""Joined columns, a key, JSON, free texts, and an id that isn't joined."""
_TOKEN = re.compile(rb"leat1:[\w.-]+:[dr]:[0-9a-f]{32,}", re.IGNORECASE)


@pytest.fixture
def club(tmp_path: Path, warehouse_url: str | None, monkeypatch: pytest.MonkeyPatch) -> Club:
    monkeypatch.delenv("LEAT_USER", raising=False)
    variables = {"LEAT_WAREHOUSE": warehouse_url} if warehouse_url else {}
    club = club_project(tmp_path / "project", STREAMS, **variables)
    club.then(*everything())
    assert club.run()["integrations"][0]["status"] == "loaded"
    return club


def stored(club: Club) -> Iterator[bytes]:
    """Yield all that is stored: the files of the state folder, and the rows of a Postgres."""
    for path in club.state.rglob("*"):
        if path.is_file():
            yield path.read_bytes()
    if url := club.leat.variables.get("LEAT_WAREHOUSE"):
        with open_warehouse(url, Path()).snapshot() as session:
            tables = session.execute(
                "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
                "AND table_schema NOT IN ('pg_catalog', 'information_schema')"
            )
            for schema, table in tables:
                yield str(session.execute(f'SELECT * FROM "{schema}"."{table}"')).encode()


def in_clear(club: Club) -> set[str]:
    """Return what everything that is encrypted there says; a value that DuckDB has cut into pieces isn't seen."""
    add_sources(club.leat.folder / "sources")
    reader = Reader(open_workspace(club.leat.folder).column_keys)
    tokens = {token.decode() for content in stored(club) for token in _TOKEN.findall(content)}
    clear = set()
    for token in tokens:
        with contextlib.suppress(CellError):  # one that was cut at the end of a block
            clear.add(str(reader.value(token)))
    return clear


def names_ada(texts: set[str]) -> list[str]:
    return [text for text in texts if any(value.lower() in text.lower() for value in OF_ADA)]


def test_somebody_is_erased_from_encrypted_columns_and_does_not_come_back(club: Club, tmp_path: Path) -> None:
    assert traces(club.state, OF_ADA[3:]) == [], "nothing of hers is in clear"
    assert len(names_ada(in_clear(club))) > 3
    seen = club.leat.json("subject", "find", ADA.upper())
    identities = {each["identity"]: each["from"] for each in seen["identities"]}
    assert identities == {ADA: "given", "member@club:m1": "club.members.id", "name:ada king": "club.members.name",
                          ADA_AT_HOME: "club.sales.buyer"}  # fmt: skip
    places = {(each["table"], each["column"]): each["rows"] for each in seen["tables"]}
    assert places["club.visits", "member_id"] == 1
    others = {("club.pages", "path"), ("club.pages", "readers"), ("leat.violations", "evidence"),
              ("analytics.totals", "email"), ("leat.quarantine", "record")}  # fmt: skip
    assert others <= places.keys(), places

    club.leat.json("subject", "export", ADA, "--to", str(tmp_path / "ada.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "ada.jsonl").read_text().splitlines()]
    assert "leat1:" not in str(lines)
    sales = [line["row"] for line in lines if line["table"] == "club.sales"]
    assert {(row["id"], row["buyer"]) for row in sales} == {(1, ADA_AT_HOME), (3, None)}
    assert {"street": "Rue Ada 7"} in [row["address"] for row in sales]

    sums = club.read("SELECT count(*), sum(amount) FROM analytics.totals")
    before = club.read("SELECT violation_key, first_seen_at FROM leat.violations ORDER BY 2")
    said = club.leat.json("subject", "erase", ADA, "--yes")
    assert said["erased"], said["report"]["left"]
    assert names_ada(in_clear(club)) == []
    assert traces(club.state, OF_ADA) == []
    assert club.read("SELECT count(*), sum(amount) FROM analytics.totals") == sums, "counts and money stay"
    assert club.read("SELECT count(*) FROM club.visits") == [["1"]]
    after = club.read("SELECT violation_key, first_seen_at FROM leat.violations ORDER BY 2")
    assert [each[1] for each in after] == [each[1] for each in before], "they are the same violations"
    assert club.read("SELECT count(*) FROM club.sales WHERE buyer LIKE 'erased-%'") == [["0"]], "it is still encrypted"
    shown = club.read("SELECT buyer FROM club.sales WHERE id = 1")
    assert shown[0][0].endswith("@erased.invalid")

    club.then(*everything())  # the system still has her
    again = club.run()
    changed = {s["stream"]: (s["inserted"], s["updated"]) for each in again["integrations"] for s in each["streams"]}
    assert {stream: what for stream, what in changed.items() if what != (0, 0) and stream != "pages"} == {}
    assert changed.get("pages", (0, 0))[0] == 0, "a row whose key was replaced has other ciphertexts once"
    assert names_ada(in_clear(club)) == []


def test_a_declared_hold_protects_from_retention_and_erasure(club: Club) -> None:
    """Her rows of tables, versions, encrypted or not, and broken records stay; those of others go."""
    policies = club.leat.folder / "policies"
    policies.mkdir()
    hold = f"holds:\n  - person: {ADA}\n    reason: case 2041\n    until: 2999-12-31\n"
    (policies / "holds.yaml").write_text(hold)
    declared = club.leat.folder / "pipelines" / "club.yaml"
    text = declared.read_text()
    retain = text.replace("visits: {", "visits: {retain: {rows: P30D, by: seen_at}, ")
    retain = retain.replace("members: {", "members: {retain: {history: P0D}, ")
    declared.write_text(retain.replace("pages: {", "pages: {retain: {quarantine: P0D}, "))
    club.then(*everything(points=7))
    club.run()
    club.run()
    assert club.read("SELECT id FROM club.visits") == [["1"]], "retention has removed the other's"
    ended = club.read("SELECT id FROM club.members_history WHERE valid_to IS NOT NULL")
    assert ended == [["m1"]]
    assert club.read("SELECT count(*) FROM leat.quarantine WHERE record LIKE 'md5 %'") == [["0"]]
    (held,) = club.leat.json("subject", "find", ADA_AT_HOME)["holds"]
    assert (held["reason"], held["by"]) == ("case 2041", "policies/holds.yaml:2")
    refused = club.leat("subject", "erase", ADA_AT_HOME, "--yes")
    assert refused.returncode == 2
    assert "case 2041. Next: remove it from policies/holds.yaml:2 when the reason has gone" in refused.stderr
    stays = club.leat("subject", "release", ADA)
    assert "policies/holds.yaml:2 declares it. Next: remove it there" in stays.stdout
    (policies / "holds.yaml").write_text(hold.replace("2999", "2020"))
    assert club.leat.json("subject", "holds")["holds"] == [], "its last day has passed"
    events = club.leat.json("audit", "list", "--event", "subject.")["events"]
    assert {"subject.held", "subject.released"} <= {each["event"] for each in events}
    assert club.leat.json("subject", "erase", ADA, "--yes")["erased"]
    assert club.read("SELECT count(*) FROM club.visits") == [["0"]]


def test_whoever_may_not_decrypt_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    club = club_project(tmp_path / "project", STREAMS)
    club.then(*everything())
    club.run()
    (club.leat.folder / "policies").mkdir()
    rules = "rules: [{forbid: decrypt, up_to: admin, on: {stream: club.sales}, because: the lawyers decide}]\n"
    (club.leat.folder / "policies" / "team.yaml").write_text(rules)
    for command in (
        ["find", ADA],
        ["erase", ADA, "--yes"],
        ["export", ADA, "--to", "x"],
        ["hold", ADA, "--reason", "x"],
    ):
        done = club.leat("subject", *command)
        assert (done.returncode, "the lawyers decide" in done.stderr) == (1, True), (command, done)
    assert len(names_ada(in_clear(club))) > 3


@pytest.mark.parametrize(
    ("hold", "said"),
    [
        ("{person: ada, reason: x}", "policies/holds.yaml:2: holds[0].person: 'ada' is no address"),
        ("{person: a@b.example}", "policies/holds.yaml:2: holds[0].reason: "),
        ("{person: a@b.example, reason: x, untill: 2030-01-01}", 'did you mean "until"'),
        ("{person: a@b.example, reason: x, until: soon}", "policies/holds.yaml:2: holds[0].until"),
        ("{person: a@b.example, reason: x, also: [customer:c1]}", "belongs to an integration"),
    ],
)
def test_a_mistake_in_a_hold_is_reported_with_its_line(tmp_path: Path, hold: str, said: str) -> None:
    club = club_project(tmp_path / "project")
    (club.leat.folder / "policies").mkdir()
    (club.leat.folder / "policies" / "holds.yaml").write_text(f"holds:\n  - {hold}\n")
    done = club.leat("check")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
