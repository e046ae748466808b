"""What every page goes through: the session, the right to see it, and errors as pages."""

from __future__ import annotations

import logging
from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from leat.pipelines.load.error_message import log_error
from leat.runs import callers
from leat.serve.api.guard import Handler, answered, authenticate
from leat.serve.pages.render import HEADERS, page
from leat.serve.problem import Problem
from leat.serve.session import renew_cookie, session_id_of
from leat.serve.unavailable import ERRORS, unavailable

log = logging.getLogger("leat.serve")
_TITLES = {403: "You may not do this", 404: "There is nothing here", 401: "Sign in", 409: "That isn't possible now",
           422: "Something is missing", 429: "Too many requests", 503: "Not now"}  # fmt: skip


class PageRoute(APIRoute):
    """A page that needs a session."""

    def get_route_handler(self) -> Handler:
        """Wrap the handler."""
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                if session_id_of(request) is None and "authorization" not in request.headers:
                    return to_sign_in(request)
                guard = await run_in_threadpool(authenticate, request)
                request.state.guard = guard
                with callers.acting_as(guard.principal):
                    return renew_cookie(request, await answered(request, guard, handler))
            except Problem as problem:
                return to_sign_in(request) if problem.status == 401 else error_page(request, problem)
            except HTTPException as error:
                return error_page(request, Problem(error.status_code, "http", str(error.detail)))
            except RequestValidationError:
                # an address that no page writes
                return error_page(request, Problem(404, "no-such-page", "the address of this page has a mistake"))
            except ERRORS as error:
                return error_page(request, unavailable(request, error))
            except Exception as error:
                request_id = getattr(request.state, "request_id", "")
                log_error(log, error, "request %s", request_id)
                step = f"try again; if it stays so, show request {request_id} to whoever runs leat"
                return error_page(request, Problem(500, "internal", "leat failed to make this page", step))

        return shown


class PublicRoute(APIRoute):
    """A page for whoever has no session yet."""

    def get_route_handler(self) -> Handler:
        """Wrap the handler."""
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handler(request)
            except Problem as problem:
                return error_page(request, problem)
            except ERRORS as error:
                return error_page(request, unavailable(request, error))

        return shown


def to_sign_in(request: Request) -> Response:
    """Send a browser to the sign-in, and back afterwards, if it only reads."""
    query = f"?{request.url.query}" if request.url.query else ""
    return_to = request.url.path + query if request.method == "GET" else "/"
    headers = {**HEADERS, "hx-redirect": "/sign-in"} if "hx-request" in request.headers else HEADERS
    return RedirectResponse(f"/sign-in?{urlencode({'return_to': return_to})}", 303, headers)


def error_page(request: Request, problem: Problem) -> Response:
    """Return an error as a page."""
    title = _TITLES.get(problem.status) or HTTPStatus(problem.status).phrase
    response = page(request, "error.html", problem.status, title=title, problem=problem,
                    request_id=getattr(request.state, "request_id", ""))  # fmt: skip
    response.headers.update(problem.headers)
    return response


def wants_page(request: Request) -> bool:
    """Return whether a browser asks for a page."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")
