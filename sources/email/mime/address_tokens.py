"""A header's value in pieces: text, quoted strings, comments, what is in angle brackets, separators."""

from __future__ import annotations

import re
from dataclasses import dataclass

from leat.sources.email.mime.words import WORD

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"(?:@[^\s<>"(),;:]++)?', re.DOTALL)
_ANGLE = re.compile(r'<((?:[^<>"]|"(?:[^"\\]|\\.){0,500}+")*+)>', re.DOTALL)
_ANGLE_LOOSE = re.compile(r"<([^<>]*+)>")
_ANGLE_OPEN = re.compile(r"<\s*+([^\s<>,;()\"]++)")
_BLANK = re.compile(r"\s++", re.ASCII)
_TEXT = re.compile(r'(?:(?!=\?)[^\s<>"(),;:])++', re.ASCII)
_SCHEME = re.compile(r'\[?(?:mailto|smtp):[^\s<>"(),;:]++', re.ASCII | re.IGNORECASE)
_LITERAL = re.compile(r"@\[[^\[\]\s]*+\]")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a value.

    Attributes:
        kind: text, word (an encoded one), quoted, comment, angle, blank, or a separator: ``,``, ``;`` or ``:``.
        text: what it holds, without what marks it; of a quoted local part, the whole address.
    """

    kind: str
    text: str


def tokens_of(value: str) -> list[Token]:
    """Return the pieces of a value; nothing is wrong enough to raise."""
    tokens: list[Token] = []
    closing = _comments(value)
    at, quotes = 0, True
    while at < len(value):
        token, at = _next(value, at, closing, quotes)
        quotes = quotes and token.text != '"'
        if token.kind == "text" and tokens and tokens[-1].kind == "text":
            tokens[-1] = Token("text", tokens[-1].text + token.text)
        else:
            tokens.append(token)
    return tokens


def _next(value: str, at: int, closing: dict[int, int], quotes: bool) -> tuple[Token, int]:
    """Return the piece that begins at a place, and where the next one does; ``quotes`` is whether one may be closed."""
    one = value[at]
    if match := _BLANK.match(value, at):
        return Token("blank", " "), match.end()
    if one == "=" and (match := WORD.match(value, at)):
        return Token("word", match[0]), match.end()
    if one == '"' and quotes and (match := _QUOTED.match(value, at)):
        is_address = match[0][-1] != '"'
        return Token("text" if is_address else "quoted", match[0] if is_address else unescape(match[1])), match.end()
    if one == "(" and at in closing:
        return Token("comment", unescape(value[at + 1 : closing[at]])), closing[at] + 1
    if one == "<":
        match = _ANGLE.match(value, at) or _ANGLE_LOOSE.match(value, at) or _ANGLE_OPEN.match(value, at)
        return (Token("angle", match[1]), match.end()) if match else (Token("blank", " "), at + 1)
    if one == ">":
        return Token("blank", " "), at + 1
    if one in ",;:":
        return Token(one, one), at + 1
    return _text(value, at)


def _text(value: str, at: int) -> tuple[Token, int]:
    match = _SCHEME.match(value, at) or _TEXT.match(value, at)
    end = match.end() if match else at + 1
    if value[end - 1] == "@" and (literal := _LITERAL.match(value, end - 1)):
        end = literal.end()
    return Token("text", value[at:end]), end


def unescape(text: str) -> str:
    """Return the text of a quoted string or comment (RFC 5322, section 3.2.1)."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if "\\" in text else text


def _comments(value: str) -> dict[int, int]:
    """Return where comments begin and end, nested ones too; an open one is none."""
    result: dict[int, int] = {}
    if "(" not in value:
        return result
    opened: list[int] = []
    escaped = False
    for at, one in enumerate(value):
        if escaped or one == "\\":
            escaped = not escaped
        elif one == "(":
            opened.append(at)
        elif one == ")" and opened:
            result[opened.pop()] = at
    return result
