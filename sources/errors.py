"""The errors of an integration: one tree, in which the class alone says whether trying again can help.

An error says which integration, what was asked, what came back, and what to do next::

    IntegrationError
    ├── Permanent            stops at once; a person has to change something
    │   ├── NotConfigured    a setting, variable or file that the declaration names is missing
    │   ├── Unauthenticated  the credentials were refused
    │   ├── Forbidden        the credentials are right but not allowed to do this
    │   ├── NotFound         the system answers, but what was asked for isn't there
    │   ├── Rejected         the system understood and said no
    │   ├── Outdated         what an action was planned on isn't so any more
    │   └── UnexpectedShape  the answer isn't what the protocol promises
    └── Transient            may succeed when tried again
        ├── RateLimited      too many requests; ``retry_after`` says when to come back
        ├── Unavailable      no connection, or the system says that it is down
        └── TimedOut         no answer in time
"""

from __future__ import annotations


class IntegrationError(Exception):
    """A failure while talking to an external system.

    Args:
        integration: name of the declaration, for example ``calendar``.
        asked: what was asked of the system, in words (no secrets).
        got: what came back.
        next_step: what the user can do about it.

    Attributes:
        reached: False when what was asked for certainly never reached the system, so that it can have done nothing.
    """

    reached = True

    def __init__(self, integration: str, asked: str, got: str, next_step: str) -> None:
        super().__init__(integration, asked, got, next_step)
        self.integration = integration
        self.asked = asked
        self.got = got
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.integration}: {self.asked}: {self.got}. Next: {self.next_step}"


class Permanent(IntegrationError):
    """Trying again gives the same answer until a person changes something."""


class NotConfigured(Permanent):
    """A setting, environment variable or file that the declaration names is missing."""


class Unauthenticated(Permanent):
    """The system refused the credentials (HTTP 401)."""


class Forbidden(Permanent):
    """The credentials are valid but not allowed to do this (HTTP 403)."""


class NotFound(Permanent):
    """What was asked for does not exist (HTTP 404, 410)."""


class Rejected(Permanent):
    """The system understood the request and refused it (HTTP 4xx)."""


class Outdated(Permanent):
    """What an action was planned on isn't so any more (HTTP 412), so that the system was left as it is."""


class UnexpectedShape(Permanent):
    """The answer is not what the protocol promises."""


class Transient(IntegrationError):
    """Trying again later may succeed."""


class RateLimited(Transient):
    """Too many requests (HTTP 429; 403 or 503 when they say how long to wait).

    Args:
        retry_after: seconds to wait before the next request, or None when the system gave no number.
    """

    def __init__(
        self, integration: str, asked: str, got: str, next_step: str, retry_after: float | None = None
    ) -> None:
        super().__init__(integration, asked, got, next_step)
        self.retry_after = retry_after


class Unavailable(Transient):
    """The system cannot be reached or says that it is down (connection refused, HTTP 5xx)."""


class TimedOut(Transient):
    """The system did not answer in time."""


def may_have_acted(error: Exception) -> bool:
    """Return whether a system may have done what it was asked to do, although this error came back.

    It hasn't when the request never arrived, or when the system said no. Everything else leaves it open: no answer in
    time, a connection that was cut, an answer that can't be read, a failure inside the server.
    """
    if isinstance(error, UnexpectedShape) or not isinstance(error, IntegrationError):
        return True
    return error.reached and not isinstance(error, Permanent | RateLimited)
