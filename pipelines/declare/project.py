"""A project: a folder with ``pipelines/*.yaml``, ``assets/models/``, ``quality/rules/`` and its state in ``.leat/``."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from dotenv import load_dotenv
from pydantic import ValidationError

from leat.pipelines.declare.declaration import NAME, RESERVED, Declaration
from leat.pipelines.declare.diagnostics import diagnostic_line, meant, validation_diagnostics
from leat.pipelines.declare.overrides import apply_overrides
from leat.pipelines.declare.profile import current_profile, read_variables
from leat.pipelines.declare.project_folder import Project
from leat.pipelines.declare.project_policy import confine
from leat.pipelines.declare.stored_secrets import ProjectSecrets
from leat.pipelines.declare.validation import foreign_key_diagnostics, semantic_diagnostics
from leat.pipelines.declare.yaml_file import DeclarationError, YamlFile, parse_yaml, read_yaml
from leat.sources.driver import (
    Driver,
    driver_names,
    duplicate_sources,
    forbidden_source,
    load_driver,
    load_streams,
    source_names,
)
from leat.sources.settings import remember_secret, store_secrets_in
from leat.warehouse.url import is_postgres, is_shared_lake, passwords_in

if TYPE_CHECKING:
    from leat.sources.http.budget import Shared

__all__ = [
    "Project",
    "apart_from",
    "load_declaration",
    "load_declarations",
    "name_problem",
    "open_project",
    "parse_declaration",
    "read_declarations",
    "read_warnings",
]

_NONE: Mapping[str, str] = MappingProxyType({})
_RESERVED_PREFIXES = ("landing_", "pg_")  # schemas of the landings, and of Postgres itself


def open_project(folder: Path) -> Project:
    """Return the project of a folder; reads its variables and the demo's without overriding what is set.

    Raises:
        NoProfile: ``LEAT_PROFILE`` names a profile that isn't there.
        DeclarationError: the file that ``LEAT_OPERATOR_POLICY`` names has a mistake.
    """
    folder = folder.resolve()
    read_variables(folder)
    confine(folder)
    state = Path(os.environ.get("LEAT_HOME") or current_profile(folder).state).resolve()
    load_dotenv(state / "demo" / "env", override=False)
    warehouse_url = os.environ.get("LEAT_WAREHOUSE") or None
    control_url = os.environ.get("LEAT_CONTROL") or f"sqlite:///{state / 'control.db'}"
    for url in (warehouse_url, control_url):
        for password in passwords_in(url or ""):
            remember_secret(password)
    if is_shared_lake(warehouse_url or ""):
        for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):  # of the store that has its files
            if os.environ.get(name):
                remember_secret(os.environ[name])
    project = Project(folder, state, warehouse_url, control_url, os.environ.get("LEAT_WAREHOUSE_ENCRYPTION", ""))
    store_secrets_in(folder, ProjectSecrets(project))
    if is_postgres(control_url):
        from leat.sources.http.budget import share_budgets

        share_budgets(state / "sources" / ".budgets", cache(lambda: _shared_budgets(project)))
    return project


def _shared_budgets(project: Project) -> Shared:
    from leat.control.budgets import SharedBudgets
    from leat.control.store import open_control

    return SharedBudgets(open_control(project.control_url))


def load_declarations(
    project: Project, overrides: Mapping[str, Mapping[str, str]] = MappingProxyType({})
) -> dict[str, Declaration]:
    """Return every declaration of the project by name.

    Args:
        project: the project.
        overrides: what :func:`leat.control.store.overrides` returns.

    Raises:
        DeclarationError: with all mistakes of all files.
    """
    declarations, diagnostics = read_declarations(project, overrides)
    if diagnostics:
        raise DeclarationError(diagnostics)
    return declarations


def read_declarations(
    project: Project, overrides: Mapping[str, Mapping[str, str]] = MappingProxyType({})
) -> tuple[dict[str, Declaration], list[str]]:
    """Return every declaration without a mistake by name, and all mistakes of the others and of foreign keys.

    A foreign key that leads to a declaration with mistakes can't be judged.
    """
    declarations: dict[str, Declaration] = {}
    files: dict[str, YamlFile] = {}
    diagnostics = _duplicate_source_diagnostics(project)
    for path in project.declaration_paths():
        try:
            files[path.stem] = _read(path, project.shown(path), overrides.get(path.stem, _NONE))
            declarations[path.stem] = _declaration(files[path.stem], project.shown(path))
        except DeclarationError as error:
            diagnostics += error.diagnostics
    broken = {path.stem for path in project.declaration_paths()} - declarations.keys()
    for name, declaration in declarations.items():
        shown = project.shown(declaration.path)
        wrong_keys = foreign_key_diagnostics(declaration, declarations)
        diagnostics += apart_from(broken, [diagnostic_line(files[name], shown, loc, text) for loc, text in wrong_keys])
    return declarations, diagnostics


def read_warnings(
    project: Project,
    declarations: Mapping[str, Declaration],
    overrides: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> list[str]:
    """Return what is valid in declarations, but probably not meant: file, line and what to do."""
    warnings = []
    for name, declaration in declarations.items():
        shown = project.shown(declaration.path)
        file = _read(declaration.path, shown, overrides.get(name, _NONE))
        given = declaration.connection.warnings()
        warnings += [diagnostic_line(file, shown, ("connection", *loc), text) for loc, text in given]
    return warnings


def _duplicate_source_diagnostics(project: Project) -> list[str]:
    """Return a mistake for each of the project's own sources that has the name of one in leat."""
    return [
        f"sources/{name}/: leat has a source {name!r} itself (leat.sources.{name}), which would be used instead; "
        "rename the folder, and `source:` in the declarations that mean it"
        for name in duplicate_sources(project.folder / "sources")
    ]


def apart_from(broken: Collection[str], diagnostics: Iterable[str]) -> list[str]:
    """Return the mistakes that don't speak of integrations whose own declarations have mistakes."""
    names = re.compile(rf"\b({'|'.join(map(re.escape, broken))})\b") if broken else None
    return [each for each in diagnostics if names is None or not names.search(each.partition(": ")[2])]


def load_declaration(
    path: Path, shown: str, overrides: Mapping[str, str] = _NONE, *, draft: bool = False
) -> Declaration:
    """Parse and validate one file; foreign keys need the others and are not looked at.

    Args:
        path: the file.
        shown: how messages call it.
        overrides: values of the control store that go before those of the file.
        draft: whether what a preview proposes may be missing.

    Raises:
        DeclarationError: with every mistake in it.
    """
    return _declaration(_read(path, shown, overrides), shown, draft=draft)


def _read(path: Path, shown: str, overrides: Mapping[str, str]) -> YamlFile:
    name = path.stem
    if path.suffix != ".yaml":
        raise DeclarationError([f"{shown}: rename the file to {name}.yaml, else it isn't read"])
    if name_problem(name) is not None:
        raise DeclarationError([f"{shown}: the file's name must be a free lower-case identifier, like payments.yaml"])
    file = read_yaml(path, shown)
    if not isinstance(file.value, dict):
        raise DeclarationError([f"{shown}:1: expected keys such as `source: calendar`"])
    return apply_overrides(file, name, overrides) if overrides else file


def parse_declaration(text: str, path: Path, shown: str, *, draft: bool = False) -> Declaration:
    """Validate a declaration that is no file yet, as :func:`load_declaration` does.

    Args:
        text: its YAML.
        path: the file that it is to become.
        shown: how messages call that.
        draft: whether what a preview proposes may be missing.

    Raises:
        DeclarationError: with every mistake in it.
    """
    return _declaration(parse_yaml(text, path, shown), shown, draft=draft)


def name_problem(name: str) -> str | None:
    """Return what is wrong with the name of an integration; None if nothing is."""
    if NAME.fullmatch(name) and name not in RESERVED and not name.startswith(_RESERVED_PREFIXES):
        return None
    return "must be a free lower-case identifier, like payments"


def _declaration(file: YamlFile, shown: str, *, draft: bool = False) -> Declaration:
    driver = _driver_of(file, shown)
    value = dict(file.value)
    diagnostics = [diagnostic_line(file, shown, (key,), "unknown key") for key in ("name", "path") if key in value]
    inside = driver.Connection.model_fields.keys() - Declaration.model_fields.keys()
    misplaced = [key for key in value if key in inside]
    for key in misplaced:
        diagnostics.append(diagnostic_line(file, shown, (key,), "unknown key; it belongs under connection"))
        del value[key]
    connection = value.get("connection")
    try:
        value["connection"] = driver.Connection.model_validate({} if connection is None else connection)
    except ValidationError as error:
        if connection is not None:
            diagnostics += validation_diagnostics(file, shown, error, driver.Connection, ("connection",))
        elif not misplaced and not any(meant(key, ["connection"]) for key in value.keys() - {"connection"}):
            needed = ", ".join(name for name, each in driver.Connection.model_fields.items() if each.is_required())
            diagnostics.append(diagnostic_line(file, shown, ("connection",), f"is missing; it needs {needed}"))
        value["connection"] = driver.Connection.model_construct()
    try:
        declaration = Declaration.model_validate({**value, "name": file.path.stem, "path": file.path})
    except ValidationError as error:
        raise DeclarationError(diagnostics + validation_diagnostics(file, shown, error, Declaration, ())) from error
    if diagnostics and not load_streams(declaration.source):  # then the connection has the streams
        raise DeclarationError(diagnostics)
    diagnostics += [
        diagnostic_line(file, shown, loc, text) for loc, text in semantic_diagnostics(declaration, draft=draft)
    ]
    if diagnostics:
        raise DeclarationError(diagnostics)
    return declaration


def _driver_of(file: YamlFile, shown: str) -> Driver:
    for key, names in (("source", source_names), ("driver", lambda: driver_names(str(file.value["source"])))):
        value = file.value.get(key)
        if value not in names():
            forbidden = forbidden_source(value) if key == "source" else None
            if forbidden is not None:
                text = f"{value} is a source of this project, which is code, and {forbidden}"
                raise DeclarationError([diagnostic_line(file, shown, (key,), text)])
            what = "is missing" if value is None else f"{str(value)[:80]!r} is unknown"
            text = f"{what}{meant(str(value)[:80], names())}; valid: {', '.join(names())}"
            raise DeclarationError([diagnostic_line(file, shown, (key,), text)])
    return load_driver(file.value["source"], file.value["driver"])
