"""Parameters of a query: a misspelt one is refused, since a list without its filter would look right and be wrong."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Request
from fastapi.dependencies.models import Dependant
from pydantic import AfterValidator, AwareDatetime

from leat.pipelines.declare.diagnostics import meant
from leat.serve.problem import Problem

LARGEST = 2**53 - 1
"""The largest number that is taken: JSON has it exactly, and so do both databases."""
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""NUL as JSON writes it, unless its backslash is written itself."""


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        msg = "is before the year 1 or after the year 9999 in UTC"
        raise ValueError(msg) from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with its zone; given as UTC."""


def names_of(dependant: Dependant) -> frozenset[str]:
    """Return the parameters that a route takes in its query."""
    own = frozenset(str(each.alias) for each in dependant.query_params)
    return own.union(*map(names_of, dependant.dependencies))


def refuse_unknown(request: Request, names: frozenset[str]) -> None:
    """Refuse parameters that a route doesn't take, and those that are given twice.

    Raises:
        Problem: with each of them.
    """
    if not request.scope["query_string"]:
        return
    items = request.query_params.multi_items()
    if any("\0" in text for item in items for text in item):
        problem = _nul("query")
        raise problem
    given = Counter(name for name, _ in items)
    errors = [
        {"at": f"query.{name}"[:200], "message": f"no such parameter{meant(name, names)}"}
        for name in given
        if name not in names
    ]
    errors += [{"at": f"query.{name}", "message": "is given twice"} for name in names if given[name] > 1]
    if errors:
        raise Problem(422, "invalid", "the request has mistakes", "correct what errors lists", errors)


async def refuse_nul(request: Request) -> None:
    """Refuse a body with the character NUL, which Postgres can't store.

    Raises:
        Problem: it has one.
    """
    if _NUL.search(await request.body()):
        problem = _nul("body")
        raise problem


def _nul(where: str) -> Problem:
    errors = [{"at": where, "message": "has the character NUL"}]
    return Problem(422, "invalid", "the request has mistakes", "correct what errors lists", errors)
