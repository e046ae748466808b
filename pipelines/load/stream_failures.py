"""One stream that can't be loaded while the others can: who failed, why, and which errors may be blamed on a stream.

A stream fails alone when its driver says so (:class:`leat.sources.events.Failed`), when its rows can't be applied,
when too many of its records are quarantined, or when a check of its own of severity ``error`` fails. The load is
then applied again without it, in a new transaction: DuckDB has no savepoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from leat.sources.errors import IntegrationError, Transient
from leat.sources.events import Failed
from leat.sources.settings import redact

CHECK = "check"
"""Kind of a failure: a check of the stream failed."""

_SHOWN = 3
"""Of so many parts of a stream that failed, the reasons are shown."""

_OF_ROWS = frozenset({"DataError", "IntegrityError", "ProgrammingError", "NotSupportedError"})
"""DB-API 2.0 errors (PEP 249) that are about the statement and its rows, not about the connection or the disk."""
_LIMIT_EXCEEDED = "54"
"""SQLSTATE class "program limit exceeded": Postgres reports a row or value that is too large as an OperationalError."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a stream was left out of a load.

    Attributes:
        message: what went wrong and what to do next, without secrets.
        kind: class of the error, or :data:`CHECK`.
        transient: whether trying again may help.
        parts: how many parts of the stream failed while the rest of it was read; 0 when the whole stream did.
    """

    message: str
    kind: str
    transient: bool = False
    parts: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the failure as a JSON value."""
        return asdict(self)

    @classmethod
    def of_event(cls, event: Failed) -> Failure:
        """Return the failure that a driver reported."""
        kind, transient = type(event.error).__name__, isinstance(event.error, Transient)
        return cls(redact(str(event.error)), kind, transient, parts=1 if event.where else 0)

    def joined(self, other: Failure | None) -> Failure:
        """Return this failure of a stream together with one that was reported before."""
        if other is None:
            return self
        if not (self.parts and other.parts):  # the failure of the whole stream says all
            return other if self.parts else self
        shown = f"{other.message}. {self.message}" if other.parts < _SHOWN else other.message
        return Failure(shown, self.kind, self.transient and other.transient, self.parts + other.parts)


class StreamFailed(Exception):
    """A stream of a load can't be applied; the transaction has to be rolled back and run again without it."""

    def __init__(self, stream: str, error: Exception) -> None:
        super().__init__(f"{stream}: {error}")
        self.stream = stream
        self.error = error


@contextmanager
def blaming(stream: str) -> Iterator[None]:
    """Turn an error that is about a stream's own rows into :class:`StreamFailed`.

    Raises:
        StreamFailed: applying the stream failed for a reason of its own.
    """
    try:
        yield
    except IntegrationError as error:
        raise StreamFailed(stream, error) from error
    except Exception as error:
        if not _is_about_rows(error):
            raise
        raise StreamFailed(stream, error) from error


def _is_about_rows(error: BaseException) -> bool:
    error = getattr(error, "orig", None) or error  # SQLAlchemy wraps the driver's own
    if str(getattr(error, "pgcode", None) or "").startswith(_LIMIT_EXCEEDED):
        return True
    return bool(_OF_ROWS.intersection(kind.__name__ for kind in type(error).__mro__))


def summary(failures: Mapping[str, Failure], loaded: int) -> str:
    """Return the error message of a run in which streams failed; ``loaded`` counts the streams that did not."""
    whole = sum(not failure.parts for failure in failures.values())
    said = [f"{whole} stream{'s' * (whole != 1)} failed, and the rows there stay as they were"] if whole else []
    parts = sum(failure.parts for failure in failures.values())
    if parts:
        said.append(f"{parts} part{'s' * (parts != 1)} of a stream could not be read, and the rows there stay")
    if loaded:
        said.append("the other streams were loaded")
    reasons = ". ".join(f"{stream}: {failure.message.rstrip('.')}" for stream, failure in failures.items())
    return f"{'; '.join(said)}. {reasons}"
