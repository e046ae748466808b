"""Which columns identify a person, and what erasing that person does to a row that names them.

A column that identifies somebody declares a :class:`Subject`. Identities of one person are linked where a row has
several of them: ``of`` names the column of the same row whose person a column is about.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Erases = Literal["value", "personal", "row"]
"""What erasing does to a row whose column names the person. ``value``: this value, and the columns that are ``of`` it,
are replaced. ``personal``: in addition, the other personal columns become null. ``row``: the row is deleted."""

ADDRESSES = ("email", "login")
"""Kinds that are the same in every system; all other kinds but ``name`` belong to their integration."""
NAME = "name"
"""Kind of a person's name. It isn't unique, so it identifies no row, but it is replaced wherever it is written."""
TEXT = "text"
"""Kind of a text that may name people and says more: names and addresses in it are replaced, and it isn't blanked."""


@dataclass(frozen=True, slots=True)
class Subject:
    """How a column identifies a person.

    Attributes:
        kind: ``email``, ``login``, ``name``, ``text``, or what its integration calls the identity, such as
            ``customer``.
        erases: what erasing the person does to the row.
        of: the column of the same row whose person this is; None when it is about the column's own.
    """

    kind: str
    erases: Erases = "value"
    of: str | None = None


EMAIL, LOGIN, WHO, FREE_TEXT = Subject("email"), Subject("login"), Subject(NAME), Subject(TEXT)


def name_of(column: str) -> Subject:
    """Return the subject of a column with the name of the person whom another column identifies."""
    return Subject(NAME, of=column)


def email_of(column: str, erases: Erases = "value") -> Subject:
    """Return the subject of a column with a further address of the person whom another column identifies."""
    return Subject("email", erases, column)


def normalised(value: str) -> str:
    """Return an identity in the one form in which identities are compared: NFC, no case, single spaces."""
    text = unicodedata.normalize("NFC", value).casefold().strip().removeprefix("mailto:").replace("%40", "@")
    return " ".join(text.split())


def problems(subjects: Iterable[tuple[str, Subject]], columns: Iterable[str]) -> list[str]:
    """Return what is wrong with the subjects of a stream: columns and their subjects."""
    there = dict(subjects)
    names = set(columns)
    wrong = [
        f"{name}: of names {s.of!r}, which is no column" for name, s in there.items() if s.of and s.of not in names
    ]
    wrong += [
        f"{name}: of names {subject.of!r}, which identifies nobody"
        for name, subject in there.items()
        if subject.of in names and subject.of not in there
    ]
    return wrong
