"""Answers that are given again while nothing has changed: to the same caller, for the same path and query.

While a database doesn't answer, for example because it is restarted, those of the last ten seconds are.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

from starlette.responses import Response

from leat.serve.turns import Turns
from leat.serve.unavailable import AWAY, ERRORS

SECONDS = 1.0
"""How long an answer is given again: what it says of the time passes, though nothing changes."""
_LATE = 5.0
"""How long it is given to others while somebody makes the next one."""
_BYTES = 32_000_000


@dataclass(frozen=True, slots=True)
class _Answer:
    version: Hashable
    made: float
    body: bytes
    headers: list[tuple[bytes, bytes]]

    def response(self, age: float | None = None) -> Response:
        response = Response(self.body)
        response.raw_headers = list(self.headers)
        if age is not None:
            response.headers["age"] = str(round(age))
        return response


@dataclass(slots=True)
class Answers:
    """The answers of one process; used on its event loop alone.

    Attributes:
        version: returns another value when something that answers depend on has changed; it must be quick.
        clock: seconds.
    """

    version: Callable[[], Hashable]
    clock: Callable[[], float] = time.monotonic
    _answers: OrderedDict[Hashable, _Answer] = field(default_factory=OrderedDict)
    _turns: Turns = field(default_factory=Turns)
    _bytes: int = 0

    async def get(self, question: Hashable, make: Callable[[], Awaitable[Response]]) -> Response:
        """Return the answer to a question, made now if there is none, or things have changed.

        Args:
            question: who asks what.
            make: makes the answer; only what is 200, no stream, and not `no-store` is given again.
        """
        answer = self._find(question, _LATE if self._turns.is_taken(question) else SECONDS)
        if answer is not None:
            return answer.response()
        async with self._turns.take(question):
            answer = self._find(question, SECONDS)
            if answer is not None:
                return answer.response()
            version = self.version()  # before it is made: a change meanwhile must count
            try:
                response = await make()
            except ERRORS:
                last = self._answers.get(question)
                age = math.inf if last is None else self.clock() - last.made
                if last is None or age >= AWAY:
                    raise
                return last.response(age)
            self._remember(question, version, response)
            return response

    def forget(self) -> None:
        """Forget all, after a request that changes something."""
        self._answers.clear()
        self._bytes = 0

    def _find(self, question: Hashable, seconds: float) -> _Answer | None:
        answer = self._answers.get(question)
        if answer is None or self.clock() - answer.made >= seconds or answer.version != self.version():
            return None
        return answer

    def _remember(self, question: Hashable, version: Hashable, response: Response) -> None:
        old = self._answers.pop(question, None)
        self._bytes -= 0 if old is None else len(old.body)
        body = getattr(response, "body", None)
        private = response.headers.get("cache-control") == "no-store"
        if response.status_code != 200 or private or not isinstance(body, bytes) or len(body) > _BYTES // 8:
            return
        self._answers[question] = _Answer(version, self.clock(), body, list(response.raw_headers))
        self._bytes += len(body)
        while self._bytes > _BYTES or len(self._answers) > 1000:
            _, oldest = self._answers.popitem(last=False)
            self._bytes -= len(oldest.body)
