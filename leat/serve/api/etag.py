"""ETags: an answer that somebody has isn't sent again, and nobody decides on what has changed meanwhile."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from leat.serve.problem import Problem

IfMatch = Annotated[str | None, Header(max_length=1000, description="Only if it is still as this ETag says; else 412.")]


def with_etag(response: Response) -> Response:
    """Give a response that is whole an ETag, the hash of its body, unless it has one."""
    body = getattr(response, "body", None)
    if response.status_code == 200 and isinstance(body, bytes) and body and "etag" not in response.headers:
        response.headers["etag"] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        response.headers["cache-control"] = "private, no-cache"
    return response


def tag(response: Response, shown: BaseModel) -> str:
    """Give a response the ETag of what it shows, and return it."""
    etag = f'"{hashlib.sha256(shown.model_dump_json().encode()).hexdigest()[:32]}"'
    response.headers["etag"], response.headers["cache-control"] = etag, "private, no-cache"
    return etag


def require_match(if_match: str | None, *tags: str) -> None:
    """Refuse a request that was made for what isn't there any more; see RFC 9110, section 13.1.1.

    Args:
        if_match: the header; None when there is none.
        tags: the ETag as it is now, and what else is accepted for it.

    Raises:
        Problem: none of the tags is the present one.
    """
    given = [] if if_match is None else [each.strip() for each in if_match.split(",")]
    if if_match is not None and "*" not in given and not set(given) & set(tags):
        raise Problem(412, "changed-meanwhile", "it isn't as If-Match says any more", "GET it again, then decide")


def if_changed(request: Request, response: Response) -> Response:
    """Answer 304 to a GET of somebody who has the answer already."""
    if request.method != "GET":
        return response
    etag = with_etag(response).headers.get("etag")
    wanted = request.headers.get("if-none-match", "")
    if etag is None or etag not in [each.strip() for each in wanted.split(",")]:
        return response
    return Response(status_code=304, headers={"etag": etag})
