"""Every figure of the shipped reports can be computed from the demo, and gives the same on both warehouses."""

from __future__ import annotations

from typing import Any

import pytest

from leat.assets.report import CURRENCY, Figure
from leat.assets.report_files import load_reports
from leat.assets.report_query import points_query, rows_query
from leat.warehouse.session import Session
from tests.company.conftest import Both
from tests.kit.loaded import REPOSITORY, project

OF_RUNS = ("storage_growth",)
"""Models with the days on which leat read, which each warehouse has of its own."""


def _points(session: Session, figure: Figure) -> list[tuple[Any, ...]]:
    currency = "EUR" if CURRENCY in session.columns("analytics", figure.model) else None
    rows = session.execute(points_query(figure, session.dialect.name, currency, every=True))
    columns = list(session.columns("analytics", figure.model))
    for label, *_ in rows[:1] if figure.by else ():
        behind = session.execute(rows_query(figure, session.dialect.name, columns, currency, [label]))
        assert behind, (figure.title, label)
    values = [(*row[:-1], None if row[-1] is None else pytest.approx(float(row[-1]))) for row in rows]
    return sorted(values, key=lambda row: str(row[0]))


def test_every_figure_gives_the_same_on_both_warehouses(both: Both) -> None:
    reports = load_reports(project(REPOSITORY))
    with both.duckdb.published() as duckdb, both.other.published() as postgres:
        for name, report in reports.items():
            for figure_name, figure in report.figures.items():
                one, other = _points(duckdb, figure), _points(postgres, figure)
                if figure.model in OF_RUNS:
                    one, other = one[-1:], other[-1:]
                assert [row[1:] for row in one] == [row[1:] for row in other], (name, figure_name)
                if figure.model not in OF_RUNS:
                    assert [row[0] for row in one] == [row[0] for row in other], (name, figure_name)
