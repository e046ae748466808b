"""Where the columns of a model come from, and which of them hold personal data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.scope import build_scope

from assets.model_files import Model
from pipelines.declaration import Declaration
from pipelines.sql_file import ANALYTICS

Lineage = Mapping[str, Sequence[tuple[str, str]]]


def column_lineage(model: Model) -> dict[str, list[tuple[str, str]]]:
    """Return for each column of a model the columns that its values come from.

    The tables are those that the model reads itself, as ``schema.table``. Columns that only decide which rows there
    are (in WHERE or JOIN) are left out. Empty when the columns of an input aren't known.
    """
    scope = None if model.query is None else build_scope(model.query)
    if scope is None or model.query is None:
        return {}
    return {
        column: sorted(set(_sources(lineage(column, model.query, scope=scope, dialect="duckdb", copy=False))))
        for column in model.columns
    }


def personal_columns(
    models: Sequence[Model], declarations: Mapping[str, Declaration], lineages: Mapping[str, Lineage] | None = None
) -> dict[str, frozenset[str]]:
    """Return for each model the columns whose values come from personal or masked columns; models in build order.

    Where the lineage of a model isn't known, all of its columns count as personal. ``lineages`` are those of the
    models by name, where they have been computed already.
    """
    personal: dict[str, set[str]] = {
        f"{declaration.name}.{stream.name}{suffix}": {c.name for c in stream.columns if c.personal}
        | declaration.masked(stream)
        for declaration in declarations.values()
        for stream in declaration.selected()
        for suffix in ("", "_history")
    }
    for model in models:
        found = column_lineage(model) if lineages is None else lineages[model.name]
        personal[f"{ANALYTICS}.{model.name}"] = {
            column
            for column in model.columns
            if not found or any(name in personal.get(table, ()) for table, name in found[column])
        }
    return {model.name: frozenset(personal[f"{ANALYTICS}.{model.name}"]) for model in models}


def _sources(node: Node) -> Iterator[tuple[str, str]]:
    for leaf in node.walk():
        if isinstance(leaf.expression, exp.Table):
            yield f"{leaf.expression.db}.{leaf.expression.name}", leaf.name.rsplit(".", maxsplit=1)[-1].strip('"')
