"""Requests that Schemathesis makes from the description of the API: never a 5xx, and the answers are as described."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import given
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.kit.acting import desk_server
from tests.kit.api import RULE, InProcess, api_in_process
from tests.kit.command import tally_project, then
from tests.kit.examples import examples
from tests.kit.project import row, rows


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """Give the API of a project in which each list has something."""
    leat = tally_project(tmp_path_factory.mktemp("described"))
    (leat.folder / "quality" / "rules").mkdir(parents=True)
    (leat.folder / "quality" / "rules" / "labels.sql").write_text(RULE)
    then(leat, rows("fed", row(1, "one"), row(2, "two")))
    with desk_server() as desk:
        declared = f"source: desk\ndriver: book\nconnection: {{url: '{desk.url}'}}\n"
        (leat.folder / "pipelines" / "desk.yaml").write_text(declared)
        assert leat("run", "tally").returncode == 0
        with api_in_process(leat.folder) as one:
            asked = {"integration": "desk", "verb": "guarded", "parameters": {"place": "a"}}
            assert one("POST", "/v1/actions", json=asked).status_code == 201
            assert one("POST", "/v1/runs", json={"integrations": ["tally"]}).status_code == 202
            yield one


def test_what_the_api_answers_is_as_described(api: InProcess) -> None:
    """With valid input, with invalid input, and with valid input for what is there."""
    schema = schemathesis.openapi.from_dict(api.app.openapi())
    schema.app, schema.config.base_url = api.front, "http://127.0.0.1"
    headers = {"Authorization": f"Bearer {api.tokens['admin']}"}
    # a cursor is text that only leat can make up; an invalid value of a query is sent as text, which may be valid
    excluded = [positive_data_acceptance, negative_data_rejection]
    there = {
        "name": "tally",
        "schema": "tally",
        "table": "fed",
        "key": api("GET", "/v1/violations").json()["data"][0]["key"],
        "action_id": api("GET", "/v1/actions").json()["data"][0]["id"],
        "run_id": api("POST", "/v1/runs", json={"integrations": ["tally"]}).json()["id"],
        "token_id": next(one["id"] for one in api("GET", "/v1/tokens").json()["data"] if one["name"] == "viewer"),
        "seq": 1,
    }

    def tried(operation: APIOperation, mode: GenerationMode, named: Mapping[str, Any]) -> None:
        @examples(0.05)
        @given(case=operation.as_strategy(generation_mode=mode))
        def test(case: Case) -> None:
            case.path_parameters |= {name: named[name] for name in case.path_parameters if name in named}
            case.call_and_validate(headers=headers, excluded_checks=excluded)

        test()

    operations = [each.ok() for each in schema.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        tried(operation, GenerationMode.POSITIVE, {})
        tried(operation, GenerationMode.NEGATIVE, {})
        if "{" in operation.path and not operation.path.endswith("/events"):  # these never end: there is no worker
            tried(operation, GenerationMode.POSITIVE, there)
