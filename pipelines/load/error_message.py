"""What a run says of an error: its own errors speak for themselves."""

from __future__ import annotations

import errno

from leat.pipelines.load.checking import Blocked
from leat.pipelines.load.stream_failures import Failure
from leat.sources.errors import IntegrationError, Transient
from leat.sources.settings import redact
from leat.warehouse.session import Busy, WarehouseError

_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})


def message_of(integration: str, error: BaseException) -> str:
    """Return the message for the user, without secrets: what went wrong and what to do next."""
    return redact(_message(integration, error))


def failure_of(integration: str, error: Exception) -> Failure:
    """Return the failure of a stream that an error stands for."""
    return Failure(message_of(integration, error), type(error).__name__, isinstance(error, Transient))


def _message(name: str, error: BaseException) -> str:
    if isinstance(error, IntegrationError | WarehouseError | Busy):
        return str(error)
    if isinstance(error, Blocked):
        return f"{name}: {error} failed; the load was not applied and readers keep the old rows"
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        return f"{name}: {error}. Next: free disk space or mend the permissions, then run it again; nothing is lost"
    return f"{name}: {type(error).__name__}: {error}. Next: the log has the whole story; nothing is half-applied"
