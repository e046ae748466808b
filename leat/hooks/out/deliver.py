"""Sends a message to an endpoint: signed by the Standard Webhooks specification, to the address that was checked.

Only a 2xx means that the endpoint has the message; it is sent again after everything else. A redirect isn't followed.
410 means that the endpoint is gone: it gets nothing more until somebody enables it. After some failures in a row an
endpoint is paused, so that one that is down isn't asked for each message; then one attempt decides.

https://www.standardwebhooks.com/
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from leat.control.engine import storable
from leat.control.webhook_attempts import ANSWER
from leat.control.webhooks import EndpointState
from leat.hooks.out.declaration import Endpoint
from leat.hooks.out.signing import Signer, read_signers, signature
from leat.pipelines.declare.project import Project
from leat.sources.actions import Action, Actor, Change, Order, Parameters, Plan, Receipt, Refused, Verb
from leat.sources.driver import ConnectionModel, Sync
from leat.sources.errors import IntegrationError, RateLimited, Rejected, Unavailable
from leat.sources.http.client import Answer, Client, HttpRequest, Limits, open_client
from leat.sources.http.headers import retry_after
from leat.sources.retry import RetryPolicy
from leat.sources.settings import read_secret, redact

RETRY = RetryPolicy((5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400), longest=86_400)
"""Seconds before a message is sent again, as the specification recommends: ten attempts in about three days."""
FAILURES = 5
"""After so many failed attempts in a row an endpoint is paused."""
_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0
_IN_FLIGHT = 4
_GONE = 410
_TIMEOUT, _TOTAL = 15, 30
_ANSWER = 500  # bytes of an answer that are stored


@dataclass
class Health:
    """Whether an endpoint fails, while messages are sent to it side by side."""

    state: EndpointState
    lock: threading.Lock = field(default_factory=threading.Lock)

    def paused_until(self) -> datetime | None:
        """Return until when nothing is sent; None for now."""
        until, now = self.state.paused_until, datetime.now(UTC)
        return until if until is not None and until > now else None

    def succeeded(self) -> None:
        """Note that the endpoint has accepted a message."""
        with self.lock:
            self.state = replace(self.state, failures=0, paused_until=None, error=None)

    def failed(self, error: IntegrationError) -> None:
        """Note that it hasn't, and pause it after some failures: for a minute, then twice as long each time."""
        with self.lock:
            failures = self.state.failures + 1
            until = self.state.paused_until
            if failures >= FAILURES:
                pause = min(_PAUSE * 2 ** min(failures - FAILURES, 10), _LONGEST_PAUSE)
                until = datetime.now(UTC) + timedelta(seconds=pause)
            self.state = replace(self.state, failures=failures, paused_until=until, error=_why(error))

    def gone(self, error: IntegrationError) -> None:
        """Note that the endpoint wants nothing any more."""
        with self.lock:
            self.state = replace(self.state, disabled_at=datetime.now(UTC), error=_why(error))


class _Gone(Rejected):
    """The endpoint says that it wants nothing any more."""


class _Nothing(Parameters):
    """The parameters of a message: all that it says is in its payload."""


def endpoint_actor(name: str, endpoint: Endpoint, project: Project, health: Health) -> Actor:
    """Return what sends messages to an endpoint."""

    @contextlib.contextmanager
    def connect(_connection: ConnectionModel, sync: Sync) -> Iterator[Client | IntegrationError]:
        with contextlib.ExitStack() as stack:
            try:
                client: Client | IntegrationError = _open(stack, name, endpoint, project, sync)
            except IntegrationError as error:  # its variable may be set in another process, so that it counts as down
                client = error
            yield client

    verb = Verb("post", "Send a webhook.", _Nothing, "guarded", "", "A webhook can't be taken back.")
    action = Action(_plan, partial(_send, name, endpoint, project, health), _confirm, _absent, settle=0)
    return Actor(connect, {"post": (verb, action)}, _IN_FLIGHT, RETRY, health.paused_until)


def post(name: str, endpoint: Endpoint, project: Project, sync: Sync, message: str, body: str) -> None:
    """Send a message past the outbox: a test, which nobody sends again.

    Raises:
        IntegrationError: the endpoint hasn't accepted it.
    """
    with contextlib.ExitStack() as stack:
        _post(
            _open(stack, name, endpoint, project, sync),
            name,
            read_signers(name, endpoint, project.folder),
            message,
            body,
        )


def _open(stack: contextlib.ExitStack, name: str, endpoint: Endpoint, project: Project, sync: Sync) -> Client:
    url = read_secret(endpoint.url, f"webhook {name}", project.folder)
    limits = Limits(_TIMEOUT, _TOTAL, attempts=1, in_flight=_IN_FLIGHT, allow_private=endpoint.allow_private)
    sync = replace(sync, integration=name)
    return stack.enter_context(open_client(sync, url, headers={"Content-Type": "application/json"}, limits=limits))


def _send(name: str, endpoint: Endpoint, project: Project, health: Health, client: Client | IntegrationError,
          order: Order) -> Receipt:  # fmt: skip
    payload: Any = order.plan.payload
    try:
        if isinstance(client, IntegrationError):
            raise client
        answer = _post(client, name, read_signers(name, endpoint, project.folder), payload["id"], payload["body"])
    except _Gone as error:
        health.gone(error)
        raise
    except IntegrationError as error:
        health.failed(error)
        raise _again(error) from error
    health.succeeded()
    return Receipt({ANSWER: answer})


def _post(client: Client, name: str, signers: Sequence[Signer], message: str, body: str) -> str:
    content, now = body.encode(), int(time.time())
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(signers, message, now, content),
    }
    all_answers = frozenset(range(300, 600))
    ask = HttpRequest("", "POST", headers=headers, body=content, accept=all_answers, template="webhook", private=True)
    answer = client.send(ask)
    if not 200 <= answer.status < 300:
        raise _refused(name, answer)
    return _said(answer)


def _said(answer: Answer) -> str:
    """Return the status of an answer and the beginning of its body, without secrets."""
    body = " ".join(redact(answer.body[:_ANSWER].decode("utf-8", "replace")).split())
    return storable(f"HTTP {answer.status}: {body}" if body else f"HTTP {answer.status}")


def _why(error: IntegrationError) -> str:
    return redact(str(error)).removeprefix(f"{error.integration}: ")


def _refused(name: str, answer: Answer) -> IntegrationError:
    got, asked = _said(answer), "sending a webhook"
    if answer.status == _GONE:
        return _Gone(name, asked, f"{got}: it is gone", f"`leat webhooks enable {name}` when it is back")
    wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
    if wait is not None:
        return RateLimited(name, asked, got, "wait; it says for how long", min(wait, RETRY.longest))
    return Unavailable(name, asked, got, "look at what the endpoint logs")


def _again(error: IntegrationError) -> IntegrationError:
    """Return an error after which the message is sent again: the endpoint recognises it by its id."""
    asked = error.retry_after if isinstance(error, RateLimited) else None
    later = RateLimited(error.integration, error.asked, redact(error.got), error.next_step, asked)
    later.reached = False
    return later


def _plan(_client: Client, _id: str, _parameters: Any) -> Plan:
    msg = "a webhook is written when its event is read"
    raise Refused(msg)


def _absent(_client: Client, _order: Order) -> None:
    """Say that a message isn't there: nobody can look, and the endpoint recognises one that comes twice."""


def _confirm(_client: Client, _order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    return ()
