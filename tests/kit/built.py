"""Some of the shipped models, built from rows of several integrations that a test makes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from leat.assets.build import build
from leat.assets.model_files import load_models
from leat.warehouse.session import Warehouse, quote
from tests.kit.loaded import REPOSITORY, declare, load, project

Row = dict[str, Any]


def build_shipped(
    warehouse: Warehouse,
    folder: Path,
    names: Iterable[str],
    given: Mapping[str, Mapping[str, Iterable[Row]]],
    at: datetime,
) -> dict[str, list[Row]]:
    """Load rows into streams, one load per integration, and return the rows of the models named.

    Args:
        warehouse: an empty one.
        folder: a folder for a project with these models alone.
        names: the models to build, with those that they read.
        given: rows by integration and stream; what isn't named here isn't declared or loaded.
        at: when the loads are applied.
    """
    into = folder / "assets" / "models"
    into.mkdir(parents=True)
    for name in names:
        shutil.copy(REPOSITORY / "assets" / "models" / f"{name}.sql", into)
    models = load_models(project(folder), {name: declare(name) for name in given})
    results: dict[str, list[Row]] = {}
    with warehouse.transaction() as session:
        for number, (integration, tables) in enumerate(given.items()):
            rows = {name: [_as_text(row) for row in each] for name, each in tables.items()}
            load(session, integration, f"{number:03}", rows, at)
        for result in build(session, models, at):
            assert result.status == "built", result
            columns = list(session.columns("analytics", result.name))
            made = session.execute(f"SELECT * FROM {quote('analytics', result.name)}")
            results[result.name] = [dict(zip(columns, row, strict=True)) for row in made]
    return results


def _as_text(row: Row) -> Row:
    """Write days as text, which both engines cast."""
    return {name: str(value) if type(value) is date else value for name, value in row.items()}
