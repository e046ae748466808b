"""Keys of columns and of the warehouse's files change with everything else: killed at random, nothing is lost."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from leat.warehouse.duckdb.encryption import is_encrypted
from tests.contract.evidence import written
from tests.kit.command import Leat, tally_project, then
from tests.kit.engines import ENGINES
from tests.kit.examples import number_of
from tests.kit.personal_values import EVERY, places, planted_rows
from tests.kit.project import row, rows

STREAMS = f"{{fed: {{history: true, encrypt: [{EVERY}]}}, scanned: {{encrypt: [label], joined: [label]}}}}"
SQL = f"SELECT id, {EVERY} FROM tally.fed ORDER BY id"
POLICIES = """\
rules:
  - forbid: query
    up_to: analyst
    on: {stream: tally.scanned}
local_accounts: {default: admin, anna: analyst}
grants: {}
"""
CHANCE = random.Random(13)  # noqa: S311


@pytest.fixture(params=ENGINES)
def leat(request: pytest.FixtureRequest, tmp_path: Path) -> Leat:
    """Give a loaded project whose columns are encrypted, on DuckDB the files as well."""
    chosen: Mapping[str, str] = {"LEAT_WAREHOUSE_ENCRYPTION": "keys"}
    if request.param == "postgres":
        chosen = {"LEAT_WAREHOUSE": request.getfixturevalue("postgres_url")}
    leat = tally_project(tmp_path, STREAMS, **chosen)
    then(leat, rows("fed", *planted_rows()), rows("scanned", *planted_rows()))
    ok(leat, "run")
    return leat


def ok(leat: Leat, *args: str) -> str:
    done = leat(*args)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def states(leat: Leat) -> dict[str, list[tuple[str, int]]]:
    listed: dict[str, list[tuple[str, int]]] = {}
    for key in json.loads(ok(leat, "keys", "status", "--json"))["keys"]:
        listed.setdefault(key["purpose"], []).append((key["state"], key["values"]))
    return listed


def test_everything_gets_the_new_keys_and_the_old_ones_are_retired(leat: Leat) -> None:
    before = ok(leat, "query", "--format", "csv", SQL)
    assert places([("said", before.encode())]), "it is in clear here"
    ok(leat, "keys", "rotate")
    then(leat, rows("fed", row(900, "under the old key")))
    ok(leat, "run")
    assert ok(leat, "query", "--format", "csv", SQL).startswith(before.rstrip())
    for _ in range(number_of(0.04)):
        process = leat.start("keys", "reencrypt")
        time.sleep(CHANCE.uniform(0.3, 1.2))
        process.kill()
        process.communicate()
        assert ok(leat, "query", "--format", "csv", SQL).startswith(before.rstrip()), "at any moment"
    ok(leat, "keys", "reencrypt")
    after = states(leat)
    assert [state for state, _ in after["pii"]] == ["retired", "current"]
    assert [values > 0 for _, values in after["pii"]] == [False, True]
    then(leat, rows("fed", row(901, "under the new key")), rows("scanned", *planted_rows()))
    ok(leat, "run")
    assert ok(leat, "query", "--format", "csv", SQL).startswith(before.rstrip())
    joins = "SELECT count(*) FROM tally.fed AS f JOIN tally.scanned AS s ON s.id = f.id WHERE s._load_id = f._load_id"
    assert ok(leat, "query", "--format", "csv", joins).split()[1] == str(len(planted_rows())), (
        "what is the same wasn't written again"
    )
    assert places(written(leat.folder / ".leat")) == []


def test_a_missing_key_is_named_and_nothing_is_shown_by_half(leat: Leat) -> None:
    kek = leat.folder / ".leat" / "kek.key"
    kek.rename(leat.folder / "elsewhere")
    for args in (("query", "--format", "csv", SQL), ("query", "--format", "json", SQL)):
        done = leat(*args)
        assert done.returncode != 0
        assert "key-encryption key" in done.stdout + done.stderr
        assert places([("said", done.stdout.encode())]) == []
    (leat.folder / "elsewhere").rename(kek)
    ok(leat, "query", SQL)


def test_files_of_roles_are_encrypted_and_get_new_keys_as_well(tmp_path: Path) -> None:
    leat = tally_project(tmp_path, STREAMS, LEAT_WAREHOUSE_ENCRYPTION="keys")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "team.yaml").write_text(POLICIES)
    then(leat, rows("fed", *planted_rows()))
    ok(leat, "run")
    for _ in range(2):
        files = sorted((tmp_path / ".leat" / "clearance").iterdir())
        assert files
        assert all(is_encrypted(path) for path in files)
        shown = leat("query", "--format", "csv", "SELECT label FROM tally.fed", LEAT_USER="anna")
        assert shown.returncode == 0, shown.stderr
        assert "(encrypted " in shown.stdout or shown.stdout.split() == ["label"]
        if "retired" not in str(states(leat)["warehouse"]):
            ok(leat, "keys", "rotate")
            ok(leat, "keys", "reencrypt")
    assert [state for state, _ in states(leat)["warehouse"]] == ["retired", "current"]
