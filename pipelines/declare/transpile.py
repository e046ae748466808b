r"""What is changed in a query so that an operator of one engine does as that of the other.

A division by zero gives null, LIKE has no escape character, LOWER and UPPER fold all of Unicode, and in a regular
expression, a dot, ``\d``, ``\s`` and ``\w`` are spelt out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from sqlglot import exp

from leat.pipelines.declare.portable import written_out
from leat.warehouse.postgres.dialect import FOLDING

Q = TypeVar("Q", bound=exp.Expr)

_CLASSES: Mapping[str, str] = {"d": "0-9", "s": r"\t\n\f\r ", "w": "0-9A-Za-z_"}


def made_equal(query: Q) -> Q:
    """Return the query with what makes an operator of one engine do as that of the other."""
    query = query.copy()
    for node in list(query.find_all(exp.Div, exp.IntDiv, exp.Mod)):
        divisor = node.expression
        if not isinstance(divisor.unnest(), exp.Nullif) and not _is_number(divisor):
            node.set("expression", exp.Nullif(this=divisor.unnest(), expression=exp.Literal.number(0)))
    return query


def as_postgres(query: Q) -> Q:
    """Return the query, made equal, with what makes Postgres do as DuckDB, in whose dialect it is written."""
    query = made_equal(query)
    for case in list(query.find_all(exp.Lower, exp.Upper)):
        case.replace(_folded(case.copy()))
    for like in list(query.find_all(exp.Like)):
        if isinstance(like.parent, exp.Escape):
            continue
        like.replace(exp.Escape(this=like.copy(), expression=exp.Literal.string("")))
    for regex in query.find_all(exp.RegexpLike, exp.RegexpReplace):
        pattern = regex.expression
        text = written_out(pattern)
        if text is not None:
            pattern.replace(exp.Literal.string(_spelt_out(text)))
    return query


def _folded(case: exp.Func) -> exp.Expr:
    """Return LOWER or UPPER over all of Unicode, whatever the locale of the database; both names are Postgres' own."""
    text = as_postgres(case.this)
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
