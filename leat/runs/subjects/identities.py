"""Who a person is: what was asked for, and the other identities that rows link to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from leat.pipelines.load import state
from leat.runs.subjects.tables import PeopleTable
from leat.sources.subject import ADDRESSES, NAME, TEXT, normalised
from leat.sources.tombstones import DOMAIN, ERASED, may_be_mentioned, scope_of, words_of
from leat.warehouse.session import Session, quote

Identity = tuple[str, str, str]
"""Kind, integration (empty where the kind is the same in all), and value."""
_GIVEN = re.compile(r"(?:(?P<kind>[a-z][a-z0-9_]*)(?:@(?P<integration>[a-z][a-z0-9_]*))?:)?(?P<value>.+)", re.DOTALL)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LONGEST = 320
_SHORTEST_WORD = 3


class NoIdentity(ValueError):
    """A text names no identity; the text says how to write one."""


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


def parse_identity(text: str) -> Identity:
    """Return the identity that a text names: an address, or ``kind:value``, or ``kind@integration:value``.

    Raises:
        NoIdentity: it names none.
    """
    match = _GIVEN.fullmatch(text.strip())
    if match is None or not normalised(match["value"]) or len(text) > _LONGEST:
        msg = f"{text[:40]!r} is no identity: write an address such as ada@example.com, or customer@payments:cus_1"
        raise NoIdentity(msg)
    kind = match["kind"] or "email"
    value, integration = match["value"].strip(), match["integration"] or ""
    if kind == "email" and "@" not in value:
        msg = f"{text[:40]!r} is no address: write login:{value}, or the kind of the identity before the colon"
        raise NoIdentity(msg)
    if (kind in ADDRESSES or kind == NAME) == bool(integration):
        said = "is the same in every integration" if integration else "belongs to an integration"
        msg = f"{text[:40]!r}: a {kind} {said}: write {kind}{'' if integration else '@integration'}:{value}"
        raise NoIdentity(msg)
    if normalised(value).startswith(f"{ERASED}-") or normalised(value).endswith(f"@{DOMAIN}"):
        msg = f"{value!r} represents somebody who was erased"
        raise NoIdentity(msg)
    if kind == NAME and not may_be_mentioned(NAME, value):
        msg = f"{value!r} is too common to be looked for: write the first and the last name"
        raise NoIdentity(msg)
    return (NAME, "", words_of(value)) if kind == NAME else (kind, integration, normal(kind, value))


def normal(kind: str, value: str) -> str:
    """Return an identity's value in the form in which it is stored: addresses and logins without case."""
    return normalised(value) if kind in ADDRESSES else value.strip()


def shown(identity: Identity) -> str:
    """Return an identity as people write it."""
    kind, integration, value = identity
    if kind == "email":
        return value
    return f"{kind}@{integration}:{value}" if integration else f"{kind}:{value}"


def link(
    session: Session, tables: Sequence[PeopleTable], given: Identity, also: Iterable[Identity] = (), *, follow: bool
) -> Person:
    """Return a person with all identities that rows link to those given.

    Args:
        session: a transaction on the warehouse.
        tables: its tables.
        given: the identity that was asked for.
        also: more identities of the person.
        follow: whether links are followed.
    """
    person = Person(given, {given: "given"} | dict.fromkeys(also, "given"))
    names: dict[str, str] = {}
    looked: set[Identity] = set()
    while follow and (new := [each for each in person.identities if each not in looked and each[0] != NAME]):
        looked |= set(new)
        for table in tables:
            if table.kind in ("stream", "history"):
                for identity, where in _linked(session, table, new):
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


def _linked(session: Session, table: PeopleTable, identities: Sequence[Identity]) -> Iterator[tuple[Identity, str]]:
    """Yield the identities, and names, that rows of a table link to some, with where."""
    for members in groups_of(table).values():
        named = [(column, values) for column in members if (values := _values(table, column, identities))]
        if not named or len(members) == 1:
            continue
        condition = " OR ".join(f"{_plain(c)} IN ({', '.join('?' * len(values))})" for c, values in named)
        params = [value for _, values in named for value in values]
        listed = ", ".join(f"CAST({quote(column)} AS VARCHAR)" for column in members)
        for row in session.execute(f"SELECT DISTINCT {listed} FROM {table.quoted} WHERE {condition}", params):
            for column, value in zip(members, row, strict=True):
                yield from _identities(table, column, value)


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
    if subject is None or subject.kind == NAME or table.columns[column] == "json":
        return []
    scope = scope_of(subject.kind, table.schema)
    alike = ADDRESSES if subject.kind in ADDRESSES else (subject.kind,)
    return [value.lower() for kind, integration, value in identities if kind in alike and integration == scope]


def _plain(column: str) -> str:
    return f"lower(trim(CAST({quote(column)} AS VARCHAR)))"


def _identities(table: PeopleTable, column: str, value: Any) -> Iterator[tuple[Identity, str]]:
    subject = table.subject(column)
    if subject is None or value is None or not str(value).strip() or ERASED in str(value).lower():
        return
    where = f"{table}.{column}"
    if table.columns[column] == "json":
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
