"""The data keys of a project for its columns and for the files of its DuckDB warehouse, out of its key tree."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from leat.pipelines.declare.project import Project
from leat.pipelines.load.cells import PERSON, DataKey, KeyDestroyed, is_persons
from leat.sources.identity import Identity

if TYPE_CHECKING:
    from leat.control.keys.people import PeopleKeys
    from leat.control.keys.tree import DataKey as TreeKey
    from leat.control.keys.tree import Keys

COLUMNS: Final = "pii"
FILES: Final = "warehouse"
"""The purposes of the keys."""


@dataclass(slots=True)
class ColumnKeys:
    """The keys that columns are encrypted with; see :class:`leat.pipelines.load.cells.DataKeys`.

    All methods raise :class:`leat.control.keys.problem.KeyProblem`, which says what to do.
    """

    project: Project
    _keys: Keys | None = field(default=None, repr=False)
    _people: PeopleKeys | None = field(default=None, repr=False)

    def current(self) -> DataKey:
        """Return the key to encrypt with, made if there is none yet."""
        return _plain(self.tree().data_key(COLUMNS))

    @contextlib.contextmanager
    def hold(self) -> Iterator[DataKey]:
        """Give the key to encrypt with; nobody retires it before the block ends."""
        with self.tree().hold(COLUMNS) as key:
            yield _plain(key)

    def find(self, kid: str) -> DataKey:
        """Return the key with an id.

        Raises:
            KeyDestroyed: it was that of a person who is erased.
        """
        if not is_persons(kid):
            return _plain(self.tree().by_kid(kid.lower()))
        key = self.people().find(kid.lower())
        if key is None:
            msg = f"the key {kid} was that of a person who is erased; nobody can decrypt its values any more"
            raise KeyDestroyed(msg)
        return _plain(key)

    def of_people(self, people: Sequence[Identity], *, make: bool) -> Mapping[Identity, DataKey]:
        """Return the key of each person, made where there is none; without ``make``, new ones aren't stored."""
        return {person: _plain(key) for person, key in self.people().of(people, make=make).items()}

    def people(self) -> PeopleKeys:
        """Return the keys of people."""
        if self._people is None:
            from leat.control.keys.people import PeopleKeys

            self._people = PeopleKeys(self.tree(), PERSON)
        return self._people

    def tree(self) -> Keys:
        """Return the key tree; it is opened when the first key is needed."""
        if self._keys is None:
            from leat.pipelines.declare.keys import keys_of

            self._keys = keys_of(self.project)
        return self._keys


def file_keys(project: Project) -> Sequence[DataKey]:
    """Return the keys of the files of the warehouse, the current one first, then those that aren't retired yet.

    Raises:
        KeyProblem: the key-encryption key isn't there, or isn't the right one.
    """
    from sqlalchemy.orm import Session

    from leat.control.keys.tree import live_rows
    from leat.pipelines.declare.keys import keys_of

    keys = keys_of(project)
    current = keys.data_key(FILES)
    with Session(keys.engine) as session:
        rows = [row for row in live_rows(session) if row.purpose == FILES and row.kid != current.kid]
        return [_plain(current), *(_plain(keys.opened(row)) for row in reversed(rows))]


def _plain(key: TreeKey) -> DataKey:
    return DataKey(key.kid, key.secret)
