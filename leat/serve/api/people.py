"""People who have signed in or made a token, their roles, and their open sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from leat.runs import people
from leat.runs.access import Resource
from leat.serve.api.etag import IfMatch, require_match, tag
from leat.serve.api.guard import AsGuard, Guard, GuardedRoute, repeatable
from leat.serve.api.models import FromAttributes
from leat.serve.api.paging import Page, Paging, paging
from leat.serve.problem import Problem

router = APIRouter(route_class=GuardedRoute)
Pages = Annotated[Paging, Depends(paging)]


class Person(FromAttributes):
    """Somebody who has signed in or made a token."""

    id: str
    name: str
    display_name: str
    email: str | None
    issuer: str | None = Field(description="The identity provider; null for an account of the machine.")
    role: str | None
    why: str = Field(description="What gives them the role.")
    created_at: datetime
    signed_in_at: datetime | None
    deactivated_at: datetime | None


class OpenSession(FromAttributes):
    """An open session; its id names it in lists, and lets nobody use it."""

    id: str
    person: str
    name: str
    authenticated_by: str
    created_at: datetime
    used_at: datetime = Field(description="To the minute.")
    ends_at: datetime = Field(description="When it ends if it isn't used again.")


class SignedOut(BaseModel):
    """How many sessions were ended."""

    sessions: int


@router.get("/v1/people", tags=["people"])
@repeatable
def list_people(
    guard: AsGuard,
    request: Request,
    response: Response,
    pages: Pages,
    role: Annotated[str | None, Query(max_length=200, description="Only those who have this role.")] = None,
) -> Page[Person]:
    """List everybody who has signed in or made a token, with their roles, by name."""
    guard.require("read", Resource("person"))
    listed = [each for each in people.people(guard.workspace) if role in (None, each.role)]
    data, cursor = pages.cut(request, response, listed, lambda each: each.id)
    return Page(data=[Person.model_validate(each) for each in data], next_cursor=cursor)


@router.get("/v1/people/{person_id}", tags=["people"])
@repeatable
def read_person(guard: AsGuard, response: Response, person_id: str) -> Person:
    """Return one person; everybody may see themselves."""
    person = person_of(guard, person_id)
    tag(response, person)
    return person


@router.post("/v1/people/{person_id}:sign-out", tags=["people"])
def sign_out_person(guard: AsGuard, person_id: str, if_match: IfMatch = None) -> SignedOut:
    """End all sessions of a person, in every browser. Tokens stay valid."""
    guard.require("administer", Resource("session", owner=person_id))
    require_match(if_match, tag(Response(), person_of(guard, person_id)))
    return SignedOut(sessions=people.end_all_sessions(guard.workspace, person_id, guard.principal))


@router.get("/v1/sessions", tags=["people"])
@repeatable
def list_sessions(
    guard: AsGuard, request: Request, response: Response, pages: Pages, mine: bool = True
) -> Page[OpenSession]:
    """List open sessions, the last used first; your own, or with `mine=false` everybody's."""
    person = guard.principal.person if mine else None
    guard.require("read", Resource("session", owner=person))
    data, cursor = pages.cut(request, response, people.sessions(guard.workspace, person), lambda each: each.id)
    return Page(data=[OpenSession.model_validate(each) for each in data], next_cursor=cursor)


@router.delete("/v1/sessions/{session_id}", status_code=204, tags=["people"])
def end_session(guard: AsGuard, session_id: str) -> Response:
    """End a session, at once."""
    end_one(guard, session_id)
    return Response(status_code=204)


def end_one(guard: Guard, session_id: str) -> str:
    """End a session, and return whose it was.

    Raises:
        Forbidden: it is somebody else's, and the caller may not.
        Problem: there is none.
    """
    owners = {each.id: each.person for each in people.sessions(guard.workspace, None)}
    owner = owners.get(session_id, guard.principal.person)
    guard.require("administer", Resource("session", session_id, owner=owner))
    if not people.end_session(guard.workspace, session_id, guard.principal):
        step = "GET /v1/sessions lists the open ones"
        raise Problem(404, "no-such-session", "there is no such session, or it has ended", step)
    return owner


def person_of(guard: Guard, person_id: str) -> Person:
    """Return a person, if the caller may see them.

    Raises:
        Forbidden: they may not.
        Problem: there is none.
    """
    guard.require("read", Resource("person", person_id, owner=person_id))
    for each in people.people(guard.workspace):
        if each.id == person_id:
            return Person.model_validate(each)
    raise Problem(404, "no-such-person", "nobody like that has signed in", "GET /v1/people lists them")
