"""Encrypted columns as people see them: by the command line, the API in all forms, pages and files, by role."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leat.control.audit_tables import AuditEvent
from leat.runs.workspace import open_workspace
from leat.serve.app import create_app
from leat.serve.current import Current
from leat.serve.health import Health
from tests.contract.evidence import written
from tests.kit.api import RULE, InProcess, api_in_process
from tests.kit.command import Leat, tally_project, then
from tests.kit.personal_values import EVERY, PLANTED, places, planted_rows
from tests.kit.project import row, rows
from tests.serve.test_pages import URL, Pages

MODEL = """/* ---
description: Labels with something around them.
columns: {id: Number., label: A label., around: A text with a label in it.}
--- */
SELECT id, label, 'label ' || label || '!' AS around FROM tally.fed WHERE _deleted_at IS NULL
"""
REPORT = """title: Shop
description: What is in the shop.
figures:
  labels: {title: Labels, sentence: 'Most are {top_label}.', model: labels, by: label, value: COUNT(*), chart: bars,
           personal: true}
"""
POLICY = """rules:
  - permit: decrypt
    from: operator
    on: {integration: tally}
  - permit: decrypt
    from: operator
    on: {kind: [model, report, violation]}
"""
SOME = planted_rows()[:10]
"""As many as a report shows."""
SQL = f"SELECT id, {EVERY} FROM tally.fed WHERE id < 3 ORDER BY id"
HIDDEN = re.compile(r"\(encrypted [0-9a-f]{8}\)")
CLEAR, MAY, ROLES = "Zoë Brännström-Ngô", ("operator", "admin"), ("viewer", "analyst", "operator", "admin")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Leat:
    """Give a loaded project with encrypted columns, a model, a report and violations."""
    folder = tmp_path_factory.mktemp("shop")
    streams = f"{{fed: {{encrypt: [{EVERY}], max_quarantine_share: 1}}}}"
    leat = tally_project(folder, streams)
    for name, text in {
        "assets/models/labels.sql": MODEL,
        "assets/reports/shop.yaml": REPORT,
        "quality/rules/no_label.sql": RULE,
        "policies/decrypt.yaml": POLICY,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    odd = {"do": "quarantine", "stream": "fed", "key": "odd", "reason": "odd", "record": PLANTED["label"][0]}
    then(leat, rows("fed", *SOME), odd)
    done = leat("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return leat


@pytest.fixture(scope="module")
def api(shop: Leat) -> Iterator[InProcess]:
    with api_in_process(shop.folder) as made:
        yield made


def asked(api: InProcess, role: str, sql: str = SQL, accept: str = "application/json") -> Any:
    return api("POST", "/v1/queries", role, json={"sql": sql}, headers={"accept": accept})


def test_nothing_is_on_disk_in_clear(shop: Leat) -> None:
    assert places(written(shop.folder / ".leat")) == []


@pytest.mark.parametrize("role", ROLES)
def test_who_may_sees_values_in_every_form_and_others_see_placeholders(api: InProcess, role: str) -> None:
    forms = ("application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream")
    for form in forms:
        answer = asked(api, role, accept=form)
        if role == "viewer":
            assert answer.status_code == 403
            continue
        assert answer.status_code == 200, answer.text
        if "arrow" in form:
            text = str(pa.ipc.open_stream(io.BytesIO(answer.content)).read_all().to_pylist())
        else:
            text = answer.text
        assert (CLEAR in text) == (role in MAY), (form, text)
        assert bool(HIDDEN.search(text)) == (role not in MAY)
        assert "leat1:" not in text


def test_values_have_their_types(api: InProcess) -> None:
    first = json.loads(asked(api, "operator").text)["rows"][1]
    wanted = planted_rows()[1]
    assert (first["revision"], first["weight"]) == (wanted["revision"], wanted["weight"])
    assert (first["on_day"], first["label"]) == (wanted["on_day"], wanted["label"])


def test_a_placeholder_is_the_same_for_the_same_ciphertext(api: InProcess) -> None:
    sql = "SELECT a.shelf AS one, b.shelf AS two FROM tally.fed AS a JOIN tally.fed AS b ON a.shelf = b.shelf"
    shown = json.loads(asked(api, "analyst", sql).text)["rows"]
    assert shown
    assert all(each["one"] == each["two"] and HIDDEN.fullmatch(each["one"]) for each in shown)
    assert len({each["one"] for each in shown}) == len(SOME)


def test_models_show_what_is_encrypted_in_a_text(api: InProcess) -> None:
    sql = "SELECT around FROM analytics.labels WHERE id = 1"
    assert json.loads(asked(api, "operator", sql).text)["rows"] == [{"around": f"label {CLEAR}!"}]
    assert HIDDEN.search(asked(api, "analyst", sql).text)


def test_who_may_decrypt_one_table_only_sees_no_joined_values(api: InProcess, shop: Leat) -> None:
    sql = "SELECT f.label FROM tally.fed AS f JOIN leat.quarantine AS q ON true"
    assert CLEAR in asked(api, "admin", sql).text
    assert CLEAR in asked(api, "operator", sql).text
    assert CLEAR not in asked(api, "analyst", sql).text


def test_a_ciphertext_that_was_cut_gives_an_error_and_no_rows(api: InProcess) -> None:
    answer = asked(api, "operator", "SELECT id, substr(label, 1, 70) AS label FROM tally.fed ORDER BY id")
    assert answer.status_code == 422
    assert "isn't intact" in answer.text
    assert CLEAR not in answer.text


def test_decryption_is_recorded(api: InProcess) -> None:
    def decrypted() -> int:
        with Session(api.workspace.store) as session:
            details = session.scalars(select(AuditEvent.detail).where(AuditEvent.event == "access.allowed"))
            return sum(json.loads(detail)["verb"] == "decrypt" for detail in details)

    before = decrypted()
    asked(api, "analyst")
    assert decrypted() == before
    asked(api, "operator")
    assert decrypted() == before + 1


@pytest.mark.parametrize("role", ROLES[1:])
def test_violations_by_api(api: InProcess, role: str) -> None:
    text = api("GET", "/v1/violations", role).text
    assert (CLEAR in text) == (role in MAY)
    assert "leat1:" not in text


@pytest.fixture(scope="module")
def pages(shop: Leat) -> Iterator[Pages]:
    workspace = open_workspace(shop.folder)
    app = create_app(Health(workspace), Current(workspace), public_url=URL)
    yield Pages(app, workspace)
    workspace.close()


@pytest.mark.parametrize("role", ROLES[1:])
def test_pages_and_their_files(pages: Pages, role: str) -> None:
    forms = {"/query": {"sql": SQL, "rows": "100"}, "/query/file.csv": {"sql": SQL}, "/query/file.json": {"sql": SQL}}
    shown = ("/violations", "/violations.csv", "/reports/shop", "/reports/shop/labels", "/reports/shop/labels.csv")
    answers = [pages(path, role, form) for path, form in forms.items()] + [pages(path, role) for path in shown]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        text = re.sub(r'href="[^"]*"', "", html.unescape(answer.text))
        assert (CLEAR in text) == (role in MAY), (answer.url, text)
        assert "leat1:" not in text


def test_the_command_line(shop: Leat) -> None:
    lower = "rules: []\nlocal_accounts: {default: operator, low: analyst}\n"
    (shop.folder / "policies" / "accounts.yaml").write_text(lower)
    try:
        for user, clear in (("high", True), ("low", False)):
            for args in (*(("query", "--format", form, SQL) for form in ("csv", "json", "table")), ("violations",)):
                done = shop(*args, LEAT_USER=user)
                assert done.returncode == 0, done.stderr
                assert (CLEAR in done.stdout) == clear, (user, args, done.stdout)
                assert "leat1:" not in done.stdout
            record = shop("quarantine", "tally.fed", "--record", key_of(shop), LEAT_USER=user)
            assert (PLANTED["label"][0] in record.stdout) == clear, record
    finally:
        (shop.folder / "policies" / "accounts.yaml").unlink()


def key_of(leat: Leat) -> str:
    return str(leat.json("quarantine", "tally.fed")["records"][0]["key"])


def test_a_preview_shows_no_values(shop: Leat) -> None:
    preview = shop("preview", "tally")
    assert "(encrypted)" in preview.stdout, preview.stderr
    assert CLEAR not in preview.stdout


def test_a_new_row_is_loaded_and_read_from_the_command_line(shop: Leat) -> None:
    then(shop, rows("fed", row(77, "brand new value")))
    assert shop("run").returncode == 0
    done = shop("query", "--format", "csv", "SELECT label FROM tally.fed WHERE id = 77")
    assert done.stdout.split()[1:] == ["brand", "new", "value"]
