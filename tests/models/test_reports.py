"""The shipped reports name models and columns that there are; a mistake in a report has its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlglot import exp

from leat.assets.lineage import personal_columns
from leat.assets.model_files import load_models
from leat.assets.report import Figure
from leat.assets.report_files import columns_of, load_reports, parse_expression, read_reports
from leat.assets.report_query import is_personal, points_query, rows_query
from leat.pipelines.declare.project import load_declarations
from tests.kit.loaded import REPOSITORY, project, write

ANSWER = Figure(title="A", sentence="{last}", model="answers", by="account", value="SUM(hours) / COUNT(answer)",
                where="hours > 1 OR hours IS NULL", chart="bars")  # fmt: skip


def test_shipped_reports_fit_the_models() -> None:
    columns = {
        model.name: model.columns for model in load_models(project(REPOSITORY), load_declarations(project(REPOSITORY)))
    }
    reports = load_reports(project(REPOSITORY), columns)
    assert set(reports) == {"code", "email", "finance", "meetings", "payments", "security", "storage"}
    assert all(5 <= len(report.figures) <= 10 for report in reports.values())


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("model: answer, value: COUNT(*), chart: number", "no model 'answer'; did you mean \"answers\"?"),
        ("model: answers, value: SUM(hour), chart: number", "answers has no column 'hour'; did you mean \"hours\"?"),
        ("model: answers, value: COUNT(*), chart: bars", "bars need `by:`"),
        ("model: answers, value: SUM(hours), chart: number, unit: money", "money needs a model with the column"),
        ("model: answers, value: 'SUM((', chart: number", "can't be read as SQL"),
        ("model: answers, value: (SELECT 1), chart: number", "isn't one expression"),
        ("model: answers, value: 'COUNT(*) FROM x', chart: number", "isn't one expression"),
        ("model: answers, value: TODAY(), chart: number", "isn't proven to give the same"),
        ("model: answers, value: COUNT(*), chart: pie", "chart"),
    ],
)
def test_a_mistake_has_its_line(tmp_path: Path, line: str, text: str) -> None:
    text_of = f"title: A\ndescription: B.\nfigures:\n  one: {{title: A, sentence: b, {line}}}\n"
    found, diagnostics = read_reports(write(tmp_path, "assets/reports", {"a.yaml": text_of}), {"answers": ["hours"]})
    assert found == {}
    assert len(diagnostics) == 1, diagnostics
    assert diagnostics[0].startswith("assets/reports/a.yaml:4: figures.one")
    assert text in diagnostics[0]


def test_rows_are_those_of_the_point_on_both_engines() -> None:
    text = rows_query(ANSWER, "postgres", ["account"], "EUR", ["it's"])
    assert " ".join(text.split()).endswith(
        "WHERE ( currency = 'EUR' AND ( hours > 1 OR hours IS NULL ) ) AND account = 'it''s'"
    )
    assert "account IS NULL" in rows_query(ANSWER, "duckdb", ["account"], None, [None])
    assert "CAST(SUM(hours) AS DOUBLE PRECISION)" in points_query(ANSWER, "postgres")
    assert "LIMIT" not in points_query(ANSWER, "duckdb", every=True)


def test_a_figure_is_personal_if_it_shows_a_personal_column() -> None:
    assert is_personal(ANSWER, frozenset({"account"}))
    assert is_personal(ANSWER, frozenset({"hours"}))
    assert not is_personal(ANSWER, frozenset({"answer"})), "it is only counted"
    assert not is_personal(ANSWER.model_copy(update={"personal": False}), frozenset({"account"}))


SHARED = {("finance", "differences"): "its labels are words of the model, such as payout, not texts of a person"}
"""Figures by a column that lineage takes to be personal, and why it isn't."""


def test_no_figure_for_everybody_shows_a_single_person() -> None:
    """What is marked ``personal: false`` is by no column of a person, adds people up, and picks none of them out."""
    declarations = load_declarations(project(REPOSITORY))
    personal = personal_columns(load_models(project(REPOSITORY), declarations), declarations)
    wrong, checked = [], 0
    for area, report in load_reports(project(REPOSITORY)).items():
        for name, figure in report.figures.items():
            if is_personal(figure, personal[figure.model]):
                continue
            checked += 1
            where = f"{area}.{name}"
            by = parse_expression(figure.by) if figure.by else None
            dated = isinstance(by, exp.Cast) and by.is_type("date")
            if by is not None and not dated and (area, name) not in SHARED:
                wrong += [f"{where}: by {each}" for each in columns_of(by) & personal[figure.model]]
            for column in parse_expression(figure.value).find_all(exp.Column):
                if column.name in personal[figure.model] and not column.find_ancestor(exp.Sum, exp.Avg, exp.Count):
                    wrong.append(f"{where}: value {column.name}")
            for column in parse_expression(figure.where).find_all(exp.Column) if figure.where else ():
                texts = (
                    [each for each in column.parent.find_all(exp.Literal) if each.is_string] if column.parent else []
                )
                if column.name in personal[figure.model] and texts:
                    wrong.append(f"{where}: where {column.name} is {texts[0]}")
    assert wrong == []
    assert checked > 30
