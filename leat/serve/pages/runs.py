"""Runs: what happened in plain words first, the log folded; a run that somebody asked for is shown live."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from leat.runs import requests
from leat.runs.access import Resource
from leat.runs.dagster_process import PREFIX
from leat.runs.history import read_log, recent_runs
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.api.integrations import requested
from leat.serve.api.models import Run
from leat.serve.dagster_ui.rights import UI
from leat.serve.pages.csv_file import csv_response
from leat.serve.pages.filters import count
from leat.serve.pages.live import follow
from leat.serve.pages.render import fragment, page, part_of
from leat.serve.pages.route import PageRoute
from leat.serve.pages.units import words
from leat.serve.problem import Problem

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_NEWEST = 1000
Word = Annotated[str, Query(max_length=200)]


@router.get("/runs")
def list_runs(
    guard: AsGuard, request: Request, integration: Word = "", status: Word = "",
    number: Annotated[int, Query(alias="page")] = 1,
) -> Response:  # fmt: skip
    """Show a list, newest first."""
    guard.require("read", Resource("overview"))
    rows = _rows(guard, integration, status)
    return page(request, "runs.html", part=part_of(rows, number), integration=integration, status=status,
                integrations=sorted(guard.workspace.declarations), sentence=sentence,
                statuses=("loaded", "nothing_new", "failed", "blocked", "busy", "running"),
                may_export=True)  # fmt: skip


@router.get("/runs.csv")
def export_runs(guard: AsGuard, integration: Word = "", status: Word = "") -> Response:
    """Return the list as a file."""
    guard.require("read", Resource("overview"))
    rows = [Run.model_validate(row).model_dump() for row in _rows(guard, integration, status)]
    return csv_response("runs.csv", list(Run.model_fields), rows)


@router.get("/runs/{run_id}")
def show_run(guard: AsGuard, request: Request, run_id: str) -> Response:
    """Show a run: one that was asked for, or one of the history."""
    if run_id.startswith("run_"):
        asked = requested(guard, run_id)
        return page(request, "run_live.html", **_progress(asked, requests.read_lines(guard.workspace, run_id)))
    run = next((row for row in recent_runs(guard.workspace, None, _NEWEST) if row.id == run_id), None)
    if run is None:
        guard.require("read", Resource("overview"))
        raise Problem(404, "no-such-run", f"there is no run {run_id} among the newest {_NEWEST:,}", "look at the list")
    guard.require("read", Resource("run", run.id, integration=run.integration))
    log = [
        entry
        for entry in read_log(guard.workspace, integration=run.integration, since=run.started_at, limit=500)
        if run.ended_at is None or entry.at <= run.ended_at
    ]
    linked = run.dagster_run is not None and guard.may("read", UI)
    return page(request, "run.html", run=run, log=log, sentence=sentence, dumped=_dumped,
                dagster=f"{PREFIX}/runs/{run.dagster_run}" if linked else None)  # fmt: skip


@router.get("/runs/{run_id}/live")
async def follow_run(guard: AsGuard, request: Request, run_id: str) -> Response:
    """Follow a run that was asked for: a part of the page, again whenever something has happened."""
    await run_in_threadpool(requested, guard, run_id)
    parts = follow(request.app.state.ended, partial(_look, request, guard, run_id))
    return StreamingResponse(parts, media_type="text/event-stream",
                             headers={"x-accel-buffering": "no"})  # fmt: skip


def _look(request: Request, guard: Guard, run_id: str) -> tuple[object, bool, Callable[[], str]] | None:
    asked = requests.read_request(guard.workspace, run_id)
    lines = requests.read_lines(guard.workspace, run_id)
    if asked is None:
        return None
    html = partial(fragment, request, "run_progress.html", **_progress(asked, lines))
    return (asked.state, len(lines)), asked.has_ended, html


def _progress(asked: requests.RequestedRun, lines: Sequence[tuple[int, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return what the page of a run that was asked for shows: the newest of each integration."""
    each: dict[str, dict[str, Any]] = {name: {"phase": "waits", "records": {}} for name in asked.integrations}
    for _, line in lines:
        one = each.setdefault(str(line.get("integration")), {"records": {}}) if "integration" in line else {}
        if line["event"] == "phase":
            one["phase"] = line["phase"]
        elif line["event"] == "progress":
            one["records"][line["what"]] = line["records"]
        elif line["event"] == "result":
            one["result"] = line
    said = [line["event"] for _, line in lines]
    return {
        "run": asked,
        "integrations": each,
        "refreshing": "refreshing" in said and not asked.has_ended,
        "lines": [json.dumps(line, ensure_ascii=False) for _, line in lines],
    }


def sentence(run: Any) -> str:
    """Return what happened in a run."""
    said = _sentence(run, words(run.integration))
    return said[:1].upper() + said[1:]


def _sentence(run: Any, name: str) -> str:
    if run.status == "running":
        return f"{name} is being loaded."
    if run.status == "nothing_new":
        return f"{name} was read: nothing had changed."
    if run.status == "busy":
        return f"Another process was loading {name}, so this run did nothing."
    if run.status == "loaded":
        done = [
            (number, what)
            for what in ("inserted", "updated", "deleted", "quarantined")
            if (number := getattr(run.counts, what))
        ]
        said = ", ".join(
            f"{f'{number:,}' if index else count(number, 'row')} {what}" for index, (number, what) in enumerate(done)
        )
        return f"{name} was loaded: {said or 'no rows'}."
    if run.status == "blocked":
        return f"{name} was read, but its checks failed, so nothing was changed."
    return f"{name} wasn't loaded. What readers see is as before."


def _rows(guard: Guard, integration: str, status: str) -> list[Any]:
    return [
        row
        for row in recent_runs(guard.workspace, integration or None, _NEWEST)
        if status in ("", row.status) and guard.may("read", Resource("run", row.id, integration=row.integration))
    ]


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
