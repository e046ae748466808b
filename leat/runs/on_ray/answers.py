"""What jobs have printed, as one result: each job prints the JSON object of its ``leat run``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from leat.pipelines.load.results import CheckResult, IntegrationResult
from leat.runs.refresh import Refreshed

if TYPE_CHECKING:
    from leat.control.automations import RunRow
    from leat.quality.alerts.announce import Sent
    from leat.runs.acting import Acted

_BUSY = 75
_BEGINS = '{"leat": 1,'


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an integration, and what its job said besides.

    Attributes:
        result: what became of it.
        said: the JSON object that its job has printed; nothing if that is lost.
        recorded: whether the job recorded its run in the control store.
    """

    result: IntegrationResult
    said: Mapping[str, Any] = field(default_factory=dict)
    recorded: bool = False


def failed(name: str, kind: str, why: str) -> Answer:
    """Return the answer for an integration whose job has none."""
    return Answer(IntegrationResult(name, "failed", error=f"{name}: {why}", error_type=kind))


def busy(name: str, why: str) -> Answer:
    """Return the answer for an integration that somebody else runs."""
    return Answer(IntegrationResult(name, "busy", error=why, error_type="Busy"))


def read_answer(name: str, job: str, exit_code: int | None, output: str) -> Answer:
    """Return what a job says that has ended by itself."""
    lines = [line for line in output.splitlines() if line.startswith(_BEGINS)]
    if not lines:
        why = (
            f"job {job} ended with {exit_code} and printed no result. Next: `ray job logs {job}` shows what it printed"
        )
        if exit_code == 127:
            why = f"the machine of job {job} has no `leat`. Next: `ray start` there with leat's environment in PATH"
        return failed(name, "NoResult", why)
    said = json.loads(lines[-1])
    if "error" in said:
        message = said["error"]["message"]
        return busy(name, message) if exit_code == _BUSY else failed(name, said["error"]["type"], message)
    value = dict(said["integrations"][0])
    value["checks"] = [each for each in said["checks"] if each["subject"].startswith(f"{name}.")]
    return Answer(TypeAdapter(IntegrationResult).validate_python(value), said, recorded=True)


def refreshed_by(answers: Sequence[Answer]) -> Refreshed | None:
    """Return what the jobs did to models and rules; of each, the last that was done."""
    models: dict[str, Any] = {}
    checks: dict[tuple[str, str], Any] = {}
    for answer in answers:
        for model in answer.said.get("models", ()):
            if model["status"] != "unchanged" or model["name"] not in models:
                models[model["name"]] = model
        own = f"{answer.result.integration}."
        for check in answer.said.get("checks", ()):
            if not check["subject"].startswith(own):
                checks[check["subject"], check["check"]] = check
    if not models and not checks:
        return None
    from leat.assets.build import ModelResult

    return Refreshed(
        tuple(TypeAdapter(list[ModelResult]).validate_python(list(models.values()))),
        tuple(TypeAdapter(list[CheckResult]).validate_python(list(checks.values()))),
    )


def acted_by(answers: Sequence[Answer]) -> Acted | None:
    """Return the actions that the jobs sent or followed up on; None for none."""
    from leat.control.outbox import ActionRow
    from leat.runs.acting import Acted

    rows = {row["id"]: row for row in _collected(answers, "actions")}
    return Acted(TypeAdapter(list[ActionRow]).validate_python(list(rows.values()))) if rows else None


def planned_by(answers: Sequence[Answer]) -> list[RunRow]:
    """Return what automations planned in the jobs."""
    from leat.control.automations import RunRow

    return TypeAdapter(list[RunRow]).validate_python(_collected(answers, "automations"))


def sent_by(answers: Sequence[Answer]) -> list[Sent]:
    """Return the alerts that the jobs sent."""
    from leat.quality.alerts.announce import Sent

    return TypeAdapter(list[Sent]).validate_python(_collected(answers, "alerts"))


def _collected(answers: Sequence[Answer], name: str) -> list[Any]:
    return [each for answer in answers for each in answer.said.get(name, ())]
