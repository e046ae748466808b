"""What has to be true at the end of a list, whatever ended it: no mark of another page, and the total that was said."""

from __future__ import annotations

from leat.sources.rest_api.answers.marks import unread_mark, unread_total
from leat.sources.rest_api.answers.page import Page
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.declaration.paging_styles import OnePage, Paged, Style
from leat.sources.rest_api.pages.ends import End, Miscounted, Unproven


def check_marks(page: Page, endpoint: Endpoint, end: End, rows: int, pages: int) -> None:
    """Look at the last page for marks of another one that the declaration doesn't read.

    Raises:
        Unproven: it has one.
    """
    mark = unread_mark(page.rest, page.headers, endpoint)
    if mark is None and (end.weak or isinstance(endpoint.paging, OnePage)):
        mark = unread_total(page.rest, page.headers, endpoint, rows, pages)
    if mark:
        got = f"page {pages} is the last by what is declared, but has {mark}, which nothing reads"
        raise Unproven(got, f"declare paging by {mark}, or name it in paging.ignore if it leads nowhere")


def check_total(paging: Style, totals: set[int], rows: int) -> None:
    """Compare how many records there are with what the answers say.

    Raises:
        Unproven: the total that is declared was never there.
        Miscounted: it is another number.
    """
    if not isinstance(paging, Paged) or not paging.total or not (rows or totals):
        return
    if not totals:
        msg = f"no page has {paging.total}"
        raise Unproven(msg, "correct paging.total, or leave it out")
    if totals != {rows}:
        msg = f"{rows} records where it says {', '.join(map(str, sorted(totals)))}"
        raise Miscounted(msg)
