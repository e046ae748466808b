"""What the code offers is in the docs, what the docs name is there, and the pages made from code are fresh."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
import typer
import yaml

import leat.sources.errors
import leat.sources.setup_tests
from leat.actions.automations.declaration import Declared
from leat.assets.model import Header as ModelHeader
from leat.assets.report import IN_SENTENCES, Chart, Figure, Unit
from leat.assets.report_files import load_reports
from leat.catalog.document import documented_sources
from leat.cli.commands import app_for
from leat.pipelines.declare.declaration import Check, Declaration, StreamOptions
from leat.pipelines.declare.project import Project, load_declaration
from leat.pipelines.declare.system_columns import HISTORY_COLUMNS, SYSTEM_COLUMNS
from leat.pipelines.load.system_tables import TABLES
from leat.quality.rule_files import _Header as RuleHeader
from leat.security.access import KINDS, VERBS
from leat.security.policy_declaration import DeclaredSelector, PolicyFile, SignInDeclared
from leat.security.policy_file import load_security
from leat.sources.actions import GUARANTEES, verbs_of
from leat.sources.driver import driver_names, load_driver
from tests.repository.docs_blocks import blocks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
CODE = ("assets", "cli", "dagster_project", "demo", "pipelines", "quality", "sources", "warehouse")
_VARIABLE = re.compile(
    r"""os\.environ(?:\.get\(|\.setdefault\(|\[)\s*["'](\w+)["']|["'](\w+)["'] (?:not )?in os\.environ"""
)
_PLAIN = {"PATH", "PYTHONPATH", "GIT_SERVER_PASSWORD"}  # of the system, and between the demo's own processes


def text_of(*pages: Path) -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def code_of(*folders: str) -> Iterator[str]:
    for folder in folders:
        yield from (path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).rglob("*.py")))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_units_of_systemd_are_valid(tmp_path: Path) -> None:
    units = [block for block in blocks(DOCS / "operations.md") if block.kind == "ini" and block.file is not None]
    assert [unit.file for unit in units] == ["leat.service", "leat.timer", "leat-dev.service"]
    for unit in units:
        text = unit.text.replace("/usr/local/bin/leat", str(Path(sys.executable).with_name("leat")))
        (tmp_path / str(unit.file)).write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / str(unit.file) for unit in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_pages_made_from_code_are_fresh() -> None:
    # in a process of its own: other tests add sources to this one
    reported = subprocess.run(
        [sys.executable, "-m", "leat.catalog.document", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert reported.returncode == 0, reported.stdout + reported.stderr


PLANS = sorted((DOCS / "actions" / "verbs" / "plans").glob("*.txt"))


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.stem)
def test_an_example_of_a_plan_is_as_its_verb_says(plan: Path) -> None:
    source, _, name = plan.stem.partition(".")
    [verb] = [each for each in verbs_of(source) if each.name == name]
    command, title, *lines = plan.read_text(encoding="utf-8").splitlines()
    assert command.startswith(f"leat act {plan.stem} ")
    assert title.startswith(f"{plan.stem}: ")
    printed = dict(line.strip().split(None, 1) for line in lines if line.startswith("  ") and ":" not in line[:6])
    assert printed["guarantee"] == f"{verb.guarantee}: {GUARANTEES[verb.guarantee]}"
    assert printed["undo"] == verb.undo
    given = {each.partition("=")[0] for each in re.findall(r"-p '?([a-z_]+=)", command)}
    assert given <= verb.parameters.model_fields.keys()


def test_every_command_and_option_is_in_the_readme() -> None:
    readme = text_of(ROOT / "README.md")
    root = typer.main.get_command(app_for())
    assert isinstance(root, click.Group) or hasattr(root, "commands")
    for name, command in root.commands.items():
        assert f"`leat {name}" in readme, f"leat {name}"
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert option in readme, f"leat {name} {option}"
    for parameter in root.params:
        assert all(option in readme for option in parameter.opts), parameter.opts


@pytest.mark.parametrize(
    ("model", "page"),
    [
        (Declaration, DOCS / "declarations.md"),
        (StreamOptions, DOCS / "declarations.md"),
        (Check, DOCS / "declarations.md"),
        (ModelHeader, ROOT / "CONTRIBUTING.md"),
        (RuleHeader, ROOT / "CONTRIBUTING.md"),
    ],
)
def test_every_key_is_documented(model: type[Declaration], page: Path) -> None:
    text = text_of(page)
    assert [key for key in model.model_fields if f"`{key}`" not in text and key not in ("name", "path")] == []


def test_every_variable_that_is_read_is_documented() -> None:
    variables = {
        name for text in code_of(*CODE) for match in _VARIABLE.finditer(text) for name in match.groups() if name
    }
    variables |= {name for text in code_of(*CODE) for name in re.findall(r"\bLEAT_[A-Z]+(?:_[A-Z]+)*\b", text)}
    variables -= {
        *_PLAIN,
        "LEAT_SSH_STATUS",
        "LEAT_VARIABLES_OF_FILE",
    }  # set by leat itself, for processes that it starts
    assert "LEAT_HOME" in variables
    operations = text_of(DOCS / "operations.md")
    assert [name for name in sorted(variables) if f"`{name}`" not in operations] == []


def test_own_tables_and_system_columns_are_documented() -> None:
    text = text_of(DOCS / "warehouse.md")
    rows = {name: line for name in TABLES for line in text.splitlines() if line.startswith(f"| `leat.{name}` |")}
    missing = [
        f"leat.{table}.{column}"
        for table, declared in TABLES.items()
        for column in declared.types
        if f"`{column}`" not in rows.get(table, "")
    ]
    assert missing == []
    assert [name for name in {**SYSTEM_COLUMNS, **HISTORY_COLUMNS} if f"| `{name}` |" not in text] == []


def test_errors_and_log_events_are_documented() -> None:
    operations = text_of(DOCS / "operations.md")
    classes = [name for text in code_of(*CODE) for name in re.findall(r"^class (\w+)\(Permanent\)", text, re.MULTILINE)]
    classes += [name for name in vars(leat.sources.errors) if name in ("RateLimited", "Unavailable", "TimedOut")]
    events = [event for text in code_of("sources") for event in re.findall(r'Logged\(\s*"(\w+)"', text)]
    assert len(classes) > 10
    assert [name for name in (*classes, *events) if f"`{name}`" not in operations] == []


def setup_tests_in(file: Path) -> set[Any]:
    """Return the names of the setup tests that a module yields."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "SetupTest"]
    return {n.value.strip(": ") for c in calls for n in ast.walk(c.args[0]) if isinstance(n, ast.Constant)}


@pytest.mark.parametrize("source", documented_sources())
def test_setup_tests_are_documented(source: str) -> None:
    page = text_of(DOCS / "integrations" / f"{source}.md")
    for driver in driver_names(source):
        file = Path(str(load_driver(source, driver).__file__))
        names = setup_tests_in(file)
        if "try_sign_in(" in file.read_text(encoding="utf-8"):
            names |= setup_tests_in(Path(str(leat.sources.setup_tests.__file__)))
        assert names
        assert [name for name in names if isinstance(name, str) and name and f"| `{name}` |" not in page] == []


def yaml_blocks() -> Iterator[tuple[Path, str]]:
    for page in (*PAGES,):
        if page.parent.name == "integrations":
            continue  # made of the pages in how-to
        for block in blocks(page):
            elsewhere = block.file is not None and re.search("shelf|^automations/|^policies/|^assets/", block.file)
            if block.kind == "yaml" and not elsewhere:
                yield page, block.text


@pytest.mark.parametrize(("page", "text"), yaml_blocks(), ids=lambda value: getattr(value, "stem", ""))
def test_declarations_in_the_docs_are_valid(tmp_path: Path, page: Path, text: str) -> None:
    if "source:" not in text:  # a part: of the page's own source
        text = f"source: {page.stem}\ndriver: {driver_names(page.stem)[0]}\n{text}"
    path = tmp_path / "example.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_declaration(path, page.name).name == "example"


def test_automations_in_the_docs_are_valid() -> None:
    examples = [block for block in blocks(DOCS / "automations.md") if block.kind == "yaml"]
    assert len(examples) == 4
    for block in examples:
        Declared.model_validate(yaml.safe_load(block.text))


def test_policies_in_the_docs_are_valid(tmp_path: Path) -> None:
    examples = [block for block in blocks(DOCS / "security.md") if block.kind == "yaml"]
    (tmp_path / "policies").mkdir()
    for block in examples:
        (tmp_path / str(block.file)).write_text(block.text)
    security = load_security(Project(tmp_path, tmp_path, None, ""))
    assert len(examples) == 5
    assert security.sign_in is not None
    assert security.audit is not None
    text = text_of(DOCS / "security.md")
    keys = [*PolicyFile.model_fields, *DeclaredSelector.model_fields, *SignInDeclared.model_fields, *VERBS, *KINDS]
    assert [key for key in keys if f"`{key}`" not in text and key != "rules"] == []


def test_reports_in_the_docs_are_valid(tmp_path: Path) -> None:
    (example,) = [block for block in blocks(DOCS / "dashboard.md") if block.kind == "yaml"]
    (tmp_path / "assets" / "reports").mkdir(parents=True)
    (tmp_path / str(example.file)).write_text(example.text)
    assert list(load_reports(Project(tmp_path, tmp_path, None, ""))) == ["money"]
    text = text_of(DOCS / "dashboard.md")
    names = [*Figure.model_fields, *get_args(Chart), *get_args(Unit), *(f"{{{name}}}" for name in IN_SENTENCES)]
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if page.parent.name == "how-to":
            path = (page.parent.parent / file).resolve() if file else page  # it is read in the page made of it
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_pages_speak_of_no_machine() -> None:
    assert [page.name for page in PAGES if re.search(r"/(?:root|tmp|work|Users)/", text_of(page))] == []


def test_what_is_planted_in_the_demo_is_documented() -> None:
    from leat.demo.story.planted import PLANTED

    page = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    rows = [f"| `{p.kind}` | {p.subject} | {', '.join(p.systems)} | {p.story} |" for p in PLANTED]
    assert page.rstrip().splitlines()[-len(rows) :] == rows
    assert len(PLANTED) >= 20
    assert len({each.kind for each in PLANTED}) >= 12
