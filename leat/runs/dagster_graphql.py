"""What a request to Dagster's GraphQL does, and whether it passes: web and Dagster's process both ask.

A request has one operation. A mutation passes if each of its fields is in :data:`ALLOWED`; the others would make the
history untrue, or change what leat decides itself. ``tests/serve/test_dagster.py`` compares both lists with Dagster's
schema, so a mutation of a new version is looked at before it passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphql import DocumentNode, FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode

ALLOWED = frozenset({
    "launchMultipleRuns", "launchPipelineExecution", "launchPipelineReexecution", "launchRun", "launchRunReexecution",
    "reloadRepositoryLocation", "reloadWorkspace",
    "terminatePipelineExecution", "terminateRun", "terminateRuns",
})  # fmt: skip
"""Mutations for whoever may run everything."""
REFUSED = {
    "history": "Dagster's history has to remain true",
    "schedules": "leat runs schedules and sensors itself",
    "none": "leat's assets have no partitions and no components",
    "settings": "whoever runs leat sets this in dagster.yaml",
}
"""Why other mutations are refused, whoever asks."""
REFUSED_AS = {
    "deletePipelineRun": "history", "deleteRun": "history", "wipeAssets": "history",
    "reportAssetCheckEvaluations": "history", "reportRunlessAssetEvents": "history",
    "resetSchedule": "schedules", "resetSensor": "schedules", "scheduleDryRun": "schedules",
    "sensorDryRun": "schedules", "setAutoMaterializePaused": "schedules", "setSensorCursor": "schedules",
    "startSchedule": "schedules", "startSensor": "schedules", "stopRunningSchedule": "schedules",
    "stopSensor": "schedules",
    "addDynamicPartition": "none", "cancelPartitionBackfill": "none", "deleteAppManagedComponent": "none",
    "deleteDynamicPartitions": "none", "launchPartitionBackfill": "none", "reexecutePartitionBackfill": "none",
    "refreshComponentState": "none", "resumePartitionBackfill": "none", "setAppManagedComponent": "none",
    "deleteConcurrencyLimit": "settings", "freeConcurrencySlots": "settings",
    "freeConcurrencySlotsForRun": "settings", "logTelemetry": "settings", "setConcurrencyLimit": "settings",
    "setNuxSeen": "settings", "shutdownRepositoryLocation": "settings",
}  # fmt: skip
_TOKENS = 20_000
_DEEPEST = 40
"""How deeply a query may be nested: those of Dagster's pages have less than half of that."""
_NAMES = ("jobName", "pipelineName", "runId", "runIds", "parentRunId", "repositoryLocationName")
_MOST_NAMES = 50


class Unreadable(ValueError):
    """A request isn't one operation of GraphQL; the text says why."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A request of GraphQL.

    Attributes:
        kind: `query`, `mutation` or `subscription`.
        fields: the names of its fields at the top, aliases resolved.
        payload: what is sent on.
    """

    kind: str
    fields: tuple[str, ...]
    payload: dict[str, Any]

    @property
    def refusal(self) -> str | None:
        """Why it is refused, whoever asks; None if it isn't."""
        for name in self.fields if self.kind == "mutation" else ():
            if name not in ALLOWED:
                return f"{name} is refused here: {REFUSED[REFUSED_AS.get(name, 'settings')]}"
        return None

    @property
    def concerns(self) -> list[str]:
        """What a mutation is about, as far as its variables name jobs, runs, assets and locations."""
        return list(dict.fromkeys(_named(self.payload.get("variables"))))[:_MOST_NAMES]


def read_operation(value: Any) -> Operation:
    """Return what a request does.

    Args:
        value: the JSON of the request.

    Raises:
        Unreadable: it isn't one operation of GraphQL.
    """
    from graphql import FragmentDefinitionNode, GraphQLError, OperationDefinitionNode, parse

    if not isinstance(value, dict) or not isinstance(value.get("query"), str):
        msg = "the request isn't an object with a query"
        raise Unreadable(msg)
    given, name = value.get("variables"), value.get("operationName")
    variables = {} if given is None else given
    if not isinstance(variables, dict) or not (name is None or isinstance(name, str)):
        msg = "variables is no object, or operationName no text"
        raise Unreadable(msg)
    try:
        document = parse(value["query"], no_location=True, max_tokens=_TOKENS)
    except (GraphQLError, RecursionError) as error:
        raise Unreadable(getattr(error, "message", "the query is nested too deeply")) from error
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    if len(operations) != 1 or len(operations) + len(fragments) != len(document.definitions):
        msg = "the request has more or less than one operation"
        raise Unreadable(msg)
    fields = tuple(_fields(operations[0], {each: fragment.selection_set for each, fragment in fragments.items()}))
    if _depth(document, fragments) > _DEEPEST:
        msg = f"the query is nested deeper than {_DEEPEST} levels"
        raise Unreadable(msg)
    if {"__schema", "__type"} & set(fields):
        msg = "the schema isn't shown here"
        raise Unreadable(msg)
    payload = {"query": value["query"], "variables": variables, "operationName": name}
    return Operation(operations[0].operation.value, fields, payload)


def _fields(operation: OperationDefinitionNode, fragments: dict[str, SelectionSetNode]) -> Iterator[str]:
    """Yield the names of the fields at the top, also those of fragments."""
    from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode

    waiting, seen = [operation.selection_set], set()
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FieldNode):
                yield selection.name.value
            elif isinstance(selection, InlineFragmentNode):
                waiting.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in seen:
                seen.add(selection.name.value)
                if selection.name.value in fragments:
                    waiting.append(fragments[selection.name.value])


def _depth(document: DocumentNode, fragments: Mapping[str, FragmentDefinitionNode]) -> int:
    """Return how deeply fields are nested, with what fragments add; one that nests itself in a field has no end."""
    deepest: dict[str, int] = {}

    def below(node: Any, at: int, entered: Mapping[str, int]) -> int:
        if node.selection_set is None:
            return 0
        depths = [0]
        for each in node.selection_set.selections:
            if each.kind != "fragment_spread":
                one = int(each.kind == "field")
                depths.append(below(each, at + one, entered) + one)
            elif each.name.value in entered:
                depths.append(_DEEPEST + 1 if at > entered[each.name.value] else 0)
            elif each.name.value in fragments:
                name = each.name.value
                if name not in deepest:
                    deepest[name] = below(fragments[name], at, {**entered, name: at})
                depths.append(deepest[name])
        return max(depths)

    return max(below(each, 0, {}) for each in document.definitions)


def _named(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += reversed(value)
        elif isinstance(value, dict):
            for key, each in value.items():
                if key in _NAMES and each:
                    yield from (str(one)[:200] for one in (each if isinstance(each, list) else [each]))
                elif key == "assetSelection" and isinstance(each, list):
                    yield from (".".join(map(str, one["path"]))[:200] for one in each if _is_asset(one))
                elif isinstance(each, dict | list) and key != "runConfigData":
                    waiting.append(each)


def _is_asset(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("path"), list)
