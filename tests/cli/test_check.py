"""``leat check``: all mistakes in one round, and connections tried as a load reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.command import tally_project
from tests.sources.rest_answers import Answers, Asked, answering


def test_mistakes_of_all_files_are_said_at_once(tmp_path: Path) -> None:
    leat = tally_project(tmp_path, "{fed: {checks: [{foreign_key: {label: nowhere.fed.id}}]}}")
    for name, text in {
        "pipelines/broken.yaml": "source: tally\ndriver: script\nconnection: {script: x, scrip: y}\n",
        "pipelines/other.yaml": "source: tally\ndriver: script\nconnection: {script: x}\n"
        "streams: {fed: {checks: [{foreign_key: {label: tally.fad.id}}, {foreign_key: {label: broken.fed.id}}]}}\n",
        "assets/models/good.sql": "/* ---\ndescription: Ours.\n--- */\nSELECT id FROM broken.fed\n",
        "assets/models/bad.sql": "/* ---\ndescription: Ours.\n--- */\nSELECT id FROM tally.fedd\n",
        "quality/rules/odd.sql": "/* ---\ntitle: Odd\nnext_step: Look.\nkey: id\n--- */\nSELECT id FROM other.keptt\n",
        "quality/alerts.yaml": "channels: {hook: {url: {env: HOOK}}}\nroutes: [{integration: tolly, channels: hook}]\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = leat("check", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["type"]) == (2, "DeclarationError")
    said = leat("check").stderr.splitlines()
    files = [line.split(":")[0] for line in said]
    for file in ("broken.yaml", "other.yaml", "tally.yaml", "bad.sql", "odd.sql", "alerts.yaml"):
        assert sum(each.endswith(file) for each in files) == 1, (file, said)
    assert "good.sql" not in str(files), "what it reads can't be judged"
    assert "tally.fad.id" in str(said)
    assert "broken.fed.id" not in str(said)


def test_a_source_of_the_project_never_takes_the_name_of_one_in_leat(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    for name in ("payments", "http", "shelf"):  # leat.sources.http is no source, so its name is free
        (tmp_path / "sources" / name).mkdir(parents=True)
        (tmp_path / "sources" / name / "streams.py").write_text("STREAMS = ()\n")
    for command in ("check", "run"):
        done = leat(command)
        assert done.returncode == 2
        (said,) = done.stderr.splitlines()
        assert said.startswith("sources/payments/: leat has a source 'payments' itself (leat.sources.payments)")
        assert "rename the folder" in said
    (tmp_path / "sources" / "payments").rename(tmp_path / "sources" / "till")
    assert leat("check").returncode == 0


def test_several_integrations_are_tried(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    text = (tmp_path / "pipelines" / "tally.yaml").read_text()
    for name in ("second", "third"):
        (tmp_path / "pipelines" / f"{name}.yaml").write_text(text)
    assert list(leat.json("check", "third", "tally")["setup_tests"]) == ["third", "tally"]
    assert 'did you mean "second"' in leat("check", "secnd").stderr
    endpoint = "{path: orders, key: id, columns: {id: integer}}"
    (tmp_path / "pipelines" / "api.yaml").write_text(
        "source: rest_api\ndriver: http\nconnection:\n  url: {env: LEAT_TEST_UNSET}\n"
        f"  endpoints: {{orders: {endpoint}}}\n"
    )
    assert "it is not set (pipelines/api.yaml:4). Next: set LEAT_TEST_UNSET in" in leat("check", "api").stdout


@pytest.fixture
def server() -> Iterator[Answers]:
    with answering() as started:
        yield started


def test_an_api_is_tried_as_a_load_reads_it(tmp_path: Path, server: Answers) -> None:
    def answer(asked: Asked) -> Any:
        if asked.path == "/orders":
            page = int(asked.query.get("page", 1))
            return {"data": [{"id": page, "total": "x" if page == 1 else 2}], "pages": 3}
        if asked.path == "/wrong":
            return [{"id": "x"}]
        return [{"id": 1}] if asked.path == "/orders/2/lines" else (404, {}, {"error": "no"})

    server.answer = answer
    columns = {"id": "integer", "total": "integer"}
    order = {"parent": {"endpoint": "orders", "values": {"o": "id"}}, "key": ["order", "id"]}
    line = {"id": "integer", "order": {"type": "integer", "parent": "id"}}
    paging = {"kind": "pages", "total_pages": "pages"}
    endpoints: dict[str, Any] = {
        "orders": {"path": "orders", "records": "data", "paging": paging, "key": "id", "columns": columns,
                   "deletes": "never"},
        "lines": {"path": "orders/{o}/lines", **order, "columns": line},
        "wrong": {"path": "wrong", "key": "id", "columns": {"id": "integer"}},
        "gone": {"path": "gone", "key": "id", "columns": {"id": "integer"}},
    }  # fmt: skip
    from leat.sources.driver import SetupTest
    from leat.sources.rest_api.http.driver import setup_tests

    reader = server.reader(tmp_path, endpoints)
    tests: dict[str, SetupTest] = {test.name: test for test in setup_tests(reader.connection(), reader.sync())}
    assert {name: test.ok for name, test in tests.items()} == {
        "reachable": True, "authenticated": True, "may read": True, "reads orders": True, "reads lines": True,
        "reads wrong": False, "reads gone": False,
    }  # fmt: skip
    assert "2 pages with 1 and 1 record, more follow" in tests["reads orders"].detail
    assert "1 of 2 records would be quarantined: column total takes integer" in tests["reads orders"].detail
    assert "for one row of orders: o=2" in tests["reads lines"].detail
    assert "1 of 1 records would be quarantined" in tests["reads wrong"].detail
    assert "404" in tests["reads gone"].detail
    assert "Next: " in tests["reads gone"].detail
    assert server.paths() == ["/orders", "/orders", "/orders/2/lines", "/wrong", "/gone"]
    assert list((tmp_path / "sources" / "shop").iterdir()) == []


def test_templates_are_filled(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    (tmp_path / "templates").mkdir()
    template = "---\nsubject: Hello {{ name }}\nexample: {name: Ada}\n---\n<mjml><mj-body></mj-body></mjml>\n"
    (tmp_path / "templates" / "hello.mjml").write_text(template)
    (tmp_path / "templates" / "broken.mjml").write_text(template.replace("name: Ada", "nome: Ada"))
    done = leat("check")
    assert done.returncode == 1
    assert "✓ templates: hello: Hello Ada" in done.stdout
    assert "✗ templates: broken: " in done.stdout


def test_missing_secrets_of_webhooks_are_named_with_their_line(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    declared = tmp_path / "pipelines" / "tally.yaml"
    hooks = "hooks:\n  scheme: stripe\n  secrets:\n    - {env: HOOK_OLD}\n    - {env: HOOK_NEW}\n"
    declared.write_text(f"{declared.read_text().rstrip()}\n{hooks}")
    line = declared.read_text().splitlines().index("    - {env: HOOK_NEW}") + 1
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "webhooks.yaml").write_text(
        "endpoints:\n  erp:\n    url: {env: ERP}\n    secrets: [{env: ERP_SECRET}]\n"
        "  old: {url: {env: OLD}, secrets: {env: OLD_SECRET}, required: false}\n"
    )
    good = f"whsec_{'A' * 32}"
    done = leat("check", HOOK_OLD="old", ERP="https://erp.example", ERP_SECRET="whsec_tooshort")
    assert done.returncode == 1
    said = " ".join(f"{done.stdout} {done.stderr}".split())
    assert f"pipelines/tally.yaml:{line}: reading the environment variable HOOK_NEW: it is not set." in said
    assert "Next: set HOOK_NEW in the environment or in the project's .env file" in said
    assert "quality/webhooks.yaml:4: reading its secret: it isn't whsec_ and the Base64" in said
    assert "tooshort" not in said
    assert "endpoint old: off, for OLD is not set" in said
    done = leat("check", HOOK_OLD="old", HOOK_NEW="new", ERP_SECRET=good)
    said = " ".join(f"{done.stdout} {done.stderr}".split())
    assert "tally: webhooks: their secrets are there" in said
    assert "quality/webhooks.yaml:3: reading the environment variable ERP: it is not set." in said
    assert leat("check", HOOK_OLD="old", HOOK_NEW="new", ERP="https://erp.example", ERP_SECRET=good).returncode == 0
