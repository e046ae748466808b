"""A ciphertext that was moved elsewhere isn't decrypted for people who may not decrypt the table that it is of."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest

from leat.runs.workspace import open_workspace
from leat.serve.app import create_app
from leat.serve.current import Current
from leat.serve.health import Health
from tests.kit.api import RULE, InProcess, api_in_process
from tests.kit.command import Leat, tally_project, then
from tests.kit.project import row, rows
from tests.serve.test_pages import URL, Pages

STREAMS = "{fed: {encrypt: [label, shelf, weight], joined: [weight]}, scanned: {encrypt: [label]}}"
SECRET, SHELF, OWN = "what only fed has", "the shelf that no model selects", "what scanned has"
MODEL = """/* ---
description: Labels of one table.
columns: {id: Number., said: A label.}
--- */
SELECT id, label || '.' AS said FROM tally.fed WHERE _deleted_at IS NULL
"""
SECOND = """/* ---
description: The same once more.
columns: {said: A label.}
--- */
SELECT said FROM analytics.labels
"""
POLICY = """rules:
  - permit: decrypt
    from: operator
    on: {stream: tally.scanned}
  - permit: decrypt
    from: operator
    on: {kind: [model, violation]}
local_accounts: {default: admin, low: operator}
"""
HIDDEN = re.compile(r"\(encrypted [0-9a-f]{8}\)")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Leat:
    """Give a loaded project in which operators may decrypt one table, and models; into both they put ciphertexts."""
    folder = tmp_path_factory.mktemp("shop")
    leat = tally_project(folder, STREAMS)
    for name, text in {
        "assets/models/labels.sql": MODEL,
        "assets/models/labels_again.sql": SECOND,
        "quality/rules/scanned_has_shelf.sql": RULE.replace("label", "shelf").replace("tally.fed", "tally.scanned"),
        "policies/decrypt.yaml": POLICY,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    then(leat, rows("fed", row(1, SECRET, shelf=SHELF, weight=81.5)))
    assert leat("run").returncode == 0
    moved = stored(leat, "SELECT label FROM tally.fed")
    then(leat, rows("scanned", row(7, OWN, shelf=moved), row(8, OWN, shelf="none")))
    done = leat("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return leat


def stored(leat: Leat, sql: str) -> str:
    """Return a value as the warehouse has it, such as a role that connects to it sees it."""
    workspace = open_workspace(leat.folder)
    with workspace.warehouse.published() as session:
        ((value,),) = session.execute(sql)
    workspace.close()
    return str(value)


@pytest.fixture(scope="module")
def api(shop: Leat) -> Iterator[InProcess]:
    with api_in_process(shop.folder) as made:
        yield made


def asked(api: InProcess, sql: str, role: str = "operator") -> Any:
    answer = api("POST", "/v1/queries", role, json={"sql": sql})
    assert answer.status_code == 200, answer.text
    return [list(each.values()) for each in answer.json()["rows"]]


def test_in_a_query(api: InProcess, shop: Leat) -> None:
    theirs = stored(shop, "SELECT label FROM tally.fed")
    own = stored(shop, "SELECT label FROM tally.scanned WHERE id = 8")
    for text in (theirs, theirs.upper(), f"x {theirs} y"):
        ((shown, label),) = asked(api, f"SELECT '{text}' AS shown, label FROM tally.scanned WHERE id = 8")
        assert HIDDEN.search(shown), shown
        assert label == OWN
        assert SECRET in str(asked(api, f"SELECT '{text}' AS shown FROM tally.scanned", "admin"))
    assert asked(api, f"SELECT 'x {own} y' AS shown FROM tally.scanned WHERE id = 8") == [[f"x {OWN} y"]]
    assert HIDDEN.fullmatch(asked(api, "SELECT label FROM tally.fed")[0][0])


def test_in_a_table_that_somebody_can_write(api: InProcess) -> None:
    sql = "SELECT id, shelf, label FROM tally.scanned ORDER BY id"
    (moved, not_moved) = asked(api, sql)
    assert HIDDEN.fullmatch(moved[1])
    assert (moved[2], not_moved[1:]) == (OWN, ["none", OWN])
    assert asked(api, sql, "admin")[0][1] == SECRET


def test_a_model_gives_what_it_selects_and_nothing_else_of_a_table(api: InProcess, shop: Leat) -> None:
    shelf = stored(shop, "SELECT shelf FROM tally.fed")
    for model in ("labels", "labels_again"):
        ((said, shown),) = asked(api, f"SELECT said, '{shelf}' AS shown FROM analytics.{model}")
        assert said == f"{SECRET}."
        assert HIDDEN.fullmatch(shown), "no column of the model comes from it"


def test_joined_columns_share_their_origin(api: InProcess, shop: Leat) -> None:
    weight = stored(shop, "SELECT weight FROM tally.fed")
    assert HIDDEN.fullmatch(asked(api, f"SELECT '{weight}' AS shown FROM tally.scanned WHERE id = 8")[0][0])
    assert HIDDEN.fullmatch(asked(api, f"SELECT '{weight}' AS shown FROM analytics.labels")[0][0])


def test_the_evidence_of_a_violation(api: InProcess, shop: Leat) -> None:
    for role, clear in (("operator", False), ("admin", True)):
        text = api("GET", "/v1/violations", role).text
        assert (SECRET in text) == clear
        assert "none" in text
    low = shop("violations", LEAT_USER="low")
    assert SECRET not in low.stdout
    assert HIDDEN.search(low.stdout), low.stdout + low.stderr


def test_the_command_line_and_the_pages(shop: Leat) -> None:
    sql = "SELECT shelf, label FROM tally.scanned ORDER BY id"
    for user, clear in (("low", False), ("high", True)):
        done = shop("query", "--format", "csv", sql, LEAT_USER=user)
        assert (SECRET in done.stdout) == clear, done.stderr
        assert OWN in done.stdout
    workspace = open_workspace(shop.folder)
    pages = Pages(create_app(Health(workspace), Current(workspace), public_url=URL), workspace)
    for path, form in (("/query", {"sql": sql, "rows": "100"}), ("/query/file.csv", {"sql": sql})):
        text = html.unescape(pages(path, "operator", form).text)
        assert OWN in text
        assert SECRET not in text
    workspace.close()


def test_values_of_an_earlier_version_are_decrypted_until_new_keys_bind_them(shop: Leat) -> None:
    """Runs last: it changes the warehouse."""
    workspace = open_workspace(shop.folder)
    with workspace.warehouse.transaction() as session:
        session.execute("UPDATE leat.column_key SET binds = NULL")  # as an earlier version of leat has left it
    workspace.close()
    then(shop, rows("fed", row(1, SECRET, shelf=SHELF, weight=81.5)), rows("scanned", row(8, OWN, shelf="none")))
    assert shop("reset", "tally").returncode == 0
    old = stored(shop, "SELECT label FROM tally.fed")
    sql = f"SELECT '{old}' AS shown, label FROM tally.scanned"
    assert shop("query", "--format", "csv", sql, LEAT_USER="low").stdout.split("\n")[1] == f"{SECRET},{OWN}"
    for args in (("keys", "rotate"), ("keys", "reencrypt")):
        done = shop(*args)
        assert done.returncode == 0, done.stdout + done.stderr
    new = stored(shop, "SELECT label FROM tally.fed")
    low = shop("query", "--format", "csv", sql.replace(old, new), LEAT_USER="low").stdout.split("\n")[1]
    assert re.fullmatch(rf"{HIDDEN.pattern},{OWN}", low), low
    low = shop("query", "--format", "csv", "SELECT said FROM analytics.labels", LEAT_USER="low").stdout
    assert f"{SECRET}." in low, "the model's values say what they are of, too"
