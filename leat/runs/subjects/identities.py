"""Who a person is: what was asked for, and the other identities that rows link to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from leat.pipelines.load import state
from leat.pipelines.load.sealed_texts import SealedTexts, placeholders
from leat.runs.subjects.tables import PeopleTable
from leat.sources.identity import Identity, normal
from leat.sources.subject import ADDRESSES, NAME, TEXT
from leat.sources.tombstones import ERASED, may_be_mentioned, scope_of, words_of
from leat.warehouse.session import Session, quote

_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SHORTEST_WORD = 3


@dataclass(slots=True)
class Person:
    """Somebody whose data is looked for.

    Attributes:
        given: the identity that was asked for.
        identities: all identities, the given one first; each with where it was linked.
        other_names: names that stood next to an identity but don't resemble it; they aren't looked for.
    """

    given: Identity
    identities: dict[Identity, str] = field(default_factory=dict)
    other_names: set[str] = field(default_factory=set)

    @property
    def listed(self) -> list[Identity]:
        """The identities."""
        return list(self.identities)


def link(
    session: Session,
    tables: Sequence[PeopleTable],
    given: Identity,
    also: Iterable[Identity] = (),
    *,
    follow: bool,
    texts: SealedTexts | None = None,
) -> Person:
    """Return a person with all identities that rows link to those given.

    Args:
        session: a transaction on the warehouse.
        tables: its tables.
        given: the identity that was asked for.
        also: more identities of the person.
        follow: whether links are followed.
        texts: reads encrypted columns; None where there are none.

    Raises:
        CellError: an encrypted value can't be decrypted.
    """
    person = Person(given, {given: "given"} | dict.fromkeys(also, "given"))
    names: dict[str, str] = {}
    looked: set[Identity] = set()
    while follow and (new := [each for each in person.identities if each not in looked and each[0] != NAME]):
        looked |= set(new)
        for table in tables:
            if table.kind in ("stream", "history"):
                for identity, where in _linked(session, table, new, texts):
                    if identity[0] == NAME:
                        names.setdefault(identity[2], where)
                    else:
                        person.identities.setdefault(identity, where)
    parts = {word for _, _, value in person.identities for word in words_of(value.partition("@")[0]).split()}
    parts = {piece for part in parts for piece in re.split(r"[^\w]|_", part)}
    for name, where in names.items():
        if _resembles(name, parts):
            person.identities.setdefault((NAME, "", name), where)
        else:
            person.other_names.add(name)
    return person


def _resembles(name: str, parts: Iterable[str]) -> bool:
    """Return whether a name has two words or more, and one of them is in an address of the person."""
    distinctive = {part for part in parts if len(part) >= _SHORTEST_WORD}
    return may_be_mentioned(NAME, name) and not distinctive.isdisjoint(name.split())


def _linked(
    session: Session, table: PeopleTable, identities: Sequence[Identity], texts: SealedTexts | None
) -> Iterator[tuple[Identity, str]]:
    """Yield the identities, and names, that rows of a table link to some, with where."""
    for members in groups_of(table).values():
        tests = [
            _one_of(session, table, column, values, None if table.columns[column] != "string" else texts)
            for column in members
            if (values := _values(table, column, identities))
        ]
        if not tests or len(members) == 1:
            continue
        condition = " OR ".join(sql for sql, _ in tests)
        params = [value for _, bound in tests for value in bound]
        listed = ", ".join(f"CAST({quote(column)} AS VARCHAR)" for column in members)
        for row in session.execute(f"SELECT DISTINCT {listed} FROM {table.quoted} WHERE {condition}", params):
            for column, value in zip(members, row, strict=True):
                clear = value if value is None or texts is None else texts.opened(value)
                yield from _identities(table, column, clear)


def _one_of(
    session: Session, table: PeopleTable, column: str, values: Sequence[str], texts: SealedTexts | None
) -> tuple[str, list[str]]:
    """Return the condition that a column has one of some values, also encrypted, and what is bound to it."""
    written = f"CAST({quote(column)} AS VARCHAR)"
    sql, params = f"lower(trim({written})) IN ({placeholders(list(values))})", list(values)
    wanted = frozenset(values)
    sealed = [] if texts is None else texts.matching(
        session, table.quoted, column, lambda clear: clear.strip().lower() in wanted)  # fmt: skip
    return (f"{sql} OR {written} IN ({placeholders(sealed)})", params + sealed) if sealed else (sql, params)


def groups_of(table: PeopleTable) -> dict[str, list[str]]:
    """Return the columns of a table about one person each, without masked ones, by the column that they belong to."""
    groups: dict[str, list[str]] = {}
    for name in table.columns:
        subject = table.subject(name)
        if subject is not None and subject.kind != TEXT and name not in table.masked:
            groups.setdefault(subject.of or name, []).append(name)
    return groups


def _values(table: PeopleTable, column: str, identities: Sequence[Identity]) -> list[str]:
    """Return which of some identities a column can have."""
    subject = table.subject(column)
    if subject is None or subject.kind == NAME or table.kind_of(column) == "json":
        return []
    scope = scope_of(subject.kind, table.schema)
    alike = ADDRESSES if subject.kind in ADDRESSES else (subject.kind,)
    return [value.lower() for kind, integration, value in identities if kind in alike and integration == scope]


def _identities(table: PeopleTable, column: str, value: Any) -> Iterator[tuple[Identity, str]]:
    subject = table.subject(column)
    if subject is None or value is None or not str(value).strip() or ERASED in str(value).lower():
        return
    where = f"{table}.{column}"
    if table.kind_of(column) == "json":
        for address in _ADDRESS.findall(str(value)) if subject.kind in ADDRESSES else ():
            yield ("email", "", normal("email", address)), where
    elif subject.kind == NAME:
        yield (NAME, "", words_of(str(value))), where
    else:
        kind = "email" if subject.kind in ADDRESSES and "@" in str(value) else subject.kind
        yield (kind, scope_of(kind, table.schema), normal(kind, str(value))), where


def is_loaded(session: Session) -> bool:
    """Return whether the warehouse has been written."""
    return state.exists(session)
