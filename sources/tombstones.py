"""Erased people, recognised by keyed hashes: what is read of them again is left out or replaced.

Of an identity there is only the HMAC-SHA-256, so a value can be recognised but not listed. What replaces an identity is
made of the same key: it is the same in every system and at every time, so that rows which belonged together still do.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from leat.sources.subject import ADDRESSES, NAME, normalised

_TOKEN = re.compile(r"\w[\w.+-]*(?:@|%40)[\w-]+(?:\.[\w-]+)+|\w(?:[\w.+-]*\w)?")
_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")
_SPACE = re.compile(r"[\s\u00a0]+")
_DISTINCT = re.compile(r"[\w+-]*[._+-]\w[\w.+-]*|\w{8,}")
_REPLACED_NAME = re.compile(r"Erased [0-9a-f]{8}")
_ID = re.compile(r"(?=.*[a-zA-Z])(?=.*[0-9])[\w.:-]{8,}")
_DASH, _MOST_PARTS = re.compile("-"), 8
_WHOLE = re.compile(".+", re.DOTALL)
ENDINGS = "ics|vcf|pdf|txt|md|csv|jsonl?|html?|eml|xml|ya?ml|od[tsp]|docx?|xlsx?|pptx?|png|jpe?g|zip|gz|log"
FILE_NAME = re.compile(rf"(.+)(\.(?:{ENDINGS}))", re.IGNORECASE)
"""A name of a file: what is before its ending may be somebody's login."""
_MOST_CACHED = 200_000
ERASED = "erased"
"""With this word begins everything that replaces an identity."""
DOMAIN = "erased.invalid"
"""Domain of the addresses that replace others; no such domain can exist (RFC 6761, section 6.4)."""


def words_of(name: str) -> str:
    """Return a name in the form in which names are compared: its words, in NFC, without case and punctuation."""
    return normalised(" ".join(_WORD.findall(unicodedata.normalize("NFC", name))))


def may_be_mentioned(kind: str, value: str) -> bool:
    """Return whether an identity is distinctive enough to be looked for in texts: addresses, and logins like ada.king.

    A name is, when it has two words or more.
    """
    if kind == NAME:
        return " " in words_of(value)
    return kind in ADDRESSES and ("@" in value or _DISTINCT.fullmatch(normalised(value)) is not None)


def is_unmistakable(value: str) -> bool:
    """Return whether an id, such as cus_NffrFeUfNV2Hib, can't be an amount or a number of something else."""
    return _ID.fullmatch(value) is not None


def scope_of(kind: str, integration: str) -> str:
    """Return in which integration an identity of a kind holds; empty for all."""
    return "" if kind in ADDRESSES or kind == NAME else integration


def digest(key: bytes, kind: str, scope: str, value: str) -> str:
    """Return the keyed hash by which an identity is recognised."""
    if kind == NAME:
        return _hmac(key, f"{NAME}\0\0{words_of(value)}")
    return _hmac(key, f"{'address' if kind in ADDRESSES else kind}\0{scope}\0{normalised(value)}")


def first_word(key: bytes, name: str) -> str:
    """Return the keyed hash of the first word of a name: a text is looked through for these first."""
    return _hmac(key, f"first\0\0{words_of(name).partition(' ')[0]}")


def _hmac(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode("utf-8", "replace"), hashlib.sha256).hex()[:40]


@dataclass(frozen=True)
class Tombstones:
    """The identities that are erased.

    Attributes:
        key: of the hashes.
        kinds: kinds of identities that belong to an integration, by its name.
        exact: hashes of all identities but names.
        mentioned: of these, the ones to look for in texts.
        names: hashes of names.
        firsts: hashes of their first words.
        lengths: how many words names have.
    """

    key: bytes = field(repr=False)
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    exact: frozenset[str] = frozenset()
    mentioned: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    firsts: frozenset[str] = frozenset()
    lengths: frozenset[int] = frozenset()
    _cache: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    def __bool__(self) -> bool:
        """Return whether anybody is erased."""
        return bool(self.exact or self.names)

    def has(self, kind: str, integration: str, value: str) -> bool:
        """Return whether an identity is erased; a name never is one."""
        if kind == NAME:
            return False
        scope = scope_of(kind, integration)
        return bool(self._once(f"{kind}@{scope}", value, lambda: digest(self.key, kind, scope, value) in self.exact))

    def is_any(self, integration: str, value: str) -> bool:
        """Return whether a value is an erased identity, of any kind of the integration, and can be nothing else."""
        kinds = self.kinds.get(integration, frozenset()) if is_unmistakable(value) else ()
        return any(self.has(kind, integration, value) for kind in ("email", *kinds))

    def replacement(self, value: str, kind: str = "login") -> str:
        """Return what replaces an identity: an address for an address, a name for a name; nothing for nothing."""
        if kind == NAME:
            named = words_of(value)
            if _REPLACED_NAME.fullmatch(value):
                return value
            return f"Erased {_hmac(self.key, f'replaced name{named}')[:8]}" if named else value
        plain = normalised(value)
        if not plain or plain.startswith(f"{ERASED}-"):
            return value
        token = f"{ERASED}-{_hmac(self.key, f'replaced {plain}')[:16]}"
        return f"{token}@{DOMAIN}" if "@" in plain else token

    def text(self, value: str) -> str:
        """Return a text in which erased addresses, logins and names are replaced."""
        if self.mentioned:
            value = _TOKEN.sub(self._token, value)
        return self._without_names(value) if self.names else value

    def json(self, text: str, integration: str = "", *, personal: bool = False) -> str | None:
        """Return JSON in whose texts erased identities are replaced.

        Args:
            text: the JSON.
            integration: whose identities count.
            personal: whether the column has personal data: an object that an erased identity belongs to is a record of
                that person, so None is returned instead.
        """
        try:
            value = json.loads(text)
        except ValueError:
            return self.text(text)
        if personal and self._is_about(value, integration):
            return None
        plain = self.plain(value)
        return text if plain == value else json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def plain(self, value: Any) -> Any:
        """Return a JSON value in whose texts erased identities are replaced."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        if isinstance(value, dict):
            return {self.text(str(name)): self.plain(each) for name, each in value.items()}
        return value

    def _is_about(self, value: Any, integration: str) -> bool:
        inner = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
        if isinstance(value, dict) and any(isinstance(e, str) and self.is_any(integration, e) for e in inner):
            return True
        return any(self._is_about(each, integration) for each in inner)

    def _token(self, match: re.Match[str]) -> str:
        token = match[0]

        def replaced() -> str:
            if digest(self.key, "email", "", token) in self.mentioned:
                return self.replacement(token)
            return token if "@" in token or "%40" in token else self._in_parts(token)

        return str(self._once("token", token, replaced))

    def _in_parts(self, token: str) -> str:
        """Return a word such as leave-ada.king in which an erased login between dashes is replaced."""
        file = FILE_NAME.fullmatch(token)
        if file:  # ada.king.pdf
            return str(self._token(_WHOLE.match(file[1]))) + file[2]  # type: ignore[arg-type] # it matches all
        parts = _DASH.split(token)
        if not 1 < len(parts) <= _MOST_PARTS:
            return token
        for length in range(len(parts) - 1, 0, -1):
            for start in range(len(parts) - length + 1):
                inner = "-".join(parts[start : start + length])
                if digest(self.key, "email", "", inner) in self.mentioned:
                    whole = (self._in_parts("-".join(parts[:start])), self.replacement(inner),
                             self._in_parts("-".join(parts[start + length :])))  # fmt: skip
                    return "-".join(each for each in whole if each)
        return token

    def _without_names(self, value: str) -> str:
        plain = value if unicodedata.is_normalized("NFC", value) else unicodedata.normalize("NFC", value)
        words = list(_WORD.finditer(plain))
        pieces, end, at = [], 0, 0
        while at < len(words):
            length = self._name_at(plain, words, at)
            if length:
                stop = words[at + length - 1].end()
                name = plain[words[at].start() : stop]
                pieces += [plain[end : words[at].start()], self.replacement(name, NAME)]
                end = stop
            at += length or 1
        return "".join([*pieces, plain[end:]]) if pieces else value

    def _name_at(self, text: str, words: list[re.Match[str]], at: int) -> int:
        """Return how many words the name has that begins with a word; 0 when none does."""
        word = words[at][0]
        if not self._once("first", word, lambda: first_word(self.key, word) in self.firsts):
            return 0
        for length in sorted(self.lengths, reverse=True):
            last = at + length - 1
            if last < len(words) and all(
                _SPACE.fullmatch(text, words[i].end(), words[i + 1].start()) for i in range(at, last)
            ):
                name = text[words[at].start() : words[last].end()]
                if digest(self.key, NAME, "", name) in self.names:
                    return length
        return 0

    def _once(self, what: str, value: str, compute: Callable[[], Any]) -> Any:
        if (what, value) not in self._cache:
            if len(self._cache) >= _MOST_CACHED:
                self._cache.clear()
            self._cache[what, value] = compute()
        return self._cache[what, value]


def tombstones_of(key: bytes, identities: Iterable[tuple[str, str, str]]) -> Tombstones:
    """Return the tombstones of identities that are at hand: their kinds, integrations and values."""
    listed = list(identities)
    names = [value for kind, _, value in listed if kind == NAME and may_be_mentioned(kind, value)]
    others = [each for each in listed if each[0] != NAME]
    kinds: dict[str, set[str]] = {}
    for kind, integration, _ in others:
        if scope_of(kind, integration):
            kinds.setdefault(integration, set()).add(kind)
    return Tombstones(
        key,
        kinds={name: frozenset(each) for name, each in kinds.items()},
        exact=frozenset(digest(key, kind, scope_of(kind, scope), value) for kind, scope, value in others),
        mentioned=frozenset(digest(key, kind, "", v) for kind, _, v in others if may_be_mentioned(kind, v)),
        names=frozenset(digest(key, NAME, "", name) for name in names),
        firsts=frozenset(first_word(key, name) for name in names),
        lengths=frozenset(len(words_of(name).split()) for name in names),
    )
