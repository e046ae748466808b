"""Lists in pages: at most 100 at once, and a cursor that names the last one, so that new ones don't shift the next."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from leat.serve.problem import Problem

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="next_cursor of the page before.")]


class Page(BaseModel, Generic[T]):
    """A page of a list."""

    data: list[T]
    next_cursor: str | None = Field(description="Give it as cursor for the next page; null on the last one.")


class Paging(BaseModel):
    """What a request asks of a list."""

    limit: int
    cursor: str | None

    def cut(
        self, request: Request, response: Response, items: Sequence[Any], key: Callable[[Any], str]
    ) -> tuple[list[Any], str | None]:
        """Return the page of a sorted list and the cursor of the next one, which a Link header names as well.

        Raises:
            Problem: the cursor isn't one of this list.
        """
        start = 0
        if self.cursor is not None:
            last = _decode(self.cursor)
            keys = [key(item) for item in items]
            if last not in keys:
                raise _bad_cursor()
            start = keys.index(last) + 1
        page = list(items[start : start + self.limit])
        if start + self.limit >= len(items):
            return page, None
        return page, _name(request, response, key(page[-1]))

    def follow(
        self,
        request: Request,
        response: Response,
        read: Callable[[str | None, int], Sequence[T]],
        visible: Callable[[T], bool],
        key: Callable[[T], str],
    ) -> tuple[list[T], str | None]:
        """Return the page of a list that is too long to be read whole, and the cursor of the next one.

        Args:
            request: what was asked.
            response: gets the Link header.
            read: returns at most so many items, from the one after a key on; it raises KeyError for a wrong key.
            visible: whether the caller may see an item.
            key: of an item.

        Raises:
            Problem: the cursor isn't one of this list.
        """
        after = None if self.cursor is None else _decode(self.cursor)
        page: list[T] = []
        while len(page) <= self.limit:
            try:
                items = read(after, self.limit + 1)
            except KeyError:
                raise _bad_cursor() from None
            page += [item for item in items if visible(item)]
            if len(items) <= self.limit:
                break
            after = key(items[-1])
        if len(page) <= self.limit:
            return page, None
        del page[self.limit :]
        return page, _name(request, response, key(page[-1]))


async def paging(limit: Limit = 50, cursor: Cursor = None) -> Paging:
    """Return what a request asks of a list."""
    return Paging(limit=limit, cursor=cursor)


def _decode(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        raise _bad_cursor() from None


def _bad_cursor() -> Problem:
    return Problem(400, "bad-cursor", "the cursor isn't one of this list", "begin again without a cursor")


def _name(request: Request, response: Response, last: str) -> str:
    """Return the cursor of the page after an item, and name it in the Link header."""
    following = base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")
    query = urlencode({**request.query_params, "cursor": following})
    response.headers["link"] = f'<{request.url.path}?{query}>; rel="next"'
    return following
