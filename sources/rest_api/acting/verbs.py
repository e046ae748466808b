"""A declared action as a verb, and as what the engine calls to do it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leat.sources.actions import Action, Verb
from leat.sources.rest_api.acting.parameters import parameters_model
from leat.sources.rest_api.acting.steps import Steps
from leat.sources.rest_api.declaration.action import ActionOptions


def actions_of(declared: Mapping[str, ActionOptions]) -> Iterator[tuple[Verb, Action]]:
    """Yield each declared action as a verb, and how it is done."""
    for name, each in declared.items():
        yield _verb(name, each), _action(name, each)


def _verb(name: str, declared: ActionOptions) -> Verb:
    undo = "It can't be undone." if declared.undo is None else f"By `{next(iter(declared.undo))}`."
    needs = declared.permission or f"{declared.request.method} {declared.request.path}"
    model = parameters_model(name, declared.parameters)
    return Verb(name, declared.description, model, declared.guarantee(), needs, undo, declared.money)


def _action(name: str, declared: ActionOptions) -> Action:
    steps = Steps(name, declared)
    looks = steps.find if declared.find is not None else steps.look if declared.guarantee() == "natural" else None
    return Action(
        steps.plan,
        steps.send,
        steps.confirm,
        looks,
        steps.undo,
        settle=declared.settle.total_seconds(),
        guarded_for=declared.guarded_for,
    )
