"""What the files of rules say, for pages that show violations: sides, description, and integrations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from leat.pipelines.declare.yaml_file import DeclarationError
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.quality.rule_files import Rule


@lru_cache(maxsize=2)
def rules_of(workspace: Workspace) -> Mapping[str, Rule]:
    """Return the rules by their names; none while a file has a mistake, which `leat check` reports."""
    from leat.quality.rule_files import read_rules

    models = sorted(path.stem for path in (workspace.project.folder / "assets" / "models").glob("*.sql"))
    try:
        return {rule.name: rule for rule in read_rules(workspace.project, workspace.declarations, tuple(models))}
    except DeclarationError:
        return {}


def integrations_of(workspace: Workspace, rule: str) -> frozenset[str]:
    """Return the declared integrations that a rule compares."""
    read = rules_of(workspace).get(rule)
    if read is None:
        return frozenset()
    named = {*read.sides, *read.needs, *(str(table.schema) for table in read.inputs)}
    return frozenset(named & workspace.declarations.keys())
