"""A project: a folder with ``pipelines/*.yaml``, ``assets/models/``, ``quality/rules/`` and its state in ``.leat/``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dotenv import load_dotenv
from pydantic import ValidationError

from pipelines.declaration import NAME, RESERVED, Declaration, Range, StreamOptions
from pipelines.mistakes import dotted, meant, validation_mistakes
from pipelines.yaml_file import DeclarationError, Loc, YamlFile, read_yaml
from sources.driver import Driver, add_sources, driver_names, load_driver, load_streams, source_names
from sources.stream import Stream


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder and where its state is kept.

    Attributes:
        folder: the project folder.
        state: ``LEAT_HOME``, or ``.leat`` in the folder.
        warehouse_url: ``LEAT_WAREHOUSE``; None for the embedded DuckDB warehouse.
        control_url: ``LEAT_CONTROL``, or SQLite in the state folder.
    """

    folder: Path
    state: Path
    warehouse_url: str | None
    control_url: str

    def declaration_paths(self) -> list[Path]:
        """Return the files of the declarations, sorted by name."""
        return sorted((self.folder / "pipelines").glob("*.yaml"))

    def shown(self, path: Path) -> str:
        """Return a path as messages show it: relative to the project where it can be."""
        return str(path.relative_to(self.folder)) if path.is_relative_to(self.folder) else str(path)


def open_project(folder: Path) -> Project:
    """Return the project of a folder; reads ``.env`` and the demo's variables without overriding what is set."""
    folder = folder.resolve()
    load_dotenv(folder / ".env", override=False)
    add_sources(folder / "sources")
    state = Path(os.environ.get("LEAT_HOME") or folder / ".leat").resolve()
    load_dotenv(state / "demo" / "env", override=False)
    return Project(
        folder=folder,
        state=state,
        warehouse_url=os.environ.get("LEAT_WAREHOUSE") or None,
        control_url=os.environ.get("LEAT_CONTROL") or f"sqlite:///{state / 'control.db'}",
    )


def load_declarations(project: Project) -> dict[str, Declaration]:
    """Return every declaration of the project by name.

    Raises:
        DeclarationError: with all mistakes of all files.
    """
    declarations: dict[str, Declaration] = {}
    mistakes: list[str] = []
    for path in project.declaration_paths():
        try:
            declaration = load_declaration(path, project.shown(path))
        except DeclarationError as error:
            mistakes += error.mistakes
        else:
            declarations[declaration.name] = declaration
    if mistakes:
        raise DeclarationError(mistakes)
    for declaration in declarations.values():
        mistakes += _foreign_key_mistakes(project, declaration, declarations)
    if mistakes:
        raise DeclarationError(mistakes)
    return declarations


def load_declaration(path: Path, shown: str) -> Declaration:
    """Parse and validate one file.

    Raises:
        DeclarationError: with every mistake in it.
    """
    if not NAME.fullmatch(path.stem) or path.stem in RESERVED:
        raise DeclarationError([f"{shown}: the file's name must be a free lower-case identifier, like payments.yaml"])
    file = read_yaml(path, shown)
    if not isinstance(file.value, dict):
        raise DeclarationError([f"{shown}:1: expected keys such as `source: calendar`, got {file.value!r}"])
    driver = _driver_of(file, shown)
    value = dict(file.value)
    mistakes: list[str] = []
    try:
        value["connection"] = driver.Connection.model_validate(value.get("connection") or {})
    except ValidationError as error:
        mistakes += validation_mistakes(file, shown, error, driver.Connection, ("connection",))
        value["connection"] = driver.Connection.model_construct()
    try:
        declaration = Declaration.model_validate({**value, "name": path.stem, "path": path})
    except ValidationError as error:
        raise DeclarationError(mistakes + validation_mistakes(file, shown, error, Declaration, ())) from error
    mistakes += [f"{shown}:{file.line(loc)}: {dotted(loc)}: {text}" for loc, text in _semantics(declaration)]
    if mistakes:
        raise DeclarationError(mistakes)
    return declaration


def _driver_of(file: YamlFile, shown: str) -> Driver:
    for key, known in (("source", source_names), ("driver", lambda: driver_names(str(file.value["source"])))):
        value = file.value.get(key)
        if value not in known():
            what = "is missing" if value is None else f"{value!r} is unknown"
            raise DeclarationError(
                [f"{shown}:{file.line((key,))}: {key}: {what}{meant(str(value), known())}; known: {', '.join(known())}"]
            )
    return load_driver(file.value["source"], file.value["driver"])


def _semantics(declaration: Declaration) -> Iterator[tuple[Loc, str]]:
    """Yield what the types can't say: names of streams and columns, the cron expression."""
    streams = {stream.name: stream for stream in load_streams(declaration.source)}
    if declaration.schedule is not None and not _is_cron(declaration.schedule):
        yield ("schedule",), f'{declaration.schedule!r} is no cron expression; write "*/15 * * * *" for each 15 minutes'
    for name, options in declaration.streams.items():
        stream = streams.get(name)
        if stream is None:
            yield ("streams", name), f"unknown stream{meant(name, streams)}; known: {', '.join(streams)}"
            continue
        for i, column in enumerate(options.exclude):
            if column in stream.key:
                yield ("streams", name, "exclude", i), f"{column} is part of the key and can't be left out"
        columns = {column.name: column for column in stream.all_columns()}
        for loc, column in _columns_named(options):
            if column not in columns:
                yield ("streams", name, *loc), f"unknown column {column!r}{meant(column, columns)}"
        for i, column in enumerate(options.mask if isinstance(options.mask, tuple) else ()):
            if column in columns and columns[column].type not in ("string", "json"):
                yield ("streams", name, "mask", i), f"{column} is {columns[column].type}; only text can be hashed"


def _columns_named(options: StreamOptions) -> Iterator[tuple[Loc, str]]:
    for i, column in enumerate(options.exclude):
        yield ("exclude", i), column
    for i, column in enumerate(options.mask if isinstance(options.mask, tuple) else ()):
        yield ("mask", i), column
    for i, check in enumerate(options.checks):
        value = getattr(check, check.kind)
        for column in () if isinstance(value, Range) else value:
            yield ("checks", i, check.kind, column), column


def _foreign_key_mistakes(project: Project, declaration: Declaration, known: dict[str, Declaration]) -> list[str]:
    mistakes = []
    for name, options in declaration.streams.items():
        for i, check in enumerate(options.checks):
            for column, target in (check.foreign_key or {}).items():
                text = _foreign_key_mistake(declaration, target, known)
                if text:
                    loc: Loc = ("streams", name, "checks", i, "foreign_key", column)
                    shown = project.shown(declaration.path)
                    line = read_yaml(declaration.path, shown).line(loc)
                    mistakes.append(f"{shown}:{line}: {dotted(loc)}: {text}")
    return mistakes


def _foreign_key_mistake(declaration: Declaration, target: str, known: dict[str, Declaration]) -> str | None:
    parts = target.split(".")
    if len(parts) not in (2, 3):
        return f"{target!r}: write stream.column or integration.stream.column"
    integration = parts[0] if len(parts) == 3 else declaration.name
    if integration not in known:
        return f"{target!r}: no integration {integration!r} is declared{meant(integration, known)}"
    streams: dict[str, Stream] = {stream.name: stream for stream in known[integration].selected()}
    if parts[-2] not in streams:
        return f"{target!r}: no stream {parts[-2]!r} is loaded{meant(parts[-2], streams)}"
    columns = [column.name for column in known[integration].columns(streams[parts[-2]])]
    return None if parts[-1] in columns else f"{target!r}: no column {parts[-1]!r}{meant(parts[-1], columns)}"


def _is_cron(text: str) -> bool:
    bounds = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    fields = text.split()
    return len(fields) == len(bounds) and all(map(_is_cron_field, fields, bounds))


def _is_cron_field(text: str, bounds: tuple[int, int]) -> bool:
    for part in text.split(","):
        span, _, step = part.partition("/")
        if step and (not step.isdigit() or int(step) == 0):
            return False
        numbers = [] if span == "*" else span.split("-")
        if len(numbers) > 2 or not all(n.isdigit() and bounds[0] <= int(n) <= bounds[1] for n in numbers):
            return False
    return True
