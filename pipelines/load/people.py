"""Ciphers of people: a column that is declared `per_person` is encrypted by the key of whom its row is about.

A row that names nobody, or somebody who is erased, has the key of all columns: what is left of an erased person says
nothing of them, and their own key is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leat.pipelines.load.cells import Cipher, DataKeys
from leat.sources.identity import Identity, normal
from leat.sources.tombstones import DOMAIN, ERASED, Tombstones, scope_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class People:
    """Gives the ciphers of the people whom rows are about.

    Attributes:
        integration: whose rows they are.
        keys: the data keys.
        nonce_key: of the hash that makes nonces.
        tombstones: who is erased.
        kinds: by stream and column, which kind of identity a column has.
        make: whether new keys are stored.
    """

    integration: str
    keys: DataKeys
    nonce_key: bytes
    tombstones: Tombstones
    kinds: Mapping[tuple[str, str], str]
    make: bool = True
    _ciphers: dict[Identity, Cipher] = field(default_factory=dict, repr=False)

    def of(self, stream: str, column: str, values: pa.ChunkedArray[Any], shared: Cipher) -> list[Cipher]:
        """Return the cipher of each row, by the values of the column that says whom it is about.

        Raises:
            CellError: a key can't be read.
        """
        kind = self.kinds[stream, column]
        people = [self._person(kind, value) for value in values.to_pylist()]
        new = sorted({each for each in people if each is not None} - self._ciphers.keys())
        if new:
            made = self.keys.of_people(new, make=self.make)
            self._ciphers.update({each: Cipher(key, self.nonce_key, binds=shared.binds) for each, key in made.items()})
        return [shared if each is None else self._ciphers[each] for each in people]

    def _person(self, kind: str, value: Any) -> Identity | None:
        text = "" if value is None else normal(kind, str(value))
        if not text or self.tombstones.has(kind, self.integration, text):
            return None
        if text.startswith(f"{ERASED}-") or text.endswith(f"@{DOMAIN}"):  # what has replaced an identity
            return None
        return kind, scope_of(kind, self.integration), text


def kinds_of(streams: Sequence[Any]) -> dict[tuple[str, str], str]:
    """Return which kind of identity each column has that identifies people, by stream and column."""
    return {(stream.name, column.name): column.subject.kind
            for stream in streams for column in stream.columns if column.subject is not None}  # fmt: skip
