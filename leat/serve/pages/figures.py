"""Figures of a report: their points as readers see them, drawn, with a sentence and the SQL behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from leat.assets.report import CURRENCY, Figure, Report
from leat.assets.report_query import is_personal, points_query
from leat.catalog.site.contents import Contents
from leat.pipelines.declare.table_names import ANALYTICS
from leat.runs.access import Resource
from leat.runs.reveal import Reveal
from leat.serve.api.guard import Guard
from leat.serve.pages.charts import Chart, Point, bars, columns, line
from leat.serve.pages.units import label_texts, slots, value_text
from leat.warehouse.dialect import DialectName
from leat.warehouse.session import Warehouse, WarehouseError

_NOTHING = "~"
"""How an address calls the point of rows that say nothing."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure as a page shows it.

    Attributes:
        report: name of its report.
        name: its own name.
        figure: how it is declared.
        state: ok, empty (there are no rows), missing (there is no such table yet), forbidden or failed.
        sentence: what it says.
        number: the value of a figure that is one number, or nothing but zeros.
        chart: the drawing of any other.
        labels: the labels of its points, by how addresses call them.
        sql: the query behind it.
        currency: which currency it is about; None for a model without currencies.
        error: why it failed.
        address: its own page.
    """

    report: str
    name: str
    figure: Figure
    state: str
    sentence: str = ""
    number: str = ""
    chart: Chart | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)
    sql: str = ""
    currency: str | None = None
    error: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which figures of a report are asked for, and in which currency the reader wants them."""

    report: str
    figures: Mapping[str, Figure]
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Currencies:
    """The currencies of the models of a report, the most frequent first, with the number of decimals of each."""

    names: Sequence[str]
    decimals: Mapping[str, int]

    def chosen(self, name: str) -> str:
        """Return a currency, if there is such; else the most frequent one."""
        return name if name in self.names or not self.names else self.names[0]


def resources_of(report: str, figure: Figure, contents: Contents) -> list[Resource]:
    """Return what somebody has to be allowed to read, so that they may see a figure."""
    personal = {row["column_name"] for row in contents.columns.get((ANALYTICS, figure.model), ()) if row["personal"]}
    tags = frozenset({"personal"} if is_personal(figure, frozenset(personal)) else ())
    return [Resource("report", report, tags=tags), Resource("model", figure.model, tags=tags)]


def read_currencies(reader: Reader, contents: Contents, report: Report) -> Currencies:
    """Return the currencies of a report; none if its models have no column for it."""
    models = {each.model for each in report.figures.values() if _has_currency(contents, each)}
    counts: dict[str, int] = {}
    for model in sorted(models):
        rows = reader.rows(f'SELECT {CURRENCY}, COUNT(*) FROM analytics."{model}" GROUP BY 1')
        for name, count in rows:
            counts[name] = counts.get(name, 0) + count
    decimals = {}
    if counts and (ANALYTICS, "currencies") in contents.tables:
        decimals = dict(reader.rows("SELECT currency, decimals FROM analytics.currencies"))
    names = sorted((name for name in counts if name), key=lambda name: (-counts[name], name))
    return Currencies(names, decimals)


def read_figures(
    guard: Guard, reader: Reader, contents: Contents, asked: Asked, currencies: Currencies
) -> Iterator[Shown]:
    """Yield figures with their points; what a caller may not see is left out of them.

    Args:
        guard: who asks.
        reader: of the warehouse.
        contents: the catalog.
        asked: which figures.
        currencies: those that there are.
    """
    report = asked.report
    for name, figure in asked.figures.items():
        currency = currencies.chosen(asked.currency) if _has_currency(contents, figure) and currencies.names else None
        query = urlencode({CURRENCY: currency} if currency else {})
        address = f"/reports/{report}/{name}" + (f"?{query}" if query else "")
        if not all(guard.may("read", each) for each in resources_of(report, figure, contents)):
            yield Shown(report, name, figure, "forbidden", address=address)
        elif (ANALYTICS, figure.model) not in contents.tables:
            yield Shown(report, name, figure, "missing", address=address)
        else:
            yield _computed(reader, Shown(report, name, figure, "ok", currency=currency, address=address), currencies)


class Reader:
    """Reads what readers see: one transaction for all figures of a page, and another one after a query has failed.

    Attributes:
        reveal: gives values as the reader may see them; queries give and take them as they are stored.
    """

    def __init__(self, warehouse: Warehouse, reveal: Reveal) -> None:
        self._warehouse, self.reveal = warehouse, reveal
        self._open = ExitStack()

    def __enter__(self) -> Reader:
        self.session = self._open.enter_context(self._warehouse.published())
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    @property
    def dialect(self) -> DialectName:
        """The dialect of the warehouse."""
        return self._warehouse.dialect.name

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query.

        Raises:
            WarehouseError: the database refused it.
        """
        try:
            return self.session.execute(sql)
        except Exception as error:  # each engine has classes of its own
            self._open.close()
            self.session = self._open.enter_context(self._warehouse.published())
            raise WarehouseError(str(error).splitlines()[0]) from error


def _has_currency(contents: Contents, figure: Figure) -> bool:
    listed = contents.columns.get((ANALYTICS, figure.model), ())
    return any(row["column_name"] == CURRENCY and row["type"] is not None for row in listed)


def _computed(reader: Reader, bare: Shown, currencies: Currencies) -> Shown:
    figure = bare.figure
    bare = replace(bare, sql=points_query(figure, reader.dialect, bare.currency))
    try:
        rows = reader.rows(bare.sql)
    except WarehouseError as error:
        return replace(bare, state="failed", error=str(error))
    rows = [row for row in rows if row[-1] is not None]
    if not rows:
        return replace(bare, state="empty")
    money = (bare.currency, currencies.decimals.get(bare.currency, 2)) if bare.currency else None
    form = partial(value_text, unit=figure.unit, currency=money)
    if figure.by is None:
        text = form(float(rows[0][0]))
        values = {"last": text, "top": text, "total": text, "last_label": "", "top_label": ""}
        return replace(bare, number=text, sentence=figure.sentence.format(**values))
    if figure.chart != "bars":
        rows = rows[::-1]  # the newest came first
    labels = [row[0] for row in rows]
    shown = [reader.reveal.value(label) for label in labels]
    points = _points(bare, labels, shown, [float(row[1]) for row in rows], form)
    flat = not any(point.value for point in points)  # zeros alone make no drawing
    return replace(bare, sentence=_sentence(figure, points, form), number=points[-1].text if flat else "",
                   chart=None if flat else _chart(bare, points, form),
                   labels={_token(label): label for label in labels})  # fmt: skip


def _points(
    shown: Shown, labels: Sequence[Any], revealed: Sequence[Any], values: Sequence[float], form: Any
) -> list[Point]:
    texts, places = label_texts(revealed), slots(revealed)
    join = "&" if "?" in shown.address else "?"
    return [
        Point(text, value, form(value), f"{shown.address}{join}{urlencode({'at': _token(label)})}#rows", place)
        for label, text, value, place in zip(labels, texts, values, places, strict=True)
    ]


def _token(label: Any) -> str:
    return _NOTHING if label is None else str(label)


def _sentence(figure: Figure, points: Sequence[Point], form: Any) -> str:
    last, top = points[-1], max(points, key=lambda point: point.value)
    total = form(sum(point.value for point in points))
    return figure.sentence.format(last=last.text, last_label=last.label, top=top.text, top_label=top.label, total=total)


def _chart(shown: Shown, points: Sequence[Point], form: Any) -> Chart | None:
    if shown.figure.chart == "bars":
        return bars(shown.figure.title, points, shown.name)
    draw = line if shown.figure.chart == "line" else columns
    return draw(shown.figure.title, points, shown.name, form)
