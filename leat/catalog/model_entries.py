"""What the catalog says of models: their tables, their columns, and where those come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from leat.assets.lineage import Lineage
from leat.assets.model import Model
from leat.catalog.examples import model_example
from leat.catalog.store import Row
from leat.catalog.stream_entries import Actual, in_order
from leat.pipelines.declare.system_columns import HISTORY_COLUMNS, SYSTEM_DESCRIPTIONS
from leat.pipelines.declare.table_names import ANALYTICS

Personal = Mapping[str, frozenset[str]]
_VERSION = {name: HISTORY_COLUMNS[name] for name in ("valid_from", "valid_to")}


def model_tables(models: Sequence[Model], personal: Personal) -> Iterator[Row]:
    """Yield the rows of ``catalog.declared_tables``."""
    for model in models:
        owners = ", ".join(model.owners) or None
        key = next((", ".join(check.unique) for check in model.checks if check.unique), None)
        example = model_example(model.name, list(model.columns), personal[model.name])
        history = f"{model.name}_history" if model.history else None
        grain = ", ".join(model.grain.columns) if model.grain else None
        of = (None, None, None, None, owners, key)  # no integration
        yield (
            ANALYTICS,
            model.name,
            "model",
            model.description,
            *of,
            grain,
            None,
            None,
            None,
            history,
            example,
            model.shown,
        )
        if history is not None:
            said = f"Every version of: {model.description}"
            example = model_example(history, [*model.columns, *_VERSION], personal[model.name])
            yield (ANALYTICS, history, "history", said, *of, *([None] * 5), example, model.shown)


def model_columns(models: Sequence[Model], personal: Personal, actual: Actual) -> Iterator[Row]:
    """Yield the rows of ``catalog.columns``; the types of models that aren't built are null."""
    for model in models:
        types = actual.get((ANALYTICS, model.name), {})
        names = model.columns or types  # a query with * over a table that isn't declared names none
        for position, name in enumerate(in_order(names, types), 1):
            said = model.columns.get(name, "")
            hidden = not model.columns or name in personal[model.name]
            yield (ANALYTICS, model.name, name, position, types.get(name), said, hidden, False, None, None, False)
        if model.history:
            yield from _versions(model, personal[model.name], actual)


def _versions(model: Model, personal: frozenset[str], actual: Actual) -> Iterator[Row]:
    history = f"{model.name}_history"
    types = {**actual.get((ANALYTICS, model.name), {}), **_VERSION}
    descriptions = {**model.columns, **{name: SYSTEM_DESCRIPTIONS[name] for name in _VERSION}}
    for position, name in enumerate(in_order(descriptions, actual.get((ANALYTICS, history), {})), 1):
        said = descriptions[name]
        yield (ANALYTICS, history, name, position, types.get(name), said, name in personal, False, None, None, False)


def model_lineage(models: Sequence[Model], lineages: Mapping[str, Lineage]) -> Iterator[Row]:
    """Yield the rows of ``catalog.lineage``: each table that a model reads, then the columns that values come from."""
    for model in models:
        for table in sorted(model.inputs, key=str):
            yield (table.schema, table.name, None, ANALYTICS, model.name, None)
        for column, origins in lineages[model.name].items():
            for origin, name in origins:
                schema, _, table_name = origin.partition(".")
                yield (schema, table_name, name, ANALYTICS, model.name, column)
        for same in (None, *model.columns) if model.history else ():
            yield (ANALYTICS, model.name, same, ANALYTICS, f"{model.name}_history", same)
