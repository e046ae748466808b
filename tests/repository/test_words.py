"""Plain English: words that leat uses neither in docs, descriptions, help and docstrings nor in names of its code."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from leat.assets.report import reports_schema
from leat.catalog.document import documented_sources
from leat.catalog.tables import ALL
from leat.cli.commands import app_for
from leat.hooks.out.declaration import webhooks_schema
from leat.pipelines.declare.json_schema import json_schema
from leat.pipelines.load.system_tables import TABLES
from leat.quality.alerts.schema import alerts_schema
from leat.security.policy_declaration import policy_schema
from leat.sources.driver import describe_source, driver_names, load_driver, load_streams

ROOT = Path(__file__).parents[2]
NOT_USED = re.compile(
    r"\b(tells?|telling|told|keeps?(?!-id)|keeping|kept|known|found|ours|stands|anew|beside|mend(?:s|ed|ing)?)\b"
    r"|\bof which\b",
    re.IGNORECASE,
)
_OF_LIBRARIES = ("found character '\\t'",)
_PRODUCT = ("assets", "bench", "dagster_project", "demo", "leat", "pipelines", "quality", "sources", "warehouse")
_NAME = re.compile(
    r"tells?|telling|told|keeps?|keeping|kept|known|found|ours|stands?|standing|anew|beside|mend(s|ed|ing)?"
)
_NAMES_ALLOWED = re.compile(  # HTTP 404, and a name of the standard library
    r"(\w+)?NotFound(Error)?|not_found|keep_blank_values"
)


def said_badly(text: str) -> list[str]:
    """Return the lines of a text that use one of these words."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if NOT_USED.search(line)]


def in_streams() -> Iterator[tuple[str, str]]:
    for source in documented_sources():
        yield source, describe_source(source)
        for stream in load_streams(source):
            yield f"{source}.{stream.name}", "\n".join([stream.description, *stream.quirks])
            yield from ((f"{source}.{stream.name}.{c.name}", c.description) for c in stream.all_columns())


def in_connections() -> Iterator[tuple[str, str]]:
    for source in documented_sources():
        for driver in driver_names(source):
            yield from in_schema(f"{source}/{driver}", load_driver(source, driver).Connection.model_json_schema())


def in_schemas() -> Iterator[tuple[str, str]]:
    yield from in_schema("schema.json", json_schema())
    yield from in_schema("alerts.schema.json", alerts_schema())
    yield from in_schema("policies.schema.json", policy_schema())
    yield from in_schema("reports.schema.json", reports_schema())
    yield from in_schema("webhooks.schema.json", webhooks_schema())


def in_schema(at: str, part: Any) -> Iterator[tuple[str, str]]:
    """Yield the descriptions in a JSON Schema."""
    if isinstance(part, Mapping):
        if isinstance(part.get("description"), str):
            yield at, part["description"]
        for name, value in part.items():
            yield from in_schema(f"{at}.{name}", value)
    elif isinstance(part, list):
        for each in part:
            yield from in_schema(at, each)


def in_headers() -> Iterator[tuple[str, str]]:
    """Yield the headers of models and rules."""
    for path in (*(ROOT / "assets" / "models").glob("*.sql"), *(ROOT / "quality" / "rules").glob("*.sql")):
        header = re.match(r"/\* ---\n(.*?)--- \*/", path.read_text(encoding="utf-8"), re.DOTALL)
        if header:  # a variant for Postgres has none
            yield path.name, yaml.safe_dump(yaml.safe_load(header[1]), allow_unicode=True, width=1000)


def in_system_tables() -> Iterator[tuple[str, str]]:
    for name, table in (*TABLES.items(), *ALL.items()):
        yield name, table.description
        yield from ((f"{name}.{column.name}", column.description) for column in table.columns)


def in_messages() -> Iterator[tuple[str, str]]:
    """Yield the texts in code that may be shown: strings of several words that are neither docstrings nor SQL."""
    for folder in ("assets", "dagster_project", "leat", "pipelines", "quality", "sources", "warehouse"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
                    text = node.value.strip()
                    if " " in text and not re.search(r"\b(SELECT|CREATE)\b", text) and text not in _OF_LIBRARIES:
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def in_docstrings() -> Iterator[tuple[str, str]]:
    """Yield docstrings, those of tests too, without code in backticks."""
    for path in (*modules(), *sorted((ROOT / "tests").rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", re.sub(r"`[^`]+`", "", node.value.value)


def in_comments() -> Iterator[tuple[str, str]]:
    """Yield comments."""
    for path in modules():
        text = path.read_text(encoding="utf-8")
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and not token.string.startswith("# type:"):
                yield f"{path.relative_to(ROOT)}:{token.start[0]}", token.string


def modules() -> Iterator[Path]:
    for folder in _PRODUCT:
        yield from sorted((ROOT / folder).rglob("*.py"))


def names_in(path: Path) -> Iterator[str]:
    """Yield the parts of all names in a module, and of its own name, in lower case."""
    with path.open("rb") as file:
        tokens = tokenize.tokenize(file.readline)
        names = [path.stem, *(token.string for token in tokens if token.type == tokenize.NAME)]
    for name in dict.fromkeys(names):
        if not _NAMES_ALLOWED.fullmatch(name):
            yield from (part.lower() for part in re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).split("_"))


def in_help() -> Iterator[tuple[str, str]]:
    root: Any = typer.main.get_command(app_for())
    yield "leat", root.help or ""
    for name, command in root.commands.items():
        yield f"leat {name}", command.help or ""
        for parameter in command.params:
            yield f"leat {name} {parameter.name}", getattr(parameter, "help", None) or ""


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]), ids=lambda page: str(page.relative_to(ROOT))
)
def test_pages_are_in_plain_english(page: Path) -> None:
    assert said_badly(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "texts",
    [
        in_streams,
        in_connections,
        in_schemas,
        in_headers,
        in_system_tables,
        in_messages,
        in_docstrings,
        in_comments,
        in_help,
    ],
    ids=lambda f: f.__name__,
)
def test_descriptions_are_in_plain_english(texts: Any) -> None:
    assert [(at, line) for at, text in texts() for line in said_badly(text)] == []


def test_names_are_in_plain_english() -> None:
    named = {
        str(path.relative_to(ROOT)): sorted({n for n in names_in(path) if _NAME.fullmatch(n)}) for path in modules()
    }
    assert {path: names for path, names in named.items() if names} == {}
