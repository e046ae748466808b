"""Who asks, tokens, the audit log, and the description of the API itself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from leat.runs import callers
from leat.runs.access import Resource
from leat.serve.api.guard import AsGuard, GuardedRoute, repeatable
from leat.serve.api.models import AuditEvent, CreatedToken, Me, NewToken, Token
from leat.serve.api.paging import Page, Paging, paging
from leat.serve.api.parameters import LARGEST
from leat.serve.problem import Problem

router = APIRouter(route_class=GuardedRoute)
Pages = Annotated[Paging, Depends(paging)]


@router.get("/v1/me", tags=["me"])
@repeatable
def read_me(guard: AsGuard) -> Me:
    """Return who asks, and with which role."""
    one = guard.principal
    guard.require("read", Resource("person", one.person, owner=one.person))
    scopes = None if one.scopes is None else sorted(one.scopes)
    return Me(id=one.id, name=one.name, role=one.role, authenticated_by=one.authenticated_by, scopes=scopes)


@router.get("/v1/tokens", tags=["tokens"])
@repeatable
def list_tokens(guard: AsGuard, request: Request, response: Response, pages: Pages, mine: bool = True) -> Page[Token]:
    """List tokens, without their secrets; your own, or with `mine=false` everybody's."""
    owner = guard.principal.person if mine else None
    guard.require("read", Resource("token", owner=owner))
    data, cursor = pages.cut(request, response, callers.tokens(guard.workspace, owner), lambda row: row.id)
    return Page(data=[Token.model_validate(row) for row in data], next_cursor=cursor)


@router.post("/v1/tokens", status_code=201, tags=["tokens"])
def create_token(guard: AsGuard, body: NewToken, response: Response) -> CreatedToken:
    """Create a token for yourself; its text is shown once. A token can't create tokens."""
    owner = guard.principal
    guard.require("administer", Resource("token", owner=owner.person))
    more: dict[str, Any] = {"role": body.role, "scopes": body.scopes}
    try:
        row, text = callers.create_token(guard.workspace, owner, body.name, body.expires_at, **more)
    except (ValueError, TypeError) as error:
        raise Problem(422, "token-refused", str(error)) from error
    response.headers["cache-control"] = "no-store"  # nor is it stored for its Idempotency-Key
    return CreatedToken(token=text, details=Token.model_validate(row))


@router.delete("/v1/tokens/{token_id}", status_code=204, tags=["tokens"])
def revoke_token(guard: AsGuard, token_id: str) -> Response:
    """Revoke a token, at once."""
    rows = {row.id: row for row in callers.tokens(guard.workspace, None)}
    owner = rows[token_id].owner if token_id in rows else guard.principal.person
    guard.require("administer", Resource("token", token_id, owner=owner))
    if token_id not in rows:
        raise Problem(404, "no-such-token", f"there is no token {token_id}", "GET /v1/tokens lists them")
    callers.revoke_token(guard.workspace, token_id, guard.principal)
    return Response(status_code=204)


@router.get("/v1/audit", tags=["audit"])
@repeatable
def list_audit_events(
    guard: AsGuard,
    event: Annotated[str | None, Query(description="Only these, for example `token.`.")] = None,
    before: Annotated[int | None, Query(ge=1, le=LARGEST, description="Only those with a smaller number.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Page[AuditEvent]:
    """List events of the audit log, newest first; `before` continues the list."""
    guard.require("read", Resource("audit"))
    rows = callers.audit_events(guard.workspace, event, before, limit)
    following = str(rows[-1].seq) if len(rows) == limit and rows[-1].seq is not None else None
    return Page(data=[AuditEvent.model_validate(row) for row in rows], next_cursor=following)


@router.get("/v1/openapi.json", include_in_schema=False)
@repeatable
def read_openapi(guard: AsGuard, request: Request) -> dict[str, Any]:
    """Return the description of the API, OpenAPI 3.1."""
    guard.require("read", Resource("overview"))
    description: dict[str, Any] = request.app.openapi()
    return description
