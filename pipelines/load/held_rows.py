"""People whose data is on legal hold: their rows stay, whatever is declared under ``retain:``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from leat.pipelines.declare.declaration import Declaration
from leat.sources.subject import ADDRESSES, NAME, TEXT
from leat.sources.tombstones import scope_of
from leat.warehouse.session import quote


@dataclass(frozen=True, slots=True)
class Held:
    """Whose data is on hold.

    Attributes:
        identities: kind, integration (empty where the kind is the same in all), and value.
        mask: returns the hash that represents a value in a masked column.
    """

    identities: frozenset[tuple[str, str, str]] = frozenset()
    mask: Callable[[str], str] = field(default=str)

    def others(self, declaration: Declaration, stream: str, columns: Mapping[str, str]) -> tuple[str, list[str]]:
        """Return the condition that a row of a stream is about nobody on hold, and what is bound to it.

        Args:
            declaration: of the integration.
            stream: name of the stream.
            columns: the columns that the table has.
        """
        declared = next((each for each in declaration.every_stream() if each.name == stream), None)
        if declared is None or not self.identities:
            return "1 = 1", []
        masked, tests, params = declaration.masked(declared), list[str](), list[str]()
        for column in declared.columns:
            subject = column.subject
            if subject is None or subject.kind in (NAME, TEXT) or column.type == "json" or column.name not in columns:
                continue
            values = self._values(subject.kind, declaration.name)
            if column.name in masked:
                values = [self.mask(value) for value in values]
            if values:
                marks = ", ".join("?" * len(values))
                tests.append(f"COALESCE(lower(trim(CAST({quote(column.name)} AS VARCHAR))) IN ({marks}), FALSE)")
                params += values
        return (f"NOT ({' OR '.join(tests)})", params) if tests else ("1 = 1", [])

    def records(self, integration: str) -> tuple[str, list[str]]:
        """Return the condition that a broken record names nobody on hold, and what is bound to it."""
        values = [v for kind, scope, v in self.identities if kind in ADDRESSES or scope == integration]
        return " AND ".join(["lower(record) NOT LIKE ?"] * len(values)) or "1 = 1", [f"%{v.lower()}%" for v in values]

    def _values(self, kind: str, integration: str) -> list[str]:
        alike = ADDRESSES if kind in ADDRESSES else (kind,)
        scope = scope_of(kind, integration)
        return sorted(value.lower() for each, where, value in self.identities if each in alike and where == scope)


NOBODY = Held()
