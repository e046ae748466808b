"""How far a filter on columns of a query's result can be moved towards the tables that it reads.

The claim, for any set of values K: ``filter(query(tables), K) = filter(query(filter(tables, K)), K)``, where each table
that the filter reaches has expressions of its own columns in the place of the result's columns. A rule here moves the
filter by one step, and only where the claim holds for every content of the tables. Where no rule fits, the filter stops
and what is below is read whole.

==================  ==============================================================================================
SELECT              columns are replaced by what they select; a result with aggregates and no GROUP BY stops it
GROUP BY, windows   each expression has to be made of the groups' expressions, and of each window's PARTITION BY
JOIN                a source has the expressions itself, or an equality of its ON gives them; see :func:`_sources`
UNION               each side, by position
WHERE, HAVING       don't matter; subqueries in expressions are read whole
LIMIT, DISTINCT ON  stop it
==================  ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

Key = tuple[exp.Expr, ...]
"""Expressions that have the values of the filtered columns; columns without a table."""

_TOTAL = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Var, exp.DataType, exp.DataTypeParam,
    exp.Lower, exp.Upper, exp.Trim, exp.Coalesce, exp.Nullif, exp.Case, exp.If, exp.EQ, exp.NEQ, exp.GT, exp.GTE,
    exp.LT, exp.LTE, exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Like, exp.DPipe, exp.Concat, exp.SplitPart,
    exp.RegexpReplace, exp.RegexpLike, exp.Replace, exp.StartsWith, exp.StrPosition, exp.Length,
    exp.DateTrunc, exp.TimestampTrunc, exp.AtTimeZone, exp.Cast,
)  # fmt: skip
"""What gives the same value for the same row, and an error for none: it may be computed for rows that WHERE drops."""


_DAYS = {"DAY": 1, "WEEK": 7, "MONTH": 31, "QUARTER": 92, "YEAR": 366}
"""How far the beginning of a period may be from a time within it; a time zone is no further than a day."""


class Stopped(Exception):
    """The filter can't be moved; the text says why."""


@dataclass(slots=True)
class Reached:
    """Where a filter has arrived.

    Attributes:
        tables: each place where the query names a table, with the keys by which it can be filtered.
        whole: tables that are read whole in at least one place.
        why: what stopped it, from the result on.
        needed: whether a row of the result needs a row of at least one of these places.
    """

    tables: list[tuple[exp.Table, list[Key]]] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)
    why: list[str] = field(default_factory=list)
    needed: bool = False


def push(query: exp.Query, columns: Sequence[str]) -> Reached:
    """Move the filter on some columns of a qualified query as far as it goes."""
    reached = Reached()
    scopes = list(traverse_scope(query))
    demands: dict[int, list[Key | None]] = {id(scopes[-1]): [tuple(exp.column(name) for name in columns)]}
    for scope in reversed(scopes):  # what reads comes before what it reads
        _through(scope, demands.get(id(scope), [None]), demands, reached)
    arrived = {id(node) for node, _ in reached.tables}
    reached.whole |= {
        f"{each.db}.{each.name}" for each in query.find_all(exp.Table) if each.db and id(each) not in arrived
    }
    reached.needed = _needs(scopes[-1], arrived)
    return reached


def _needs(scope: Scope, arrived: set[int]) -> bool:
    """Return whether a row of a query needs a row of at least one of some places where it names a table."""
    if scope.set_operation_scopes:
        return all(_needs(side, arrived) for side in scope.set_operation_scopes)
    select = scope.expression
    if not isinstance(select, exp.Select) or (
        select.args.get("group") is None and any(map(_sums_up, scope.find_all(exp.AggFunc)))
    ):
        return False
    try:
        sources = [
            scope.selected_sources.get(name) for name, join in _joined(select) if join is None or _is_inner(join)
        ]
    except Stopped:
        return False
    pairs = [each for each in sources if each is not None]
    return any(_needs(of, arrived) if isinstance(of, Scope) else id(node) in arrived for node, of in pairs)


def near(expression: exp.Expr) -> tuple[str, int] | None:
    """Return the column whose time an expression is near to, and by how many days; None for any other expression."""
    if isinstance(expression, exp.Column):
        return expression.name, 0
    days = 0
    if isinstance(expression, exp.DateTrunc | exp.TimestampTrunc):
        days = _DAYS.get(expression.args["unit"].name.upper(), 0)
    elif isinstance(expression, exp.AtTimeZone) or (
        isinstance(expression, exp.Cast) and expression.args["to"].is_type("date")
    ):
        days = 1
    inner = near(expression.this) if days or isinstance(expression, exp.Paren) else None
    return None if inner is None else (inner[0], inner[1] + days)


def _through(
    scope: Scope, wanted: Sequence[Key | None], demands: dict[int, list[Key | None]], reached: Reached
) -> None:
    """Move the filters of all who read a query to what it reads itself; None is to read it whole."""
    below: list[dict[str, Key | None]] = []
    keys = [key for key in wanted if key is not None]
    whole = len(keys) < len(wanted)
    try:
        for key in [] if whole else keys:
            if scope.set_operation_scopes:
                _through_union(scope, key, demands)
            else:
                below.append(_sources(scope, _inside(scope, key)))
    except Stopped as stopped:
        reached.why.append(str(stopped))
        whole = True
    if whole:
        below = [{}]
        for side in scope.set_operation_scopes or ():
            demands.setdefault(id(side), []).append(None)
    for each in scope.subquery_scopes:
        demands.setdefault(id(each), []).append(None)
    for name, (node, source) in scope.selected_sources.items():
        own = [each.get(name) for each in below]
        if isinstance(source, Scope):
            demands.setdefault(id(source), []).extend(own)
        elif isinstance(node, exp.Table) and None not in own:
            reached.tables.append((node, [key for key in own if key is not None]))


def _through_union(scope: Scope, key: Key, demands: dict[int, list[Key | None]]) -> None:
    union = scope.expression
    stops = [name for name in ("limit", "offset", "by_name") if union.args.get(name)]
    if not isinstance(union, exp.Union) or stops:
        msg = f"{(stops or [union.key])[0].upper()} stops the filter"
        raise Stopped(msg)
    for side in scope.set_operation_scopes:
        own = dict(zip(union.named_selects, cast("exp.Query", side.expression).named_selects, strict=True))
        demands.setdefault(id(side), []).append(tuple(_renamed(each, own) for each in key))


def _renamed(expression: exp.Expr, names: Mapping[str, str]) -> exp.Expr:
    return _replaced(expression, lambda column: exp.column(names[column.name]))


def _inside(scope: Scope, key: Key) -> Key:
    """Return a key in the columns of a SELECT's sources, if the filter may be moved before what the SELECT does."""
    select = scope.expression
    if not isinstance(select, exp.Select):
        msg = f"{select.key.upper()} isn't a SELECT"
        raise Stopped(msg)
    distinct = select.args.get("distinct")
    for stops in ("limit", "offset", "qualify", "windows"):
        if select.args.get(stops):
            msg = f"{stops.upper()} stops the filter"
            raise Stopped(msg)
    if distinct is not None and distinct.args.get("on"):
        msg = "DISTINCT ON stops the filter"
        raise Stopped(msg)
    selected = {each.alias_or_name: each.unalias() for each in select.selects}
    inner = tuple(_replaced(each, lambda column: selected[column.name].copy()) for each in key)
    for expression, given in zip(inner, key, strict=True):
        _check(expression, given)
    group = select.args.get("group")
    if group is not None:
        _covers(group.expressions, inner, "GROUP BY")
    elif any(map(_sums_up, scope.find_all(exp.AggFunc))):
        msg = "an aggregate without GROUP BY needs all rows"
        raise Stopped(msg)
    for window in scope.find_all(exp.Window):
        _covers(window.args.get("partition_by") or [], inner, "PARTITION BY of a window")
    return inner


def _check(expression: exp.Expr, given: exp.Expr) -> None:
    """Refuse an expression that isn't one of a single row, or that may fail for a row that doesn't count."""
    shown = given.sql("duckdb")
    for node in expression.walk():
        if not isinstance(node, _TOTAL) or isinstance(node, exp.AggFunc):
            msg = f"{shown} comes from {node.key.upper()}, not from columns of one row"
            raise Stopped(msg)
        if isinstance(node, exp.Cast) and not _succeeds(node):
            msg = f"{shown} comes from a CAST that may fail"
            raise Stopped(msg)
        if isinstance(node, exp.AtTimeZone) and not isinstance(node.args["zone"], exp.Literal):
            msg = f"{shown} comes from a time zone that isn't written out"
            raise Stopped(msg)
        if isinstance(node, exp.In) and node.args.get("query"):
            msg = f"{shown} comes from a subquery"
            raise Stopped(msg)


def _succeeds(cast: exp.Cast) -> bool:
    if cast.args["to"].is_type("varchar", "text"):
        return True
    return cast.args["to"].is_type("date") and isinstance(
        cast.this.unnest(), exp.DateTrunc | exp.TimestampTrunc | exp.AtTimeZone
    )


def _sums_up(aggregate: exp.Expr) -> bool:
    """Return whether an aggregate makes one row of all, which that of a window doesn't."""
    node = aggregate
    while isinstance(node.parent, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        node = node.parent
    return not (isinstance(node.parent, exp.Window) and node.arg_key == "this")


def _covers(parts: Sequence[exp.Expr], key: Key, what: str) -> None:
    for expression in key:
        if not _is_made_of(expression, parts):
            msg = f"{expression.sql('duckdb')} isn't in the {what}"
            raise Stopped(msg)


def _is_made_of(expression: exp.Expr, parts: Sequence[exp.Expr]) -> bool:
    if any(expression == part for part in parts):
        return True
    if isinstance(expression, exp.Column):
        return False
    return all(_is_made_of(each, parts) for each in expression.iter_expressions())


def _sources(scope: Scope, key: Key) -> dict[str, Key | None]:
    """Return for each source of FROM the key in its own columns; None where it has none.

    The columns of the key have to come from the first source or one of an INNER or CROSS JOIN: those of a LEFT JOIN may
    be null for a row that was dropped. An equality in the ON of a join holds for every row that the join matches, so a
    filter goes from what was joined before to the joined source; back only from an INNER JOIN, whose rows all match.
    """
    order = _joined(scope.expression)
    safe = {name for name, join in order if join is None or _is_inner(join)}
    result: list[dict[str, exp.Expr]] = []
    for expression in key:
        if not _tables(expression):  # a constant: any source has it
            result.append({name: expression for name, _ in order})
            continue
        if not _tables(expression) <= safe:
            msg = f"{expression.sql('duckdb')} comes from the right of a LEFT JOIN"
            raise Stopped(msg)
        equal = [expression]
        while more := [new for new in _equals(order, equal, safe) if new not in equal]:
            equal.append(more[0])
        single = [(of, each) for each in reversed(equal) if len(of := _tables(each)) == 1]
        result.append({next(iter(of)): each for of, each in single})
    return {name: _own([each.get(name) for each in result]) for name, _ in order}


def _joined(select: exp.Expr) -> list[tuple[str, exp.Join | None]]:
    """Return the sources of FROM in order, with the joins that add them."""
    start = select.args.get("from_")
    if start is None or select.args.get("laterals"):
        msg = "it has no FROM, or a LATERAL VIEW"
        raise Stopped(msg)
    joins: list[exp.Join] = select.args.get("joins") or []
    for join in joins:
        if join.side not in ("", "LEFT") or join.args.get("method") or join.args.get("using"):
            msg = f"a {join.side or join.args.get('method') or 'USING'} JOIN stops the filter"
            raise Stopped(msg)
    sources = [start.this, *(join.this for join in joins)]
    if any(each.args.get("joins") for each in sources):
        msg = "a JOIN in parentheses stops the filter"
        raise Stopped(msg)
    return list(zip([each.alias_or_name for each in sources], [None, *joins], strict=True))


def _own(key: Sequence[exp.Expr | None]) -> Key | None:
    own = [each for each in key if each is not None]
    if len(own) < len(key):
        return None
    return tuple(_replaced(each, lambda column: exp.column(column.this.copy())) for each in own)


def _is_inner(join: exp.Join) -> bool:
    return join.side == "" and join.kind in ("", "INNER", "CROSS")


def _equals(
    order: Sequence[tuple[str, exp.Join | None]], equal: Sequence[exp.Expr], safe: set[str]
) -> Iterator[exp.Expr]:
    """Yield what the joins say to be equal to one of some expressions, where the filter may go that way.

    A source on the right of a LEFT JOIN is null where nothing matches. Then only its bare columns equal nothing.
    """
    before: set[str] = set()
    for name, join in order:
        on = None if join is None else join.args.get("on")
        for condition in () if on is None else on.flatten() if isinstance(on, exp.And) else [on]:
            sides = _equality(condition.unnest(), name, before)
            if sides is None or join is None:
                continue
            joined, earlier = sides
            certain = _tables(earlier) <= safe
            if earlier in equal and (certain or isinstance(earlier, exp.Column)) and _is_total(joined):
                yield joined
            if joined in equal and _is_inner(join) and certain and _is_total(earlier):
                yield earlier
        before.add(name)


def _equality(condition: exp.Expr, name: str, before: set[str]) -> tuple[exp.Expr, exp.Expr] | None:
    """Return the sides of an equality between a joined source and earlier ones; None for any other condition."""
    if not isinstance(condition, exp.EQ):
        return None
    left, right = condition.left.unnest(), condition.right.unnest()
    joined, earlier = (left, right) if _tables(left) == {name} else (right, left)
    of = _tables(earlier)
    return (joined, earlier) if _tables(joined) == {name} and of and of <= before else None


def _is_total(expression: exp.Expr) -> bool:
    try:
        _check(expression, expression)
    except Stopped:
        return False
    return True


def _tables(expression: exp.Expr) -> set[str]:
    return {column.table for column in expression.find_all(exp.Column)}


def _replaced(expression: exp.Expr, by: Callable[[exp.Column], exp.Expr]) -> exp.Expr:
    """Return an expression with each column replaced by what a function gives for it.

    Raises:
        Stopped: the function knows nothing of the column.
    """

    def put(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column):
            return node
        try:
            return by(node)
        except (KeyError, ValueError) as error:
            msg = f"{node.sql('duckdb')} can't be followed"
            raise Stopped(msg) from error

    return expression.copy().transform(put)
