r"""Which SQL gives the same on DuckDB and Postgres: a list of functions and operators, each proven equal by a test.

A query that uses anything else is refused, until its text for Postgres is written by hand. A few operators are made
equal while the query is transpiled: a division by zero gives null, LIKE has no escape character, LOWER and
UPPER fold all of Unicode, and what a dot,
``\d``, ``\s`` and ``\w`` stand for in a regular expression is spelt out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

from leat.warehouse.session import FOLDING, Dialect

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
Q = TypeVar("Q", bound=exp.Expr)

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
_CLASSES: Mapping[str, str] = {"d": "0-9", "s": r"\t\n\f\r ", "w": "0-9A-Za-z_"}


def mistakes(query: exp.Query) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of whatever isn't proven to give the same on both engines."""
    query = annotate_types(query.copy(), dialect="duckdb")
    for node in query.walk():
        kind = type(node).__name__
        known = kind in SYNTAX or kind in FUNCTIONS or (kind == "Anonymous" and _is_named(node))
        why = _LIMITS[kind](node) if known and kind in _LIMITS else None if known else ""
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


def made_equal(query: Q, dialect: Dialect) -> Q:
    """Return the query with what makes an operator of one engine do as that of the other."""
    query = query.copy()
    for node in list(query.find_all(exp.Div, exp.IntDiv, exp.Mod)):
        divisor = node.expression
        if not isinstance(divisor.unnest(), exp.Nullif) and not _is_number(divisor):
            node.set("expression", exp.Nullif(this=divisor.unnest(), expression=exp.Literal.number(0)))
    if dialect == "postgres":
        for case in list(query.find_all(exp.Lower, exp.Upper)):
            case.replace(_folded(case.copy()))
        for like in list(query.find_all(exp.Like)):
            if isinstance(like.parent, exp.Escape):
                continue
            like.replace(exp.Escape(this=like.copy(), expression=exp.Literal.string("")))
        for regex in query.find_all(exp.RegexpLike, exp.RegexpReplace):
            pattern = regex.expression
            text = _text(pattern)
            if text is not None:
                pattern.replace(exp.Literal.string(_spelt_out(text)))
    return query


def _folded(case: exp.Func) -> exp.Expr:
    """Return LOWER or UPPER over all of Unicode, whatever the locale of the database; both names are Postgres' own."""
    text = made_equal(case.this, "postgres")
    if isinstance(case, exp.Upper):  # DuckDB has the capital of this letter, which no other rule gives
        text = exp.func("REPLACE", text, exp.Literal.string("\u00df"), exp.Literal.string("\u1e9e"))
    if not isinstance(text, exp.Column | exp.Func | exp.Literal):
        text = exp.Paren(this=text)
    case.set("this", exp.Collate(this=text, expression=exp.to_identifier(FOLDING, quoted=True)))
    return exp.Collate(this=case, expression=exp.to_identifier("default", quoted=True))


def _is_number(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and float(node.name) != 0


def _spelt_out(pattern: str) -> str:
    """Return a regular expression of RE2 as Postgres understands it alike."""
    made, at, inside = [], 0, False
    while at < len(pattern):
        two, one = pattern[at : at + 2], pattern[at]
        if one == "\\" and two[1:].lower() in _CLASSES:
            listed = _CLASSES[two[1].lower()]
            made.append(listed if inside else f"[{'^' if two[1].isupper() else ''}{listed}]")
            at += 2
            continue
        if one == "\\":
            made.append(two)
            at += 2
            continue
        if not inside and one == "[":
            inside = True
            start = re.match(r"\[\^?\]?", pattern[at:])
            made.append(start[0] if start else one)
            at += len(made[-1])
            continue
        inside = inside and one != "]"
        made.append(r"[^\n]" if one == "." and not inside else one)
        at += 1
    return "".join(made)


def _pattern(node: exp.Expr) -> str | None:
    pattern = _text(node.expression)
    if pattern is None:
        return "the pattern has to be written out"
    if not _REGEX.fullmatch(pattern):
        return "write the pattern with plain characters, . [a-z] \\d \\s \\w ( ) | * + ? {1,2} ^ $"
    if isinstance(node, exp.RegexpReplace):
        return _replacement(node, pattern)
    return _only(node, "this", "expression")


def _text(node: exp.Expr) -> str | None:
    """Return a text that is written out, in one piece or in several with ``||`` between them."""
    node = node.unnest()
    if isinstance(node, exp.DPipe):
        left, right = _text(node.this), _text(node.expression)
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
