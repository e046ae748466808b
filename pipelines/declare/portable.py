"""Which SQL gives the same on DuckDB and Postgres: a list of functions and operators, each proven equal by a test.

A query that uses anything else is refused, until its text for Postgres is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

SYNTAX = frozenset({
    "Alias", "All", "And", "Any", "Between", "Boolean", "CTE", "Case", "Column", "DataType", "DataTypeParam",
    "Distinct", "Dot", "EQ", "Except", "Exists", "Filter", "From", "GT", "GTE", "Group", "Having",
    "Identifier", "If", "In", "Intersect", "Is", "JSONPath", "JSONPathKey", "JSONPathRoot",
    "JSONPathSubscript", "Join", "LT", "LTE", "Limit", "Literal", "NEQ", "Neg", "Not", "Null", "NullSafeEQ",
    "NullSafeNEQ", "Offset", "Or", "Order", "Ordered", "Paren", "Select", "Star", "Subquery", "Table",
    "TableAlias", "Tuple", "Union", "Values", "Var", "Where", "Window", "WindowSpec", "With", "WithinGroup",
})  # fmt: skip
"""What queries are made of, with the comparisons and the logic, whose rules for null are those of the standard."""

FUNCTIONS = frozenset({
    "Abs", "Add", "Array", "Asin", "AtTimeZone", "Avg", "BitwiseOrAgg", "Cast", "Ceil", "Chr", "Coalesce",
    "Concat", "ConcatWs", "Cos", "Count", "CurrentTimestamp", "DPipe", "DateTrunc", "DenseRank", "Div", "Exp",
    "Extract", "FirstValue", "Floor", "GenerateSeries", "Greatest", "GroupConcat", "IntDiv", "Interval",
    "JSONExtract", "JSONExtractScalar", "Lag", "LastValue", "Lead", "Least", "Left", "Length", "Like", "Ln",
    "LogicalAnd", "LogicalOr", "Lower", "MD5", "Max", "Min", "Mod", "Mul", "Ntile", "Nullif", "Pad",
    "PercentileCont", "PercentileDisc", "Pow", "Radians", "Rank", "RegexpLike", "RegexpReplace", "Replace",
    "Reverse", "Right", "Round", "RowNumber", "Sign", "Sin", "SplitPart", "Sqrt", "StartsWith", "StrPosition",
    "Sub", "Substring", "Sum", "TimestampTrunc", "Trim", "Unnest", "Upper",
})  # fmt: skip
"""Functions and operators by the names of their classes in sqlglot; the test has a proof of each."""

NAMED = frozenset({"load_time", "now", "pg_timezone_names"})
"""Functions that sqlglot doesn't know, and that both engines have under one name, or leat makes on both."""
_PAST = "_as_of"

_TYPES = frozenset({
    "BIGINT", "BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "INT", "JSON", "SMALLINT", "TEXT", "TIMESTAMP",
    "TIMESTAMPNTZ", "TIMESTAMPTZ", "VARCHAR",
})  # fmt: skip
_UNITS = frozenset({"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"})
_PARTS = frozenset({
    "YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "EPOCH", "DOW", "ISODOW", "DOY", "ISOYEAR",
})  # fmt: skip
_REGEX = re.compile(
    r"(?:"
    r"[^\\\[\]{}(]|\\[.\\/^$*+?()\[\]{}|\-@dDsSwWntr]|\{\d{1,2}(?:,\d{0,2})?\}|\((?!\?)|\(\?:|"
    r"\[\^?\]?(?:[^\\\[\]]|\\[.\\/^$*+?()\[\]{}|\-@dswntr])*\])*"
)
_LAZY = re.compile(r"[*+?}]\?")


def unportable(query: exp.Query) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of whatever isn't proven to give the same on both engines."""
    query = annotate_types(query.copy(), dialect="duckdb")
    for node in query.walk():
        kind = type(node).__name__
        supported = kind in SYNTAX or kind in FUNCTIONS or (kind == "Anonymous" and _is_named(node))
        why = _LIMITS[kind](node) if supported and kind in _LIMITS else None if supported else ""
        if why is not None:
            yield _line(node), f"{_shown(node)} isn't proven to give the same on DuckDB and Postgres{why and ': '}{why}"


def _is_named(node: exp.Expr) -> bool:
    return node.name.lower() in NAMED or past_of(node.parent) is not None


def past_of(table: exp.Expr | None) -> str | None:
    """Return the name of the table whose past a table function gives, ``<name>_as_of(moment)``; None for any other."""
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Anonymous):
        return None
    name = table.this.name.lower()
    return name.removesuffix(_PAST) if name.endswith(_PAST) and name != _PAST else None


def is_made_up(function: exp.Expr) -> bool:
    """Return whether a table function makes its rows of its arguments alone."""
    return isinstance(function, exp.Unnest | exp.GenerateSeries) or function.name.lower() == "pg_timezone_names"


def _pattern(node: exp.Expr) -> str | None:
    pattern = written_out(node.expression)
    if pattern is None:
        return "the pattern has to be written out"
    if not _REGEX.fullmatch(pattern):
        return "write the pattern with plain characters, . [a-z] \\d \\s \\w ( ) | * + ? {1,2} ^ $"
    if isinstance(node, exp.RegexpReplace):
        return _replacement(node, pattern)
    return _only(node, "this", "expression")


def written_out(node: exp.Expr) -> str | None:
    """Return a text that is written out, in one piece or in several with ``||`` between them."""
    node = node.unnest()
    if isinstance(node, exp.DPipe):
        left, right = written_out(node.this), written_out(node.expression)
        return None if left is None or right is None else left + right
    return node.name if isinstance(node, exp.Literal) and node.is_string else None


def _replacement(node: exp.RegexpReplace, pattern: str) -> str | None:
    into, flags = node.args.get("replacement"), node.args.get("modifiers")
    if _LAZY.search(pattern):
        return "a lazy quantifier takes other parts of the text"
    if not isinstance(into, exp.Literal) or not re.fullmatch(r"(?:[^\\]|\\[1-9\\])*", into.name):
        return "the replacement has to be written out, with \\1 to \\9 for groups"
    plain = flags is None or (isinstance(flags, exp.Literal) and flags.name in ("", "g"))
    return None if plain else "of the options only 'g' is the same; use LOWER for any case"


def _cast(node: exp.Expr) -> str | None:
    to = node.args["to"]
    kind, of = to.this.name, node.this.type
    if kind in ("ARRAY", "LIST") and [each.this.name for each in to.expressions] == ["JSON"]:
        return None
    if kind not in _TYPES or node.args.get("format"):
        return "cast to BIGINT, DOUBLE, DECIMAL, BOOLEAN, DATE, TIMESTAMP, TIMESTAMPTZ, VARCHAR or JSON"
    if kind in ("TEXT", "VARCHAR") and of is not None and of.is_type("float", "double", "interval", "array", "struct"):
        return "the text of this type differs"
    return None


def _join(node: exp.Expr) -> str | None:
    odd = {node.args.get("method"), node.args.get("kind"), node.args.get("side")} - {
        None, "", "INNER", "CROSS", "OUTER", "LEFT", "RIGHT", "FULL",
    }  # fmt: skip
    return "of joins, only INNER, LEFT, RIGHT, FULL and CROSS" if odd else None


def _round(node: exp.Expr) -> str | None:
    of = node.this.type
    if of is not None and of.is_type("decimal", "int", "bigint"):
        return None
    return "of a DOUBLE they round 0.5 to different sides. Cast to DECIMAL first, or use FLOOR(x + 0.5)"


def _one_of(key: str, allowed: frozenset[str]) -> Callable[[exp.Expr], str | None]:
    def limit(node: exp.Expr) -> str | None:
        given = node.args.get(key)
        unit = given.name.upper() if isinstance(given, exp.Expr) else str(given or "").upper()
        same = unit in allowed or (key == "unit" and unit.removesuffix("S") in allowed)
        return None if same else f"use one of {', '.join(sorted(allowed))}"

    return limit


def _only(node: exp.Expr, *allowed: str) -> str | None:
    more = [key for key, value in node.args.items() if value and key not in allowed]
    return f"without {more[0].upper()}" if more else None


def _select(node: exp.Expr) -> str | None:
    return _only(node, "with_", "expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset",
                 "distinct", "windows", "operation_modifiers", "laterals", "with", "from")  # fmt: skip


_LIMITS: Mapping[str, Callable[[exp.Expr], str | None]] = {
    "Cast": _cast,
    "Extract": _one_of("this", _PARTS),
    "Group": lambda node: _only(node, "expressions"),
    "Interval": _one_of("unit", _UNITS),
    "Join": _join,
    "Like": lambda node: _only(node, "this", "expression", "negate"),
    "RegexpLike": _pattern,
    "RegexpReplace": _pattern,
    "Round": _round,
    "Select": _select,
    "Star": _only,
    "Table": lambda node: _only(node, "this", "db", "alias", "joins"),
    "DateTrunc": _one_of("unit", _UNITS),
    "TimestampTrunc": _one_of("unit", _UNITS),
    "Ordered": lambda node: _only(node, "this", "desc", "nulls_first"),
}


def _shown(node: exp.Expr) -> str:
    text = " ".join(node.sql("duckdb", comments=False).split())
    return text if len(text) <= 60 else f"{text[:57]}…"


def _line(node: exp.Expr) -> int:
    for each in (*node.walk(), *_above(node)):
        if "line" in each.meta:
            return int(each.meta["line"])
    return 1


def _above(node: exp.Expr) -> Iterator[exp.Expr]:
    while node.parent is not None:
        node = node.parent
        yield node
