"""An automation that is declared without a mistake: what the engine needs of it, without what parsed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from leat.actions.automations.declaration import Declared
from leat.pipelines.declare.table_names import TableName

AS = "as"
"""The key of a step that names its result."""


@dataclass(frozen=True, slots=True)
class Step:
    """One action for each target: an integration's verb, parameters that are filled in, a name for its result."""

    integration: str
    verb: str
    parameters: Mapping[str, Any]
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """The query of the targets.

    Attributes:
        names: its columns; ``*`` among them means all of a table.
        sql: its text per dialect.
        now: how the time of the run is written in it.
    """

    names: tuple[str, ...]
    sql: Mapping[str, str]
    now: str


@dataclass(frozen=True)
class Automation:
    """An automation.

    Attributes:
        name: the file's name.
        shown: how messages call the file.
        declared: what is in it.
        query: the query of its targets; None when they are the evidence of violations.
        rule_key: the key of the rule whose violations start it.
        tables: the tables that its targets are read from.
        digest: SHA-256 over everything that decides what it does.
    """

    name: str
    shown: str
    declared: Declared
    query: Query | None
    rule_key: tuple[str, ...]
    tables: tuple[TableName, ...]
    digest: str

    @property
    def scope(self) -> str:
        """The name of its kill switch, and of who plans and approves its actions."""
        return f"automation/{self.name}"

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """What is done for each target."""
        return steps_of(self.declared)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns and expressions that identify a target."""
        declared = self.declared
        return declared.key or ((declared.group_by,) if declared.group_by else self.rule_key)


def steps_of(declared: Declared) -> tuple[Step, ...]:
    """Return the steps of an automation without mistakes."""
    steps = []
    for each in declared.do:
        [(name, parameters)] = ((name, value) for name, value in each.items() if name != AS)
        integration, _, verb = name.partition(".")
        steps.append(Step(integration, verb, parameters or {}, each.get(AS)))
    return tuple(steps)
