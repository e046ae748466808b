"""Encrypted cells: what a column declared `encrypt` holds in the warehouse.

::

    leat1:<kid>:d:<hex of the ciphertext>             joined: equal values have equal ciphertexts
    leat1:<kid>:r:<hex of nonce and ciphertext>       others: equal only in the same row of the same column

Both are AES-SIV (RFC 5297) with 256-bit keys, which a project derives from its data key by HKDF-SHA-256 (RFC 5869).
A value of the second form begins with its origin, a hash of its column. So leat sees what a ciphertext is of, wherever
somebody has put it; those of earlier versions have none. Joined values all have the origin :data:`JOINED`.
A key id that begins with ``p`` is that of a person (:mod:`leat.pipelines.load.people`); all others are hexadecimal.
The nonce of the second form is a keyed hash of the column and the key of the row. So a row that comes again unchanged
counts as unchanged, and a nonce that comes twice gives nothing away but that, which GCM couldn't promise.
The text is hexadecimal, so that LOWER and UPPER in a query don't break it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from leat.sources.identity import Identity
from leat.warehouse.session import WarehouseError

PREFIX = "leat1:"
TOKEN = re.compile(r"leat1:([\w.-]{1,64}):([dr]):([0-9a-f]{32,})", re.IGNORECASE)
"""An encrypted value, also in the middle of a text."""
NONCE = 16
GROWTH, OVERHEAD = 2, 128
"""A value of so many bytes has a ciphertext of at most GROWTH times as many characters, and OVERHEAD."""
PERSON = "p"
"""So begin the ids of the keys of people."""
DESTROYED = "(erased)"
"""What is shown for a value whose key was destroyed with the erasure of a person."""
_JOINED, _OF_ROW = b"leat joined", b"leat of a row"
_BOUND, _ORIGIN = b"@", 8
"""A plaintext that begins with this sign has its origin next, of so many bytes, and then its type."""


def origin_of(integration: str, stream: str, column: str) -> bytes:
    """Return the origin of the values of a column; of the records that couldn't become rows, the column is empty."""
    named = "\0".join((integration, stream, column)).encode()
    return hashlib.blake2b(named, digest_size=_ORIGIN, person=b"leat origins").digest()


JOINED = origin_of("", "", "joined")
"""The origin of all values of joined columns: they are equal across columns, so nothing in them can say which it is."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key of 32 bytes, and its id, by which leat finds it again."""

    kid: str
    secret: bytes = field(repr=False)


class DataKeys(Protocol):
    """The data keys of one purpose."""

    def current(self) -> DataKey:
        """Return the key to encrypt with."""

    def hold(self) -> AbstractContextManager[DataKey]:
        """Give the key to encrypt with; nobody retires it before the block ends."""

    def find(self, kid: str) -> DataKey | None:
        """Return the key with an id, an old one too; None when there is none.

        Raises:
            KeyDestroyed: it was that of a person who is erased.
        """

    def of_people(self, people: Sequence[Identity], *, make: bool) -> Mapping[Identity, DataKey]:
        """Return the key of each person, made where there is none; without ``make``, new ones aren't stored."""


class CellError(WarehouseError):
    """A cell can't be decrypted; the text says why and what to do next."""


class KeyDestroyed(CellError):
    """A cell can't be decrypted by anybody any more, because the person whose key it has was erased."""


class Cipher:
    """Encrypts and decrypts cells by one data key.

    Args:
        key: the data key.
        nonce_key: the key of the hash that makes nonces. It isn't the data key: with another one, a value has the same
            nonce. Only needed to encrypt what isn't joined.
        binds: whether values that aren't joined have their origin.
    """

    def __init__(self, key: DataKey, nonce_key: bytes = b"", *, binds: bool = True) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        self.kid, self.binds = key.kid, binds
        self._siv = AESSIV(HKDF(SHA256(), 64, None, b"leat encrypted columns").derive(key.secret))
        self._nonce_key = hashlib.blake2b(nonce_key, digest_size=32, person=b"leat nonces").digest()

    def joined(self, kind: str, value: Any) -> str:
        """Return the ciphertext of a value of a joined column."""
        return self._written("d", b"", self._siv.encrypt(_plain(kind, value), [_JOINED]))

    def of_row(self, place: bytes, kind: str, value: Any, origin: bytes) -> str:
        """Return the ciphertext of a value; the place names its column and its row."""
        nonce = hashlib.blake2b(place, digest_size=NONCE, key=self._nonce_key).digest()
        plain = _plain(kind, value)
        return self.with_nonce(nonce, bound(plain, origin) if self.binds else plain)

    def with_nonce(self, nonce: bytes, plain: bytes) -> str:
        """Return the ciphertext of what :meth:`plain` gave."""
        return self._written("r", nonce, self._siv.encrypt(plain, [_OF_ROW, nonce]))

    def again(self, plain: bytes, nonce: bytes | None) -> str:
        """Return the ciphertext of what another cipher's :meth:`plain` gave, in the same form."""
        if nonce is None:
            return self._written("d", b"", self._siv.encrypt(plain, [_JOINED]))
        return self.with_nonce(nonce, plain)

    def plain(self, form: str, data: bytes) -> tuple[bytes, bytes | None]:
        """Return the plaintext of a cell, and its nonce if it has one.

        Raises:
            ValueError: it isn't intact, or was encrypted with another key.
        """
        from cryptography.exceptions import InvalidTag

        nonce = data[:NONCE] if form == "r" else None
        try:
            if nonce is None:
                return self._siv.decrypt(data, [_JOINED]), None
            return self._siv.decrypt(data[NONCE:], [_OF_ROW, nonce]), nonce
        except InvalidTag as error:
            msg = "the tag is another one"
            raise ValueError(msg) from error

    def _written(self, form: str, nonce: bytes, ciphertext: bytes) -> str:
        return f"{PREFIX}{self.kid}:{form}:{nonce.hex()}{ciphertext.hex()}"


class Reader:
    """Decrypts cells, whichever data key they were encrypted with."""

    def __init__(self, keys: DataKeys) -> None:
        self._keys = keys
        self._ciphers: dict[str, Cipher] = {}

    def value(self, value: Any) -> Any:
        """Return a value of a result with all that is encrypted in it decrypted, in the type that it was declared with.

        Raises:
            CellError: something in it can't be decrypted.
        """
        return replaced(value, self.decrypted)

    def decrypted(self, match: re.Match[str]) -> Any:
        """Return the value of a token; :data:`DESTROYED` for that of a person who is erased.

        Raises:
            CellError: it can't be decrypted.
        """
        return self.with_origin(match)[0]

    def with_origin(self, match: re.Match[str]) -> tuple[Any, bytes | None]:
        """Return the value of a token, and its origin; None where that isn't stated, or nothing is there to be read.

        Raises:
            CellError: it can't be decrypted.
        """
        try:
            plain, nonce = self.plain(match)
        except KeyDestroyed:
            return DESTROYED, None
        head, text = divided(plain)
        return _value(text), JOINED if nonce is None else head[len(_BOUND) :] or None

    def plain(self, match: re.Match[str]) -> tuple[bytes, bytes | None]:
        """Return the plaintext of a token, and its nonce if it has one.

        Raises:
            CellError: it can't be decrypted.
        """
        kid, form, text = match.groups()
        try:
            return self.cipher(kid).plain(form.lower(), bytes.fromhex(text))
        except ValueError as error:
            msg = (
                f"a value that was encrypted with the key {kid} isn't intact: it was cut or changed, or the key isn't "
                "the one that it was encrypted with. Next: select the column as it is, without functions that cut "
                "texts; if that doesn't help, `leat keys status` shows which keys there are"
            )
            raise CellError(msg) from error

    def cipher(self, kid: str) -> Cipher:
        """Return what encrypts and decrypts by a key.

        Raises:
            CellError: this project doesn't have the key.
        """
        cipher = self._ciphers.get(kid.lower())
        if cipher is None:
            key = self._keys.find(kid) or self._keys.find(kid.lower())
            if key is None:
                msg = (
                    f"a value was encrypted with the key {kid}, which this project doesn't have. Next: bring the key "
                    "back, or load the stream again by `leat reset`; `leat keys status` shows which keys there are"
                )
                raise CellError(msg)
            cipher = self._ciphers[kid.lower()] = Cipher(key)
        return cipher


def bound(plain: bytes, origin: bytes) -> bytes:
    """Return a plaintext with its origin, if it has none yet."""
    return plain if not origin or plain.startswith(_BOUND) else _BOUND + origin + plain


def divided(plain: bytes) -> tuple[bytes, bytes]:
    """Return what a plaintext begins with before its type, which may be nothing, and the rest."""
    at = len(_BOUND) + _ORIGIN if plain.startswith(_BOUND) else 0
    return plain[:at], plain[at:]


def is_persons(kid: str) -> bool:
    """Return whether the key of an id is that of a person."""
    return kid.lower().startswith(PERSON)


def placeholder(value: Any) -> Any:
    """Return a value of a result with a short text for what is encrypted in it: the same for the same ciphertext."""
    return replaced(value, lambda match: f"(encrypted {hashlib.sha256(match[0].lower().encode()).hexdigest()[:8]})")


def holds_cell(value: Any) -> bool:
    """Return whether something in a value is encrypted."""
    cells: list[str] = []
    replaced(value, lambda match: cells.append(match[0]))
    return bool(cells)


def replaced(value: Any, replace: Callable[[re.Match[str]], Any]) -> Any:
    """Return a value with something else for each token in it; one that is a token alone may get another type."""
    if isinstance(value, str):
        if PREFIX not in value and PREFIX.upper() not in value:
            return value
        whole = TOKEN.fullmatch(value)
        return replace(whole) if whole else TOKEN.sub(lambda match: as_text(replace(match)), value)
    if isinstance(value, Mapping):
        return {replaced(key, replace): replaced(each, replace) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(replaced(each, replace) for each in value)
    return value


def as_text(value: Any) -> str:
    """Return a value of a cell as a text around it has it."""
    return value.isoformat() if isinstance(value, date) else str(value)


def _plain(kind: str, value: Any) -> bytes:
    letter, write, _ = _TYPES["decimal" if kind.startswith("decimal") else kind]
    return (letter + write(value)).encode("utf-8", "surrogatepass")


def _value(plain: bytes) -> Any:
    text = plain.decode("utf-8", "surrogatepass")
    return _READ[text[:1]](text[1:])


_TYPES: Mapping[str, tuple[str, Callable[[Any], str], Callable[[str], Any]]] = {
    "string": ("s", str, str),
    "json": ("j", str, str),
    "integer": ("i", str, int),
    "float": ("f", repr, float),
    "boolean": ("b", lambda v: "1" if v else "0", lambda text: text == "1"),
    "timestamp": ("t", lambda v: v.isoformat(), datetime.fromisoformat),
    "datetime": ("w", lambda v: v.isoformat(), datetime.fromisoformat),
    "date": ("d", lambda v: v.isoformat(), date.fromisoformat),
    "decimal": ("n", lambda v: format(v, "f"), Decimal),
}
"""By type: its letter, how a value is written, and how it is read."""

_READ = {letter: read for letter, _, read in _TYPES.values()}
