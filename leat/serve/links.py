"""The links of mails: ``/unsubscribe/TOKEN``, ``/c/TOKEN`` for a followed link, ``/o/TOKEN`` for a loaded picture.

A GET of ``/unsubscribe`` only shows a page with a button: scanners follow every link of a mail by GET. The POST of the
button, or of a mail program (RFC 8058), unsubscribes. Tokens are signed, so there is no redirect to anywhere else.
"""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from leat.serve.problem import Problem

if TYPE_CHECKING:
    from leat.runs.workspace import Workspace

_PICTURE = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_PREFETCH = ("sec-purpose", "purpose", "x-moz", "x-purpose")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark"><title>{title}</title>
<style>
body {{ font: 17px/1.5 system-ui, sans-serif; max-width: 30rem; margin: 15vh auto; padding: 0 1.5rem; }}
h1 {{ font-size: 1.5rem; }}
button {{ font: inherit; font-weight: 600; padding: .6rem 1.2rem; border: 0; border-radius: 6px; cursor: pointer;
  color: #fff; background: #1f5fa8; }}
</style></head><body><h1>{title}</h1><p>{text}</p>{more}</body></html>
"""
_BUTTON = '<form method="post"><button type="submit">Unsubscribe</button></form>'
_CSP = (
    "default-src 'none'; object-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)


def add_links(app: FastAPI) -> None:
    """Add the paths to the application."""
    app.add_api_route("/unsubscribe/{token}", _ask, include_in_schema=False)
    app.add_api_route("/unsubscribe/{token}", _leave, methods=["POST"], include_in_schema=False)
    app.add_api_route("/c/{token}", _follow, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/o/{token}", _picture, methods=["GET", "HEAD"], include_in_schema=False)


def _ask(request: Request, token: str) -> Response:
    from leat.runs.links import is_genuine

    if not is_genuine(_workspace(request), token, "unsubscribe"):
        raise _no_such_link()
    return _page("Unsubscribe?", "You will get no more mail of this kind. Receipts and answers still arrive.", _BUTTON)


def _leave(request: Request, token: str) -> Response:
    from leat.runs.links import leave

    if not leave(_workspace(request), token):
        raise _no_such_link()
    return _page("You are unsubscribed", "You will get no more mail of this kind.")


def _follow(request: Request, token: str) -> Response:
    address = _visited(request, token)
    if address is None:
        raise _no_such_link()
    return RedirectResponse(address, 302)


def _picture(request: Request, token: str) -> Response:
    _visited(request, token)  # whoever made the token up gets the picture too: there is nothing to learn
    return Response(_PICTURE, media_type="image/gif", headers={"cross-origin-resource-policy": "cross-origin"})


def _visited(request: Request, token: str) -> str | None:
    from leat.runs.links import Visit, follow

    prefetch = any("prefetch" in request.headers.get(name, "").lower() for name in _PREFETCH)
    agent = request.headers.get("user-agent", "")
    return follow(_workspace(request), token, Visit(datetime.now(UTC), request.method, agent, prefetch))


def _workspace(request: Request) -> Workspace:
    workspace: Workspace = request.app.state.health.workspace
    return workspace


def _no_such_link() -> Problem:
    return Problem(404, "no-such-link", "leat wrote no such link", "open the link from the mail as it is")


def _page(title: str, text: str, more: str = "") -> Response:
    page = _PAGE.format(title=title, text=text, more=more)
    return HTMLResponse(page, headers={"content-security-policy": _CSP})
