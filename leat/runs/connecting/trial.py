"""Trying a draft: what it names is there, the system takes it, and each stream has these first rows.

A driver whose streams the user declares proposes what a draft leaves open; the draft takes it over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.profile import read_variables
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.error_message import log_error, text_of
from leat.pipelines.load.preview import Preview, hidden_columns, preview, preview_folder
from leat.runs.connecting.draft import Draft, Drafts, Trial
from leat.runs.connecting.reach import Reach
from leat.runs.connecting.save import draft_of
from leat.runs.setup_tests import setup_tests
from leat.sources.driver import SetupTest
from leat.sources.errors import IntegrationError, NotConfigured
from leat.sources.settings import named_in, redact

log = logging.getLogger("leat.serve")
_BETWEEN = 0.25  # seconds between looks for what others are to see
_ALIVE = 15.0  # seconds after which it is written again that somebody tries a draft
_ONLY_REACHED = frozenset({"reachable", "git version", "configured"})
"""Tests that pass although nothing can be read."""


def start_trial(project: Project, drafts: Drafts, draft: Draft, reach: Reach) -> bool:
    """Begin to try a draft in a thread of its own; return whether there was room for one more."""
    turn = drafts.turn()
    if not turn.acquire(blocking=False):
        return False
    trial = Trial(doing="looking at the settings")
    try:
        drafts.try_here(draft, trial)
    except BaseException:
        turn.release()
        raise

    def work() -> None:
        storing = threading.Thread(target=_store_now_and_then, args=(drafts, draft, trial), daemon=True)
        storing.start()
        try:
            _try(project, draft, trial, reach)
        except Exception as error:
            log_error(log, error, "trying %s failed", draft.name)
            trial.tests.append(SetupTest("everything works", ok=False, detail="leat failed; its log has the details"))
        finally:
            trial.ended = True
            trial.show("")
            trial.changes += 1
            turn.release()
            storing.join()
            _attempt(lambda: drafts.end_here(draft, trial), draft)

    threading.Thread(target=work, name=f"trial of {draft.name}", daemon=True).start()
    return True


def _store_now_and_then(drafts: Drafts, draft: Draft, trial: Trial) -> None:
    """Let other servers see what a trial shows, and that it goes on."""
    changes, stored = 0, time.monotonic()
    while not trial.ended:
        time.sleep(_BETWEEN)
        if trial.changes != changes or time.monotonic() - stored > _ALIVE:
            changes, stored = trial.changes, time.monotonic()
            _attempt(lambda: drafts.store_tried(draft, trial), draft)


def _attempt(store: Callable[[], None], draft: Draft) -> None:
    try:
        store()
    except Exception as error:
        log.warning("what trying %s shows isn't stored: %s", draft.name, text_of(error))


def _try(project: Project, draft: Draft, trial: Trial, reach: Reach) -> None:
    read_variables(project.folder)  # one may have been added or corrected since
    declaration = draft_of(project, draft)
    named = _names(project, declaration)
    for test in named:
        _add(trial, test)
    if not all(test.ok for test in named):
        return

    def progress(what: str, _count: int) -> None:
        trial.show(f"reading {redact(what)}")

    with preview_folder(project) as folder:
        trial.show("connecting")
        for test in reach.tests(project, declaration, folder):
            _add(trial, test)
        if not all(test.ok for test in trial.tests):
            return
        for test in setup_tests(project, declaration, folder, reach.permits, progress):
            _add(trial, test)
    if not {test.name for test in trial.tests[len(named) :] if test.ok} - _ONLY_REACHED:
        return
    trial.show("reading the first rows")
    _preview(project, draft, trial, reach, progress)
    proposed = [each.proposed for each in trial.previews if each.proposed]
    if proposed:
        trial.show("reading the first rows once more, with the columns that leat proposes")
        _take_over(draft, proposed)
        notes = {each.stream: each.notes for each in trial.previews}
        _preview(project, draft, trial, reach, progress)
        trial.previews = [replace(each, notes=notes.get(each.stream, ())) for each in trial.previews]


def _names(project: Project, declaration: Declaration) -> list[SetupTest]:
    """Return a test for each variable, file and secret that a draft names."""
    tests: dict[str, SetupTest] = {}
    for _, named in named_in(declaration.connection):
        what = named.what
        try:
            named.read(declaration.name, project.folder)
        except NotConfigured as error:
            step = f"write a line {named.env}=… into the project's .env file" if named.env else error.next_step
            tests[what] = SetupTest(f"{what} is there", ok=False, detail=f"{error.got}. Next: {step}, then test again")
        else:
            where = "set where leat serve runs" if named.env is not None else "it can be read"
            tests[what] = SetupTest(f"{what} is there", ok=True, detail=where)
    return list(tests.values())


def _preview(project: Project, draft: Draft, trial: Trial, reach: Reach, progress: Any) -> None:
    declaration = draft_of(project, draft)
    streams = [stream.name for stream in declaration.every_stream()]
    before = {each.stream: each for each in trial.previews}
    try:
        for each in preview(project, declaration, streams, progress, reach.permits):
            error = None if each.error is None else redact(each.error)
            before[each.stream] = replace(each, error=error, proposed=each.proposed or _proposed(before, each))
            trial.previews = list(before.values())
            trial.changes += 1
    except IntegrationError as error:
        _add(trial, SetupTest("first rows can be read", ok=False, detail=redact(str(error))))


def _proposed(before: Mapping[str, Preview], each: Preview) -> str:
    return before[each.stream].proposed if each.stream in before else ""


def _take_over(draft: Draft, proposed: list[str]) -> None:
    """Declare what the driver proposes; a part that isn't valid is left open, and saving says so."""
    import yaml

    endpoints = dict(draft.document["connection"]["endpoints"])
    for text in proposed:
        endpoints |= yaml.safe_load(text)
    draft.document["connection"]["endpoints"] = endpoints


def mask_rows(draft: Draft, project: Project) -> None:
    """Hide the values of columns that the draft masks or encrypts in the rows that were read before."""
    try:
        declaration = draft_of(project, draft)
    except DeclarationError:
        return
    hidden = {stream.name: hidden_columns(declaration, stream) for stream in declaration.every_stream()}
    draft.trial.previews = [_masked(each, hidden.get(each.stream, {})) for each in draft.trial.previews]


def _masked(shown: Preview, hidden: Mapping[str, str]) -> Preview:
    rows = tuple(
        tuple(hidden[n] if n in hidden and v is not None else v for n, v in zip(shown.columns, row, strict=True))
        for row in shown.rows
    )
    return replace(shown, rows=rows)


def _add(trial: Trial, test: SetupTest) -> None:
    trial.tests.append(test)
    trial.changes += 1
