"""Where values of a person are: the columns of all tables that name them, with how many rows do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leat.runs.subjects.identities import Identity
from leat.runs.subjects.tables import PeopleTable
from leat.sources.subject import ADDRESSES, NAME
from leat.sources.tombstones import Tombstones, is_unmistakable, may_be_mentioned, scope_of, tombstones_of
from leat.warehouse.session import Session, quote


@dataclass(frozen=True, slots=True)
class Mentioned:
    """How many rows of a table name a person in a column."""

    table: str
    column: str
    rows: int


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that a row names somebody, and what is bound to it."""

    sql: str
    params: tuple[Any, ...]


def conditions(
    table: PeopleTable, identities: Sequence[Identity], masks: Mapping[Identity, str]
) -> dict[str, Condition]:
    """Return for each column that can name a person the condition that it does.

    Args:
        table: the table.
        identities: of the person.
        masks: the hashes that represent them in masked columns.
    """
    result: dict[str, Condition] = {}
    for name, kind in table.columns.items():
        tests = [
            *_mentions(table, name, identities, kind),
            *_exact(table, name, identities, masks),
        ]
        if tests:
            column = f"lower(CAST({quote(name)} AS VARCHAR))"
            sql = " OR ".join(test.sql.replace("$column", column) for test in tests)
            result[name] = Condition(f"({sql})", tuple(value for test in tests for value in test.params))
    return result


def _mentions(table: PeopleTable, name: str, identities: Sequence[Identity], kind: str) -> list[Condition]:
    """Return conditions that a text names an identity, or that JSON has one of the integration's own."""
    if kind not in ("string", "json") or name in table.masked:
        return []
    wanted = []
    for each, integration, value in identities:
        if may_be_mentioned(each, value):
            wanted += sorted({value.lower(), value.lower().replace("@", "%40")})
        elif kind == "json" and integration == table.schema and scope_of(each, integration) and is_unmistakable(value):
            wanted.append(f'"{value.lower()}"')
    return [Condition("$column LIKE ? ESCAPE '!'", (f"%{_escaped(value)}%",)) for value in wanted]


def _exact(
    table: PeopleTable, name: str, identities: Sequence[Identity], masks: Mapping[Identity, str]
) -> list[Condition]:
    subject = table.subject(name)
    if subject is None or table.columns[name] == "json":
        return []
    scope = scope_of(subject.kind, table.schema)
    alike = ADDRESSES if subject.kind in ADDRESSES else (subject.kind,)
    own = [each for each in identities if each[0] in alike and each[1] == scope]
    if name in table.masked:
        return [Condition("$column = ?", (masks[each],)) for each in own if each in masks]
    if subject.kind == NAME:
        return []
    return [Condition("trim($column) = ?", (each[2].lower(),)) for each in own]


def _escaped(value: str) -> str:
    for sign in "!%_":
        value = value.replace(sign, f"!{sign}")
    return value


def count_rows(
    session: Session, tables: Sequence[PeopleTable], identities: Sequence[Identity], masks: Mapping[Identity, str]
) -> list[Mentioned]:
    """Return the columns that name a person, with how many rows do, by table."""
    results = []
    stones = tombstones_of(b"unused", identities)
    for table in tables:
        tests = conditions(table, identities, masks)
        if not tests:
            continue
        counts = ", ".join(f"count(*) FILTER (WHERE {test.sql})" for test in tests.values())
        anyhow = " OR ".join(test.sql for test in tests.values())
        params = [value for test in tests.values() for value in test.params]
        ((*numbers,),) = session.execute(f"SELECT {counts} FROM {table.quoted} WHERE {anyhow}", [*params, *params])
        for name, number in zip(tests, numbers, strict=True):
            exact = _count(session, table, name, tests[name], _values(table, name, identities, masks), stones)
            results += [Mentioned(str(table), name, exact)] if number and exact else []
    return results


def _count(
    session: Session, table: PeopleTable, name: str, test: Condition, values: frozenset[str], stones: Tombstones
) -> int:
    """Return how many rows really name a person: joann@example.com has ann@example.com in it, and is somebody else."""
    sql = f"SELECT CAST({quote(name)} AS VARCHAR), count(*) FROM {table.quoted} WHERE {test.sql} GROUP BY 1"
    return sum(
        int(number)
        for value, number in session.execute(sql, test.params)
        if value.strip().lower() in values or stones.text(value) != value or _has_id(value, values)
    )


def _has_id(value: str, values: frozenset[str]) -> bool:
    return any(f'"{each}"' in value.lower() for each in values if is_unmistakable(each))


def _values(
    table: PeopleTable, name: str, identities: Sequence[Identity], masks: Mapping[Identity, str]
) -> frozenset[str]:
    """Return what a value may be as a whole, in lower case."""
    ids = {value.lower() for _, integration, value in identities if integration in ("", table.schema)}
    return frozenset(ids | set(masks.values()) if name in table.masked else ids)
