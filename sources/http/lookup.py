"""Whom a connection may dial: a name's addresses, looked up once, checked, and within the time of the exchange."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

from leat.sources.errors import NotConfigured, Unavailable
from leat.sources.http.address import Address
from leat.sources.http.request import Limits


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a connection has to know of its exchange: for whom, with which limits, until when (monotonic)."""

    integration: str
    limits: Limits
    deadline: float

    def time_left(self) -> float:
        """Return the seconds to wait for the next bytes.

        Raises:
            TimeoutError: the deadline has passed.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(self.limits.timeout, left)


CURRENT: ContextVar[Exchange] = ContextVar("exchange")
"""The exchange that this thread is in."""


@contextlib.contextmanager
def exchange_of(integration: str, limits: Limits, deadline: float) -> Iterator[None]:
    """Bind connections of this thread to a deadline, within the block."""
    token = CURRENT.set(Exchange(integration, limits, deadline))
    try:
        yield
    finally:
        CURRENT.reset(token)


def addresses_of(exchange: Exchange, host: str, port: int) -> list[Address]:
    """Look a host up and return its addresses; leat may connect to all of them.

    Raises:
        NotConfigured: one is on this machine, link-local (where clouds serve credentials) or in a private network.
        OSError: the name has none, or they don't come in time.
    """
    addresses = _looked_up(exchange, host, port)
    private = [str(where[0]) for _, where in addresses if not exchange.limits.permit(where[0])]
    if private:
        got = f"{private[0]} is not a public address"
        advice = "set allow_private: true, if you mean a server of your own"
        if exchange.limits.permits is not None:
            advice = "let `leat serve --private-network` permit its network, or declare the system in a file"
        raise NotConfigured(exchange.integration, f"looking up {host}", got, advice)
    return addresses


def refuse_private(integration: str, host: str, port: int, limits: Limits) -> None:
    """Look a host up before anything is sent, and refuse it when any of its addresses isn't a public one.

    Raises:
        NotConfigured: one isn't.
        Unavailable: the name has no address.
    """
    try:
        addresses_of(Exchange(integration, limits, time.monotonic() + limits.total), host, port)
    except OSError:
        advice = "correct connection.url or look at the network"
        raise Unavailable(integration, f"looking up {host}", "no such host", advice) from None


def _looked_up(exchange: Exchange, host: str, port: int) -> list[Address]:
    """Look a name up in a thread of its own: the system's resolver has no deadline."""
    with contextlib.suppress(OSError, UnicodeError):
        numeric = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [(int(entry[0]), entry[4]) for entry in numeric]
    answer: list[list[Address] | OSError] = []

    def ask() -> None:
        try:
            answer.append(exchange.limits.look_up(host, port))
        except OSError as error:
            answer.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(exchange.time_left())
    if not answer:
        raise TimeoutError
    addresses = answer[0]
    if isinstance(addresses, OSError):
        raise addresses
    if not addresses:
        msg = "no address"
        raise OSError(msg)
    return addresses
