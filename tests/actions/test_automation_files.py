"""Automations as they are declared: what is valid, and what `leat check` says about mistakes, with its line."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from leat.actions.automations.file import load_automations
from leat.actions.automations.schema import automations_schema
from leat.pipelines.declare.project import load_declarations
from leat.sources.templates import TemplateProblem, Values, fill
from tests.kit.automating import MARK_BAD, Automated

ALL = """\
description: Mark each shelf that has bad items.
owner: ann
when: {schedule: "0 9 * * MON", zone: Europe/Berlin}
targets: |
  SELECT shelf, id FROM tally.scanned WHERE label = 'bad'
group_by: shelf
key: [shelf, "{{ week }}"]
require_fresh: {tally.scanned: PT1H, desk: P1D}
do:
  - desk.guarded: {place: "{{ group }}", value: "{{ rows | length }}"}
  - desk.natural: {place: "{{ rows[0].shelf }}", value: 3}
recheck: live
approve: {first_runs: 10, then: auto}
limits: {per_run: 20, per_day: 50, share_of_target: 0.2, stop_after_failures: 3}
quiet_hours: {start: "20:00", end: "08:00", zone: Europe/Berlin}
expire_after: P3D
on_unknown: ask
"""


@pytest.fixture
def project(tmp_path: Path) -> Automated:
    project = Automated(tmp_path, f"sqlite:///{tmp_path / '.leat' / 'control.db'}")
    project.declare()
    return project


def load(project: Automated, text: str) -> object:
    project.write(text)
    with project.open() as workspace:
        return load_automations(workspace.project, load_declarations(workspace.project))["mark_bad"]


@pytest.mark.parametrize("text", [MARK_BAD, ALL])
def test_what_is_valid_is_valid_for_editors_too(project: Automated, text: str) -> None:
    load(project, text)
    jsonschema.validate(yaml.safe_load(text), automations_schema())


def test_targets_may_be_a_file_next_to_it(project: Automated) -> None:
    (project.folder / "automations" / "bad.sql").write_text("SELECT id, shelf, label FROM tally.scanned\n")
    automation = load(project, MARK_BAD + "targets: bad.sql\nkey: id\n")
    assert [str(table) for table in automation.tables] == ["tally.scanned"]  # type: ignore[attr-defined]


def test_only_what_decides_what_is_done_changes_the_digest(project: Automated) -> None:
    first = load(project, MARK_BAD).digest  # type: ignore[attr-defined]
    assert load(project, "# why\n" + MARK_BAD + "owner: bob\n").digest == first  # type: ignore[attr-defined]
    assert load(project, MARK_BAD + "expire_after: P1D\n").digest != first  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bad_label", "bad_lable", ":2: when.violation_opened: there is no rule 'bad_lable'; did you mean"),
        ("when:", "wen:", ':2: wen: unknown key; did you mean "when"?'),
        ("desk.guarded", "desk.garded", "desk has no verb 'garded'; did you mean \"guarded\"?"),
        ("desk.guarded", "dsk.guarded", "no integration 'dsk' is declared; did you mean \"desk\"?"),
        ("desk.guarded", "tally.guarded", "leat can only read tally: its driver script has no actions"),
        ("place:", "plcae:", ':4: do[0].desk.guarded.plcae: no such parameter; did you mean "place"?'),
        ("place:", "plcae:", ":4: do[0].desk.guarded: place is missing (Where.)"),
        ('value: "{{ row.id }}"', 'value: "{{ row.idd }}"', "value: row.idd: there is no 'idd'; did you mean \"id\"?"),
        ('value: "{{ row.id }}"', 'value: "{{ now() }"', "not a template"),
        ('value: "{{ row.id }}"', 'value: "{{ group }}"', "there is no 'group' in templates"),
        ('value: "{{ row.id }}"', "value: many", "value: expected a whole number"),
        ('value: "{{ row.id }}"}', "value: 1}\n    as: row", "as: write a name of its own"),
        ('value: "{{ row.id }}"}', "value: 1}\n    as: mark", "as: no later step uses mark"),
        ("do:", "approve: auto\ndo:", "approve: "),
        ("do:", "approve: {auto: cuont < 5}\ndo:", "approve.auto: there is no 'cuont' in templates"),
        ("do:", "targets: SELECT id FROM tally.scanned\ndo:", "key is missing: without columns that identify a row"),
        ("do:", "targets: SELECT id FROM tally.scanned\nkey: id\ndo:", "the query gives no column 'shelf', which says"),
        ("do:", "targets: SELECT id, shelf FROM tally.scaned\nkey: id\ndo:", "no table 'tally.scaned'; did you mean"),
        ("do:", "targets: DELETE FROM tally.scanned\nkey: id\ndo:", "isn't a SELECT"),
        ("do:", "targets: no.sql\nkey: id\ndo:", ":3: targets: no.sql can't be read"),
        ("do:", "key: [shlf]\ndo:", "key[0]: the targets have no column 'shlf'; did you mean \"shelf\"?"),
        ("do:", "group_by: shelf\ndo:", "group_by: violations can't be grouped"),
        ("do:", "require_fresh: {tally.scaned: PT1H}\ndo:", "tally.scaned: tally loads no stream 'scaned'"),
        ("do:", 'quiet_hours: {start: "20:00", end: "08:00", zone: recipient}\ndo:', "name a column of the targets"),
        ("violation_opened: bad_label", "schedule: daily", "'daily' is no cron expression"),
        ("violation_opened: bad_label", "rows: true", "targets is missing"),
        ("violation_opened: bad_label", "rows: true, schedule: 0 9 * * *", "write one of violation_opened"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_its_line(project: Automated, old: str, new: str, said: str) -> None:
    assert old in MARK_BAD
    mistakes = project.mistakes(MARK_BAD.replace(old, new, 1))
    assert any(said in mistake for mistake in mistakes), mistakes
    assert all(mistake.startswith("automations/mark_bad.yaml:") for mistake in mistakes)


def test_money_is_never_approved_automatically(project: Automated) -> None:
    text = MARK_BAD.replace("desk.guarded", "desk.pay")
    load(project, text)
    [mistake] = project.mistakes(text + "approve: {auto: count < 2}\n")
    assert "desk.pay moves money, which a person approves each time" in mistake


def test_a_text_that_is_one_expression_gives_its_value() -> None:
    row = {"row": Values({"id": 7, "items": "no method", "_synced_at": None, "name": "{{ row.id }}"})}
    assert fill({"a": ["{{ row.id }}", "p{{ row.id }}", "{{- -1 -}}", "{{ row.id > 3 }}", 4]}, row) == {
        "a": [7, "p7", -1, True, 4]
    }
    assert fill("{{ row.items }}", row) == "no method"
    assert fill("{{ row._synced_at }}", row) is None
    assert fill("{{ row.name }}", row) == "{{ row.id }}"  # what is in the data is never evaluated
    for wrong in (
        "{{ row.nothing }}",
        "x{{ row.nothing }}",
        "{{ row.id / 0 }}",
        "{{ row.__class__ }}",
        "{{ nothing }}",
    ):
        with pytest.raises(TemplateProblem):
            fill(wrong, row)
    with pytest.raises(TemplateProblem):
        fill("{{ ''.__class__.__mro__[1].__subclasses__() }}", row)


def test_the_schema_of_the_project_is_that_of_leat() -> None:
    path = Path(__file__).parents[2] / "automations" / "schema.json"
    if path.exists():
        assert json.loads(path.read_text()) == automations_schema()


def test_what_is_parsed_comes_from_the_cache_while_nothing_changes(project: Automated) -> None:
    from leat.actions.automations.file import cached_automations

    text = """\
    description: Mark every item.
    when: {schedule: "0 9 * * *"}
    targets: SELECT id, label FROM tally.scanned WHERE _synced_at < $now
    key: [id]
    quiet_hours: {start: "20:00", end: "08:00"}
    do:
      - desk.guarded: {place: "{{ row.label }}", value: "{{ row.id }}"}
    """
    with project.open() as workspace:
        declarations = load_declarations(workspace.project)
        workspace.project.state.mkdir(exist_ok=True)
        for targets in ("id", "label"):
            project.write(text.replace("key: [id]", f"key: [{targets}]"))
            parsed = load_automations(workspace.project, declarations)
            for _ in range(2):
                assert cached_automations(workspace.project, declarations) == (parsed, [])
        project.write(text.replace("desk.guarded", "desk.gaurded"))
        automations, diagnostics = cached_automations(workspace.project, declarations)
        assert (automations, len(diagnostics)) == ({}, 1)
