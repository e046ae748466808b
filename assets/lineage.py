"""Where the columns of a model come from, and which of them hold personal data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.table_names import ANALYTICS

if TYPE_CHECKING:
    from leat.assets.model import Model

Lineage = Mapping[str, Sequence[tuple[str, str]]]
_Sources = frozenset[tuple[str, str]]


def column_lineage(query: exp.Query) -> dict[str, list[tuple[str, str]]]:
    """Return for each column of a qualified query the columns that its values come from.

    The tables are those that the query reads itself, as ``schema.table``. Columns that only decide which rows there
    are (in WHERE or JOIN) are left out.
    """
    result: dict[int, list[_Sources]] = {}
    for scope in traverse_scope(query):  # what a query reads comes before it
        result[id(scope)] = _outputs(scope, result)
    return {name: sorted(of) for name, of in zip(query.named_selects, result[id(scope)], strict=True)}


def _outputs(scope: Scope, by_scope: Mapping[int, list[_Sources]]) -> list[_Sources]:
    """Return where each selected column of a query comes from; ``by_scope`` has the origins of its subqueries."""
    if scope.set_operation_scopes:
        return [
            left | right
            for left, right in zip(*(by_scope[id(each)] for each in scope.set_operation_scopes), strict=True)
        ]
    inside = {id(each.expression): by_scope[id(each)] for each in scope.subquery_scopes if id(each) in by_scope}
    # A function that gives rows, such as UNNEST, gives them of all that it is given.
    selects = scope.expression.selects if isinstance(scope.expression, exp.Query) else [scope.expression]
    return [_sources(select, scope, by_scope, inside) for select in selects]


def _sources(
    select: exp.Expr, scope: Scope, by_scope: Mapping[int, list[_Sources]], inside: Mapping[int, list[_Sources]]
) -> _Sources:
    sources: set[tuple[str, str]] = set()
    for node in select.walk(prune=lambda each: id(each) in inside):
        if id(node) in inside:
            sources.update(*inside[id(node)])
        elif isinstance(node, exp.Column):
            sources |= _of_column(node, scope, by_scope)
    return frozenset(sources)


def _of_column(column: exp.Column, scope: Scope, by_scope: Mapping[int, list[_Sources]]) -> _Sources:
    source = scope.sources.get(column.table)
    if isinstance(source, exp.Table):
        return frozenset({(f"{source.db}.{source.name}", column.name)})
    if source is None or id(source) not in by_scope:
        return frozenset()
    if not isinstance(source.expression, exp.Query):
        return by_scope[id(source)][0]
    names = source.expression.named_selects
    return by_scope[id(source)][names.index(column.name)] if column.name in names else frozenset()


def personal_columns(models: Sequence[Model], declarations: Mapping[str, Declaration]) -> dict[str, frozenset[str]]:
    """Return for each model the columns whose values come from personal or hidden columns; models in build order.

    If leat can't determine the lineage of a model, all of its columns count as personal.
    """
    personal: dict[str, set[str]] = {
        f"{declaration.name}.{stream.name}{suffix}": {c.name for c in stream.columns if c.personal}
        | declaration.hidden(stream)
        for declaration in declarations.values()
        for stream in declaration.selected()
        for suffix in ("", "_history")
    }
    for model in models:
        personal[f"{ANALYTICS}.{model.name}"] = {
            column
            for column in model.columns
            if not model.lineage or any(name in personal.get(table, ()) for table, name in model.lineage[column])
        }
    return {model.name: frozenset(personal[f"{ANALYTICS}.{model.name}"]) for model in models}
