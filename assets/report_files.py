"""Reads ``assets/reports/*.yaml`` and checks it against the models; every mistake has its file and line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from leat.assets.report import CURRENCY, FIGURE_NAME, Figure, Report
from leat.pipelines.declare.declared_file import check_file_name, read_declared, yaml_paths
from leat.pipelines.declare.diagnostics import diagnostic_line, meant
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.yaml_file import DeclarationError, Loc

if TYPE_CHECKING:
    from sqlglot import exp

Columns = Mapping[str, Collection[str]]
"""The columns of each model."""


def report_paths(project: Project) -> list[Path]:
    """Return the files of reports, sorted; the folder need not be there."""
    return yaml_paths(project.folder / "assets" / "reports")


def load_reports(project: Project, columns: Columns | None = None) -> dict[str, Report]:
    """Return the reports of a project by name.

    Args:
        project: the project.
        columns: the columns of each model; with them, the names that figures use are checked, too.

    Raises:
        DeclarationError: with all mistakes of all files.
    """
    reports, diagnostics = read_reports(project, columns)
    if diagnostics:
        raise DeclarationError(diagnostics)
    return reports


def read_reports(project: Project, columns: Columns | None = None) -> tuple[dict[str, Report], list[str]]:
    """Return every report without a mistake by name, and all mistakes of the others."""
    reports: dict[str, Report] = {}
    diagnostics: list[str] = []
    for path in report_paths(project):
        try:
            reports[path.stem] = _read(path, project.shown(path), columns)
        except DeclarationError as error:
            diagnostics += error.diagnostics
    return reports, diagnostics


def _read(path: Path, shown: str, columns: Columns | None) -> Report:
    check_file_name(path, shown, FIGURE_NAME, "payments.yaml")
    file, report = read_declared(path, shown, Report, "figures")
    wrong = [
        diagnostic_line(file, shown, ("figures", name, *loc), text)
        for name, figure in report.figures.items()
        for loc, text in _mistakes(figure, columns)
    ]
    if wrong:
        raise DeclarationError(wrong)
    return report


def _mistakes(figure: Figure, columns: Columns | None) -> Iterator[tuple[Loc, str]]:
    if figure.by is None and figure.chart != "number":
        yield ("chart",), f"{figure.chart} need `by:`, what the value is measured by"
    if columns is not None and figure.model not in columns:
        yield ("model",), f"there is no model {figure.model!r}{meant(figure.model, columns)}"
        return
    there = None if columns is None else columns[figure.model]
    if there is not None and figure.unit == "money" and CURRENCY not in there:
        yield ("unit",), f"money needs a model with the column {CURRENCY}"
    for key in ("by", "value", "where"):
        text = getattr(figure, key)
        if text is None:
            continue
        try:
            read = parse_expression(text)
        except ValueError as error:
            yield (key,), str(error)
            continue
        for name in sorted(columns_of(read) - set(there)) if there is not None else ():
            yield (key,), f"{figure.model} has no column {name!r}{meant(name, there or ())}"


def parse_expression(text: str) -> exp.Expr:
    """Return an SQL expression over the columns of one model, in DuckDB's dialect.

    Raises:
        ValueError: it is none, it reads a table, or it may differ on Postgres.
    """
    import sqlglot
    from sqlglot import exp

    from leat.pipelines.declare.portable import unportable

    try:
        query = sqlglot.parse_one(f"SELECT {text}", read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        msg = f"it can't be read as SQL: {str(error).splitlines()[0]}"
        raise ValueError(msg) from error
    alone = set(_parts(query)) <= {"expressions"} and len(query.expressions) == 1
    tables = query.find_all(exp.Subquery, exp.Table)
    if not isinstance(query, exp.Select) or not alone or next(tables, None) is not None:
        msg = "it isn't one expression over columns of the model"
        raise ValueError(msg)
    for _, why in unportable(query):
        raise ValueError(why)
    read: exp.Expr = query.expressions[0]
    return read


def columns_of(expression: exp.Expr) -> set[str]:
    """Return the columns that an expression reads."""
    from sqlglot import exp

    return {column.name for column in expression.find_all(exp.Column)}


def columns_shown(expression: exp.Expr) -> set[str]:
    """Return the columns whose values an expression shows; those that are only counted aren't shown."""
    from sqlglot import exp

    return {column.name for column in expression.find_all(exp.Column) if column.find_ancestor(exp.Count) is None}


def _parts(query: exp.Expr) -> Iterator[str]:
    return (key for key, value in query.args.items() if value)
