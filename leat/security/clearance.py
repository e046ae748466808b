"""Which columns and rows each role may read by connecting to the warehouse itself: one decision for both engines.

Whoever connects runs SQL of their own. So a role may read a column if it may query the table and the column; the rows
and masks of ``grants:`` only take away from that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leat.security.access import validate_access
from leat.security.grants import Grants, MaskRule
from leat.security.policy import Policy
from leat.security.principal import ROLES, Principal, Role
from leat.security.resource import Decision, Resource
from leat.security.table_access import PERSONAL, TableFacts, column_resources, system_resources, verb_of
from leat.warehouse.clearance import Clearances, Table, TableClearance
from leat.warehouse.session import quote

if TYPE_CHECKING:
    from leat.warehouse.dialect import Dialect

SHOWN = "•••"


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides.

    Attributes:
        policy: who may do what.
        grants: the rows and masks of roles.
        integrations: the names of all integrations.
        hooked: those that have webhooks.
    """

    policy: Policy
    grants: Grants
    integrations: Collection[str]
    hooked: Collection[str] = ()


def decide_column(rules: Rules, role: Role, table: TableFacts, column: str) -> Decision:
    """Decide whether a role may read a column, masked or not."""
    resources = system_resources(table.schema, table.name, rules.integrations, rules.hooked)
    if resources is None:
        masked = rules.grants.mask_of(str(table), column, role) is not None
        resources = column_resources(table, column, masked=masked)
    if not resources:  # a table with rows of all integrations, and there are none
        resources = [Resource("stream", tags=PERSONAL)]
    principal = Principal("", "", "person", frozenset({role}), "local")
    decision = validate_access(principal, Resource("query"), "query", rules.policy)
    for resource in resources:
        if decision.allowed:
            decision = validate_access(principal, resource, verb_of(resource), rules.policy)
    return decision


def table_clearance(rules: Rules, role: Role, table: TableFacts, dialect: Dialect) -> TableClearance | None:
    """Return what a role may read of a table; None for nothing."""
    columns: dict[str, str | None] = {}
    for column, kind in table.types.items():
        if decide_column(rules, role, table, column).allowed:
            mask = rules.grants.mask_of(str(table), column, role)
            columns[column] = None if mask is None else masked_value(mask, column, kind, dialect)
    if not columns:
        return None
    rows = row_condition(rules.grants, role, table, dialect)
    return TableClearance(columns, rows, len(columns) == len(table.types))


def row_condition(grants: Grants, role: Role, table: TableFacts, dialect: Dialect) -> str | None:
    """Return the condition of the rows that a role may read; None for all."""
    rules = grants.rows_of(str(table), role)
    if not rules:
        return None
    from leat.security.row_condition import condition_text

    return " AND ".join(condition_text(rule.where, dialect.name) for rule in rules)


def masked_value(mask: MaskRule, column: str, kind: str, dialect: Dialect) -> str:
    """Return the expression of what is shown instead of a value; null stays null."""
    name, text = quote(column), dialect.sql_type("string")
    if kind != "string":
        return f"CAST(NULL AS {dialect.sql_type(kind)})" if kind != "?" else f"CAST(NULL AS {text})"
    shown = {
        "hidden": f"'{SHOWN}'",
        "initial": f"LEFT({name}, 1) || '{SHOWN}'",
        "domain": f"'{SHOWN}@' || SPLIT_PART({name}, '@', 2)",
    }[mask.show]
    return f"CASE WHEN {name} IS NULL THEN NULL ELSE CAST({shown} AS {text}) END"


def decide_clearances(rules: Rules, tables: Iterable[TableFacts], dialect: Dialect, project: Path) -> Clearances:
    """Return what all roles may read of the tables that are there.

    Args:
        rules: what decides.
        tables: the tables.
        dialect: of the warehouse, for conditions and masks.
        project: the folder that the folder of files is relative to.
    """
    listed = list(tables)
    roles: dict[str, Mapping[Table, TableClearance]] = {}
    for role in ROLES:
        decided = {(each.schema, each.name): table_clearance(rules, role, each, dialect) for each in listed}
        roles[role] = {table: clearance for table, clearance in decided.items() if clearance is not None}
    grants = rules.grants
    return Clearances(
        roles=roles,
        tables=frozenset((each.schema, each.name) for each in listed),
        prefix=grants.prefix,
        unmanaged=grants.unmanaged,
        folder=None if grants.folder is None else project / grants.folder,
        groups={role: group for role, group in grants.groups.items()},
        mark=mark_of(rules),
    )


def mark_of(rules: Rules) -> str:
    """Return a hash of all that decides, apart from the tables."""
    grants = rules.grants
    decisive = [
        rules.policy.hash,
        [[rule.table, sorted(rule.roles), rule.where] for rule in grants.rows],
        [[rule.table, sorted(rule.columns), sorted(rule.roles), rule.show] for rule in grants.masks],
        sorted(rules.integrations),
        sorted(rules.hooked),
        grants.folder,
        sorted(grants.groups.items()),
    ]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()
