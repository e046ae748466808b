"""One mailbox of a header: its name from words, quoted strings and comments, and its address where one is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from leat.sources.email.mime.address_tokens import Token, unescape
from leat.sources.email.mime.words import decode_words

_ATOM = r"[^\s<>\"(),;:\\@\[\]\x00-\x1f\x7f]"
_DOMAIN = rf"(?:{_ATOM}++\.?|\[[^\[\]\s]++\])"
_ADDRESS = re.compile(rf'(?:{_ATOM}++|"((?:[^"\\]|\\.)++)")@{_DOMAIN}')
_AROUND = re.compile(r"\s*([.@])\s*")
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*+\)")
_SCHEME = re.compile(r"^(?:url:)?\s*(?:mailto|smtp):", re.IGNORECASE)
_SPACES = re.compile(r"[\s\x00-\x1f\x7f]+", re.ASCII)
_ATOMS = re.compile(r"[^\s<>\"(),;:\\@\[\].]+(?:\.[^\s<>\"(),;:\\@\[\].]+)*")


def address_in(token: Token) -> str | None:
    """Return the address that a piece of text, or what is in brackets, is; lower case."""
    if token.kind not in ("text", "angle") or not ("@" in token.text or "=?" in token.text):
        return None
    return mailto(decode_words(token.text) if token.kind == "angle" else token.text)


def mailto(text: str, *, spaced: bool = True) -> str | None:
    """Return the address that a text is, lower case: alone, in brackets, behind a route or ``mailto:`` (RFC 6068).

    ``spaced`` is whether blanks around ``@`` and dots are let through (RFC 5322, section 4.4).
    """
    text = without_comments(text).strip().strip("<>").strip()
    if scheme := _SCHEME.match(text):
        text = unquote(text[scheme.end() :].partition("?")[0])
    elif text.startswith("@") and ":" in text:  # a route (RFC 5322, section 4.4)
        text = text.rpartition(":")[2]
    elif text.startswith("[") and text.endswith("]"):
        return mailto(text[1:-1], spaced=spaced) if "[" not in text[1:] else None
    text = text.strip().strip("'`") if text[:1] in "'`" and text[-1:] in "'`" else text.strip()
    match = _ADDRESS.fullmatch(text)
    if match is None and spaced and "." in text.rpartition("@")[2].rstrip("."):
        match = _ADDRESS.fullmatch(text := _AROUND.sub(r"\1", text))
    if match is None:
        return None
    text = text.rstrip(".")
    if match[1] is not None and _ATOMS.fullmatch(unescape(match[1])):
        text = unescape(match[1]) + text[text.rindex("@") :]
    return text.lower()


def without_comments(text: str) -> str:
    """Return text without its comments (RFC 5322, section 3.2.2), nested ones too."""
    while "(" in text and (shorter := _COMMENT.sub(" ", text)) != text:
        text = shorter
    return text


def name_of(tokens: Sequence[Token]) -> str | None:
    """Return the name that pieces make: the words before the address, else the comments."""
    words = "".join(decode_words(token.text) for token in _joined(tokens))
    name = _spaced(words)
    if name is None:
        name = _spaced(" ".join(decode_words(token.text) for token in tokens if token.kind == "comment"))
    return name


def _joined(tokens: Sequence[Token]) -> list[Token]:
    """Return the pieces, with the text outside of quotes as one: white space between encoded words isn't shown."""
    out: list[Token] = []
    for token in tokens:
        if token.kind in ("text", "word", "blank", ":") and out and out[-1].kind == "text":
            out[-1] = Token("text", out[-1].text + token.text)
        elif token.kind in ("text", "word", "blank", ":"):
            out.append(Token("text", token.text))
        elif token.kind == "quoted":
            out.append(token)
    return out


def _spaced(text: str) -> str | None:
    return _SPACES.sub(" ", text).strip().strip("\u200b") or None
