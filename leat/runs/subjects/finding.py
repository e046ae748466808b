"""Where values of a person are: the columns of all tables that name them, with how many rows do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leat.pipelines.load.sealed_texts import SealedTexts, placeholders
from leat.runs.subjects.tables import PeopleTable
from leat.sources.identity import Identity
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


@dataclass(frozen=True, slots=True)
class Who:
    """Who is looked for.

    Attributes:
        identities: of the person.
        masks: the hashes that represent them in masked columns.
        texts: reads encrypted values; None where there are none.
    """

    identities: Sequence[Identity]
    masks: Mapping[Identity, str]
    texts: SealedTexts | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a value of a column is or has in it, in lower case, if it names somebody."""

    whole: tuple[str, ...]
    within: tuple[str, ...]

    def is_in(self, clear: str) -> bool:
        lower = clear.lower()
        return lower.strip() in self.whole or any(each in lower for each in self.within)

    def condition(self, column: str) -> Condition:
        tests = [f"{column} LIKE ? ESCAPE '!'"] * len(self.within) + [f"trim({column}) = ?"] * len(self.whole)
        return Condition(" OR ".join(tests), (*(f"%{_escaped(value)}%" for value in self.within), *self.whole))


def conditions(session: Session, table: PeopleTable, who: Who) -> dict[str, Condition]:
    """Return for each column that can name a person the condition that it does.

    Args:
        session: a transaction on the warehouse.
        table: the table.
        who: the person.

    Raises:
        CellError: an encrypted value can't be decrypted.
    """
    result: dict[str, Condition] = {}
    for name, kind in table.columns.items():
        wanted = _Wanted(tuple(_exact(table, name, who)), tuple(_mentions(table, name, who.identities)))
        if not wanted.whole and not wanted.within:
            continue
        written = f"CAST({quote(name)} AS VARCHAR)"
        test = wanted.condition(f"lower({written})")
        sealed: list[str] = []
        if who.texts is not None and kind in ("string", "json"):
            sealed = who.texts.matching(session, table.quoted, name, wanted.is_in)
        sql = f"{test.sql} OR {written} IN ({placeholders(sealed)})" if sealed else test.sql
        result[name] = Condition(f"({sql})", (*test.params, *sealed))
    return result


def _mentions(table: PeopleTable, name: str, identities: Sequence[Identity]) -> Iterator[str]:
    """Yield what a text names an identity by, or JSON an identity of the integration's own."""
    kind = table.kind_of(name)
    if kind not in ("string", "json") or name in table.masked:
        return
    for each, integration, value in identities:
        if may_be_mentioned(each, value):
            yield from sorted({value.lower(), value.lower().replace("@", "%40")})
        elif kind == "json" and integration == table.schema and scope_of(each, integration) and is_unmistakable(value):
            yield f'"{value.lower()}"'


def _exact(table: PeopleTable, name: str, who: Who) -> Iterator[str]:
    """Yield what a value may be as a whole."""
    subject = table.subject(name)
    if subject is None or table.kind_of(name) == "json":
        return
    scope = scope_of(subject.kind, table.schema)
    alike = ADDRESSES if subject.kind in ADDRESSES else (subject.kind,)
    own = [each for each in who.identities if each[0] in alike and each[1] == scope]
    if name in table.masked:
        yield from (who.masks[each] for each in own if each in who.masks)
    elif subject.kind != NAME:
        yield from (each[2].lower() for each in own)


def _escaped(value: str) -> str:
    for sign in "!%_":
        value = value.replace(sign, f"!{sign}")
    return value


def count_rows(session: Session, tables: Sequence[PeopleTable], who: Who) -> list[Mentioned]:
    """Return the columns that name a person, with how many rows do, by table.

    Raises:
        CellError: an encrypted value can't be decrypted.
    """
    results = []
    stones = tombstones_of(b"unused", who.identities)
    for table in tables:
        tests = conditions(session, table, who)
        if not tests:
            continue
        counts = ", ".join(f"count(*) FILTER (WHERE {test.sql})" for test in tests.values())
        anyhow = " OR ".join(test.sql for test in tests.values())
        params = [value for test in tests.values() for value in test.params]
        ((*numbers,),) = session.execute(f"SELECT {counts} FROM {table.quoted} WHERE {anyhow}", [*params, *params])
        for name, number in zip(tests, numbers, strict=True):
            exact = _count(session, table, name, tests[name], who, stones) if number else 0
            results += [Mentioned(str(table), name, exact)] if exact else []
    return results


def _count(session: Session, table: PeopleTable, name: str, test: Condition, who: Who, stones: Tombstones) -> int:
    """Return how many rows really name a person: joann@example.com has ann@example.com in it, and is somebody else."""
    values = _values(table, name, who)
    sql = f"SELECT CAST({quote(name)} AS VARCHAR), count(*) FROM {table.quoted} WHERE {test.sql} GROUP BY 1"
    number = 0
    for stored, rows in session.execute(sql, test.params):
        value = stored if who.texts is None else who.texts.opened(stored)
        if value.strip().lower() in values or stones.text(value) != value or _has_id(value, values):
            number += int(rows)
    return number


def _has_id(value: str, values: frozenset[str]) -> bool:
    return any(f'"{each}"' in value.lower() for each in values if is_unmistakable(each))


def _values(table: PeopleTable, name: str, who: Who) -> frozenset[str]:
    """Return what a value may be as a whole, in lower case."""
    ids = {value.lower() for _, integration, value in who.identities if integration in ("", table.schema)}
    return frozenset(ids | set(who.masks.values()) if name in table.masked else ids)
