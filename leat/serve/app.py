"""The FastAPI application: health, and errors in one form."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from leat.runs.changes import Changes
from leat.runs.connecting.draft import Drafts
from leat.serve import reference
from leat.serve.answers import Answers
from leat.serve.api import actions, catalog, drafts, endpoints, integrations, me, people, queries, violations, webhooks
from leat.serve.current import Current
from leat.serve.health import Health
from leat.serve.limits import Buckets
from leat.serve.links import add_links
from leat.serve.openapi import description_of
from leat.serve.pages.menu import PAGES
from leat.serve.pages.route import error_page, wants_page
from leat.serve.problem import JSON, Problem
from leat.serve.recent import Recent
from leat.serve.session import Asked
from leat.serve.traces import Traces
from leat.serve.turns import Turns
from leat.serve.unavailable import ERRORS, unavailable

NAMES = {404: "no-such-path", 405: "method-not-allowed"}
"""Types of the problems that the router raises, by status."""


ROUTERS = (
    me.router,
    integrations.router,
    drafts.router,
    violations.router,
    actions.router,
    catalog.router,
    queries.router,
    webhooks.router,
    endpoints.router,
    people.router,
)
_TEXT = "What leat has of a project, and what people decide. Errors are problems of RFC 9457."


def create_app(
    health: Health,
    current: Current | None = None,
    buckets: Buckets | None = None,
    public_url: str | None = None,
    traces: Traces | None = None,
    private_networks: Sequence[str] = (),
) -> FastAPI:
    """Return the application, without webhooks.

    Args:
        health: what `/readyz` answers.
        current: the project.
        buckets: how often somebody may ask.
        public_url: address that browsers use; None for that of each request.
        traces: of the process.
        private_networks: what isn't public, and systems may be added in.
    """
    app = FastAPI(
        title="leat",
        version="1",
        description=_TEXT,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=(traces or Traces("web")).of_requests(),
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.health, app.state.buckets = health, buckets or Buckets()
    app.state.current = current or Current(health.workspace)
    app.state.public_url = public_url
    app.state.ended, app.state.recent, app.state.asked = asyncio.Event(), Recent(), Asked()
    app.state.turns = Turns()
    app.state.drafts, app.state.private_networks = Drafts(health.workspace), private_networks
    app.state.dagster = None
    app.state.changes = Changes(health.workspace)
    app.state.answers = Answers(app.state.changes.version)
    app.state.refused = {}  # of webhooks, by endpoint
    for router in (*ROUTERS, *PAGES, reference.router):
        app.include_router(router)
    app.openapi = lambda: description_of(app)  # type: ignore[method-assign]
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    for error in ERRORS:
        app.add_exception_handler(error, _on_database)
    app.add_api_route("/livez", _livez, include_in_schema=False)
    app.add_api_route("/readyz", _readyz, include_in_schema=False)
    add_links(app)
    return app


async def _livez() -> Response:
    return PlainTextResponse("ok")


async def _readyz(request: Request) -> Response:
    health: Health = request.app.state.health
    seen = health.last()
    ready, checks = seen if seen is not None else await run_in_threadpool(health.check)
    return JSONResponse({"ready": ready, "checks": checks}, 200 if ready else 503)


async def _on_problem(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)  # noqa: S101 - it is registered for nothing else
    body = problem.body(request.state.request_id)
    return Response(body, problem.status, dict(problem.headers), media_type=JSON)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    name = NAMES.get(error.status_code, "http")
    what = {404: "there is nothing at this path", 405: "this path doesn't take this method"}
    detail = what.get(error.status_code, str(error.detail))
    if wants_page(request):
        return error_page(request, Problem(error.status_code, name, detail))
    step = "GET /v1/openapi.json lists what there is" if error.status_code in what else ""
    return await _on_problem(request, Problem(error.status_code, name, detail, step, headers=error.headers or {}))


async def _on_database(request: Request, error: Exception) -> Response:
    problem = unavailable(request, error)
    return error_page(request, problem) if wants_page(request) else await _on_problem(request, problem)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    errors = [{"at": ".".join(map(str, each["loc"])), "message": str(each["msg"])} for each in error.errors()]
    return await _on_problem(
        request, Problem(422, "invalid", "the request has mistakes", "correct what errors lists", errors)
    )
