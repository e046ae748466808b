"""What the catalog says of checks and rules as they are declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from leat.catalog.store import Row
from leat.quality.checks import CheckedTable
from leat.quality.rule_files import Rule


def check_entries(tables: Iterable[CheckedTable]) -> Iterator[Row]:
    """Yield the rows of ``catalog.declared_checks``."""
    for table in tables:
        for check in table.checks:
            target = check.target or (None, None, None)
            columns = ", ".join(check.columns) or None
            said = (check.name, check.kind, check.description, check.severity, columns)
            yield (table.schema, table.table, *said, *target)


def rule_entries(rules: Sequence[Rule]) -> Iterator[Row]:
    """Yield the rows of ``catalog.declared_rules``."""
    for rule in rules:
        key, needs = ", ".join(rule.key), ", ".join(rule.needs) or None
        said = (rule.title, rule.description, rule.next_step, rule.severity, rule.owner or None)
        yield (rule.name, *said, key, needs, rule.shown)


def rule_inputs(rules: Sequence[Rule]) -> Iterator[Row]:
    """Yield the rows of ``catalog.rule_inputs``."""
    for rule in rules:
        for table in sorted(rule.inputs, key=str):
            yield (rule.name, table.schema, table.name)
