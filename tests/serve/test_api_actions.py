"""Planning actions and deciding on them by the API, and the catalog: in this process, with a real project and desk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from openapi_python_client import MetaType, generate
from openapi_python_client.config import Config, ConfigFile
from starlette.testclient import TestClient

from tests.kit.acting import Desk, desk_server
from tests.kit.api import InProcess, api_in_process
from tests.kit.command import ROOT, tally_project, then
from tests.kit.project import row, rows

DESCRIPTION = ROOT / "docs" / "openapi.json"
MODEL = """/* ---
description: How many labels there are.
owners: [shop]
columns:
  labels: How many.
--- */
SELECT COUNT(label) AS labels FROM tally.fed WHERE _deleted_at IS NULL
"""


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with desk_server() as one:
        yield one


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, desk: Desk) -> Iterator[InProcess]:
    leat = tally_project(tmp_path_factory.mktemp("planning"))
    (leat.folder / "pipelines" / "desk.yaml").write_text(
        f"source: desk\ndriver: book\nconnection: {{url: '{desk.url}'}}\n"
    )
    models = leat.folder / "assets" / "models"
    models.mkdir(parents=True)
    (models / "labels.sql").write_text(MODEL)
    then(leat, rows("fed", row(1, "one"), row(2, "two")))
    assert leat("run", "tally").returncode == 0
    with api_in_process(leat.folder) as one:
        yield one


def asked(verb: str = "guarded", **parameters: object) -> dict[str, object]:
    return {"integration": "desk", "verb": verb, "parameters": {"place": "a", **parameters}}


def test_an_action_is_planned_and_nothing_is_sent(api: InProcess, desk: Desk) -> None:
    tried = api("POST", "/v1/actions?dry_run=true", "analyst", json=asked(value=7))
    assert (tried.status_code, tried.json()["state"]) == (200, "planned")
    assert api("GET", "/v1/actions").json()["data"] == []
    planned = api("POST", "/v1/actions", "analyst", json=asked(value=7))
    assert planned.status_code == 201, planned.text
    action = planned.json()
    assert (action["digest"], action["parameters"]) != (None, None)
    there = api("GET", planned.headers["location"], "analyst")
    assert there.json() == action
    assert not desk.deeds
    key = {"Idempotency-Key": "plan"}
    twice = [api("POST", "/v1/actions", json=asked(value=8), headers=key).json()["id"] for _ in range(2)]
    assert twice[0] == twice[1] != action["id"]


def test_who_may_plan_what(api: InProcess) -> None:
    refused = api("POST", "/v1/actions", "viewer", json=asked())
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    for wrong in (
        {"integration": "nobody", "verb": "guarded"},
        {"integration": "tally", "verb": "guarded"},
        {"integration": "desk", "verb": "paint"},
        {"integration": "desk", "verb": "guarded", "parameters": {"value": "x", "colour": 1}},
    ):
        answer = api("POST", "/v1/actions", json=wrong)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/no-such-verb"), answer.text
    verbs = {f"{one['integration']}.{one['name']}": one for one in api("GET", "/v1/verbs", "viewer").json()["data"]}
    assert verbs["desk.pay"]["money"]
    assert verbs["desk.guarded"]["parameters"]["required"] == ["place"]


def test_a_decision_is_for_what_was_seen(api: InProcess) -> None:
    place = api("POST", "/v1/actions", json=asked("natural", value=3)).headers["location"]
    seen = api("GET", place)
    for other in ('"x"', f'"x", "{seen.json()["id"]}"'):
        answer = api("POST", f"{place}:approve", headers={"If-Match": other})
        assert (answer.status_code, answer.json()["type"]) == (412, "/problems/changed-meanwhile")
    assert api("GET", place).json()["state"] == "planned"
    approved = api("POST", f"{place}:approve", headers={"If-Match": f'"{seen.json()["digest"]}"'})
    assert approved.json()["state"] == "approved", approved.text
    late = api("POST", f"{place}:cancel", headers={"If-Match": seen.headers["etag"]})
    assert late.status_code == 412
    now = api("GET", place).headers["etag"]
    assert api("POST", f"{place}:cancel", headers={"If-Match": now}).json()["state"] == "cancelled"
    assert api("POST", f"{place}:reject").status_code == 409


def test_the_catalog_says_what_tables_are_made_of(api: InProcess) -> None:
    names = [f"{one['schema_name']}.{one['table_name']}" for one in api("GET", "/v1/tables?limit=100").json()["data"]]
    assert {"tally.fed", "analytics.labels"} <= set(names)
    models = api("GET", "/v1/tables?kind=model", "viewer").json()["data"]
    assert [(one["table_name"], one["row_count"]) for one in models] == [("labels", 1)]
    model = api("GET", "/v1/tables/analytics.labels").json()
    assert ([one["column_name"] for one in model["columns"]], model["reads"]) == (["labels"], ["tally.fed"])
    fed = api("GET", "/v1/tables/tally.fed").json()
    assert "analytics.labels" in fed["read_by"]
    assert "id" in [one["column_name"] for one in fed["columns"]]
    edges = api("GET", "/v1/lineage?table=analytics.labels").json()["data"]
    assert ("label", "labels") in [(edge["from_column"], edge["to_column"]) for edge in edges]
    assert api("GET", "/v1/tables/analytics.nothing").json()["type"] == "/problems/no-such-table"
    page = api("GET", "/v1/lineage?limit=1")
    following = api("GET", "/v1/lineage", params={"limit": 1, "cursor": page.json()["next_cursor"]})
    assert following.json()["data"] != page.json()["data"]


def test_the_description_is_a_page_that_needs_no_script(api: InProcess) -> None:
    shown = api("GET", "/docs/api", "viewer")
    assert shown.status_code == 200
    described = api.app.openapi()
    named = {operation["operationId"] for methods in described["paths"].values() for operation in methods.values()}
    named |= {f"model-{name}" for name in described["components"]["schemas"]}
    assert set(re.findall(r'<details id="([^"]+)"', shown.text)) == named
    assert set(re.findall(r'href="#(model-[^"]+)"', shown.text)) <= named
    assert "list of <a" in shown.text
    assert "'unsafe" not in shown.headers["content-security-policy"]
    assert re.findall(r"<script>|<style|style=|https?://", shown.text) == []
    assert api.client.get("/docs/api", follow_redirects=False).status_code == 303


def test_a_client_is_generated_from_the_description_and_works(
    api: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.from_sources(
        ConfigFile(post_hooks=[]), MetaType.NONE, DESCRIPTION, "utf-8", False, tmp_path / "made"
    )
    assert generate(config=config) == []
    monkeypatch.syspath_prepend(str(tmp_path))
    client = import_module("made.client").AuthenticatedClient("http://127.0.0.1", api.tokens["operator"])
    bearer = {"Authorization": f"Bearer {api.tokens['operator']}"}
    client.set_httpx_client(TestClient(api.front, base_url="http://127.0.0.1", headers=bearer))

    def call(operation: str, **more: object) -> Any:
        return import_module(f"made.api.{operation}").sync(client=client, **more)

    def model(name: str) -> Any:
        return getattr(import_module("made.models"), name)

    assert call("me.read_me").role == "operator"
    assert "fed" in [table.table_name for table in call("catalog.list_tables", limit=100).data]
    wanted = model("NewAction").from_dict(asked(value=9))
    action = call("actions.plan_action", body=wanted, idempotency_key="by a client")
    assert (action.state, action.created_at.tzinfo is not None) == ("planned", True)
    refused = call("actions.approve_action", action_id=action.id, if_match='"x"')
    assert isinstance(refused, model("Problem"))
    assert refused.type_ == "/problems/changed-meanwhile"
    approved = call("actions.approve_action", action_id=action.id, if_match=f'"{action.digest}"')
    assert approved.state == "approved"
    cancelled = call("actions.cancel_action", action_id=action.id, body=model("Decision")(note="only a test"))
    assert (cancelled.state, cancelled.reason) == ("cancelled", "only a test")
