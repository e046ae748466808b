"""Reports: figures of the models by area, whether their inputs can be trusted, the SQL and the rows behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from leat.assets.report import Figure, Report
from leat.assets.report_query import points_query, rows_query
from leat.catalog.site.contents import Contents
from leat.pipelines.declare.table_names import ANALYTICS
from leat.runs.access import Resource
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.pages.contents import all_inputs, contents_of, inputs_of, origins
from leat.serve.pages.csv_file import csv_response
from leat.serve.pages.figures import Asked, Reader, Shown, read_currencies, read_figures, resources_of
from leat.serve.pages.render import page
from leat.serve.pages.route import PageRoute
from leat.serve.problem import Problem
from leat.warehouse.session import literal

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_ROWS = 50
Word = Annotated[str, Query(max_length=200)]


@router.get("/reports")
def list_reports(guard: AsGuard, request: Request) -> Response:
    """Show the areas."""
    guard.require("read", Resource("report"))
    reports, mistakes = guard.workspace.reports
    reports = {name: report for name, report in reports.items() if guard.may("read", Resource("report", name))}
    contents = contents_of(guard)
    read = {name: origins(contents, _tables(report)) for name, report in reports.items()} if contents else {}
    everything = all_inputs(guard) if read else []
    inputs = {name: [each for each in everything if each.integration in wanted] for name, wanted in read.items()}
    return page(request, "reports.html", reports=reports, inputs=inputs, mistakes=mistakes, loaded=contents is not None)


@router.get("/reports/{area}")
def show_report(guard: AsGuard, request: Request, area: str, currency: Word = "") -> Response:
    """Show the figures of an area."""
    report = _report(guard, area)
    contents = contents_of(guard)
    if contents is None:
        return page(request, "report.html", area=area, report=report, figures=[], inputs=[], currencies=(), currency="")
    with _reader(guard, report) as reader:
        currencies = read_currencies(reader, contents, report)
        figures = list(read_figures(guard, reader, contents, Asked(area, report.figures, currency), currencies))
    _record(guard, contents, figures)
    return page(request, "report.html", area=area, report=report, figures=figures, currencies=currencies.names,
                inputs=inputs_of(guard, contents, _tables(report)),
                currency=currencies.chosen(currency))  # fmt: skip


@router.get("/reports/{area}/{name}.csv")
def export_figure(guard: AsGuard, area: str, name: str, currency: Word = "") -> Response:
    """Return all points of a figure as a file."""
    contents, figure = _figure(guard, area, name)
    guard.require("export", resources_of(area, figure, contents))
    report = Report(title=area, description=area, figures={name: figure})
    with _reader(guard, report) as reader:
        currencies = read_currencies(reader, contents, report)
        chosen = currencies.chosen(currency) if currencies.names else None
        rows = reader.rows(points_query(figure, reader.dialect, chosen, every=True))
        revealed = list(reader.reveal.rows(rows))
    columns = ["value"] if figure.by is None else ["label", "value"]
    return csv_response(f"{area}-{name}.csv", columns, [dict(zip(columns, row, strict=True)) for row in revealed])


@router.get("/reports/{area}/{name}")
def show_figure(
    guard: AsGuard, request: Request, area: str, name: str, at: Word | None = None, currency: Word = ""
) -> Response:
    """Show a figure with the rows behind it, or behind one of its points."""
    contents, figure = _figure(guard, area, name)
    guard.require("read", resources_of(area, figure, contents))
    report = _report(guard, area)
    with _reader(guard, report) as reader:
        currencies = read_currencies(reader, contents, report)
        shown = next(read_figures(guard, reader, contents, Asked(area, {name: figure}, currency), currencies))
        rows = _rows(guard, reader, contents, shown, at) if shown.state == "ok" else {"rows": ()}
    described = contents.tables.get((ANALYTICS, figure.model))
    columns = {row["column_name"]: row["description"] for row in contents.columns.get((ANALYTICS, figure.model), ())}
    return page(request, "figure.html", area=area, report=report, shown=shown, described=described, meanings=columns,
                inputs=inputs_of(guard, contents, [(ANALYTICS, figure.model)]), at=at,
                may_export=all(guard.may("export", each) for each in resources_of(area, figure, contents)),
                may_query=guard.may("query", Resource("query")), **rows)  # fmt: skip


def _reader(guard: Guard, report: Report) -> Reader:
    models = sorted({figure.model for figure in report.figures.values()})
    return Reader(guard.workspace.warehouse, guard.reveal(*(Resource("model", model) for model in models)))


def _rows(guard: Guard, reader: Reader, contents: Contents, shown: Shown, at: str | None) -> dict[str, Any]:
    """Return the rows behind a figure; none of a model with personal columns to whoever may not see those.

    A row may be about one person, whom its other columns give away.
    """
    if at is not None and at not in shown.labels:
        raise Problem(404, "no-such-point", "the figure has no such point now", "look at the figure")
    model = shown.figure.model
    listed = contents.columns[ANALYTICS, model]
    if any(row["personal"] for row in listed):
        personal = Resource("model", model, tags=frozenset({"personal"}))
        if not guard.may("read", personal):
            return {"rows": (), "withheld": True}
        guard.require("read", personal)  # so that it is in the audit log
    columns = [row["column_name"] for row in listed if row["type"] is not None]
    label = () if at is None else (shown.labels[at],)
    sql = rows_query(shown.figure, reader.dialect, columns, shown.currency, label)
    counted = reader.rows(f"SELECT COUNT(*) FROM ({sql}) AS counted")
    return {
        "columns": columns,
        "total": counted[0][0],
        "rows": list(reader.reveal.rows(reader.rows(f"{sql}\nLIMIT {literal(_ROWS)}"))),
        "rows_sql": sql,
        "query_at": "/query?" + urlencode({"sql": sql}),
        "point": None if at is None else next(p for p in shown.chart.points if f"at={_quoted(at)}" in p.at)
        if shown.chart else None,
    }  # fmt: skip


def _quoted(at: str) -> str:
    return urlencode({"at": at})[3:] + "#"


def _report(guard: Guard, area: str) -> Report:
    """Return a report that the caller may read.

    Raises:
        Problem: there is none, or it has a mistake.
    """
    guard.require("read", Resource("report", area))
    reports, mistakes = guard.workspace.reports
    if area in reports:
        return reports[area]
    own = [text for text in mistakes if f"/{area}.y" in text]
    if own:
        raise Problem(409, "report-has-mistakes", f"the report {area} has a mistake: {own[0]}", "correct the file")
    raise Problem(404, "no-such-report", f"there is no report {area}", "look at the list of reports")


def _figure(guard: Guard, area: str, name: str) -> tuple[Contents, Figure]:
    report, contents = _report(guard, area), contents_of(guard)
    if contents is None:
        raise Problem(404, "nothing-published", "nothing was loaded yet", "run an integration first")
    if name not in report.figures:
        raise Problem(404, "no-such-figure", f"the report {area} has no figure {name}", "look at the report")
    return contents, report.figures[name]


def _record(guard: Guard, contents: Contents, figures: Sequence[Shown]) -> None:
    """Record once that personal data was shown."""
    personal = [
        resource
        for shown in figures
        if shown.state == "ok"
        for resource in resources_of(shown.report, shown.figure, contents)
        if resource.kind == "report" and resource.tags
    ]
    guard.require("read", personal[:1])


def _tables(report: Report) -> list[tuple[str, str]]:
    return [(ANALYTICS, figure.model) for figure in report.figures.values()]
