"""Add a system in the browser: choose it, fill in its settings, see it tried, choose streams, save the declaration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from leat.pipelines.declare.yaml_file import DeclarationError
from leat.runs.access import Resource
from leat.runs.connecting.draft import Draft
from leat.runs.connecting.reach import Reach, variable_of
from leat.runs.connecting.save import Taken, draft_of, free_name_problem, save, text_of
from leat.runs.connecting.trial import mask_rows
from leat.serve.api.drafts import begin_trial, drafts_of, find_draft, hidden_columns, mistakes_of, reach_of_caller
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.api.integrations import request_run
from leat.serve.api.models import NewRun
from leat.serve.pages.connection_form import Field, form_of
from leat.serve.pages.draft_form import SCHEDULES, Mistakes, document_of, lists_streams, with_streams
from leat.serve.pages.form import AsForm
from leat.serve.pages.live import follow
from leat.serve.pages.render import HEADERS, fragment, page, zone_of
from leat.serve.pages.route import PageRoute
from leat.serve.problem import Problem
from leat.sources.driver import (
    describe_driver,
    describe_source,
    driver_names,
    load_streams,
    reads_control_store,
    source_names,
)

AT = "/integrations/-"
"""Where the pages are: no integration can be called so."""
router = APIRouter(prefix=AT, route_class=PageRoute, include_in_schema=False)


@router.get("/add")
def choose_system(guard: AsGuard, request: Request) -> Response:
    """Show the kinds of systems, and what reads each."""
    guard.require("configure", Resource("integration"))
    kinds = [
        (source, describe_source(source), [(each, describe_driver(source, each)) for each in driver_names(source)])
        for source in sorted(source_names(), key=lambda name: not load_streams(name))
        if not reads_control_store(source)
    ]
    return page(request, "add.html", kinds=kinds, at=AT)


@router.get("/add/{source}/{driver}")
def show_form(guard: AsGuard, request: Request, source: str, driver: str, draft: str = "") -> Response:
    """Show the form of a driver, as it was filled in if somebody comes back."""
    guard.require("configure", Resource("integration"))
    _require_driver(source, driver)
    before = drafts_of(request).find(draft, guard.principal.id)
    return _form_page(guard, request, source, driver, before.form if before else {}, Mistakes(), draft)


@router.post("/add/{source}/{driver}")
def try_form(guard: AsGuard, request: Request, source: str, driver: str, form: AsForm) -> Response:
    """Make a draft of a form, and try it; a form with mistakes is shown again."""
    name = form.get("name", "")
    guard.require("configure", Resource("integration", name, integration=name))
    _require_driver(source, driver)
    reach = reach_of_caller(guard, request)
    fields = form_of(source, driver, local=reach.anything, hidden=reach.hidden)
    document, mistakes = document_of(source, driver, fields, form, reach)
    problem = free_name_problem(guard.workspace.project, name)
    if problem is not None:
        mistakes.add("name", problem)
    drafts = drafts_of(request)
    if not mistakes:
        draft = drafts.add(guard.principal.id, name, document, form)
        mistakes = _mistakes_of(guard, draft, reach)
        if not mistakes:
            old = drafts.find(form.get("draft", ""), guard.principal.id)
            if old is not None:
                drafts.remove(old)
            return _begin(guard, request, draft)
        drafts.remove(draft)
    return _form_page(guard, request, source, driver, form, mistakes, form.get("draft", ""))


@router.get("/{draft_id}")
def show_draft(guard: AsGuard, request: Request, draft_id: str) -> Response:
    """Show what trying a draft has shown so far, and its streams when that is all."""
    draft = find_draft(guard, request, draft_id)
    return page(request, "add_try.html", **_shown(guard, request, draft))


@router.get("/{draft_id}/live")
async def follow_trial(guard: AsGuard, request: Request, draft_id: str) -> Response:
    """Follow a trial: a part of the page, again whenever something has happened."""
    await run_in_threadpool(find_draft, guard, request, draft_id)
    parts = follow(request.app.state.ended, partial(_look, guard, request, draft_id))
    return StreamingResponse(parts, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


@router.post("/{draft_id}/test")
def try_again(guard: AsGuard, request: Request, draft_id: str) -> Response:
    """Try a draft once more."""
    return _begin(guard, request, find_draft(guard, request, draft_id))


@router.post("/{draft_id}/streams")
def choose_streams(guard: AsGuard, request: Request, draft_id: str, form: AsForm) -> Response:
    """Take over which streams are loaded, how often, and what is hashed."""
    draft = find_draft(guard, request, draft_id)
    names = [stream.name for stream in draft_of(guard.workspace.project, draft).every_stream()]
    draft.document = with_streams(draft.document, names, form, zone_of(request).key)
    mask_rows(draft, guard.workspace.project)
    drafts_of(request).store(draft)
    return RedirectResponse(f"{AT}/{draft.id}/file", 303, HEADERS)


@router.get("/{draft_id}/file")
def show_file(guard: AsGuard, request: Request, draft_id: str) -> Response:
    """Show the declaration as YAML, with what is missing in it."""
    draft = find_draft(guard, request, draft_id)
    return _file_page(guard, request, draft, 200, ())


@router.post("/{draft_id}/save")
def save_file(guard: AsGuard, request: Request, draft_id: str, form: AsForm) -> Response:
    """Save the declaration as a file of the project, and run it if that was asked for."""
    draft = find_draft(guard, request, draft_id)
    if not form.get("run"):
        guard.require("configure", Resource("integration", draft.name, integration=draft.name))
    else:
        guard.require("run", Resource("integration", draft.name, integration=draft.name))
    try:
        save(guard.workspace, draft)
    except DeclarationError as error:
        return _file_page(guard, request, draft, 422, error.diagnostics)
    except Taken as error:
        return _file_page(guard, request, draft, 409, [str(error)])
    except OSError as error:
        why = f"pipelines/{draft.name}.yaml can't be written here: {error.strerror}. Copy it, and save it yourself"
        return _file_page(guard, request, draft, 409, [why])
    drafts_of(request).remove(draft)
    request.app.state.recent.forget("status")
    guard.workspace = request.app.state.current.workspace(at_once=True)
    if not form.get("run"):
        return RedirectResponse(f"/integrations/{draft.name}?done=added", 303, HEADERS)
    asked = request_run(guard, Response(), NewRun(integrations=[draft.name]))
    return RedirectResponse(f"/runs/{asked.id}?done=added", 303, HEADERS)


def _require_driver(source: str, driver: str) -> None:
    there = source in source_names() and not reads_control_store(source) and driver in driver_names(source)
    if not there:
        raise Problem(404, "no-such-system", f"leat has no driver {source}/{driver}", "choose one of the list")


def _begin(guard: Guard, request: Request, draft: Draft) -> Response:
    begin_trial(guard, request, draft)
    return RedirectResponse(f"{AT}/{draft.id}", 303, HEADERS)


def _mistakes_of(guard: Guard, draft: Draft, reach: Reach) -> Mistakes:
    """Return what is wrong with a draft as a declaration, and what it names that isn't its own."""
    mistakes = Mistakes()
    for field, text in mistakes_of(guard, draft, reach):
        if field:
            mistakes.add(field, text)
        else:
            mistakes.add_diagnostics([text])
    return mistakes


def _form_page(
    guard: Guard, request: Request, source: str, driver: str, values: Mapping[str, str], mistakes: Mistakes, draft: str
) -> Response:
    reach = reach_of_caller(guard, request)
    form = form_of(source, driver, local=reach.anything, hidden=reach.hidden)
    project = guard.workspace.project
    free = (name for name in (source, *(f"{source}_{n}" for n in range(2, 99))) if not free_name_problem(project, name))
    name = values.get("name") or next(free, "")
    return page(request, "add_form.html", 422 if mistakes else 200, source=source, driver=driver, form=form, at=AT,
                kind=describe_source(source).partition(":")[0], about_driver=describe_driver(source, driver),
                 values={**values, "name": name}, mistakes=mistakes,
                draft=draft, lists=lists_streams(source),
                variable=partial(variable_of, "" if mistakes.of("name") else name),
                asked=["name", "description", "lists", *_names_of(form.fields)], reach=reach)  # fmt: skip


def _file_page(guard: Guard, request: Request, draft: Draft, status: int, wrong: Any) -> Response:
    project = guard.workspace.project
    if not wrong:
        try:
            draft_of(project, draft, complete=True)
        except DeclarationError as error:
            wrong = error.diagnostics
    may_run = guard.may("run", Resource("integration", draft.name, integration=draft.name))
    return page(request, "add_file.html", status, draft=draft, text=text_of(draft.document), wrong=wrong, at=AT,
                may_run=may_run)  # fmt: skip


def _shown(guard: Guard, request: Request, draft: Draft) -> dict[str, Any]:
    """Return what the page of a trial shows; first rows with personal data only to whoever may see that."""
    declaration = draft_of(guard.workspace.project, draft)
    streams = {stream.name: stream for stream in declaration.every_stream()}
    hidden = hidden_columns(guard, draft, declaration)
    return {"draft": draft, "trial": draft.trial, "declaration": declaration, "streams": streams, "hidden": hidden,
            "schedules": SCHEDULES, "endpoints": draft.document["connection"].get("endpoints", {}),
            "lists": lists_streams(declaration.source), "at": AT}  # fmt: skip


def _look(guard: Guard, request: Request, draft_id: str) -> tuple[object, bool, Callable[[], str]] | None:
    draft = drafts_of(request).find(draft_id, guard.principal.id)
    if draft is None:
        return None
    now, over = draft.trial.changes, draft.trial.ended
    return (now, over), over, lambda: fragment(request, "add_progress.html", **_shown(guard, request, draft))


def _names_of(fields: Sequence[Field]) -> list[str]:
    inside = [each for field in fields for _, _, more in field.variants for each in more]
    return [field.name for field in (*fields, *inside)]
