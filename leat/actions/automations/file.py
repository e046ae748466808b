"""Reads ``automations/*.yaml`` and checks it against what there is: rules, verbs, parameters, columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

import leat.pipelines.declare
from leat.actions.automations.automation import Automation, Query
from leat.actions.automations.declaration import Declared
from leat.pipelines.declare.cache import digest, get_or_compute
from leat.pipelines.declare.declaration import NAME, Declaration
from leat.pipelines.declare.declared_file import check_file_name, read_declared, yaml_paths
from leat.pipelines.declare.diagnostics import diagnostic_line
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.table_names import ANALYTICS, TableName, table_diagnostics
from leat.pipelines.declare.yaml_file import DeclarationError, YamlFile
from leat.pipelines.load.readable_tables import readable_columns

if TYPE_CHECKING:
    from leat.pipelines.declare.sql_file import SqlFile

_DECLARE = Path(leat.pipelines.declare.__path__[0])
_OWN = (
    *(Path(__file__).with_name(f"{name}.py") for name in ("file", "check", "automation", "declaration")),
    *(_DECLARE / f"{name}.py" for name in ("sql_file", "portable", "table_names", "transpile")),
)
"""What makes automations of files: another version of it may make others."""


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What takes long to read of an automation without mistakes."""

    query: Query | None
    rule_key: tuple[str, ...]
    tables: tuple[TableName, ...]
    digest: str


def automation_paths(project: Project) -> list[Path]:
    """Return the files of automations, sorted; the folder need not be there."""
    return yaml_paths(project.folder / "automations")


def load_automations(project: Project, declarations: Mapping[str, Declaration]) -> dict[str, Automation]:
    """Return the automations of a project by name.

    Raises:
        DeclarationError: with all mistakes of all files.
    """
    automations, diagnostics = read_automations(project, declarations)
    if diagnostics:
        raise DeclarationError(diagnostics)
    return automations


def read_automations(
    project: Project, declarations: Mapping[str, Declaration]
) -> tuple[dict[str, Automation], list[str]]:
    """Return every automation without a mistake by name, and all mistakes of the others."""
    automations: dict[str, Automation] = {}
    diagnostics: list[str] = []
    for path in automation_paths(project):
        try:
            automations[path.stem] = _read(path, project, declarations)
        except DeclarationError as error:
            diagnostics += error.diagnostics
    return automations, diagnostics


def cached_automations(
    project: Project, declarations: Mapping[str, Declaration]
) -> tuple[dict[str, Automation], list[str]]:
    """Return the same as :func:`read_automations`; what takes long comes from the cache while no file changes."""
    folder, rules = project.folder / "automations", project.folder / "quality" / "rules"
    files = [*automation_paths(project), *sorted(folder.glob("*.sql")), *sorted(rules.glob("*.sql")), *_OWN]
    models = sorted(path.name for path in (project.folder / "assets" / "models").glob("*.sql"))
    declared = {name: repr(each) for name, each in declarations.items()}
    own = sorted(project.folder.glob("sources/**/*.py"))
    key = digest([*files, *own], version("sqlglot"), models, declared)
    try:
        parsed = get_or_compute(
            project,
            "automations",
            key,
            TypeAdapter(dict[str, _Parsed]),
            lambda: _parsed(project, declarations),
            write=True,
        )
    except DeclarationError:
        return read_automations(project, declarations)
    paths = {path.stem: path for path in automation_paths(project)}
    return {name: _automation(paths[name], project, each) for name, each in parsed.items()}, []


def _parsed(project: Project, declarations: Mapping[str, Declaration]) -> dict[str, _Parsed]:
    automations = load_automations(project, declarations).values()
    return {each.name: _Parsed(each.query, each.rule_key, each.tables, each.digest) for each in automations}


def _automation(path: Path, project: Project, parsed: _Parsed) -> Automation:
    shown = project.shown(path)
    _, declared = read_declared(path, shown, Declared, "when")
    return Automation(path.stem, shown, declared, parsed.query, parsed.rule_key, parsed.tables, parsed.digest)


def _read(path: Path, project: Project, declarations: Mapping[str, Declaration]) -> Automation:
    from leat.actions.automations.check import check
    from leat.pipelines.declare.sql_file import parameter

    shown = project.shown(path)
    check_file_name(path, shown, NAME, "end_sessions.yaml")
    file, declared = read_declared(path, shown, Declared, "when")
    rule = _rule(project, declared.when.rule)
    query = None if declared.targets is None else _query(file, shown, declared.targets)
    diagnostics = [
        diagnostic_line(file, shown, loc, text) for loc, text in check(declared, project, declarations, rule, query)
    ]
    if query is not None:
        diagnostics += _unknown_tables(query, project, declarations)
    if diagnostics:
        raise DeclarationError(diagnostics)
    rule_key = () if rule is None else tuple(_as_list(rule.header.value["key"]))
    source = query or rule
    tables = () if source is None else source.tables
    own = (
        None
        if query is None
        else Query(
            tuple(query.select.named_selects), {str(name): text for name, text in query.sql.items()}, parameter("now")
        )
    )
    return Automation(path.stem, shown, declared, own, rule_key, tables, _digest(file, query))


def _as_list(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value]  # type: ignore[attr-defined]


def _rule(project: Project, name: str | None) -> SqlFile | None:
    """Return the rule of that name; None if there is none, or it has a mistake, which its own file reports."""
    from leat.pipelines.declare.sql_file import read_sql

    path = project.folder / "quality" / "rules" / f"{name}.sql"
    if name is None or not NAME.fullmatch(name) or not path.exists():
        return None
    rule = read_sql(path, project.shown(path))
    return rule if "key" in rule.header.value else None


def _query(file: YamlFile, shown: str, targets: str) -> SqlFile:
    """Return the query of the targets, which is in the file or in one next to it."""
    from leat.pipelines.declare.sql_file import read_query

    line = file.line(("targets",))
    if not targets.rstrip().endswith(".sql"):
        return read_query("\n" * (line - 1) + targets, file.path, shown)
    path = file.path.parent / targets.strip()
    if path.parent != file.path.parent:
        raise DeclarationError([f"{shown}:{line}: targets: name a file in the same folder, without a path"])
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeclarationError([f"{shown}:{line}: targets: {targets} can't be read: {error}"]) from error
    return read_query(text, path, str(Path(shown).with_name(path.name)))


def _unknown_tables(query: SqlFile, project: Project, declarations: Mapping[str, Declaration]) -> Iterator[str]:
    models: dict[str, list[str]] = {
        path.stem: [] for path in (project.folder / "assets" / "models").glob("*.sql") if "." not in path.stem
    }
    yield from table_diagnostics(query.shown, query.tables, {**readable_columns(declarations), ANALYTICS: models})


def _digest(file: YamlFile, query: SqlFile | None) -> str:
    """Hash what decides what is done; neither comments nor who looks after it do."""
    value = {name: each for name, each in file.value.items() if name not in ("description", "owner", "targets")}
    whole = [value, None if query is None else dict(query.sql)]
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()
