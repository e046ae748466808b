"""Writes the schema ``catalog`` after a load; it needs integrations, models, checks and rules alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from leat.assets.lineage import Lineage
from leat.assets.model import Model
from leat.catalog.model_entries import model_columns, model_lineage, model_tables
from leat.catalog.rule_entries import check_entries, rule_entries, rule_inputs
from leat.catalog.store import write_catalog
from leat.catalog.stream_entries import (
    actual_columns,
    column_entries,
    history_lineage,
    integration_entries,
    table_entries,
)
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.quality.checks import model_checks, stream_checks
from leat.quality.rule_files import Rule
from leat.warehouse.session import Session


@dataclass(frozen=True, slots=True)
class Described:
    """All that is declared in a project.

    Attributes:
        project: the project.
        declarations: its integrations by name.
        models: its models, in build order.
        rules: its rules.
        lineages: of each model, where its columns come from.
        personal: of each model, its columns with personal data.
    """

    project: Project
    declarations: Mapping[str, Declaration]
    models: Sequence[Model]
    rules: Sequence[Rule]
    lineages: Mapping[str, Lineage]
    personal: Mapping[str, frozenset[str]]


def describe(session: Session, described: Described, good_runs: Mapping[str, datetime]) -> bool:
    """Bring the catalog up to date in the open transaction; returns whether what is declared had to be written.

    ``good_runs`` says when each integration was last read to the end.
    """
    actual = actual_columns(session)
    checked = [table for declaration in described.declarations.values() for table in stream_checks(declaration)]
    checked += [model_checks(model.name, model.checks) for model in described.models]
    entries = {
        "integrations": list(integration_entries(described.project, described.declarations)),
        "declared_tables": [
            *table_entries(described.project, described.declarations),
            *model_tables(described.models, described.personal),
        ],
        "columns": [
            *column_entries(described.declarations, actual),
            *model_columns(described.models, described.personal, actual),
        ],
        "lineage": [*history_lineage(described.declarations), *model_lineage(described.models, described.lineages)],
        "declared_checks": list(check_entries(checked)),
        "declared_rules": list(rule_entries(described.rules)),
        "rule_inputs": list(rule_inputs(described.rules)),
    }
    return write_catalog(session, entries, sorted(good_runs.items()))
