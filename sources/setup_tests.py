"""The first setup tests of every driver that signs in: whether the system answers, and whether it accepts who asks."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from leat.sources.driver import SetupTest
from leat.sources.errors import IntegrationError, Permanent, Unauthenticated

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a system that accepts who asks answered to the first request: a value, or why there is none."""

    value: T | None
    failure: IntegrationError | None


def try_sign_in(
    first: Callable[[], T], answers: str, accepts: str, *refusals: type[IntegrationError]
) -> Generator[SetupTest, None, Answer[T] | None]:
    """Yield the tests ``reachable`` and ``authenticated``; returns the answer, or None when one of them failed.

    Args:
        first: sends the first request, as the user of the connection.
        answers: detail of the first test when it succeeds.
        accepts: detail of the second.
        refusals: errors by which the system refuses the credentials; :class:`leat.sources.errors.Unauthenticated` is
            always one.
    """
    value, failure = None, None
    try:
        value = first()
    except IntegrationError as error:
        failure = error
    reached = failure is None or isinstance(failure, Permanent)
    yield SetupTest("reachable", reached, answers if reached else str(failure))
    if not reached:
        return None
    refused = isinstance(failure, (Unauthenticated, *refusals))
    yield SetupTest("authenticated", not refused, str(failure) if refused else accepts)
    return None if refused else Answer(value, failure)
