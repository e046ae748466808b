"""What is answered while a database of leat doesn't answer: that it is worth asking again."""

from __future__ import annotations

import logging

from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.requests import Request

from leat.pipelines.load.error_message import text_of
from leat.security.verified import AWAY
from leat.serve.problem import Problem
from leat.warehouse.session import Unreachable

__all__ = ["AWAY", "ERRORS", "unavailable"]

log = logging.getLogger("leat.serve")

ERRORS = (OperationalError, InterfaceError, Unreachable)
"""What is raised then; there may be many of them in a second, so the log has a line of each and no traceback."""


def unavailable(request: Request, error: Exception) -> Problem:
    """Log an error of :data:`ERRORS`; return what to answer."""
    log.warning("request %s: %s", getattr(request.state, "request_id", ""), text_of(error))
    detail = "a database of leat doesn't answer"
    return Problem(503, "database-unavailable", detail, "ask again in a second", headers={"retry-after": "1"})
