"""What was wrong with a query: the sentence, and the place in its text that a database or a parser points at."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CARET = re.compile(r"^LINE (\d+): (.*)\n([ ]*)\^", re.MULTILINE)
_COLUMN = re.compile(r"Line (\d+), Col: (\d+)")
_WORD = re.compile(r"\w+")
_NEXT = re.compile(r"\s*Next: .*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class QueryError:
    """An error.

    Attributes:
        message: what is wrong.
        line: the line of the query, from 1; 0 if nothing points at one.
        column: the character in it, from 1.
        before: the text of the line before that character.
        at: the word there.
        after: the rest of the line.
    """

    message: str
    line: int = 0
    column: int = 0
    before: str = ""
    at: str = ""
    after: str = ""


def explained(text: str, sql: str) -> QueryError:
    """Return an error with its place in the query."""
    caret, column = _CARET.search(text), _COLUMN.search(text)
    message = _NEXT.sub("", (text[: caret.start()] if caret else text)).strip()
    message = re.sub(r"^[A-Z][A-Za-z]+ (?:[A-Z][a-z]+ )?Error: ", "", message)  # a kind that DuckDB begins with
    message = re.sub(r"\s*Line \d+, Col: \d+\.?", "", message)
    lines = sql.splitlines()
    if caret is not None and int(caret[1]) <= len(lines):
        # the database may quote only a part of a long line, between dots
        line, quoted = lines[int(caret[1]) - 1], caret[2]
        at = len(caret[3]) - len(f"LINE {caret[1]}: ")
        part = quoted.removeprefix("...")
        start = line.find(part.removesuffix("...").rstrip()) if part != quoted or quoted.endswith("...") else 0
        return _at(message, int(caret[1]), line, max(0, start) + at - (len(quoted) - len(part)))
    if column is not None and int(column[1]) <= len(lines):
        return _at(message, int(column[1]), lines[int(column[1]) - 1], int(column[2]) - 1)
    return QueryError(message)


def _at(message: str, number: int, line: str, at: int) -> QueryError:
    at = min(max(0, at), len(line))
    word = _WORD.match(line, at)
    end = word.end() if word else at + 1
    return QueryError(message, number, at + 1, line[:at], line[at:end], line[end:])
