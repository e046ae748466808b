"""Which integrations' loads a query reads, so that a load of another one doesn't rebuild the model."""

from __future__ import annotations

from sqlglot import exp

from leat.pipelines.load import state


def loads_read(query: exp.Query) -> tuple[str, ...] | None:
    """Return the integrations whose rows of ``leat.loads`` matter to a query, sorted; None when any may.

    The query has to name them: ``WHERE integration = 'email'`` next to the table, or ``IN``.
    """
    integrations: set[str] = set()
    for table in query.find_all(exp.Table):
        if (table.db, table.name) == (state.SCHEMA, "loads"):
            select = table.find_ancestor(exp.Select)
            named = set() if select is None else _named(table, select)
            if not named:
                return None
            integrations |= named
    return tuple(sorted(integrations))


def _named(table: exp.Table, select: exp.Select) -> set[str]:
    """Return the integrations to which the WHERE of a SELECT restricts a table of its FROM; none if it doesn't."""
    where, alone = select.args.get("where"), not select.args.get("joins")
    if where is None:
        return set()
    for condition in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        if not isinstance(condition, exp.EQ | exp.In) or not isinstance(condition.this, exp.Column):
            continue
        column, values = condition.this, condition.expressions or [condition.args.get("expression")]
        of_table = column.table == table.alias_or_name or (alone and not column.table)
        if of_table and column.name == "integration" and all(isinstance(value, exp.Literal) for value in values):
            return {str(value.this) for value in values}
    return set()
