"""Every mistake in a declaration says the file, the line, the path, and what was probably meant."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leat.limits import DECLARATION_BYTES as MAX_BYTES
from leat.pipelines.declare.cron import is_cron
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project, load_declaration, load_declarations, open_project
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.sources.driver import add_sources, source_names
from tests.kit.project import SOURCES

TALLY = "source: tally\ndriver: script\nconnection: {script: s}\n"
PLATFORM = "source: platform\ndriver: sql\n"
FED = TALLY + "streams:\n  fed:\n    "  # line 6 begins with four spaces


@pytest.fixture(autouse=True)
def tally() -> None:
    add_sources(SOURCES)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "pipelines").mkdir()
    return Project(tmp_path, tmp_path / ".leat", None, "")


def declare(project: Project, **files: str) -> None:
    for name, text in files.items():
        (project.folder / "pipelines" / f"{name}.yaml").write_text(text)


def mistakes(project: Project, overrides: Mapping[str, Mapping[str, str]] | None = None) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        load_declarations(project, overrides or {})
    assert str(caught.value) == "\n".join(caught.value.diagnostics)
    return caught.value.diagnostics


def test_a_whole_declaration(project: Project) -> None:
    text = """
source: tally
driver: script
version: 2
description: A shelf
enabled: false
schedule: "*/15 * * * mon-fri"
connection: {script: s}
streams:
  fed:
    fresh_within: PT1H
    history: true
    exclude: weight
    mask: [label, tags]
    max_delete_share: 1
    checks:
      - not_null: label
      - unique: [shelf, label]
        severity: warn
      - accepted_values: {sound: [true], label: [a, "1"]}
      - range: {revision: {min: 0}}
      - foreign_key: {revision: kept.id}
      - row_count: {min: 1, max: 10}
  scanned:
  kept: {mask: true}
"""
    declare(project, shelf=text)
    declaration = load_declarations(project)["shelf"]
    assert (declaration.version, declaration.enabled, declaration.schedule) == (2, False, "*/15 * * * mon-fri")
    fed, scanned, lasting = declaration.selected()
    assert "weight" not in {column.name for column in declaration.columns(fed)}
    assert declaration.masked(fed) == {"label", "tags"}
    assert declaration.masked(scanned) == frozenset()
    assert declaration.masked(lasting) == {"label", "extra"}
    assert [check.kind for check in declaration.options("fed").checks] == [
        "not_null",
        "unique",
        "accepted_values",
        "range",
        "foreign_key",
        "row_count",
    ]


MISTAKES = {
    "empty": ("", "x.yaml:1: the file is empty; `leat init` writes an example"),
    "only a comment": ("# nothing\n", "x.yaml:1: the file is empty; `leat init` writes an example"),
    "a list": ("- a\n", "x.yaml:1: expected keys such as `source: calendar`"),
    "no source": ("driver: sql\n", "x.yaml:1: source: is missing; valid: {sources}"),
    "unknown source": (
        "driver: sql\nsource: platfrom\n",
        "x.yaml:2: source: 'platfrom' is unknown; did you mean \"platform\"?; valid: {sources}",
    ),
    "source of another type": ("source: [xyz]\n", "x.yaml:1: source: \"['xyz']\" is unknown; valid: {sources}"),
    "no driver": ("source: platform\n", "x.yaml:1: driver: is missing; valid: sql"),
    "unknown driver": (
        "source: platform\ndriver: sqll\n",
        "x.yaml:2: driver: 'sqll' is unknown; did you mean \"sql\"?; valid: sql",
    ),
    "unknown key": (
        TALLY + "shedule: '* * * * *'\n",
        'x.yaml:4: shedule: unknown key; did you mean "schedule"?',
    ),
    "a key the engine sets": (TALLY + "name: y\n", "x.yaml:4: name: unknown key"),
    "unknown option": (FED + "chekcs: []\n", 'x.yaml:6: streams.fed.chekcs: unknown key; did you mean "checks"?'),
    "unknown check": (
        FED + "checks:\n      - {not_nul: id}\n",
        'x.yaml:7: streams.fed.checks[0].not_nul: unknown key; did you mean "not_null"?',
    ),
    "unknown bound": (
        FED + "checks:\n      - range:\n          id: {mn: 1}\n",
        'x.yaml:8: streams.fed.checks[0].range.id.mn: unknown key; did you mean "min"?',
    ),
    "unknown key of a connection": (
        PLATFORM + "connection:\n  urls: x\n",
        'x.yaml:4: connection.urls: unknown key; did you mean "url"?',
    ),
    "missing key of a connection": (
        "source: tally\ndriver: script\nconnection: {}\n",
        "x.yaml:3: connection.script: is missing",
    ),
    "no connection": (
        "source: tally\ndriver: script\n",
        "x.yaml:1: connection: is missing; it needs script",
    ),
    "a key beneath a connection that isn't indented": (
        "source: tally\ndriver: script\nconnection:\nscript: a\n",
        "x.yaml:4: script: unknown key; it belongs under connection",
    ),
    "a misspelled connection": (
        "source: tally\ndriver: script\nconection: {script: a}\n",
        'x.yaml:3: conection: unknown key; did you mean "connection"?',
    ),
    "a connection that is none": (
        PLATFORM + "connection: sqlite\n",
        "x.yaml:3: connection: expected keys with values, got text",
    ),
    "a false connection": (
        PLATFORM + "connection: false\n",
        "x.yaml:3: connection: expected keys with values, got true or false",
    ),
    "a setting of another type": (
        PLATFORM + "connection: {url: 5}\n",
        "x.yaml:3: connection.url: expected text or keys with values, got a number; put it in quotes",
    ),
    "a setting that names nothing": (
        PLATFORM + "connection:\n  url:\n    evn: X\n",
        'x.yaml:5: connection.url.evn: unknown key; did you mean "env"?',
    ),
    "a setting that names two": (
        PLATFORM + "connection: {url: {env: X, file: y}}\n",
        "x.yaml:3: connection.url: name exactly one of env, file and secret",
    ),
    "version as text": (TALLY + "version: two\n", "x.yaml:4: version: expected a whole number, got text"),
    "version as boolean": (TALLY + "version: yes\n", "x.yaml:4: version: expected a whole number, got true or false"),
    "version too low": (TALLY + "version: 0\n", "x.yaml:4: version: expected greater than or equal to 1"),
    "a flag as text": (FED + "history: 'yes'\n", "x.yaml:6: streams.fed.history: expected true or false, got text"),
    "a text as number": (
        TALLY + "description: 5\n",
        "x.yaml:4: description: expected text, got a number; put it in quotes",
    ),
    "streams as a list": (TALLY + "streams: [fed]\n", "x.yaml:4: streams: expected keys with values, got a list"),
    "options as text": (TALLY + "streams: {fed: x}\n", "x.yaml:4: streams.fed: expected keys with values, got text"),
    "a wrong mask": (
        FED + "mask: 1\n",
        "x.yaml:6: streams.fed.mask: expected true or false or a list, got a number",
    ),
    "a share above one": (
        FED + "max_delete_share: 2\n",
        "x.yaml:6: streams.fed.max_delete_share: expected less than or equal to 1",
    ),
    "unknown stream": (
        TALLY + "streams:\n  fedd: {}\n",
        'x.yaml:5: streams.fedd: unknown stream; did you mean "fed"?; valid: fed, scanned, kept',
    ),
    "unknown column excluded": (
        FED + "exclude: [wieght]\n",
        "x.yaml:6: streams.fed.exclude[0]: unknown column 'wieght'; did you mean \"weight\"?",
    ),
    "key excluded": (
        FED + "exclude:\n    - weight\n    - id\n",
        "x.yaml:8: streams.fed.exclude[1]: id is part of the key and can't be left out",
    ),
    "version excluded": (
        TALLY + "streams: {scanned: {exclude: revision}}\n",
        "x.yaml:4: streams.scanned.exclude: revision is the version of the row and can't be left out",
    ),
    "unknown column masked": (
        FED + "mask: [lable]\n",
        "x.yaml:6: streams.fed.mask[0]: unknown column 'lable'; did you mean \"label\"?",
    ),
    "number masked": (
        FED + "mask: [weight]\n",
        "x.yaml:6: streams.fed.mask[0]: weight is float; only text can be hashed",
    ),
    "unknown column encrypted": (
        FED + "encrypt: [lable]\n",
        "x.yaml:6: streams.fed.encrypt[0]: unknown column 'lable'; did you mean \"label\"?",
    ),
    "masked and encrypted": (
        FED + "mask: [label]\n    encrypt: [label]\n",
        "x.yaml:7: streams.fed.encrypt[0]: label is masked; do one of the two",
    ),
    "version encrypted": (
        TALLY + "streams: {scanned: {encrypt: [revision]}}\n",
        "x.yaml:4: streams.scanned.encrypt: revision orders the versions of a row, so it can't be encrypted; "
        "list the others",
    ),
    "joined and clear": (
        FED + "encrypt: [label]\n    joined: [weight]\n",
        "x.yaml:7: streams.fed.joined[0]: weight is not encrypted; `joined` names encrypted columns that are joined "
        "or compared",
    ),
    "encrypted bounds": (
        FED + "encrypt: [weight]\n    checks: [{range: {weight: {min: 0}}}]\n",
        "x.yaml:7: streams.fed.checks[0].range: weight is encrypted; a check can't see its values",
    ),
    "encrypted and compared": (
        FED + "encrypt: [label]\n    checks: [{unique: [label]}]\n",
        "x.yaml:7: streams.fed.checks[0].unique: label is encrypted; add it to `joined`, so that it can be compared",
    ),
    "encrypted and the age": (
        FED + "encrypt: [seen_at]\n    retain: {rows: P1D, by: seen_at}\n",
        "x.yaml:7: streams.fed.retain.by: seen_at is encrypted; leat can't read how old a row is",
    ),
    "encrypted on one side": (
        FED + "encrypt: [label]\n    joined: [label]\n    checks: [{foreign_key: {label: kept.label}}]\n",
        "x.yaml:8: streams.fed.checks[0].foreign_key.label: 'kept.label': only one of the two is encrypted: "
        "label can't be compared with it",
    ),
    "unknown column checked": (
        FED + "checks:\n      - not_null: id\n      - unique: [shelf, idd]\n",
        "x.yaml:8: streams.fed.checks[1].unique[1]: unknown column 'idd'; did you mean \"id\"?",
    ),
    "unknown column in bounds": (
        FED + "checks:\n      - range:\n          wieght: {min: 1}\n",
        "x.yaml:8: streams.fed.checks[0].range.wieght: unknown column 'wieght'; did you mean \"weight\"?",
    ),
    "excluded column checked": (
        FED + "exclude: weight\n    checks: [{not_null: weight}]\n",
        "x.yaml:7: streams.fed.checks[0].not_null: weight is excluded",
    ),
    "bounds of text": (
        FED + "checks: [{range: {label: {min: 1}}}]\n",
        "x.yaml:6: streams.fed.checks[0].range.label: label is string; only a number has bounds",
    ),
    "bounds that exclude everything": (
        FED + "checks: [{range: {id: {min: 2, max: 1}}}]\n",
        "x.yaml:6: streams.fed.checks[0].range.id: min 2 is above max 1; no value is in between",
    ),
    "no bounds": (
        FED + "checks: [{row_count: {}}]\n",
        "x.yaml:6: streams.fed.checks[0].row_count: give min, max or both",
    ),
    "two kinds": (
        FED + "checks:\n      - not_null: id\n        unique: id\n",
        "x.yaml:7: streams.fed.checks[0]: a check has exactly one kind; write several checks as several items",
    ),
    "no kind": (
        FED + "checks: [{severity: warn}]\n",
        "x.yaml:6: streams.fed.checks[0]: a check has exactly one kind; write several checks as several items",
    ),
    "nothing to check": (
        FED + "checks: [{not_null: }]\n",
        "x.yaml:6: streams.fed.checks[0]: not_null has nothing to check",
    ),
    "no column to check": (
        FED + "checks: [{unique: []}]\n",
        "x.yaml:6: streams.fed.checks[0].unique: expected at least 1 item after validation, not 0",
    ),
    "unknown severity": (
        FED + "checks: [{unique: id, severity: fatal}]\n",
        "x.yaml:6: streams.fed.checks[0].severity: expected 'warn' or 'error'",
    ),
    "bad cron": (
        TALLY + "schedule: every day\n",
        "x.yaml:4: schedule: 'every day' is no cron expression; write \"*/15 * * * *\" for each 15 minutes",
    ),
    "bad duration": (
        FED + "fresh_within: 1h\n",
        "x.yaml:6: streams.fed.fresh_within: '1h' is no ISO 8601 duration; write PT1H for an hour or P1D for a day",
    ),
    "duration as a number": (
        FED + "fresh_within: 60\n",
        "x.yaml:6: streams.fed.fresh_within: '60' is no ISO 8601 duration; write PT1H for an hour or P1D for a day",
    ),
    "foreign key to no integration": (
        FED + "checks: [{foreign_key: {id: y.fed.id}}]\n",
        "x.yaml:6: streams.fed.checks[0].foreign_key.id: 'y.fed.id': no integration 'y' is declared",
    ),
    "foreign key to no stream": (
        FED + "checks: [{foreign_key: {id: fedd.id}}]\n",
        "x.yaml:6: streams.fed.checks[0].foreign_key.id: 'fedd.id': no stream 'fedd' is loaded; did you mean \"fed\"?",
    ),
    "foreign key to a stream that isn't loaded": (
        FED + "checks: [{foreign_key: {id: kept.id}}]\n  kept: {selected: false}\n",
        "x.yaml:6: streams.fed.checks[0].foreign_key.id: 'kept.id': no stream 'kept' is loaded",
    ),
    "foreign key to no column": (
        FED + "checks: [{foreign_key: {id: x.kept.idd}}]\n",
        "x.yaml:6: streams.fed.checks[0].foreign_key.id: 'x.kept.idd': no column 'idd'; did you mean \"id\"?",
    ),
    "foreign key of one word": (
        FED + "checks: [{foreign_key: {id: kept}}]\n",
        "x.yaml:6: streams.fed.checks[0].foreign_key.id: 'kept': write stream.column or integration.stream.column",
    ),
    "a key twice": (FED + "history: true\n    history: false\n", "x.yaml:7: streams.fed.history: written twice"),
    "tabs": (
        TALLY + "streams:\n\tfed: {}\n",
        "x.yaml:5: not YAML: found character '\\t' that cannot start any token; indent with spaces, not with tabs",
    ),
    "a star without quotes": (
        TALLY + "schedule: */15 * * * *\n",
        "x.yaml:4: not YAML: expected alphabetic or numeric character, but found '/'; "
        "put text that begins with * in quotes",
    ),
    "a colon without quotes": (
        TALLY + "description: this: that\n",
        "x.yaml:4: not YAML: mapping values are not allowed here; "
        "check the indentation, and put text that has a colon in quotes",
    ),
    "an open bracket": (
        TALLY + "streams: [\n",
        "x.yaml:5: not YAML: expected the node content, but found '<stream end>'",
    ),
    "an alias": (TALLY + "streams: &a {fed: *a}\n", "x.yaml:4: an alias is not allowed; write the value again"),
    "a merge": (TALLY + "streams:\n  <<: {fed: {}}\n", "x.yaml:5: merging by << is not allowed; write the keys again"),
    "a tag": (
        TALLY + "description: !secret x\n",
        "x.yaml:4: not YAML: could not determine a constructor for the tag '!secret'; "
        "leat knows no tags; put text that begins with ! in quotes",
    ),
    "a tagged mapping": (TALLY + "streams: !!set {fed}\n", "x.yaml:4: the tag !!set is not allowed"),
    "a key that is a list": (TALLY + "? [a]\n: b\n", "x.yaml:4: a key is plain text, not a list or a mapping"),
    "no such day": (
        TALLY + "description: 2026-02-30\n",
        "x.yaml:4: '2026-02-30' is no timestamp; put it in quotes if it is meant as text",
    ),
    "two documents": (
        TALLY + "---\nsource: x\n",
        "x.yaml:4: not YAML: but found another document",
    ),
    "a control character": (
        TALLY + "description: a\x01b\n",
        "x.yaml:4: not YAML: the character '\\x01' is not allowed",
    ),
    "too deep": (TALLY + "streams: " + "[" * 2000, "x.yaml:4: nested deeper than 50 levels"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_says_where_and_what(project: Project, name: str) -> None:
    text, expected = MISTAKES[name]
    declare(project, x=text)
    assert mistakes(project) == [f"pipelines/{expected.format(sources=', '.join(source_names()))}"]


def test_a_literal_secret_is_refused_and_not_repeated(project: Project) -> None:
    declare(project, x=PLATFORM + "connection:\n  url: postgresql://leat:hunter2@127.0.0.1/x\n")
    assert mistakes(project) == [
        "pipelines/x.yaml:4: connection.url: a URL with a password is never written here; "
        "name it: {env: NAME}, {file: path} or {secret: NAME}"
    ]


def test_all_mistakes_of_all_files_are_reported_at_once(project: Project) -> None:
    declare(
        project,
        a=PLATFORM + "connection: {ur: x}\nversion: two\nstreams: {runs: {histori: true, fresh_within: 1h}}\n",
        b=TALLY + "schedule: never\nstreams: {fedd: {}, kept: {mask: [id]}}\n",
        c=PLATFORM,
    )
    actual = mistakes(project)
    assert sorted(line.split(": ")[:2] for line in actual) == [
        ["pipelines/a.yaml:3", "connection.ur"],
        ["pipelines/a.yaml:4", "version"],
        ["pipelines/a.yaml:5", "streams.runs.fresh_within"],
        ["pipelines/a.yaml:5", "streams.runs.histori"],
        ["pipelines/b.yaml:4", "schedule"],
        ["pipelines/b.yaml:5", "streams.fedd"],
        ["pipelines/b.yaml:5", "streams.kept.mask[0]"],
    ]


@pytest.mark.parametrize(
    "name", ["Payments", "2x", "a-b", "main", "analytics", "warehouse", "system", "landing_x", "pg_x", "x" * 42, "ä"]
)
def test_a_bad_file_name(project: Project, name: str) -> None:
    declare(project, **{name: PLATFORM})
    assert mistakes(project) == [
        f"pipelines/{name}.yaml: the file's name must be a free lower-case identifier, like payments.yaml"
    ]


def test_a_file_that_would_be_overlooked(project: Project) -> None:
    (project.folder / "pipelines" / "x.yml").write_text(PLATFORM)
    (project.folder / "pipelines" / ".x.yaml").write_text("what an editor leaves behind")
    assert mistakes(project) == ["pipelines/x.yml: rename the file to x.yaml, else it isn't read"]


def test_a_file_that_cannot_be_read(project: Project) -> None:
    folder = project.folder / "pipelines"
    (folder / "a.yaml").mkdir()
    (folder / "b.yaml").write_bytes(b"source: platform\ndescription: caf\xe9\n")
    (folder / "c.yaml").write_text("#" * (MAX_BYTES + 1))
    (folder / "d.yaml").symlink_to("nowhere")
    assert mistakes(project) == [
        "pipelines/a.yaml: can't be read: Is a directory",
        "pipelines/b.yaml:2: not UTF-8; save the file in that encoding",
        f"pipelines/c.yaml: larger than {MAX_BYTES} bytes; is it a declaration?",
        "pipelines/d.yaml: can't be read: No such file or directory",
    ]


def test_foreign_keys_between_integrations(project: Project) -> None:
    declare(project, x=FED + "checks: [{foreign_key: {id: y.integrations.id}}]\n", y=PLATFORM)
    assert list(load_declarations(project)) == ["x", "y"]
    declare(project, x=FED + "checks: [{foreign_key: {id: z.integrations.id}}]\n")
    assert mistakes(project) == [
        "pipelines/x.yaml:6: streams.fed.checks[0].foreign_key.id: 'z.integrations.id': no integration 'z' is declared"
    ]


def test_overrides_are_part_of_the_declaration(project: Project) -> None:
    declare(project, x=FED + "history: true\n")
    overrides = {
        "enabled": "false",
        "schedule": '"0 3 * * *"',
        "streams.fed.checks": "[{not_null: label}]",
        "streams.kept.selected": "false",
        "streams.scanned": "{history: true}",
    }
    declaration = load_declarations(project, {"x": overrides, "unknown": {"enabled": "false"}})["x"]
    assert (declaration.enabled, declaration.schedule) == (False, "0 3 * * *")
    assert [stream.name for stream in declaration.selected()] == ["fed", "scanned"]
    assert declaration.options("fed").history
    assert declaration.options("fed").checks[0].not_null == ("label",)
    assert declaration.options("scanned").history


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("schedule", "never", "schedule: 'never' is no cron expression; write \"*/15 * * * *\" for each 15 minutes"),
        ("zone", "Berlin", "zone: 'Berlin' is no time zone; write it as Europe/Berlin"),
        ("enabled", "maybe", "enabled: expected true or false, got text"),
        ("streams.fed.chekcs", "[]", 'streams.fed.chekcs: unknown key; did you mean "checks"?'),
        ("streams.fedd.selected", "true", 'fedd: unknown stream; did you mean "fed"?; valid: fed, scanned, kept'),
        ("streams.fed", "{mask: [lable]}", "streams.fed.mask[0]: unknown column 'lable'; did you mean \"label\"?"),
        ("streams.fed.checks", "[{foreign_key: {id: y.a.b}}]", "'y.a.b': no integration 'y' is declared"),
        ("shedule", "x", 'did you mean "schedule"?; can be: description, enabled, schedule, streams, zone'),
        ("connection.script", "x", "can't be overridden; can be: description, enabled, schedule, streams, zone"),
        ("schedule.x", "x", "schedule has no keys"),
    ],
)
def test_a_wrong_override_names_its_key(project: Project, key: str, value: str, expected: str) -> None:
    declare(project, x=TALLY + "schedule: '* * * * *'\n")
    (mistake,) = mistakes(project, {"x": {key: value}})
    assert mistake.startswith(f"integration_config x.{key}")
    assert mistake.endswith(expected)


def test_an_override_that_is_no_yaml(project: Project) -> None:
    declare(project, x=TALLY)
    assert mistakes(project, {"x": {"schedule": "*/15 * * * *", "enabled": ""}}) == [
        "integration_config x.enabled:1: the file is empty; `leat init` writes an example",
        "integration_config x.schedule:1: not YAML: expected alphabetic or numeric character, but found '/'; "
        "put text that begins with * in quotes",
    ]


@pytest.mark.parametrize(
    "text",
    ["* * * * *", "*/15 0-6,22 1 * 1-5", "0 0 1 jan,JUL sun", "5/20 0 * * 7", "59 23 31 12 0", "0 0 * * Mon-Fri/2"],
)
def test_cron(text: str) -> None:
    assert is_cron(text)


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *",
     "5-1 * * * *", "1-2-3 * * * *", "a * * * *", "1,,2 * * * *", "-1 * * * *", "² * * * *", "٣ * * * *", "@daily",
     "* * * sun *", "* * * * jan", "*/ * * * *", "*-5 * * * *"],
)  # fmt: skip
def test_no_cron(text: str) -> None:
    assert not is_cron(text)


def test_the_projects_own_declarations_are_right() -> None:
    assert "platform" in load_declarations(open_project(Path(__file__).parents[2]))


KEYS = st.sampled_from(
    ["source", "driver", "version", "enabled", "schedule", "connection", "streams", "url", "script", "env", "file",
     "fed", "kept", "runs", "checks", "not_null", "unique", "range", "accepted_values", "foreign_key", "row_count",
     "min", "max", "mask", "exclude", "fresh_within", "severity", "id", "label", "name", "path", "<<", "", "x.y"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=4),
    st.text(max_size=8),
    st.sampled_from(["id", "label", "fed.id", "kept.id.x", "PT1H", "P9999D", "* * * * *", "a.b.c"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
DECLARATIONS = st.dictionaries(KEYS, VALUES, max_size=5).map(
    lambda value: {"source": "tally", "driver": "script", "connection": {"script": "s"}, **value}
)
SYNTAX = st.text(st.sampled_from("ab1:-?,[]{}#&*!|>'\"%@` \n\t\\.~=<\x00\x85\ufeff\ud7ff"), max_size=60)


@given(st.one_of(st.text(max_size=80), SYNTAX, SYNTAX.map(lambda tail: TALLY + "streams: " + tail)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
def test_no_text_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    _load(tmp_path_factory, text)


@given(st.one_of(DECLARATIONS, st.fixed_dictionaries({"streams": st.dictionaries(KEYS, VALUES)})), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
def test_no_value_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any], flow: bool
) -> None:
    _load(tmp_path_factory, yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True))


@given(st.dictionaries(st.text(max_size=8) | KEYS, st.text(max_size=12) | SYNTAX, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_override_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, overrides: dict[str, str]) -> None:
    _load(tmp_path_factory, TALLY, overrides)


def _load(folders: pytest.TempPathFactory, text: str, overrides: Mapping[str, str] | None = None) -> None:
    path = folders.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        declaration = load_declaration(path, "any.yaml", overrides or {})
    except DeclarationError as error:
        assert error.diagnostics
        assert all(mistake.startswith(("any.yaml", "integration_config any.")) for mistake in error.diagnostics)
    else:
        assert isinstance(declaration, Declaration)
