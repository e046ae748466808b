"""Some of the models that the project ships, read without all others, and built from rows that a test writes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from leat.assets.build import build
from leat.assets.model import Model
from leat.assets.model_files import load_models
from leat.sources.driver import load_streams
from leat.warehouse.session import Warehouse
from tests.kit.loaded import REPOSITORY, declare, load, project

Rows = list[dict[str, Any]]


def some_models(folder: Path, names: Iterable[str], integrations: Iterable[str]) -> tuple[Model, ...]:
    """Copy the files of models into a project of their own and return them, inputs first.

    Args:
        folder: an empty folder.
        names: the models; those that they read have to be among them.
        integrations: what the project declares.
    """
    into = folder / "assets" / "models"
    into.mkdir(parents=True)
    for name in names:
        for file in (REPOSITORY / "assets" / "models").glob(f"{name}.*"):
            shutil.copy(file, into)
    return load_models(project(folder), {name: declare(name) for name in integrations})


def built(
    warehouse: Warehouse,
    models: Sequence[Model],
    integration: str,
    tables: Mapping[str, Iterable[Mapping[str, Any]]],
    now: datetime,
) -> dict[str, Rows]:
    """Load rows, other streams that the models read are empty, build the models; their rows, in the order of all."""
    every = {stream.name for stream in load_streams(integration)}
    assert tables.keys() <= every
    wanted = {table.name for model in models for table in model.inputs if table.schema == integration}
    given = {name: [_as_text(row) for row in tables.get(name, ())] for name in sorted(wanted)}
    results: dict[str, Rows] = {}
    with warehouse.transaction() as session:
        load(session, integration, "001", given, now)
        for result in build(session, models, now):
            assert result.status == "built", result
            columns = list(session.columns("analytics", result.name))
            listed = ", ".join(str(n) for n in range(1, len(columns) + 1))
            rows = session.execute(f"SELECT * FROM analytics.{result.name} ORDER BY {listed}")
            results[result.name] = [dict(zip(columns, row, strict=True)) for row in rows]
    return results


def _as_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write days as text, which both engines cast."""
    return {name: str(value) if type(value) is date else value for name, value in row.items()}


def only(rows: Rows, *columns: str) -> list[tuple[Any, ...]]:
    """Return some columns of rows."""
    return [tuple(row[column] for column in columns) for row in rows]
