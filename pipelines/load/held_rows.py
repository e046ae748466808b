"""People whose data is on legal hold: their rows stay, whatever is declared under ``retain:``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.sealed_texts import SealedTexts, placeholders
from leat.sources.subject import ADDRESSES, NAME, TEXT
from leat.sources.tombstones import scope_of
from leat.warehouse.session import Session, quote


@dataclass(frozen=True, slots=True)
class Held:
    """Whose data is on hold.

    Attributes:
        identities: kind, integration (empty where the kind is the same in all), and value.
        mask: returns the hash that represents a value in a masked column.
        texts: reads encrypted columns; None where there are none.
    """

    identities: frozenset[tuple[str, str, str]] = frozenset()
    mask: Callable[[str], str] = field(default=str)
    texts: SealedTexts | None = None

    def others(self, session: Session, declaration: Declaration, stream: str, table: str) -> tuple[str, list[str]]:
        """Return the condition that a row of a stream is about nobody on hold, and what is bound to it.

        Args:
            session: the open transaction.
            declaration: of the integration.
            stream: name of the stream.
            table: name of its table, or of that of its history.
        """
        declared = next((each for each in declaration.every_stream() if each.name == stream), None)
        if declared is None or not self.identities:
            return "1 = 1", []
        columns, quoted = session.columns(declaration.name, table), quote(declaration.name, table)
        masked, tests, params = declaration.masked(declared), list[str](), list[str]()
        for column in declared.columns:
            subject = column.subject
            if subject is None or subject.kind in (NAME, TEXT) or column.type == "json" or column.name not in columns:
                continue
            values = self._values(subject.kind, declaration.name)
            if column.name in masked:
                values = [self.mask(value) for value in values]
            written = f"CAST({quote(column.name)} AS VARCHAR)"
            if values:
                tests.append(f"COALESCE(lower(trim({written})) IN ({placeholders(values)}), FALSE)")
                params += values
            sealed = self._sealed(session, quoted, column.name, columns, set(values))
            if sealed:
                tests.append(f"COALESCE({written} IN ({placeholders(sealed)}), FALSE)")
                params += sealed
        return (f"NOT ({' OR '.join(tests)})", params) if tests else ("1 = 1", [])

    def _sealed(
        self, session: Session, table: str, column: str, columns: Mapping[str, str], values: set[str]
    ) -> list[str]:
        """Return the ciphertexts in a column that are one of some values, in lower case."""
        if self.texts is None or not values or columns[column] != "string":
            return []
        return self.texts.matching(session, table, column, lambda clear: clear.strip().lower() in values)

    def records(self, session: Session, integration: str) -> tuple[str, list[str]]:
        """Return the condition that a broken record names nobody on hold, and what is bound to it."""
        values = [v.lower() for kind, scope, v in self.identities if kind in ADDRESSES or scope == integration]
        tests, params = ["lower(record) NOT LIKE ?"] * len(values), [f"%{value}%" for value in values]
        if self.texts is not None and values:
            sealed = self.texts.matching(session, "leat.quarantine", "record",
                                         lambda clear: any(value in clear.lower() for value in values))  # fmt: skip
            if sealed:
                tests.append(f"record NOT IN ({placeholders(sealed)})")
                params += sealed
        return " AND ".join(tests) or "1 = 1", params

    def _values(self, kind: str, integration: str) -> list[str]:
        alike = ADDRESSES if kind in ADDRESSES else (kind,)
        scope = scope_of(kind, integration)
        return sorted(value.lower() for each, where, value in self.identities if each in alike and where == scope)


NOBODY = Held()
