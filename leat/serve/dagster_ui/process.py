"""The process of Dagster's UI as the web process sees it: requests go to its socket, and the supervisor starts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from leat.runs.dagster_process import HEADER, PREFIX, May, forget_failure, read_failure, socket_path, vouch
from leat.serve.problem import Problem

if TYPE_CHECKING:
    import httpx2
    from websockets.asyncio.client import connect

_READ_SECONDS = 120.0  # a query of Dagster's may load the project again
_CONNECTIONS = 100
_IDLE_SECONDS = 2.0  # less than the 5 of the other end, which would close a connection just when it is used again
_MESSAGE = 32_000_000


class NotRunning(Exception):
    """The process doesn't answer: it isn't there, is starting, or has just ended."""


class DagsterProcess:
    """The other end of the socket; used on one event loop.

    Args:
        folder: where the socket is.
        key: what vouches for requests.
        ask: asks the supervisor to start the process, which does nothing while it runs; True if it has failed.
    """

    def __init__(self, folder: Path, key: bytes, ask: Callable[[bool], object]) -> None:
        self._folder, self._key, self._ask = folder, key, ask
        self._client: httpx2.AsyncClient | None = None
        self.streams: dict[str, int] = {}

    @property
    def failure(self) -> tuple[str, str] | None:
        """Why it couldn't start, and the next step."""
        return read_failure(self._folder)

    def want(self) -> None:
        """Have it started, unless it runs."""
        self._ask(False)

    def start_again(self) -> None:
        """Start it although it couldn't start before."""
        forget_failure(self._folder)
        self._ask(True)

    async def send(
        self, may: May, method: str, path: str, target: bytes, headers: Mapping[str, str], body: bytes
    ) -> httpx2.Response:
        """Send a request; the body of the answer is still to be read, and the answer to be closed.

        Args:
            may: what whoever asks may do.
            method: of the request.
            path: decoded, as it is signed.
            target: path and query as they were sent.
            headers: of the request.
            body: of the request.

        Raises:
            NotRunning: there is no answer.
            Problem: it takes too long.
        """
        import httpx2

        if self._client is None:
            limits = httpx2.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_IDLE_SECONDS)
            transport = httpx2.AsyncHTTPTransport(uds=socket_path(self._folder), limits=limits)
            self._client = httpx2.AsyncClient(
                transport=transport, base_url="http://dagster", timeout=_READ_SECONDS, trust_env=False
            )
        signed = {**headers, HEADER: vouch(self._key, may, method, path)}
        url = httpx2.URL("http://dagster").copy_with(raw_path=target)
        request = self._client.build_request(method, url, headers=signed, content=body)
        try:
            return await self._client.send(request, stream=True)
        except httpx2.TimeoutException as error:
            raise Problem(504, "dagster-slow", "Dagster didn't answer in time", "try again later") from error
        except httpx2.TransportError as error:
            raise NotRunning from error

    async def answers(self, may: May) -> bool:
        """Return whether the process answers; if not, ask for it."""
        path = f"{PREFIX}/server_info"
        try:
            answer = await self.send(may, "GET", path, path.encode(), {}, b"")
        except NotRunning:
            if self.failure is None:
                self.want()
            return False
        await answer.aclose()
        return True

    def connect(self, may: May, path: str, protocol: str) -> connect:
        """Return a WebSocket to it that isn't open yet."""
        from websockets.asyncio.client import unix_connect
        from websockets.typing import Subprotocol

        return unix_connect(
            socket_path(self._folder),
            f"ws://dagster{path}",
            subprotocols=[Subprotocol(protocol)],
            additional_headers={HEADER: vouch(self._key, may, "WS", path)},
            max_size=_MESSAGE,
            compression=None,
            proxy=None,
        )

    async def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            await self._client.aclose()
