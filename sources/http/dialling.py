"""Connections whose whole exchange has a deadline, and that dial the addresses that were checked.

A name is looked up once for a connection; every address is checked, and only those are dialled, so that a name which
leads somewhere else the second time leads nowhere. Each read waits no longer than the deadline of the exchange allows,
be it for the head of an answer, a chunk, or what comes after the last one.
"""

from __future__ import annotations

import http.client
import io
import socket
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from leat import tls
from leat.limits import HTTP_HEAD_BYTES as MAX_HEAD
from leat.sources.egress import check_host
from leat.sources.errors import NotConfigured
from leat.sources.http.lookup import CURRENT, Exchange, addresses_of


class HeadTooLong(http.client.HTTPException):
    """The head of an answer doesn't end."""


class _Socket(io.RawIOBase):
    """Reads a socket, each time no longer than the exchange may still take."""

    def __init__(self, raw: Any, sock: socket.socket, exchange: Exchange) -> None:
        self._raw, self._sock, self._exchange = raw, sock, exchange
        self.left: int | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._exchange.time_left())
        count = int(self._raw.readinto(buffer) or 0)
        if self.left is not None:
            self.left -= count
            if self.left < 0:
                raise HeadTooLong
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self._watched = _Socket(self.fp.detach(), sock, CURRENT.get())
        self.fp = io.BufferedReader(self._watched)

    def begin(self) -> None:
        self._watched.left = MAX_HEAD
        super().begin()
        self._watched.left = None


class _Dialled(HTTPConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        exchange, failure = CURRENT.get(), OSError("no address")
        try:
            addresses = addresses_of(exchange, self._dns_host.strip("[]"), self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except OSError as error:
            raise self._unconnected(error) from error
        for family, where in addresses:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(exchange.time_left())
                sock.connect(where)
                sock.settimeout(exchange.time_left())
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise self._unconnected(failure) from failure

    def _unconnected(self, error: OSError) -> Exception:
        return (ConnectTimeoutError if isinstance(error, TimeoutError) else NewConnectionError)(self, str(error))


class _DialledSafely(_Dialled, HTTPSConnection):
    pass


class _Plain(HTTPConnectionPool):
    ConnectionCls = _Dialled


class _Safe(HTTPSConnectionPool):
    ConnectionCls = _DialledSafely


_POOLS = {"http": _Plain, "https": _Safe}


class Transport(HTTPAdapter):
    """The adapter that a session sends through; connections are those of this module."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """Make connections that dial by themselves."""
        super().init_poolmanager(*args, ssl_minimum_version=tls.minimum(), **more)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """Go through a proxy of the environment, unless addresses are to be checked: a proxy looks them up itself.

        Raises:
            NotConfigured: they are, or the policies don't permit the proxy.
        """
        exchange = CURRENT.get()
        if not exchange.limits.any_address:
            got = "the environment names a proxy, which would look the host up itself"
            advice = "set NO_PROXY for the host, or allow_private: true"
            raise NotConfigured(exchange.integration, "connecting", got, advice)
        check_host(
            exchange.integration, urlsplit(proxy).hostname or "", encrypted=True
        )  # TLS is with the host behind it
        manager = super().proxy_manager_for(proxy, ssl_minimum_version=tls.minimum(), **more)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


def open_transport(session: requests.Session, in_flight: int) -> None:
    """Let a session send through connections of this module."""
    adapter = Transport(pool_maxsize=max(10, in_flight))
    session.mount("http://", adapter)
    session.mount("https://", adapter)
