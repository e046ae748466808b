"""What an automation acts on now: violations with their evidence, or the rows of its query, as readers see them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from leat.actions.automations.automation import Automation
from leat.control.automations import ModeRow
from leat.pipelines.declare.cron import last_due
from leat.quality.ledger import violation_key
from leat.quality.violation_report import Entry, entries
from leat.sources.batch import to_json
from leat.sources.templates import TemplateProblem, Values, fill, is_template
from leat.warehouse.session import Session, WarehouseError, literal, quote

MOST = 10_000
"""So many rows may be selected."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to act on.

    Attributes:
        identity: SHA-256 over the automation, the key and the episode: there is one action for it and each step.
        key: the values of the key, for people.
        context: what templates may use.
        violation: the violation that it is for.
    """

    identity: str
    key: tuple[Any, ...]
    context: Mapping[str, Any]
    violation: Entry | None = None


@dataclass(slots=True)
class Targets:
    """What there is to act on.

    Attributes:
        listed: the targets.
        problems: why others can't be acted on.
        rows: how many rows the first table has that they are read from; None if no limit asks for it.
    """

    listed: list[Target] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    rows: int | None = None


def read_targets(session: Session, automation: Automation, row: ModeRow, now: datetime) -> Targets:
    """Return what an automation acts on.

    Args:
        session: on what readers see.
        automation: the automation.
        row: since when it is enabled, and which rows were there then.
        now: the time.

    Raises:
        WarehouseError: the query failed, or selects too much.
    """
    targets, when = Targets(), automation.declared.when
    moment = now
    if when.schedule is not None:
        due = last_due(when.schedule, when.zone, now)
        if due is None or (row.mode == "enabled" and row.since is not None and due < row.since):
            return targets
        moment = due
    times = _times(moment, when.zone)
    violations = _violations(session, automation, row)
    each: list[tuple[Mapping[str, Any], Entry | None]] = []
    if automation.query is None:
        each += [(entry.evidence, entry) for entry in violations.values()]
    else:
        for selected in select_rows(session, automation, now):
            entry = _violation_of(selected, automation, violations)
            if when.rule is None or entry is not None:
                each.append((selected, entry))
    _collect(targets, automation, each, times, moment)
    if when.rows and row.baseline:
        baseline = frozenset(row.baseline)
        targets.listed = [target for target in targets.listed if target.identity[:16] not in baseline]
    if automation.declared.limits.share_of_target is not None and automation.tables:
        table = automation.tables[0]
        targets.rows = session.execute(f"SELECT count(*) FROM {quote(table.schema, table.name)}")[0][0]
    return targets


def _violation_of(row: Mapping[str, Any], automation: Automation, violations: Mapping[str, Entry]) -> Entry | None:
    if automation.declared.when.rule is None or not row.keys() >= set(automation.rule_key):
        return None
    return violations.get(violation_key(automation.declared.when.rule, [row[name] for name in automation.rule_key]))


def _times(moment: datetime, zone: str) -> dict[str, Any]:
    here = moment.astimezone(ZoneInfo(zone))
    return {"now": here.isoformat(), "day": f"{here:%Y-%m-%d}", "week": f"{here:%G-W%V}", "month": f"{here:%Y-%m}"}


def _violations(session: Session, automation: Automation, row: ModeRow) -> dict[str, Entry]:
    when = automation.declared.when
    if when.rule is None:
        return {}
    listed = entries(session, only_open=when.violation_opened is not None, rule=when.rule)
    if when.violation_resolved is not None:
        since = row.since or row.changed_at
        listed = [each for each in listed if each.resolved_at is not None and each.resolved_at >= since]
    return {each.key: each for each in listed}


def select_rows(session: Session, automation: Automation, now: datetime) -> list[Mapping[str, Any]]:
    """Return the rows of an automation's query, with JSON values.

    Raises:
        WarehouseError: it selects too much, or reads what isn't loaded yet.
    """
    if automation.query is None:
        return []
    for table in automation.tables:
        if not session.columns(table.schema, table.name):
            msg = f"the targets of {automation.name} read {table}, which isn't loaded yet"
            raise WarehouseError(msg)
    sql = automation.query.sql[session.dialect.name].replace(automation.query.now, literal(now))
    names = list(automation.query.names)
    if "*" in names:
        answer = session.sqlalchemy().exec_driver_sql(f"SELECT * FROM ({sql}) AS targets WHERE 1 = 0")
        names = list(answer.keys())
    rows = session.execute(f"SELECT * FROM ({sql}) AS targets LIMIT {MOST + 1}")
    if len(rows) > MOST:
        msg = f"the targets of {automation.name} are more than {MOST:,} rows; narrow the query"
        raise WarehouseError(msg)
    return [json.loads(to_json(dict(zip(names, row, strict=True)))) for row in rows]


def _collect(
    targets: Targets,
    automation: Automation,
    each: Sequence[tuple[Mapping[str, Any], Entry | None]],
    times: Mapping[str, Any],
    moment: datetime,
) -> None:
    """Add a target for each row, or each group of rows, and a problem for each that has no key of its own."""
    by_key: dict[str, Target | None] = {}
    for context, episode, violation in _contexts(automation, each, times, moment):
        try:
            key = tuple(_key_value(name, context, automation) for name in automation.key)
        except TemplateProblem as problem:
            targets.problems.append(f"key: {problem}")
            continue
        if any(value is None for value in key):
            targets.problems.append(f"a row has no {', '.join(automation.key)}")
            continue
        identity = hashlib.sha256(to_json([automation.name, key, episode]).encode()).hexdigest()
        if identity in by_key:
            if by_key[identity] is not None:
                targets.problems.append(f"{_shown(key)} is the key of more than one row")
            by_key[identity] = None
        else:
            by_key[identity] = Target(identity, key, context, violation)
    targets.listed = [target for target in by_key.values() if target is not None]


def _contexts(
    automation: Automation,
    each: Sequence[tuple[Mapping[str, Any], Entry | None]],
    times: Mapping[str, Any],
    moment: datetime,
) -> list[tuple[dict[str, Any], str, Entry | None]]:
    """Return what templates may use, the episode, and the violation."""
    when, group_by = automation.declared.when, automation.declared.group_by
    timed = any(map(is_template, automation.key))
    episode = moment.isoformat() if when.schedule is not None and not timed else ""
    if group_by is None:
        return [
            (
                {**times, "row": Values(row), **_about(entry)},
                episode if entry is None else f"{entry.key}:{entry.episodes}",
                entry,
            )
            for row, entry in each
        ]
    groups: dict[str, tuple[Any, list[Values]]] = {}
    for row, _ in each:
        groups.setdefault(to_json(row[group_by]), (row[group_by], []))[1].append(Values(row))
    return [({**times, "group": value, "rows": rows}, episode, None) for value, rows in groups.values()]


def _about(entry: Entry | None) -> dict[str, Any]:
    if entry is None:
        return {}
    return {"violation": Values({"rule": entry.rule, "key": entry.key, "opened_at": entry.opened_at.isoformat()})}


def _key_value(name: str, context: Mapping[str, Any], automation: Automation) -> Any:
    if is_template(name):
        return fill(name, context)
    return context["group"] if automation.declared.group_by is not None else _column(context["row"], name)


def _column(row: Values, name: str) -> Any:
    try:
        return row[name]
    except KeyError:
        msg = f"the targets have no column {name!r}"
        raise TemplateProblem(msg) from None


def _shown(key: tuple[Any, ...]) -> str:
    return ", ".join(map(str, key))
