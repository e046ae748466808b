"""Fields of a form that a page sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from leat.serve.problem import Problem


async def fields_of(request: Request) -> Mapping[str, str]:
    """Return the fields, without blanks around their values.

    Raises:
        Problem: it is no form.
    """
    if not await request.body():
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Problem(415, "no-form", "this isn't a form", "send the form of the page")
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise Problem(400, "no-form", "the form can't be read", "send the form of the page") from error
    return {name: value.strip() for name, value in pairs}


AsForm = Annotated[Mapping[str, str], Depends(fields_of)]
