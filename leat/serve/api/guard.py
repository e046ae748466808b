"""What every route goes through: who asks, whether they may, idempotency keys, and ETags.

A route whose handler hasn't asked for access answers 500: so none can be written that forgets to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leat.runs import access, callers
from leat.runs.access import Forbidden, Principal, Resource, Verb
from leat.runs.changes import Changes
from leat.runs.reveal import Reveal
from leat.runs.workspace import Workspace
from leat.serve.answers import Answers
from leat.serve.api.etag import if_changed, with_etag
from leat.serve.api.idempotency import once
from leat.serve.api.parameters import names_of, refuse_nul, refuse_unknown
from leat.serve.limits import Buckets
from leat.serve.problem import Problem
from leat.serve.recent import Recent
from leat.serve.session import of_own_pages, principal_of, renew_cookie, session_id_of
from leat.warehouse.session import Busy, NothingPublished

_SAFE = ("GET", "HEAD", "OPTIONS")


class Guard:
    """A caller at the gate.

    Attributes:
        workspace: the project.
        principal: who asks.
        asked: whether access was asked for.
        recent: what was read a moment ago.
        recorded: whether access was asked for in a way that the audit log records each time.
    """

    def __init__(self, workspace: Workspace, principal: Principal, recent: Recent | None = None) -> None:
        self.workspace, self.principal, self.asked = workspace, principal, False
        self.recorded = False
        self.recent = recent or Recent()

    def require(self, verb: Verb, resources: Resource | Iterable[Resource]) -> None:
        """Ask for access.

        Raises:
            Forbidden: it isn't allowed.
        """
        self.asked = True
        listed = [resources] if isinstance(resources, Resource) else list(resources)
        self.recorded = self.recorded or any("personal" in each.tags for each in listed)
        access.require(self.workspace, verb, listed, self.principal)

    def may(self, verb: Verb, resource: Resource) -> bool:
        """Return whether something is allowed, for lists, which show only that."""
        self.asked = True
        return self.workspace.gate.decide(self.principal, resource, verb).allowed

    def reveal(self, *resources: Resource) -> Reveal:
        """Return what gives values of these as the caller may see them; decryption is recorded each time."""
        self.recorded = self.recorded or self.workspace.encrypts
        return Reveal(self.workspace, resources, self.principal)


async def guard_of(request: Request) -> Guard:
    """Return the guard of a request; a plain function would be called in a thread."""
    guard: Guard = request.state.guard
    return guard


AsGuard = Annotated[Guard, Depends(guard_of)]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def repeatable(endpoint: Endpoint) -> Endpoint:
    """Mark a GET whose answer depends on the control store, on what readers see, and on what is declared alone.

    While none of it changes, leat gives the same caller the same answer again; see :mod:`leat.serve.answers`.
    """
    endpoint.repeatable = True  # type: ignore[attr-defined]
    return endpoint


class GuardedRoute(APIRoute):
    """A route of the API."""

    def get_route_handler(self) -> Handler:
        """Wrap the handler."""
        handler = super().get_route_handler()
        again, names = getattr(self.endpoint, "repeatable", False), names_of(self.dependant)

        async def guarded(request: Request) -> Response:
            guard = await _guard_for(request)
            request.state.guard = guard
            refuse_unknown(request, names)
            if request.method not in _SAFE:
                await refuse_nul(request)
            with callers.acting_as(guard.principal):
                if again:
                    response = await _repeated(request, guard, handler)
                else:
                    store, caller = guard.workspace.store, guard.principal.id
                    response = await once(request, store, caller, lambda: answered(request, guard, handler))
            if request.method not in _SAFE:
                request.app.state.answers.forget()
            return renew_cookie(request, if_changed(request, response))

        return guarded


async def answered(request: Request, guard: Guard, handler: Handler) -> Response:
    """Answer a request, if its handler asks for access.

    Raises:
        Problem: it is refused, or can't be answered now.
        RuntimeError: the handler didn't ask.
    """
    try:
        response = await handler(request)
    except Forbidden as error:
        raise Problem(403, "forbidden", str(error), "ask an administrator for the role") from error
    except Busy as error:
        raise Problem(503, "busy", str(error), "retry later", headers={"retry-after": "5"}) from error
    except NothingPublished as error:
        raise Problem(404, "nothing-published", str(error), "run an integration first") from error
    if not guard.asked:
        msg = f"{request.method} {request.url.path} hasn't asked for access"
        raise RuntimeError(msg)
    return response


async def _repeated(request: Request, guard: Guard, handler: Handler) -> Response:
    """Answer a request as a moment ago, if nothing has changed."""
    generation = request.app.state.current.generation_of(guard.workspace)

    async def make() -> Response:
        response = with_etag(await answered(request, guard, handler))
        if guard.recorded:
            response.headers["cache-control"] = "no-store"
        return response

    if generation is None:  # a declaration has just changed
        return await make()
    answers: Answers = request.app.state.answers
    question = guard.principal, generation, request.url.path, request.scope["query_string"]
    return await answers.get(question, make)


async def _guard_for(request: Request) -> Guard:
    """Return the guard of whoever sends a request; of many requests with a token, one looks it up."""
    guard = _authenticate_at_once(request)
    if guard is not None:
        return guard
    authorization, turns = request.headers.get("authorization"), request.app.state.turns
    if authorization is None:
        return await run_in_threadpool(authenticate, request)
    async with turns.take(authorization):
        guard = _authenticate_at_once(request)
        return guard if guard is not None else await run_in_threadpool(authenticate, request)


def _authenticate_at_once(request: Request) -> Guard | None:
    """Return the guard of whoever sends a request, if that takes neither a query nor a look at files; else None."""
    workspace: Workspace | None = request.app.state.current.workspace_at_hand()
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if workspace is None or "security" not in workspace.__dict__ or kind.lower() != "bearer":
        return None
    changes: Changes = request.app.state.changes
    principal = changes.find_principal(token.strip(), workspace.security.policy)
    return None if principal is None else _admitted(request, workspace, principal)


def authenticate(request: Request) -> Guard:
    """Return the guard of whoever sends a request.

    Raises:
        Problem: nobody can be made out, or too many requests came.
    """
    workspace: Workspace = request.app.state.current.workspace()
    buckets: Buckets = request.app.state.buckets
    address = request.client.host if request.client else ""
    principal = _principal(request, workspace)
    if principal is None:
        if not buckets.may_sign_in(address):
            raise Problem(
                429, "too-many-failures", "too many requests without a valid token", headers={"retry-after": "60"}
            )
        buckets.failed(address)
        step = '`leat tokens create "what it is for" --expires P90D` creates a token'
        headers = {"www-authenticate": 'Bearer realm="leat"'}
        raise Problem(401, "unauthenticated", "there is no valid token or session", step, headers=headers)
    return _admitted(request, workspace, principal)


def _admitted(request: Request, workspace: Workspace, principal: Principal) -> Guard:
    wait = request.app.state.buckets.take(principal.id)
    if wait:
        raise Problem(429, "too-many-requests", "too many requests", headers={"retry-after": str(wait)})
    return Guard(workspace, principal, request.app.state.recent)


def _principal(request: Request, workspace: Workspace) -> Principal | None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        changes: Changes = request.app.state.changes
        return changes.read_principal(token.strip(), workspace.security.policy)
    if session_id_of(request) is None:
        return None
    if request.method not in _SAFE and not of_own_pages(request):
        raise Problem(403, "cross-site", "a page of another site sent this request", "use a token in Authorization")
    return principal_of(request, workspace)
