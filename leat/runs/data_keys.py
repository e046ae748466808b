"""The data keys of a project for its columns and for the files of its DuckDB warehouse, out of its key tree."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from leat.pipelines.declare.project import Project
from leat.pipelines.load.cells import DataKey

if TYPE_CHECKING:
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

    def current(self) -> DataKey:
        """Return the key to encrypt with, made if there is none yet."""
        return _plain(self.tree().data_key(COLUMNS))

    @contextlib.contextmanager
    def hold(self) -> Iterator[DataKey]:
        """Give the key to encrypt with; nobody retires it before the block ends."""
        with self.tree().hold(COLUMNS) as key:
            yield _plain(key)

    def find(self, kid: str) -> DataKey:
        """Return the key with an id."""
        return _plain(self.tree().by_kid(kid.lower()))

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
