"""People: who has signed in, their roles and why, their open sessions and their API tokens; and one's own."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from leat.runs import callers, people
from leat.runs.access import Resource
from leat.security.principal import ROLES
from leat.serve.api import me as api
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.api.models import CreatedToken, NewToken
from leat.serve.api.people import end_one, sign_out_person
from leat.serve.pages.form import AsForm
from leat.serve.pages.render import HEADERS, page, part_of
from leat.serve.pages.route import PageRoute
from leat.serve.problem import Problem
from leat.serve.session import session_id_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_VIEWS = ("people", "sessions", "tokens")
_EXPIRES = (7, 30, 90, 365)


@router.get("/people")
def list_people(
    guard: AsGuard, request: Request, view: Annotated[str, Query(max_length=20)] = "people",
    number: Annotated[int, Query(alias="page")] = 1,
) -> Response:  # fmt: skip
    """Show everybody, all open sessions, or all tokens."""
    guard.require("read", [Resource("person"), Resource("session"), Resource("token")])
    view = view if view in _VIEWS else "people"
    now = datetime.now(UTC)
    everybody, tokens = people.people(guard.workspace), callers.tokens(guard.workspace, None)
    sessions = people.sessions(guard.workspace, None)
    valid = [token for token in tokens if is_valid(token, now)]
    listed: dict[str, list[Any]] = {"people": everybody, "sessions": sessions, "tokens": tokens}
    counts = {"people": len(everybody), "sessions": len(sessions), "tokens": len(valid)}
    return page(request, "people.html", view=view, part=part_of(listed[view], number), counts=counts,
                sessions_of=Counter(session.person for session in sessions), state=_state_of(now),
                tokens_of=Counter(token.owner for token in valid), **_session_page(guard, request))  # fmt: skip


@router.get("/people/{person}")
def show_person(guard: AsGuard, request: Request, person: str) -> Response:
    """Show one; everybody may see themselves."""
    return _shown(guard, request, person)


@router.post("/people/{person}/tokens")
def create_token(guard: AsGuard, request: Request, person: str, form: AsForm) -> Response:
    """Create a token for oneself, and show it, this once."""
    if person != guard.principal.person:
        guard.require("read", Resource("person", person, owner=person))
        raise Problem(403, "forbidden", "people create tokens for themselves only", "ask them to create it")
    days = form.get("days", "")
    if days not in map(str, _EXPIRES):
        guard.require("administer", Resource("token", owner=person))
        raise Problem(422, "invalid", "a token has to expire", "go back and choose when")
    try:
        wanted = NewToken(name=form.get("name", ""), expires_at=datetime.now(UTC) + timedelta(days=int(days)),
                          role=form.get("role") or None, scopes=form.get("scopes", "").split())  # fmt: skip
    except ValidationError as error:
        guard.require("administer", Resource("token", owner=person))
        raise Problem(
            422, "invalid", "a token needs a name of at most 200 characters", "go back and write it"
        ) from error
    return _shown(guard, request, person, api.create_token(guard, wanted, Response()))


@router.post("/people/{person}/tokens/{token}/revoke")
def revoke_token(guard: AsGuard, person: str, token: str) -> Response:
    """Revoke a token."""
    api.revoke_token(guard, token)
    return RedirectResponse(f"/people/{person}?done=revoked", 303, HEADERS)


@router.post("/people/{person}/sessions/{session}/end")
def end_session(guard: AsGuard, session: str) -> Response:
    """End a session."""
    owner = end_one(guard, session)
    return RedirectResponse(f"/people/{owner}?done=ended", 303, HEADERS)


@router.post("/people/{person}/sign-out")
def end_all_sessions(guard: AsGuard, person: str) -> Response:
    """End all sessions of a person."""
    sign_out_person(guard, person)
    return RedirectResponse(f"/people/{person}?done=all_ended", 303, HEADERS)


def is_valid(token: Any, now: datetime) -> bool:
    """Return whether a token can be used."""
    return token.revoked_at is None and token.expires_at > now


def _shown(guard: Guard, request: Request, person: str, created: CreatedToken | None = None) -> Response:
    guard.require("read", Resource("person", person, owner=person))
    one = next((each for each in people.people(guard.workspace) if each.id == person), None)
    if one is None:
        raise Problem(404, "no-such-person", "nobody like that has signed in", "look at the list")
    now = datetime.now(UTC)
    is_own = person == guard.principal.person
    more = {kind: guard.may("read", Resource(kind, owner=person)) for kind in ("session", "token")}
    sessions = people.sessions(guard.workspace, person) if more["session"] else []
    tokens = callers.tokens(guard.workspace, person) if more["token"] else []
    highest = ROLES.index(guard.principal.role) if guard.principal.role else -1
    return page(request, "person.html", one=one, sessions=sessions, tokens=tokens, is_own=is_own, created=created,
                    state=_state_of(now), expires=_EXPIRES, roles=ROLES[: highest + 1][::-1],
                    may_end_all=guard.may("administer", Resource("session", owner=person)),
                    may_create=is_own and guard.principal.kind == "person"
                    and guard.may("administer", Resource("token", owner=person)),
                    **_session_page(guard, request))  # fmt: skip


def _session_page(guard: Guard, request: Request) -> dict[str, Any]:
    """Return what lists of sessions and tokens need: which session is this one, and which buttons there are."""
    session_id = session_id_of(request)
    return {
        "this_session": None if session_id is None else people.shown_id(session_id),
        "may_end": lambda each: guard.may("administer", Resource("session", each.id, owner=each.person)),
        "may_revoke": lambda each: guard.may("administer", Resource("token", each.id, owner=each.owner)),
    }


def _state_of(now: datetime) -> Any:
    def state(token: Any) -> str:
        return "revoked" if token.revoked_at is not None else "expired" if token.expires_at <= now else "active"

    return state
