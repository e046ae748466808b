"""The JSON Schema that editors use says what validation says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from leat.assets.report import reports_schema
from leat.pipelines.declare.json_schema import SCHEMA_FILE
from leat.pipelines.declare.yaml_file import parse_yaml, read_yaml

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    value = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(value)
    return Draft202012Validator(value)


def test_the_schema_is_fresh() -> None:
    # in a process of its own: other tests add sources to this one
    made = subprocess.run(
        [sys.executable, "-m", "leat.pipelines.declare.json_schema"], cwd=PROJECT, capture_output=True, check=True
    )
    stale = made.stdout.decode() != SCHEMA_FILE.read_text(encoding="utf-8")
    assert not stale, "pipelines/schema.json is stale; run: leat schema --write"


@pytest.mark.parametrize("path", sorted((PROJECT / "pipelines").glob("*.yaml")), ids=lambda path: path.stem)
def test_declarations_are_valid(schema: Draft202012Validator, path: Path) -> None:
    assert [error.message for error in schema.iter_errors(read_yaml(path, path.name).value)] == []
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")


@pytest.mark.parametrize("path", sorted((PROJECT / "assets" / "reports").glob("*.yaml")), ids=lambda path: path.stem)
def test_reports_are_valid_and_their_schema_is_fresh(path: Path) -> None:
    written = json.loads((path.parent / "schema.json").read_text(encoding="utf-8"))
    assert written == reports_schema(), "assets/reports/schema.json is stale; run: leat schema --write"
    Draft202012Validator.check_schema(written)
    assert list(Draft202012Validator(written).iter_errors(read_yaml(path, path.name).value)) == []
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")


PLATFORM = "source: platform\ndriver: sql\n"


@pytest.mark.parametrize(
    "text",
    [
        PLATFORM,
        PLATFORM + "connection:\nstreams:\n",
        PLATFORM + "connection: {url: {env: X}}\nstreams: {runs: , integrations: {fresh_within: PT1H}}",
        PLATFORM + "streams: {runs: {mask: error, checks: [{unique: id}, {row_count: {min: 1}, severity: warn}]}}",
    ],
)
def test_right_ones(schema: Draft202012Validator, text: str) -> None:
    assert [error.message for error in schema.iter_errors(_value(text))] == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("driver: sql\n", ""),
        ("source: platform\n", ""),
        ("source: platfrom\ndriver: sql\n", "source"),
        ("source: platform\ndriver: sqll\n", "driver"),
        (PLATFORM + "shedule: x\n", ""),
        (PLATFORM + "name: x\n", ""),
        (PLATFORM + "version: true\n", "version"),
        (PLATFORM + "connection: {ur: x}\n", "connection"),
        (PLATFORM + "connection: {url: {}}\n", "connection"),
        (PLATFORM + "connection: {url: {env: X, file: y}}\n", "connection"),
        (PLATFORM + "streams: {events: {}}\n", "streams"),
        (PLATFORM + "streams: {runs: {selectd: true}}\n", "streams.runs"),
        (PLATFORM + "streams: {runs: {fresh_within: 1h}}\n", "streams.runs"),
        (PLATFORM + "streams: {runs: {max_delete_share: 2}}\n", "streams.runs"),
        (PLATFORM + "streams: {runs: {checks: [{unique: id, not_null: id}]}}\n", "streams.runs"),
        (PLATFORM + "streams: {runs: {checks: [{severity: warn}]}}\n", "streams.runs"),
        ("source: calendar\ndriver: caldav\n", ""),
        (
            "source: calendar\ndriver: caldav\nconnection: {url: x, username: u, password: hunter2}\n",
            "connection.password",
        ),
    ],
)
def test_wrong_ones(schema: Draft202012Validator, text: str, where: str) -> None:
    errors = list(schema.iter_errors(_value(text)))
    assert {".".join(map(str, error.absolute_path)) for error in errors} == {where}


def _value(text: str) -> Any:
    return parse_yaml(text, Path(), "x.yaml").value
