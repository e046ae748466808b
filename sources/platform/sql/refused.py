"""Distinguish a Postgres that refuses a login from one that can't be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leat.first_answer import PROOF_WANTED, read_first_answer

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_INVALID_AUTHORIZATION = "28"  # class of SQLSTATEs


def refuses(url: URL) -> bool:
    """Return whether the server that could not be connected to answers, and it is the account that it refuses."""
    try:
        answer = read_first_answer(url)
    except OSError:
        return False
    return answer == PROOF_WANTED or answer.startswith(_INVALID_AUTHORIZATION)
