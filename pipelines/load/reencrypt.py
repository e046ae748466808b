"""Encrypts all columns of a warehouse with another data key, in one transaction.

Joined columns have to change together, else joins would find nothing meanwhile. Killed at any moment, the warehouse has
the ciphertexts of the old key alone, and the next attempt begins again. What is searched is every text and JSON of
every table, so that histories, models, the quarantine and the evidence of violations change as well. Ciphertexts in
lists and structs of a model are replaced when the model is built again.

Ciphertexts of an earlier version of leat don't say which column they are of; here they get to say it. In tables that
aren't those of a stream, leat recognises them by their nonce.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from leat.pipelines.load import state
from leat.pipelines.load.cells import (
    NONCE,
    PREFIX,
    TOKEN,
    Cipher,
    DataKeys,
    KeyDestroyed,
    Reader,
    bound,
    is_persons,
    origin_of,
)
from leat.pipelines.load.table_schema import TableSchema
from leat.warehouse.publication import rewrite_next_version
from leat.warehouse.session import Session, Warehouse, literal, quote

_BATCH = 20_000
_CHUNK = 500
_COLUMNS = """SELECT c.table_schema, c.table_name, c.column_name, c.data_type FROM information_schema.columns AS c
JOIN information_schema.tables AS t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE t.table_type = 'BASE TABLE' AND c.table_schema NOT IN ('information_schema', 'pg_catalog')
AND c.table_catalog = current_database() AND t.table_catalog = current_database()
ORDER BY c.table_schema, c.table_name, c.ordinal_position"""
_MAP = "leat_reencrypted"
_ORIGINS = "leat_origins"
_ENCRYPTED_RECORDS = f"SELECT DISTINCT integration, stream FROM leat.quarantine WHERE record LIKE '{PREFIX}%:r:%'"


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """What was encrypted again: how many different values, of how many columns; and the key that they have now."""

    values: int
    columns: int
    kid: str


def reencrypt(
    warehouse: Warehouse,
    keys: DataKeys,
    integrations: Iterable[str],
    state_folder: Path,
    at: datetime,
    progress: Callable[[str, int], None] = lambda _column, _values: None,
) -> Reencrypted:
    """Encrypt all columns of a warehouse with the current key.

    Args:
        warehouse: the warehouse; readers on DuckDB see the result at the next publication.
        keys: the data keys.
        integrations: names of those with encrypted columns; none of them may be loading meanwhile.
        state_folder: the project's state folder. What drivers remember is removed there: it may hold ciphertexts.
        at: the time.
        progress: called with a column and how many of its values were encrypted.

    Raises:
        Busy: an integration is being loaded, or another process has been writing for too long.
        CellError: a value can't be decrypted; nothing has changed.
    """
    names = sorted(integrations)
    with contextlib.ExitStack() as held:
        for name in names:
            held.enter_context(warehouse.exclusive(name))
        with warehouse.snapshot() as session:
            before = state.read_column_key(session)
        key = held.enter_context(keys.hold())
        if before is None or before.kid == key.kid:
            return Reencrypted(0, 0, key.kid)
        for name in names:
            shutil.rmtree(state_folder / "sources" / name, ignore_errors=True)
        rewrite_next_version(warehouse)  # else the file would have the old ciphertexts in blocks that were freed
        reader, cipher = Reader(keys), Cipher(key)
        with warehouse.transaction() as session:
            counts, again = [], _Again(session, reader, cipher, binding=not before.binds)
            for column in _columns(session):
                counts.append(column.rewrite(session, cipher.kid, again))
                progress(column.name, counts[-1])
            state.create_tables(session)
            state.replace_rows(session, "column_key", [(key.kid, at, True)])
    return Reencrypted(sum(counts), sum(count > 0 for count in counts), key.kid)


def count_cells(session: Session) -> int:
    """Return how many encrypted values the tables of streams and their histories have."""
    count = 0
    for integration, stream, stored in session.execute("SELECT integration, stream, table_schema FROM leat.streams"):
        schema = TableSchema.of_json(json.loads(stored) if isinstance(stored, str) else stored)
        for table in (stream, f"{stream}_history"):
            columns = [quote(name) for name in schema.encrypted if name in session.columns(integration, table)]
            if columns:
                counts = ", ".join(f"count({column})" for column in columns)
                count += sum(session.execute(f"SELECT {counts} FROM {quote(integration, table)}")[0])
    return count


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of texts: its quoted table, its quoted name, and its SQL type."""

    table: str
    column: str
    kind: str

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.table}.{self.column}".replace('"', "")

    def rewrite(self, session: Session, kid: str, again: _Again) -> int:
        """Encrypt what has another key; returns how many different texts had one."""
        text = session.dialect.sql_type("string")
        written = f"CAST({self.column} AS {text})"
        foreign = f"strpos(replace(lower({written}), ?, ''), '{PREFIX}') > 0"
        own, after, count = f"{PREFIX}{kid}:".lower(), "", 0
        while True:
            rows = session.execute(
                f"SELECT DISTINCT {written} AS old FROM {self.table} WHERE {foreign} AND {written} > ? "
                f"ORDER BY old LIMIT {_BATCH}",
                (own, after),
            )
            if not rows:
                return count
            after = rows[-1][0]
            texts = [old for (old,) in rows]
            changed = [(old, new) for old, new in zip(texts, again.all(texts), strict=True) if new != old]
            count += len(changed)
            self._replace(session, changed, text)

    def _replace(self, session: Session, changed: Sequence[tuple[str, str]], text: str) -> None:
        empty = f"SELECT CAST(NULL AS {text}) AS old, CAST(NULL AS {text}) AS new WHERE 1 = 0"
        session.create_temporary(_MAP, empty)
        for start in range(0, len(changed), _CHUNK):
            part = changed[start : start + _CHUNK]
            values = ", ".join(["(?, ?)"] * len(part))
            session.execute(f"INSERT INTO {_MAP} VALUES {values}", [each for pair in part for each in pair])
        session.execute(
            f"UPDATE {self.table} AS t SET {self.column} = CAST(m.new AS {self.kind}) FROM {_MAP} AS m "
            f"WHERE CAST(t.{self.column} AS {text}) = m.old"
        )


def _columns(session: Session) -> list[_Column]:
    return [
        _Column(quote(schema, table), quote(column), session.dialect.sql_type(session.dialect.leat_type(kind)))
        for schema, table, column, kind in session.execute(_COLUMNS)
        if session.dialect.leat_type(kind) in ("string", "json")
    ]


class _Again:
    """Gives texts with ciphertexts of another key; keys of people stay, because they are wrapped again.

    Args:
        session: the transaction.
        reader: decrypts.
        cipher: encrypts.
        binding: whether ciphertexts that don't say which column they are of get to say it.
    """

    def __init__(self, session: Session, reader: Reader, cipher: Cipher, *, binding: bool) -> None:
        self._session, self._reader, self._cipher, self._binding = session, reader, cipher, binding
        if binding:
            _collect_origins(session)

    def all(self, texts: Sequence[str]) -> list[str]:
        """Return the texts with their ciphertexts replaced."""
        origins = self._origins(texts) if self._binding else {}
        return [TOKEN.sub(lambda match: self._one(match, origins), text) for text in texts]

    def _one(self, match: re.Match[str], origins: Mapping[str, bytes]) -> str:
        origin = origins.get(_nonce(match)) if match[2].lower() == "r" else None
        of_person = is_persons(match[1])
        if of_person and origin is None:
            return match[0]
        try:
            plain, nonce = self._reader.plain(match)
        except KeyDestroyed:
            return match[0]
        cipher = self._reader.cipher(match[1]) if of_person else self._cipher
        return cipher.again(plain if origin is None else bound(plain, origin), nonce)

    def _origins(self, texts: Sequence[str]) -> dict[str, bytes]:
        """Return the origins of ciphertexts by their nonce, as far as a stream's table or a broken record has it."""
        nonces = sorted({_nonce(match) for text in texts for match in TOKEN.finditer(text) if match[2].lower() == "r"})
        origins: dict[str, bytes] = {}
        for start in range(0, len(nonces), _CHUNK):
            part = nonces[start : start + _CHUNK]
            sql = f"SELECT nonce, origin FROM {_ORIGINS} WHERE nonce IN ({', '.join('?' * len(part))})"
            origins |= {nonce: bytes.fromhex(origin) for nonce, origin in self._session.execute(sql, part)}
        return origins


def _nonce(match: re.Match[str]) -> str:
    return match[3][: 2 * NONCE].lower()


def _collect_origins(session: Session) -> None:
    """Write down which nonces the columns of streams have, and broken records."""
    text = session.dialect.sql_type("string")
    session.create_temporary(
        _ORIGINS, f"SELECT CAST(NULL AS {text}) AS nonce, CAST(NULL AS {text}) AS origin WHERE 1 = 0"
    )
    for integration, stream, stored in session.execute("SELECT integration, stream, table_schema FROM leat.streams"):
        schema = TableSchema.of_json(json.loads(stored) if isinstance(stored, str) else stored)
        for table in (stream, f"{stream}_history"):
            there = session.columns(integration, table)
            for column, how in schema.encrypted.items():
                if column in there and not how.joined:
                    _collect(session, quote(integration, table), quote(column), origin_of(integration, stream, column))
    for integration, stream in session.execute(_ENCRYPTED_RECORDS) if session.columns("leat", "quarantine") else ():
        where = f" AND integration = {literal(integration)} AND stream = {literal(stream)}"
        _collect(session, "leat.quarantine", "record", origin_of(integration, stream, ""), where)


def _collect(session: Session, table: str, column: str, origin: bytes, where: str = "") -> None:
    nonce = f"substr(split_part(lower({column}), ':', 4), 1, {2 * NONCE})"
    session.execute(
        f"INSERT INTO {_ORIGINS} SELECT DISTINCT {nonce}, '{origin.hex()}' FROM {table} "
        f"WHERE {column} LIKE '{PREFIX}%:r:%'{where}"
    )
