"""Signed tokens in links of mails: they name an action and hold no address, and nobody can make one up."""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["unsubscribe", "click", "open"]
_LETTERS: dict[Kind, str] = {"unsubscribe": "u", "click": "c", "open": "o"}
_KINDS: dict[str, Kind] = {letter: kind for kind, letter in _LETTERS.items()}
_TOKEN = re.compile(r"([uco])([0-9]{1,4})-([a-z2-7]{26})-([a-z2-7]{26})")
SHORTEST_KEY = 16
"""Characters that a key has at least."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a link is for.

    Attributes:
        kind: what following it means.
        action: id of the action that sent the mail.
        number: the how-manieth link of the mail, from 0.
    """

    kind: Kind
    action: str
    number: int = 0


def signed(key: str, token: Token) -> str:
    """Return a token as it is written in a link: 55 to 58 characters of a-z, 0-9 and hyphens."""
    head = f"{_LETTERS[token.kind]}{token.number}-{token.action}"
    return f"{head}-{_mac(key, head)}"


def verified(key: str, text: str) -> Token | None:
    """Return the token that is written in a link or a subject; None if leat didn't write it."""
    match = _TOKEN.search(text.lower())
    if match is None:
        return None
    letter, number, action, mac = match.groups()
    if not hmac.compare_digest(mac, _mac(key, f"{letter}{number}-{action}")):
        return None
    return Token(_KINDS[letter], action, int(number))


def _mac(key: str, text: str) -> str:
    digest = hmac.digest(key.encode(), f"leat mail {text}".encode(), "sha256")[:16]
    return base64.b32encode(digest).decode().lower().rstrip("=")
