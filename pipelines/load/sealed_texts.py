"""Texts of a warehouse with encrypted values in them: read in clear to compare them, and sealed again when they change.

A column that isn't joined has another ciphertext in each row, and in a joined one case counts. So whoever looks for a
value decrypts what is there. Nothing that is read in clear is written anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from leat.pipelines.load.cells import (
    NONCE,
    PREFIX,
    TOKEN,
    CellError,
    KeyDestroyed,
    Reader,
    as_text,
    bound,
    divided,
    is_persons,
)
from leat.warehouse.session import Session, quote

_BATCH = 20_000
_IN_BYTES = re.compile(TOKEN.pattern.encode(), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SealedTexts:
    """Reads and writes texts that have encrypted values in them.

    Attributes:
        reader: decrypts.
        shared: id of the key that encrypts what replaces a value whose key is a person's; None where there is none.
        ending: ids of the keys of people that are about to be destroyed.
        binds: whether ciphertexts of the warehouse say which column they are of.
    """

    reader: Reader
    shared: str | None = None
    ending: frozenset[str] = frozenset()
    binds: bool = True

    def of(self, session: Session, table: str, column: str) -> Iterator[tuple[str, str]]:
        """Yield each different text of a column that has an encrypted value in it: as it is stored, and in clear.

        Args:
            session: a transaction on the warehouse.
            table: the quoted name of the table.
            column: the name of a column of texts or JSON.

        Raises:
            CellError: a value can't be decrypted.
        """
        written = f"CAST({quote(column)} AS {session.dialect.sql_type('string')})"
        after = ""
        while True:
            rows = session.execute(
                f"SELECT DISTINCT {written} AS stored FROM {table} WHERE strpos(lower({written}), '{PREFIX}') > 0 "
                f"AND {written} > ? ORDER BY stored LIMIT {_BATCH}",
                (after,),
            )
            for (stored,) in rows:
                yield stored, self.opened(stored)
            if len(rows) < _BATCH:
                return
            after = rows[-1][0]

    def matching(self, session: Session, table: str, column: str, wanted: Callable[[str], bool]) -> list[str]:
        """Return the stored texts of a column that are wanted, which is asked of what they are in clear."""
        return [stored for stored, clear in self.of(session, table, column) if wanted(clear)]

    def opened(self, text: str) -> str:
        """Return a text with all that is encrypted in it in clear.

        Raises:
            CellError: a value can't be decrypted.
        """
        if PREFIX not in text.lower():
            return text
        return TOKEN.sub(lambda match: as_text(self.reader.decrypted(match)), text)

    def sealed(self, stored: str, clear: str, origin: bytes = b"") -> str:
        """Return the ciphertext of a value in place of a stored one: of the same key, form, type and origin.

        Args:
            stored: the ciphertext that is there.
            clear: the value.
            origin: of the column, for a ciphertext that nobody can decrypt any more; empty where nobody knows it.
        """
        match = TOKEN.fullmatch(stored)
        return clear if match is None else self._again(match, clear, origin)

    def lasting(self, stored: str) -> str:
        """Return the ciphertext of the same value by a key that stays, for one whose key is about to be destroyed."""
        match = TOKEN.fullmatch(stored)
        if match is None or self.shared is None or match[1].lower() not in self.ending:
            return stored
        return self.reader.cipher(self.shared).again(*self.reader.plain(match))

    def changed(self, text: str, change: Callable[[str], str]) -> str:
        """Return a text in which every encrypted value is changed, and encrypted again; nothing of it is in clear."""
        if PREFIX not in text.lower():
            return text

        def again(match: re.Match[str]) -> str:
            clear = as_text(self.reader.decrypted(match))
            after = change(clear)
            return match[0] if after == clear else self._again(match, after)

        return TOKEN.sub(again, text)

    def in_bytes(self, content: bytes) -> Iterator[tuple[tuple[int, int], str]]:
        """Yield where encrypted values are in bytes, and what they are in clear; one that was cut is passed over."""
        for match in _IN_BYTES.finditer(content):
            token = TOKEN.fullmatch(match[0].decode("ascii", "replace"))
            try:
                if token is not None:
                    yield match.span(), as_text(self.reader.decrypted(token))
            except CellError:
                continue

    def _again(self, match: re.Match[str], clear: str, origin: bytes = b"") -> str:
        try:
            plain, nonce = self.reader.plain(match)
        except KeyDestroyed:  # only texts are replaced, and those of rows have a nonce
            plain, nonce = bound(b"s", origin if self.binds else b""), bytes.fromhex(match[3])[:NONCE]
        kid = match[1] if self.shared is None or not is_persons(match[1]) else self.shared
        head, text = divided(plain)
        return self.reader.cipher(kid).again(head + text[:1] + clear.encode("utf-8", "surrogatepass"), nonce)


def placeholders(values: list[str]) -> str:
    """Return the marks of as many bound values."""
    return ", ".join("?" * len(values))
