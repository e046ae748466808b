"""What leaves leat of encrypted columns: values for whoever may decrypt them, short placeholders for everybody else.

Every entrance that gives out rows sends them through here: the command line, the API, its files, and the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leat.pipelines.load.cells import DESTROYED, Reader, placeholder, replaced
from leat.runs.access import Principal, Resource
from leat.runs.decryption import NOTHING, Permitted, permitted
from leat.runs.workspace import Workspace
from leat.warehouse.answer import Answer

if TYPE_CHECKING:
    import re

_HOLDERS = (str, dict, list, tuple)


@dataclass(slots=True)
class Reveal:
    """Gives values as somebody may see them; whether that is in clear is asked at the first encrypted one.

    Attributes:
        workspace: the project.
        resources: what the values are of, or what says so; each has to be allowed.
        principal: who sees them; the account that runs this process when None.
        permitted: what they may see, where that was decided before.
    """

    workspace: Workspace
    resources: Sequence[Resource] | Callable[[], Sequence[Resource]]
    principal: Principal | None = None
    permitted: Permitted | None = None
    _reader: Reader | None = field(default=None, repr=False)

    def value(self, value: Any) -> Any:
        """Return a value; what is encrypted in it gets its declared type, or a short text.

        Raises:
            CellError: it can't be decrypted.
        """
        return replaced(value, self._shown)

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row by the names of its columns."""
        return {name: self.value(value) for name, value in row.items()}

    def rows(self, rows: Iterable[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
        """Yield rows."""
        for row in rows:
            yield tuple(self.value(value) if isinstance(value, _HOLDERS) else value for value in row)

    def answer(self, answer: Answer) -> Answer:
        """Return the answer of a query."""
        return Answer(answer.columns, self.rows(answer.rows))

    def _shown(self, match: re.Match[str]) -> Any:
        if self.permitted is None:
            resources = self.resources() if callable(self.resources) else self.resources
            self.permitted = permitted(self.workspace, resources, self.principal)
        if self.permitted == NOTHING:
            return placeholder(match[0])
        if self._reader is None:
            self._reader = Reader(self.workspace.column_keys)
        value, origin = self._reader.with_origin(match)
        return value if value == DESTROYED or self.permitted.has(origin) else placeholder(match[0])


def of_query(workspace: Workspace, sql: str) -> Reveal:
    """Return what gives the rows of a query on the command line."""

    def read() -> Sequence[Resource]:
        from leat.runs.query_tables import Unreadable, resources_of  # sqlglot takes long to import

        try:
            return resources_of(workspace, sql)
        except Unreadable:  # nobody can say what it reads
            return ()

    return Reveal(workspace, read)
