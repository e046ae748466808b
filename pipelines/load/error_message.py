"""What leat says of an error, in results, messages and the log, without secrets and without what is in the rows.

leat's own errors say all in their text, and errors of a database have theirs without values. Any other error, such as
pyarrow's, may quote a value that it couldn't take: of it the class is shown, and the line of code that it came from.
"""

from __future__ import annotations

import errno
import logging
import traceback
from collections.abc import Iterator

from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.checking import Blocked
from leat.pipelines.load.stream_failures import Failure, StreamFailed
from leat.sources.errors import IntegrationError, Transient
from leat.sources.settings import redact
from leat.warehouse.engines import is_of_an_engine
from leat.warehouse.lease import Fenced
from leat.warehouse.session import Busy, Unreachable, WarehouseError

_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})
_OF_LEAT = (IntegrationError, WarehouseError, Busy, Fenced, Blocked, DeclarationError)


def message_of(integration: str, error: BaseException) -> str:
    """Return the message for the user: what went wrong and what to do next."""
    return redact(_message(integration, error))


def text_of(error: BaseException) -> str:
    """Return what an error says: the text of leat's own, the class of others."""
    return redact(str(error) if isinstance(error, _OF_LEAT) else shown(error))


def failure_of(integration: str, error: Exception) -> Failure:
    """Return the failure of a stream that an error is."""
    return Failure(message_of(integration, error), type(error).__name__, isinstance(error, Transient))


def log_error(log: logging.Logger, error: Exception, message: str, *args: object) -> None:
    """Log an error with the code it came through and without the text of others' errors.

    A database that doesn't answer may be met by hundreds of lines of code in a second: that is one line of the log.
    """
    if isinstance(error, Unreachable):
        log.error(f"{message}: %s", *args, text_of(error))
        return
    record = log.makeRecord(
        log.name, logging.ERROR, __file__, 0, message, args, (type(error), error, error.__traceback__)
    )
    record.exc_text = traced(error)  # what handlers write instead of formatting the error themselves
    log.handle(record)


def _message(name: str, error: BaseException) -> str:
    if isinstance(error, Blocked):
        return f"{name}: {error} failed; the load was not applied and readers stay on the old rows"
    if isinstance(error, _OF_LEAT):
        return str(error)
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        return f"{name}: {error}. Next: free disk space or correct the permissions, then run it again; nothing is lost"
    return f"{name}: {shown(error)}. Next: see the log for the traceback; nothing is half-applied"


def shown(error: BaseException) -> str:
    """Return the class of an error with its text, or with where it came from when the text may have values of rows."""
    error = _of_a_file(error) or error
    kind = type(error)
    if isinstance(error, (*_OF_LEAT, StreamFailed)) or is_of_an_engine(error) or _is_plain(error):
        return f"{kind.__name__}: {error}"
    where = _where(error)
    return f"{kind.__name__} in {where}" if where else kind.__name__


def _is_plain(error: BaseException) -> bool:
    """Return whether an error is what the operating system or SQLite said, which name files and tables, no values."""
    module = type(error).__module__
    return module == "sqlite3" or (isinstance(error, OSError) and module == "builtins" and error.errno is not None)


def _of_a_file(error: BaseException) -> BaseException | None:
    """Return the error of SQLite within one of SQLAlchemy, which adds the values of the statement."""
    original = getattr(error, "orig", None)
    return original if isinstance(original, BaseException) and type(original).__module__ == "sqlite3" else None


def _where(error: BaseException) -> str:
    """Return the last line of leat, or of a source of the project, that an error came through."""
    frames = [(frame.f_globals.get("__name__", ""), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    inside = [f"{module}, line {line}" for module, line in frames if module.partition(".")[0] == "leat"]
    return inside[-1] if inside else ""


def traced(error: BaseException) -> str:
    """Return the traceback of an error and of those that brought it about, the first one first."""
    return "".join(_traced(error)).rstrip("\n")


def _traced(error: BaseException) -> Iterator[str]:
    chain = [error]
    while True:
        last = chain[-1]
        before = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if before is None or before in chain:
            break
        chain.append(before)
    for each in reversed(chain):
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(each.__traceback__)
        yield f"{shown(each)}\n"
