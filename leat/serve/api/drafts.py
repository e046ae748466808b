"""Systems that are to be added: a draft of a declaration, tried for real, then saved as a file of the project."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.preview import Preview
from leat.runs.access import Resource
from leat.runs.connecting import draft as drafts
from leat.runs.connecting.reach import Reach, reach_of
from leat.runs.connecting.save import Taken, draft_of, free_name_problem, save, text_of
from leat.runs.connecting.trial import start_trial
from leat.serve.api.draft_models import Draft, FirstRows, NewDraft, Saved, Test
from leat.serve.api.guard import AsGuard, Guard, GuardedRoute
from leat.serve.problem import Problem

router = APIRouter(route_class=GuardedRoute, tags=["drafts"])


@router.post("/v1/drafts", status_code=202)
def add_draft(guard: AsGuard, request: Request, response: Response, body: NewDraft) -> Draft:
    """Try a declaration that isn't a file yet: its setup tests, and the first rows of each stream.

    Location says where to look. A draft belongs to its owner, and is removed hours after the last look at it.
    """
    guard.require("configure", Resource("integration", body.name, integration=body.name))
    problem = free_name_problem(guard.workspace.project, body.name)
    if problem is not None:
        raise Problem(409, "name-taken", problem, "choose another name")
    draft = drafts_of(request).add(guard.principal.id, body.name, body.declaration, {})
    wrong = mistakes_of(guard, draft, reach_of_caller(guard, request))
    if wrong:
        drafts_of(request).remove(draft)
        raise _invalid(wrong)
    begin_trial(guard, request, draft)
    response.headers["location"] = f"/v1/drafts/{draft.id}"
    return _shown(guard, draft, rows=False)


@router.get("/v1/drafts/{draft_id}")
def read_draft(guard: AsGuard, request: Request, draft_id: str) -> Draft:
    """Return what trying a draft has shown so far."""
    return _shown(guard, find_draft(guard, request, draft_id), rows=True)


@router.post("/v1/drafts/{draft_id}:test", status_code=202)
def try_draft(guard: AsGuard, request: Request, draft_id: str) -> Draft:
    """Try a draft once more."""
    draft = find_draft(guard, request, draft_id)
    begin_trial(guard, request, draft)
    return _shown(guard, draft, rows=False)


@router.post("/v1/drafts/{draft_id}:save", status_code=201)
def save_draft(guard: AsGuard, request: Request, response: Response, draft_id: str) -> Saved:
    """Write a draft into the project as `pipelines/NAME.yaml`; Location is the integration's."""
    draft = find_draft(guard, request, draft_id)
    guard.require("configure", Resource("integration", draft.name, integration=draft.name))
    try:
        path = save(guard.workspace, draft)
    except DeclarationError as error:
        raise _invalid([("", line) for line in error.diagnostics]) from error
    except Taken as error:
        raise Problem(409, "name-taken", str(error), "choose another name") from error
    except OSError as error:
        why = f"pipelines/{draft.name}.yaml can't be written: {error.strerror}"
        raise Problem(409, "not-writable", why, "save the draft's `yaml` there yourself") from error
    drafts_of(request).remove(draft)
    request.app.state.recent.forget("status")
    guard.workspace = request.app.state.current.workspace(at_once=True)
    response.headers["location"] = f"/v1/integrations/{draft.name}"
    return Saved(integration=draft.name, file=guard.workspace.project.shown(path))


@router.delete("/v1/drafts/{draft_id}", status_code=204)
def remove_draft(guard: AsGuard, request: Request, draft_id: str) -> None:
    """Forget a draft."""
    drafts_of(request).remove(find_draft(guard, request, draft_id))


def drafts_of(request: Request) -> drafts.Drafts:
    """Return the drafts of the project."""
    held: drafts.Drafts = request.app.state.drafts
    return held


def find_draft(guard: Guard, request: Request, draft_id: str) -> drafts.Draft:
    """Return a draft of the caller.

    Raises:
        Forbidden: the caller may add no system.
        Problem: there is no such draft, or it is somebody else's.
    """
    guard.require("configure", Resource("integration"))
    draft = drafts_of(request).find(draft_id, guard.principal.id)
    if draft is None:
        step = "begin again; drafts are removed after some hours"
        raise Problem(404, "no-such-draft", "this draft isn't there any more", step)
    return draft


def reach_of_caller(guard: Guard, request: Request) -> Reach:
    """Return how far a caller reaches: without an identity provider, it is the account that runs leat."""
    anything = guard.workspace.security.sign_in is None
    return reach_of(anything=anything, networks=request.app.state.private_networks)


def begin_trial(guard: Guard, request: Request, draft: drafts.Draft) -> None:
    """Have a draft tried, unless that is under way.

    Raises:
        Problem: several are being tried.
    """
    if draft.trial.ended or not draft.trial.doing:
        reach = reach_of_caller(guard, request)
        if not start_trial(guard.workspace.project, drafts_of(request), draft, reach):
            raise Problem(503, "busy", "several systems are being tried already", "try again in a minute",
                          headers={"retry-after": "60"})  # fmt: skip


def mistakes_of(guard: Guard, draft: drafts.Draft, reach: Reach) -> list[tuple[str, str]]:
    """Return what is wrong with a draft: diagnostics with an empty path, then paths that name what isn't its own."""
    try:
        declaration = draft_of(guard.workspace.project, draft)
    except DeclarationError as error:
        return [("", line) for line in error.diagnostics]
    return list(reach.problems(declaration, guard.workspace.declarations))


def hidden_columns(guard: Guard, draft: drafts.Draft, declaration: Declaration) -> dict[str, set[str]]:
    """Return the columns with personal data whose first rows the caller may not see, by stream."""
    return {
        stream.name: {column.name for column in stream.all_columns() if column.personal}
        for stream in declaration.every_stream()
        if not guard.may("read", Resource("stream", stream.name, draft.name, stream.name, frozenset({"personal"})))
    }


def _shown(guard: Guard, draft: drafts.Draft, *, rows: bool) -> Draft:
    """Return a draft; without rows where the answer is remembered for its idempotency key."""
    trial = draft.trial
    hidden = hidden_columns(guard, draft, draft_of(guard.workspace.project, draft))
    return Draft(
        id=draft.id,
        name=draft.name,
        state="tried" if trial.ended else "trying",
        doing=trial.doing or None,
        ok=trial.ok if trial.ended else None,
        tests=[Test.model_validate(each) for each in trial.tests],
        streams=[_first_rows(each, hidden.get(each.stream, set())) for each in trial.previews] if rows else [],
        yaml=text_of(draft.document),
    )


def _first_rows(each: Preview, hidden: set[str]) -> FirstRows:
    rows: list[dict[str, Any]] = [
        {name: value for name, value in zip(each.columns, row, strict=True) if name not in hidden} for row in each.rows
    ]
    return FirstRows(
        stream=each.stream,
        read=each.read,
        columns=list(each.columns),
        rows=rows,
        quarantined=dict(each.quarantined),
        error=each.error,
        notes=list(each.notes),
    )


def _invalid(wrong: list[tuple[str, str]]) -> Problem:
    errors = [{"at": at, "message": text} for at, text in wrong]
    return Problem(422, "invalid-declaration", "the declaration has mistakes", "correct them", errors=errors)
