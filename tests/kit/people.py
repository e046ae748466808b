"""A small company in a warehouse: tables of several systems, and the models that say who is who."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy

from leat.assets.build import build
from leat.assets.model import Model
from leat.assets.model_files import load_models
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import load_declarations
from leat.pipelines.declare.system_columns import SYSTEM_COLUMNS
from leat.pipelines.load import state
from leat.quality.rule_files import Rule, load_rules
from leat.sources.driver import load_streams
from leat.warehouse.session import Session, quote
from tests.kit.loaded import REPOSITORY, declare, load, project, utc

NOW = utc(2026, 11, 20, 9)
LONG_AGO = NOW - timedelta(days=400)
SYSTEMS = ("calendar", "cloud_storage", "crm_accounting", "email", "payments", "sso", "version_control")
MODELS = (
    "known_addresses",
    "our_domains",
    "person_addresses",
    "identities",
    "people",
    "company_identities",
    "companies",
)

Row = dict[str, Any]
Tables = Mapping[str, Sequence[Row]]


@cache
def declarations() -> dict[str, Declaration]:
    """Return all systems, each called like its source; the tables of the REST API are those of this project."""
    return {**{name: declare(name) for name in SYSTEMS}, "support": load_declarations(project(REPOSITORY))["support"]}


@cache
def models(folder: Path, systems: frozenset[str]) -> tuple[Model, ...]:
    """Return the models about people, of a company that has these systems."""
    _link(folder, "assets/models", MODELS)
    return load_models(project(folder), {name: each for name, each in declarations().items() if name in systems})


@cache
def rule(folder: Path, name: str) -> Rule:
    """Return one rule of the project."""
    _link(folder / name, "quality/rules", (name,))
    return load_rules(project(folder / name), declarations(), MODELS)[0]


def _link(folder: Path, kind: str, names: Sequence[str]) -> None:
    (folder / kind).mkdir(parents=True, exist_ok=True)
    for name in names:
        for path in (REPOSITORY / kind).glob(f"{name}.*"):
            if not (folder / kind / path.name).exists():
                (folder / kind / path.name).symlink_to(path)


def load_company(
    session: Session, folder: Path, given: Mapping[str, Tables], systems: Sequence[str] = (*SYSTEMS, "support")
) -> None:
    """Load what is given and, without rows, what the models read in addition and all of sso; then build the models.

    Args:
        session: an open transaction of an empty warehouse.
        folder: where the files of the project are linked; the same for all tests.
        given: by integration and stream the rows.
        systems: the integrations that the company has.
    """
    built = models(folder, frozenset(systems))
    read = {(table.schema, table.name) for model in built for table in model.inputs}
    for number, name in enumerate(systems):
        tables = given.get(name, {})
        if name == "support":
            load_declared(session, name, tables, NOW)
            continue
        streams = [stream.name for stream in load_streams(name) if name == "sso" or (name, stream.name) in read]
        load(session, name, f"{number:03}", {**dict.fromkeys(streams, ()), **tables}, NOW)
    build(session, built, NOW)


def load_declared(session: Session, name: str, tables: Tables, at: datetime) -> None:
    """Load rows of an integration whose columns its declaration has."""
    state.create_tables(session)
    session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(name)}")
    declaration = declarations()[name]
    for stream in declaration.selected():
        kinds = {**{column.name: column.type for column in declaration.columns(stream)}, **SYSTEM_COLUMNS}
        listed = ", ".join(f"{quote(column)} {session.dialect.sql_type(kind)}" for column, kind in kinds.items())
        session.execute(f"CREATE TABLE {quote(name, stream.name)} ({listed})")
        for row in tables.get(stream.name, ()):
            marks = ", ".join(f"CAST(? AS {session.dialect.sql_type(kinds[column])})" for column in row)
            columns = ", ".join(map(quote, row))
            session.execute(f"INSERT INTO {quote(name, stream.name)} ({columns}) VALUES ({marks})", list(row.values()))
    state.write_load(session, "900", name, "sync", (at, at))


def rows_of(session: Session, model: str) -> list[Row]:
    """Return the rows of a model by column."""
    columns = list(session.columns("analytics", model))
    return [dict(zip(columns, row, strict=True)) for row in session.execute(f"SELECT * FROM analytics.{model}")]


def violations(session: Session, folder: Path, name: str) -> list[Row]:
    """Return what a rule finds now, sorted by its key."""
    checked = rule(folder, name)
    session.create_temporary("leat_found", checked.at(NOW, session.dialect))
    rows = session.sqlalchemy().execute(sqlalchemy.text("SELECT * FROM leat_found")).mappings()
    return sorted((dict(row) for row in rows), key=lambda row: [str(row[column]) for column in checked.key])


def user(login: str, email: str | None = None, **more: Any) -> Row:
    """Return an account that is active and has been there for long."""
    return {"id": f"id-{login}", "user_name": login, "email": email, "active": True, "created_at": LONG_AGO, **more}


def leaver(login: str, email: str | None, left_days_ago: float) -> tuple[Row, Row]:
    """Return an account that was deactivated, and since when."""
    gone = user(login, email, active=False, updated_at=NOW)
    return gone, {"user_id": gone["id"], "deactivated_at": NOW - timedelta(days=left_days_ago)}
